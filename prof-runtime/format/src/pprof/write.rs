//! Writes profile.proto, uncompressed.

use super::fields::{location, mapping, profile, value_type};
use super::samples;
use super::strings::{self, Str, Strings};
use super::wire_write::Message;
use crate::snapshot::{Sink, Snapshot};

/// Writes `snapshot`. Does not allocate.
///
/// Values are the estimates in whole objects and bytes. What rounding takes from one sample it gives to the next, so
/// totals are right to one object.
///
/// # Errors
/// The first one of `sink`.
pub fn write<N: Snapshot, S: Sink>(snapshot: &N, sink: &mut S) -> Result<(), S::Error> {
    let facts = snapshot.facts();
    let strings = Strings::of(snapshot);
    let mut out = Message(sink);
    for column in samples::columns(&facts) {
        let (name, unit) = column.kind;
        value_type(&mut out, profile::SAMPLE_TYPE, name, unit)?;
    }
    samples::write(snapshot, &strings, &mut out)?;
    mappings(snapshot, &strings, &mut out)?;
    locations(snapshot, &mut out)?;
    out.number(profile::DROP_FRAMES, Str::DropFrames as u64)?;
    out.number(profile::TIME_NANOS, facts.time_nanos)?;
    out.number(profile::DURATION_NANOS, facts.duration_nanos)?;
    value_type(&mut out, profile::PERIOD_TYPE, Str::Space, Str::Bytes)?;
    out.number(profile::PERIOD, facts.period.max(1))?;
    let first = if facts.accum && facts.allocated_first { Str::AllocSpace } else { Str::InuseSpace };
    out.number(profile::DEFAULT_SAMPLE_TYPE, first as u64)?;
    strings.comments().try_for_each(|comment| out.number(profile::COMMENT, comment))?;
    strings::write(snapshot, &mut out)
}

fn value_type<E>(out: &mut Message<'_, E>, field: u32, name: Str, unit: Str) -> Result<(), E> {
    out.message(field, |message| {
        message.number(value_type::TYPE, name as u64)?;
        message.number(value_type::UNIT, unit as u64)
    })
}

fn mappings<N: Snapshot, E>(snapshot: &N, strings: &Strings, out: &mut Message<'_, E>) -> Result<(), E> {
    for index in 0..snapshot.modules() {
        let module = snapshot.module(index);
        out.message(profile::MAPPING, |message| {
            message.number(mapping::ID, index as u64 + 1)?;
            message.number(mapping::START, module.start)?;
            message.number(mapping::LIMIT, module.end)?;
            message.number(mapping::OFFSET, module.file_offset)?;
            message.number(mapping::FILENAME, strings.path(index))?;
            message.number(mapping::BUILD_ID, strings.build_id(index))
        })?;
    }
    Ok(())
}

fn locations<N: Snapshot, E>(snapshot: &N, out: &mut Message<'_, E>) -> Result<(), E> {
    for index in 0..snapshot.addresses() {
        let address = snapshot.address(index).saturating_sub(1);
        let holds = |module: &usize| {
            let module = snapshot.module(*module);
            module.start <= address && address < module.end
        };
        let module = (0..snapshot.modules()).find(holds);
        out.message(profile::LOCATION, |message| {
            message.number(location::ID, index as u64 + 1)?;
            message.number(location::MAPPING_ID, module.map_or(0, |module| module as u64 + 1))?;
            message.number(location::ADDRESS, address)
        })?;
    }
    Ok(())
}
