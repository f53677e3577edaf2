//! Writes profile.proto, uncompressed.

use super::DROP_FRAMES;
use super::fields::{label, location, mapping, profile, sample, value_type};
use super::wire_write::Message;
use crate::out::hex_of;
use crate::snapshot::{Sink, Snapshot};
use crate::totals;
use crate::vocab::Tally;

/// Strings that every profile has, by [`Str`].
const STRINGS: [&str; 12] = [
    "",
    "alloc_objects",
    "alloc_space",
    "inuse_objects",
    "inuse_space",
    "space",
    "count",
    "bytes",
    "thread",
    "thread_uid",
    "id",
    DROP_FRAMES,
];

/// Index of a fixed string in the string table.
#[derive(Clone, Copy)]
enum Str {
    AllocObjects = 1,
    AllocSpace,
    InuseObjects,
    InuseSpace,
    Space,
    Count,
    Bytes,
    Thread,
    ThreadUid,
    Id,
    DropFrames,
}

/// Sample types of accumulated figures, then of live ones, with their units.
const SAMPLE_TYPES: [(Str, Str); 4] = [
    (Str::AllocObjects, Str::Count),
    (Str::AllocSpace, Str::Bytes),
    (Str::InuseObjects, Str::Count),
    (Str::InuseSpace, Str::Bytes),
];

/// Index in the string table of what a snapshot names: fixed strings, threads, modules (path, build id), totals,
/// comment.
struct Strings {
    threads: usize,
    modules: usize,
    totals: usize,
}

impl Strings {
    fn thread(&self, index: usize) -> u64 {
        (STRINGS.len() + index) as u64
    }

    fn path(&self, module: usize) -> u64 {
        (STRINGS.len() + self.threads + 2 * module) as u64
    }

    fn build_id(&self, module: usize) -> u64 {
        self.path(module) + 1
    }

    fn total(&self, index: usize) -> u64 {
        self.path(self.modules) + index as u64
    }

    fn comment(&self) -> u64 {
        self.total(self.totals)
    }
}

/// Writes `snapshot`. Does not allocate.
///
/// Values are the estimates in whole objects and bytes. What rounding takes from one sample it gives to the next, so
/// totals are right to one object.
///
/// # Errors
/// The first one of `sink`.
pub fn write<N: Snapshot, S: Sink>(snapshot: &N, sink: &mut S) -> Result<(), S::Error> {
    let facts = snapshot.facts();
    let strings =
        Strings { threads: snapshot.threads(), modules: snapshot.modules(), totals: facts.totals.count() };
    let mut out = Message(sink);
    let columns = if facts.accum { &SAMPLE_TYPES[..] } else { &SAMPLE_TYPES[2..] };
    for (name, unit) in columns {
        value_type(&mut out, profile::SAMPLE_TYPE, *name, *unit)?;
    }
    samples(snapshot, &strings, &mut out)?;
    mappings(snapshot, &strings, &mut out)?;
    locations(snapshot, &mut out)?;
    out.number(profile::DROP_FRAMES, Str::DropFrames as u64)?;
    out.number(profile::TIME_NANOS, facts.time_nanos)?;
    out.number(profile::DURATION_NANOS, facts.duration_nanos)?;
    value_type(&mut out, profile::PERIOD_TYPE, Str::Space, Str::Bytes)?;
    out.number(profile::PERIOD, facts.period.max(1))?;
    out.number(profile::DEFAULT_SAMPLE_TYPE, Str::InuseSpace as u64)?;
    out.number(profile::COMMENT, strings.comment())?;
    (0..strings.totals).try_for_each(|index| out.number(profile::COMMENT, strings.total(index)))?;
    string_table(snapshot, &mut out)
}

fn value_type<E>(out: &mut Message<'_, E>, field: u32, name: Str, unit: Str) -> Result<(), E> {
    out.message(field, |message| {
        message.number(value_type::TYPE, name as u64)?;
        message.number(value_type::UNIT, unit as u64)
    })
}

/// Rounds a series of figures so that their sum stays right.
struct Carry(u64);

impl Carry {
    fn whole(&mut self, q16: u64) -> u64 {
        let sum = q16.saturating_add(self.0);
        self.0 = sum & 0xffff;
        sum >> 16
    }
}

