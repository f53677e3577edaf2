//! A copy of the tables at one moment, as the writers want it: dense numbers, sums, parts in a row.
//!
//! Made without stopping anybody: counts are read as they are. Everything lies in mappings of its own, sized by how
//! much there is when the copy begins; what is added meanwhile is left for the next dump.

use prof_format::{
    snapshot::{Facts, Leak, Module, Part, Row, Snapshot, Span, Stack, Thread},
    unbias::averaged,
    vocab::{Counts, Tally},
};

use super::{
    ages::{Age, Ages},
    image::ProcessImage,
    tables::Tables,
};
use crate::{
    context::{Context, ContextId, Tallies},
    labels::{LabelId, Labels},
    memory::{Plain, Rows},
    name::Name,
    numbering::Numbering,
    stack_table::StackId,
};

#[derive(Clone, Copy)]
struct FrozenStack {
    frames: (u32, u32),
    parts: (u32, u32),
    rows: (u32, u32),
    live: Tally,
    accum: Tally,
    /// What of the living is not reached; all where that is not known.
    lost: Tally,
}

struct FrozenThread {
    uid: u32,
    name: Name,
    system_name: Name,
    live: Tally,
    accum: Tally,
}

// SAFETY: numbers only, nothing to drop.
unsafe impl Plain for FrozenStack {}
// SAFETY: numbers and bytes only, nothing to drop.
unsafe impl Plain for FrozenThread {}
// SAFETY: numbers only, nothing to drop.
unsafe impl Plain for FrozenPart {}
// SAFETY: numbers only, nothing to drop; zeros are no index, an empty span and empty sums.
unsafe impl Plain for FrozenRow {}

#[derive(Clone, Copy)]
struct FrozenPart(Part);

/// A [`Row`] in numbers, with indices plus one.
#[derive(Clone, Copy)]
struct FrozenRow {
    thread: u32,
    label: u32,
    /// 0 for any, [`AGE`], or [`LIFETIME`] and in the last bit whether it ended elsewhere.
    span: u8,
    lg_nanos: u8,
    /// 0 for none.
    leak: u8,
    live: Tally,
    accum: Tally,
    peak: Tally,
    requested: u64,
    pinned: u64,
    variance: f64,
}

const AGE: u8 = 2;
const LIFETIME: u8 = 4;

const DIRECT: u8 = 1;
const INDIRECT: u8 = 2;

impl FrozenRow {
    fn of(row: &Row) -> FrozenRow {
        let number = |index: Option<usize>| index.map_or(0, |index| index as u32 + 1);
        let (span, lg_nanos) = match row.span {
            Span::Any => (0, 0),
            Span::Age(lg) => (AGE, lg),
            Span::Lifetime { lg_nanos, elsewhere } => (LIFETIME | u8::from(elsewhere), lg_nanos),
        };
        FrozenRow {
            thread: number(row.thread),
            label: number(row.label),
            span,
            lg_nanos,
            leak: match row.leak {
                None => 0,
                Some(Leak::Direct) => DIRECT,
                Some(Leak::Indirect) => INDIRECT,
            },
            live: row.live,
            accum: row.accum,
            peak: row.peak,
            requested: row.requested,
            pinned: row.pinned,
            variance: row.variance,
        }
    }

    fn row(&self) -> Row {
        let index = |number: u32| number.checked_sub(1).map(|index| index as usize);
        let span = match self.span {
            0 => Span::Any,
            AGE => Span::Age(self.lg_nanos),
            span => Span::Lifetime { lg_nanos: self.lg_nanos, elsewhere: span & 1 != 0 },
        };
        Row {
            thread: index(self.thread),
            label: index(self.label),
            span,
            leak: match self.leak {
                DIRECT => Some(Leak::Direct),
                INDIRECT => Some(Leak::Indirect),
                _ => None,
            },
            live: self.live,
            accum: self.accum,
            peak: self.peak,
            requested: self.requested,
            pinned: self.pinned,
            variance: self.variance,
        }
    }
}

/// The copy.
pub struct Frozen<'a> {
    facts: Facts<'a>,
    image: &'a ProcessImage,
    addresses: Rows<u64>,
    frames: Rows<u32>,
    stacks: Rows<FrozenStack>,
    parts: Rows<FrozenPart>,
    rows: Rows<FrozenRow>,
    threads: Rows<FrozenThread>,
    /// Bits of the labels that rows have.
    labels: Rows<u32>,
    texts: &'a Labels,
}

