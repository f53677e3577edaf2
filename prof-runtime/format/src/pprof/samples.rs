//! The samples of a snapshot: which values each has, and which labels.

use super::fields::{label, profile, sample};
use super::strings::{Str, Strings};
use super::wire_write::Message;
use crate::snapshot::{Facts, Leak, Row, Snapshot, Span};
use crate::vocab::Tally;

/// A value of each sample.
pub(super) struct Column {
    /// Its name and unit.
    pub(super) kind: (Str, Str),
    /// Whether a snapshot has it.
    has: fn(&Facts) -> bool,
    value: fn(&Row, &Whole) -> u64,
}

/// All of them, in the order in which they are written.
const COLUMNS: [Column; 12] = [
    Column { kind: (Str::AllocObjects, Str::Count), has: |facts| facts.accum, value: |_, whole| whole.born },
    Column {
        kind: (Str::AllocSpace, Str::Bytes),
        has: |facts| facts.accum,
        value: |row, _| row.accum.est_bytes,
    },
    Column { kind: (Str::InuseObjects, Str::Count), has: |_| true, value: |_, whole| whole.live },
    Column { kind: (Str::InuseSpace, Str::Bytes), has: |_| true, value: |row, _| row.live.est_bytes },
    Column { kind: (Str::PeakObjects, Str::Count), has: |facts| facts.peak, value: |_, whole| whole.peak },
    Column {
        kind: (Str::PeakSpace, Str::Bytes),
        has: |facts| facts.peak,
        value: |row, _| row.peak.est_bytes,
    },
    Column {
        kind: (Str::InuseRequestedSpace, Str::Bytes),
        has: |facts| facts.detail,
        value: |row, _| row.requested,
    },
    Column { kind: (Str::PinnedSpace, Str::Bytes), has: |facts| facts.pinned, value: |row, _| row.pinned },
    Column {
        kind: (Str::Samples, Str::Count),
        has: |facts| facts.detail,
        value: |row, _| row.live.sampled.objs,
    },
    Column {
        kind: (Str::Variance, Str::Bytes2),
        has: |facts| facts.detail,
        // The values of a profile are signed.
        value: |row, _| ((row.variance + 0.5) as u64).min(i64::MAX as u64),
    },
    // With `alloc_objects` both would be told twice.
    Column {
        kind: (Str::Births, Str::Count),
        has: |facts| facts.detail && !facts.accum,
        value: |_, whole| whole.born,
    },
    Column {
        kind: (Str::Deaths, Str::Count),
        has: |facts| facts.detail && !facts.accum,
        value: |_, whole| whole.died,
    },
];

/// The columns of a snapshot.
pub(super) fn columns(facts: &Facts) -> impl Iterator<Item = &'static Column> + Clone {
    let wanted: u64 = (0..COLUMNS.len()).filter(|at| (COLUMNS[*at].has)(facts)).map(|at| 1 << at).sum();
    COLUMNS.iter().enumerate().filter(move |(at, _)| wanted >> at & 1 != 0).map(|(_, column)| column)
}

/// Rounds a series of figures so that their sum stays right.
struct Carry(u64);

impl Carry {
    /// Half an object to begin with, so that the running sum is rounded, not cut.
    const START: Carry = Carry(1 << 15);

    fn whole(&mut self, q16: u64) -> u64 {
        let sum = q16.saturating_add(self.0);
        self.0 = sum & 0xffff;
        sum >> 16
    }
}

/// Whole objects of a row.
struct Whole {
    live: u64,
    died: u64,
    born: u64,
    peak: u64,
}

struct Carries {
    live: Carry,
    died: Carry,
    peak: Carry,
}

impl Carries {
    /// What is alive and what died are rounded by themselves, so that never less was allocated than is alive.
    fn whole(&mut self, row: &Row) -> Whole {
        let live = self.live.whole(row.live.est_objs_q16);
        let died = self.died.whole(row.accum.est_objs_q16.saturating_sub(row.live.est_objs_q16));
        Whole { live, died, born: live.saturating_add(died), peak: self.peak.whole(row.peak.est_objs_q16) }
    }
}

/// Writes the samples of all stacks.
pub(super) fn write<N: Snapshot, E>(
    snapshot: &N,
    strings: &Strings,
    out: &mut Message<'_, E>,
) -> Result<(), E> {
    let facts = snapshot.facts();
    let mut carries = Carries { live: Carry::START, died: Carry::START, peak: Carry::START };
    for index in 0..snapshot.stacks() {
        let stack = snapshot.stack(index);
        // A source that does not keep rows has one for each thread, and one that does not keep those a single one.
        let rows = if facts.detail { stack.rows } else { stack.parts.max(1) };
        for at in 0..rows {
            let row = if facts.detail {
                snapshot.row(index, at)
            } else if stack.parts == 0 {
                Row { live: stack.live, accum: stack.accum, ..Row::default() }
            } else {
                let part = snapshot.part(index, at);
                Row { thread: Some(part.thread), live: part.live, accum: part.accum, ..Row::default() }
            };
            let dead = row.accum.is_empty() || !(facts.accum || facts.detail);
            if row.live.is_empty() && dead && row.peak.is_empty() {
                continue;
            }
            let whole = carries.whole(&row);
            out.message(profile::SAMPLE, |message| {
                message
                    .packed(sample::LOCATION_ID, stack.frames.iter().map(|frame| u64::from(*frame) + 1))?;
                let values = columns(&facts).map(|column| (column.value)(&row, &whole));
                message.packed(sample::VALUE, values)?;
                labels(snapshot, strings, &row, message)
            })?;
        }
    }
    Ok(())
}

fn labels<N: Snapshot, E>(
    snapshot: &N,
    strings: &Strings,
    row: &Row,
    out: &mut Message<'_, E>,
) -> Result<(), E> {
    if let Some(thread) = row.thread {
        text_label(out, Str::Thread, strings.thread(thread))?;
        number_label(out, Str::ThreadUid, snapshot.thread(thread).uid, Str::Id)?;
    }
    if let Some(label) = row.label {
        text_label(out, Str::Label, strings.label(label))?;
    }
    match row.span {
        Span::Any => {}
        Span::Age(lg) => number_label(out, Str::Age, lower_bound(lg), Str::Nanoseconds)?,
        Span::Lifetime { lg_nanos, elsewhere } => {
            number_label(out, Str::Lifetime, lower_bound(lg_nanos), Str::Nanoseconds)?;
            let by = if elsewhere { Str::OtherThread } else { Str::SameThread };
            text_label(out, Str::FreedBy, by as u64)?;
        }
    }
    if let Some(leak) = row.leak {
        let how = if leak == Leak::Direct { Str::Direct } else { Str::Indirect };
        text_label(out, Str::Leak, how as u64)?;
    }
    let objects = [row.live, row.accum, row.peak].into_iter().find(|tally| !tally.is_empty());
    number_label(out, Str::Bytes, objects.map_or(0, mean_size), Str::Bytes)
}

/// Nanoseconds that objects of a span have lived at least; 1 for those that have not lived for two, because readers take a
/// label of 0 for none.
fn lower_bound(lg: u8) -> u64 {
    1u64.checked_shl(lg.into()).unwrap_or(u64::MAX).min(i64::MAX as u64)
}

fn text_label<E>(out: &mut Message<'_, E>, key: Str, text: u64) -> Result<(), E> {
    out.message(sample::LABEL, |message| {
        message.number(label::KEY, key as u64)?;
        message.number(label::STR, text)
    })
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