fn samples<N: Snapshot, E>(snapshot: &N, strings: &Strings, out: &mut Message<'_, E>) -> Result<(), E> {
    // Half an object to begin with, so that the running sum is rounded, not cut.
    let (mut live_carry, mut accum_carry) = (Carry(1 << 15), Carry(1 << 15));
    let with_accum = snapshot.facts().accum;
    for index in 0..snapshot.stacks() {
        let stack = snapshot.stack(index);
        // A runtime that does not keep shares has one sample for the whole stack.
        for part in 0..stack.parts.max(1) {
            let (thread, live, accum) = if stack.parts == 0 {
                (None, stack.live, stack.accum)
            } else {
                let part = snapshot.part(index, part);
                (Some(part.thread), part.live, part.accum)
            };
            if live.is_empty() && (accum.is_empty() || !with_accum) {
                continue;
            }
            let mut values = [0; 4];
            if with_accum {
                values[..2].copy_from_slice(&[accum_carry.whole(accum.est_objs_q16), accum.est_bytes]);
            }
            values[2..].copy_from_slice(&[live_carry.whole(live.est_objs_q16), live.est_bytes]);
            let columns = if with_accum { &values[..] } else { &values[2..] };
            out.message(profile::SAMPLE, |message| {
                message
                    .packed(sample::LOCATION_ID, stack.frames.iter().map(|frame| u64::from(*frame) + 1))?;
                message.packed(sample::VALUE, columns.iter().copied())?;
                if let Some(thread) = thread {
                    message.message(sample::LABEL, |message| {
                        message.number(label::KEY, Str::Thread as u64)?;
                        message.number(label::STR, strings.thread(thread))
                    })?;
                    number_label(message, Str::ThreadUid, snapshot.thread(thread).uid, Str::Id)?;
                }
                let objects = if live.is_empty() { accum } else { live };
                number_label(message, Str::Bytes, mean_size(objects), Str::Bytes)
            })?;
        }
    }
    Ok(())
}

fn number_label<E>(out: &mut Message<'_, E>, key: Str, number: u64, unit: Str) -> Result<(), E> {
    out.message(sample::LABEL, |message| {
        message.number(label::KEY, key as u64)?;
        message.number(label::NUM, number)?;
        message.number(label::NUM_UNIT, unit as u64)
    })
}

fn mean_size(tally: Tally) -> u64 {
    (tally.est_bytes as f64 / tally.est_objs() + 0.5) as u64
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

fn string_table<N: Snapshot, E>(snapshot: &N, out: &mut Message<'_, E>) -> Result<(), E> {
    for text in STRINGS {
        out.bytes(profile::STRING_TABLE, text.as_bytes())?;
    }
    for index in 0..snapshot.threads() {
        let thread = snapshot.thread(index);
        out.message(profile::STRING_TABLE, |message| {
            if thread.name.is_empty() {
                message.raw(b"thread-")?;
                message.decimal(thread.uid)
            } else {
                message.utf8(thread.name)
            }
        })?;
    }
    for index in 0..snapshot.modules() {
        let module = snapshot.module(index);
        out.message(profile::STRING_TABLE, |message| message.utf8(module.path))?;
        let mut hex = [0; 64];
        out.bytes(profile::STRING_TABLE, hex_of(&module.build_id, &mut hex))?;
    }
    let facts = snapshot.facts();
    facts.totals.known().try_for_each(|(name, bytes)| {
        out.message(profile::STRING_TABLE, |message| {
            message.raw(totals::PREFIX.as_bytes())?;
            message.raw(name.as_bytes())?;
            message.raw(b" ")?;
            message.decimal(bytes)
        })
    })?;
    out.message(profile::STRING_TABLE, |message| {
        message.raw(b"Heap profile of ")?;
        message.utf8(if facts.program.is_empty() { b"an unknown program" } else { facts.program })?;
        message.raw(b", pid ")?;
        message.decimal(facts.pid.into())?;
        message.raw(b", mean sampling distance ")?;
        message.decimal(facts.period.max(1))?;
        message.raw(b" bytes, written by jeprof-rs")
    })
}