impl<'a> Frozen<'a> {
    /// Copies the tables; `None` when there is no memory for the copy. With `facts.detail` also who is how old, for which
    /// all living samples are walked. With `marks_cuts` stacks that were cut end in a frame that says so.
    pub fn take(
        tables: &Tables<'a>,
        facts: Facts<'a>,
        image: &'a ProcessImage,
        marks_cuts: bool,
    ) -> Option<Frozen<'a>> {
        // Contexts are counted first: their stacks, frames and threads exist already.
        let contexts = tables.contexts.len();
        let threads = tables.threads.len();
        let labels = tables.labels.len() as usize;
        let addresses = tables.addresses.id_limit() as usize;
        // Before the counts are read: what these hold beyond is told without an age.
        let walks = facts.detail || tables.marks.is_some();
        let ages = Ages::walk(tables, if walks { contexts } else { 0 })?;
        let ends = if facts.detail { tables.contexts.end_cells() as usize + contexts as usize } else { 0 };
        let frozen = Frozen {
            facts: Facts {
                accum: tables.accum,
                pinned: facts.detail && tables.fullness.is_some(),
                peak: facts.detail && tables.contexts.peak().is_on(),
                ..facts
            },
            image,
            stacks: Rows::new(contexts as usize)?,
            parts: Rows::new(contexts as usize)?,
            // Each context has one row for what has neither age nor end.
            rows: Rows::new(ages.len() + ends + contexts as usize)?,
            frames: Rows::new(tables.stacks.words() as usize)?,
            threads: Rows::new(threads as usize)?,
            addresses: Rows::new(addresses)?,
            labels: Rows::new(labels)?,
            texts: tables.labels,
        };
        let mut copy = Copying {
            tables,
            frozen,
            ages,
            ends_left: ends,
            contexts,
            labels: Numbering::new(labels + 1)?,
            marks_cuts,
            threads: Numbering::new(threads as usize)?,
            addresses: Numbering::new(addresses)?,
        };
        for uid in (0..threads).filter(|uid| !tables.threads.exited(*uid)) {
            copy.thread(uid)?;
        }
        for id in tables.contexts.ids().take(contexts as usize) {
            // A stack is met at its oldest context, which is the last of its list.
            let oldest = tables.contexts.get(id).filter(|context| context.next().is_none());
            if let Some(stack) = oldest.and_then(Context::stack) {
                copy.stack(stack)?;
            }
        }
        if facts.raw {
            copy.frozen.average(facts.period);
        }
        Some(copy.frozen)
    }

    /// Makes the estimates those that follow from the sampled counts of each row alone.
    fn average(&mut self, period: u64) {
        let average = |tally: &mut Tally| *tally = averaged(*tally, period);
        self.stacks
            .iter_mut()
            .flat_map(|row| [&mut row.live, &mut row.accum, &mut row.lost])
            .for_each(average);
        self.parts.iter_mut().flat_map(|row| [&mut row.0.live, &mut row.0.accum]).for_each(average);
        self.rows.iter_mut().flat_map(|row| [&mut row.live, &mut row.accum, &mut row.peak]).for_each(average);
        self.threads.iter_mut().flat_map(|row| [&mut row.live, &mut row.accum]).for_each(average);
    }

    /// Makes one part of neighbours of the same thread, which differ in their labels alone.
    fn join_labels(&mut self, first: usize) {
        let mut kept = first;
        for at in first + 1..self.parts.len() {
            let (part, last) = (self.parts[at].0, &mut self.parts[kept].0);
            if part.thread == last.thread {
                (last.live, last.accum) = (last.live.plus(part.live), last.accum.plus(part.accum));
            } else {
                kept += 1;
                self.parts[kept].0 = part;
            }
        }
        self.parts.truncate(kept + 1);
    }

    /// What of a stack's living the program cannot reach any more; all of it where that was not found out.
    pub fn lost(&self, index: usize) -> Tally {
        self.stacks.get(index).map_or(Tally::default(), |stack| stack.lost)
    }

    /// The process as it was mapped.
    pub fn image(&self) -> &ProcessImage {
        self.image
    }
}

/// A copy being made. The steps answer `None` when a table is full, which its room makes impossible.
struct Copying<'t, 'a> {
    tables: &'t Tables<'a>,
    frozen: Frozen<'a>,
    ages: Ages,
    /// Rows for ends that there is room for. Ways to end that were met since it was made are told without their ends.
    ends_left: usize,
    labels: Numbering,
    /// Whether cut stacks end in a frame that says so.
    marks_cuts: bool,
    /// Contexts with larger ids came after the copy began.
    contexts: u32,
    threads: Numbering,
    addresses: Numbering,
}

impl Copying<'_, '_> {
    /// The number of a thread, which is listed when it is new.
    fn thread(&mut self, uid: u32) -> Option<u32> {
        let (number, new) = self.threads.of(uid, self.frozen.threads.len())?;
        if new {
            let name = self.tables.threads.name(uid);
            let system_name = self.tables.threads.system_name(uid);
            let (live, accum) = Default::default();
            self.frozen.threads.push(FrozenThread { uid, name, system_name, live, accum })?;
        }
        Some(number)
    }

    /// The number of a label, which is listed when it is new.
    fn label(&mut self, label: LabelId) -> Option<u32> {
        let bits = LabelId::to_bits(Some(label));
        let (number, new) = self.labels.of(bits, self.frozen.labels.len())?;
        if new {
            self.frozen.labels.push(bits)?;
        }
        Some(number)
    }

    /// Copies a stack with all its parts, if it has any samples.
    fn stack(&mut self, stack: StackId) -> Option<()> {
        let tables = self.tables;
        let first_part = self.frozen.parts.len();
        let first_row = self.frozen.rows.len();
        let [mut live, mut accum, mut lost] = [Tally::default(); 3];
        let mut at = tables.contexts.newest(stack, tables.stacks);
        while let Some((id, context)) = at.and_then(|id| Some((id, tables.contexts.get(id)?))) {
            at = context.next();
            if id.to_bits() > self.contexts {
                continue;
            }
            let tallies = tables.contexts.tallies(context, tables.generation);
            self.frozen.facts.about.samples += tallies.accum.sampled.objs;
            let shown = if tables.accum { tallies.accum } else { Tally::default() };
            let peak = self.frozen.facts.peak && !tallies.peak.is_empty();
            if tallies.live.is_empty() && shown.is_empty() && !peak {
                continue;
            }
            let thread = self.thread(context.thread())?;
            if self.frozen.facts.detail {
                self.rows(id, context, thread, &tallies)?;
            }
            let row = self.frozen.threads.get_mut(thread as usize)?;
            (row.live, row.accum) = (row.live.plus(tallies.live), row.accum.plus(shown));
            (live, accum) = (live.plus(tallies.live), accum.plus(shown));
            lost = lost.plus(self.lost(id, &tallies));
            let part = Part { thread: thread as usize, live: tallies.live, accum: shown };
            self.frozen.parts.push(FrozenPart(part))?;
        }
        let parts = (first_part as u32, self.frozen.parts.len() as u32);
        if parts.0 == parts.1 {
            return Some(());
        }
        // The list is newest first; threads are shown in the order in which they are listed.
        self.frozen.parts[first_part..].sort_unstable_by_key(|part| part.0.thread);
        self.frozen.join_labels(first_part);
        let parts = (parts.0, self.frozen.parts.len() as u32);
        let rows = (first_row as u32, self.frozen.rows.len() as u32);
        let first_frame = self.frozen.frames.len() as u32;
        // The reference's format has no such frame.
        let cut = self.marks_cuts && tables.truncated != 0 && tables.stacks.is_truncated(stack);
        for id in tables.stacks.frames(stack).chain(cut.then_some(tables.truncated)) {
            let (number, new) = self.addresses.of(id, self.frozen.addresses.len())?;
            if new {
                self.frozen.addresses.push(tables.addresses.site(id)?.as_return_address())?;
            }
            self.frozen.frames.push(number)?;
        }
        let frames = (first_frame, self.frozen.frames.len() as u32);
        self.frozen.stacks.push(FrozenStack { frames, parts, rows, live, accum, lost })
    }

    /// What of a context's living is not reached.
    fn lost(&self, id: ContextId, tallies: &Tallies) -> Tally {
        if self.tables.marks.is_none() {
            return tallies.live;
        }
        let ages = core::iter::successors(self.ages.first(id), |age| self.ages.next(age));
        ages.filter(|age| age.leak.is_some()).fold(Tally::default(), |sum, age| sum.plus(age.live))
    }

    /// The rows of a context: the living by age, the others by end, and what has neither.
    fn rows(&mut self, id: ContextId, context: &Context, thread: u32, tallies: &Tallies) -> Option<()> {
        let tables = self.tables;
        let label = match context.label() {
            Some(label) => Some(self.label(label)? as usize),
            None => None,
        };
        let whose = Row { thread: Some(thread as usize), label, ..Row::default() };
        let (mut rest, mut at) = (tallies.live, self.ages.first(id));
        while let Some(age) = at {
            let Age { lg_nanos, leak, live, requested, pinned, variance, .. } = *age;
            rest = rest.less(live);
            let span = Span::Age(lg_nanos);
            let row = Row { span, leak, live, accum: live, requested, pinned, variance, ..whose };
            self.frozen.rows.push(FrozenRow::of(&row))?;
            at = self.ages.next(age);
        }
        let mut ended = Tally::default();
        for (end, tally) in tables.contexts.ends(context, tables.generation) {
            if tables.accum && self.ends_left > 0 {
                self.ends_left -= 1;
                let span = Span::Lifetime { lg_nanos: end.lg_nanos, elsewhere: end.elsewhere };
                self.frozen.rows.push(FrozenRow::of(&Row { span, accum: tally, ..whose }))?;
            } else {
                ended = ended.plus(tally);
            }
        }
        let peak = if self.frozen.facts.peak { tallies.peak } else { Tally::default() };
        let accum = rest.plus(ended);
        if !accum.is_empty() || !peak.is_empty() {
            self.frozen.rows.push(FrozenRow::of(&Row { live: rest, accum, peak, ..whose }))?;
        }
        Some(())
    }
}

const NO_STACK: Stack<'static> = Stack {
    frames: &[],
    live: Tally { sampled: Counts { objs: 0, bytes: 0 }, est_objs_q16: 0, est_bytes: 0 },
    accum: Tally { sampled: Counts { objs: 0, bytes: 0 }, est_objs_q16: 0, est_bytes: 0 },
    parts: 0,
    rows: 0,
};

/// Indices out of range are answered with nothing: a dump must not end the program.
impl Snapshot for Frozen<'_> {
    fn facts(&self) -> Facts<'_> {
        self.facts
    }

    fn addresses(&self) -> usize {
        self.addresses.len()
    }

    fn address(&self, index: usize) -> u64 {
        self.addresses.get(index).copied().unwrap_or(0)
    }

    fn threads(&self) -> usize {
        self.threads.len()
    }

    fn thread(&self, index: usize) -> Thread<'_> {
        self.threads.get(index).map_or_else(Thread::default, |thread| Thread {
            uid: thread.uid as u64,
            name: thread.name.as_bytes(),
            system_name: thread.system_name.as_bytes(),
            live: thread.live,
            accum: thread.accum,
        })
    }

    fn stacks(&self) -> usize {
        self.stacks.len()
    }

    fn stack(&self, index: usize) -> Stack<'_> {
        self.stacks.get(index).map_or(NO_STACK, |stack| Stack {
            frames: self.frames.get(stack.frames.0 as usize..stack.frames.1 as usize).unwrap_or(&[]),
            live: stack.live,
            accum: stack.accum,
            parts: (stack.parts.1 - stack.parts.0) as usize,
            rows: (stack.rows.1 - stack.rows.0) as usize,
        })
    }

    fn part(&self, index: usize, part: usize) -> Part {
        let first = self.stacks.get(index).map_or(0, |stack| stack.parts.0) as usize;
        match self.parts.get(first + part) {
            Some(part) => part.0,
            None => Part { thread: 0, live: Tally::default(), accum: Tally::default() },
        }
    }

    fn row(&self, index: usize, row: usize) -> Row {
        let first = self.stacks.get(index).map_or(0, |stack| stack.rows.0) as usize;
        self.rows.get(first + row).map_or_else(Row::default, FrozenRow::row)
    }

    fn labels(&self) -> usize {
        self.labels.len()
    }

    fn label(&self, index: usize) -> &[u8] {
        let label = self.labels.get(index).and_then(|bits| LabelId::from_bits(*bits));
        self.texts.text(label).to_bytes()
    }

    fn modules(&self) -> usize {
        self.image.modules()
    }

    fn module(&self, index: usize) -> Module<'_> {
        self.image.module(index)
    }

    fn maps<E>(&self, piece: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        piece(self.image.maps())
    }
}
