//! A copy of the tables at one moment, as the writers want it: dense numbers, sums, parts in a row.
//!
//! Made without stopping anybody: counts are read as they are. Everything lies in mappings of its own, sized by how
//! much there is when the copy begins; what is added meanwhile is left for the next dump.

use prof_format::{
    snapshot::{Facts, Module, Part, Snapshot, Stack, Thread},
    unbias::averaged,
    vocab::{Counts, Tally},
};

use super::image::ProcessImage;
use crate::{
    context::{Context, Contexts},
    memory::{Plain, Rows},
    numbering::Numbering,
    stack_table::{StackId, StackTable},
    thread::{Name, Threads},
    unwind::cache::RuleCache,
};

/// The tables to copy.
pub struct Tables<'a> {
    /// Address ids.
    pub addresses: &'a RuleCache,
    /// Stacks.
    pub stacks: &'a StackTable,
    /// Counts.
    pub contexts: &'a Contexts,
    /// Names.
    pub threads: &'a Threads,
    /// Which counts hold.
    pub generation: u32,
    /// Whether accumulated counts are asked for.
    pub accum: bool,
}

impl Tables<'_> {
    /// Return addresses of a stack, leaf first; how many there are.
    pub fn trace(&self, stack: StackId, trace: &mut [u64]) -> usize {
        let address = |id| self.addresses.site(id).map_or(0, |site| site.as_return_address());
        trace.iter_mut().zip(self.stacks.frames(stack)).map(|(slot, id)| *slot = address(id)).count()
    }
}

#[derive(Clone, Copy)]
struct FrozenStack {
    frames: (u32, u32),
    parts: (u32, u32),
    live: Tally,
    accum: Tally,
}

struct FrozenThread {
    uid: u32,
    name: Name,
    live: Tally,
    accum: Tally,
}

// SAFETY: numbers only, nothing to drop.
unsafe impl Plain for FrozenStack {}
// SAFETY: numbers and bytes only, nothing to drop.
unsafe impl Plain for FrozenThread {}
// SAFETY: numbers only, nothing to drop.
unsafe impl Plain for FrozenPart {}

#[derive(Clone, Copy)]
struct FrozenPart(Part);

/// The copy.
pub struct Frozen<'a> {
    facts: Facts<'a>,
    image: &'a ProcessImage,
    addresses: Rows<u64>,
    frames: Rows<u32>,
    stacks: Rows<FrozenStack>,
    parts: Rows<FrozenPart>,
    threads: Rows<FrozenThread>,
}

impl<'a> Frozen<'a> {
    /// Copies the tables; `None` when there is no memory for the copy.
    pub fn take(tables: &Tables, facts: Facts<'a>, image: &'a ProcessImage) -> Option<Frozen<'a>> {
        // Contexts are counted first: their stacks, frames and threads exist already.
        let contexts = tables.contexts.len();
        let threads = tables.threads.len();
        let addresses = tables.addresses.id_limit() as usize;
        let frozen = Frozen {
            facts: Facts { accum: tables.accum, ..facts },
            image,
            stacks: Rows::new(contexts as usize)?,
            parts: Rows::new(contexts as usize)?,
            frames: Rows::new(tables.stacks.words() as usize)?,
            threads: Rows::new(threads as usize)?,
            addresses: Rows::new(addresses)?,
        };
        let mut copy = Copying {
            tables,
            frozen,
            contexts,
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
        self.stacks.iter_mut().flat_map(|row| [&mut row.live, &mut row.accum]).for_each(average);
        self.parts.iter_mut().flat_map(|row| [&mut row.0.live, &mut row.0.accum]).for_each(average);
        self.threads.iter_mut().flat_map(|row| [&mut row.live, &mut row.accum]).for_each(average);
    }

    /// Live samples of all threads, and the number of stacks that have some.
    pub fn live(&self) -> (Tally, u64) {
        let live = self.stacks.iter().map(|stack| stack.live).filter(|live| !live.is_empty());
        live.fold((Tally::default(), 0), |(sum, count), live| (sum.plus(live), count + 1))
    }
}

/// A copy being made. The steps answer `None` when a table is full, which its room makes impossible.
struct Copying<'t, 'a> {
    tables: &'t Tables<'t>,
    frozen: Frozen<'a>,
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
            let (live, accum) = Default::default();
            self.frozen.threads.push(FrozenThread { uid, name, live, accum })?;
        }
        Some(number)
    }

    /// Copies a stack with all its parts, if it has any samples.
    fn stack(&mut self, stack: StackId) -> Option<()> {
        let tables = self.tables;
        let first_part = self.frozen.parts.len();
        let (mut live, mut accum) = (Tally::default(), Tally::default());
        let mut at = tables.contexts.newest(stack, tables.stacks);
        while let Some((id, context)) = at.and_then(|id| Some((id, tables.contexts.get(id)?))) {
            at = context.next();
            let (part_live, part_accum) = context.tallies(tables.generation);
            let part_accum = if tables.accum { part_accum } else { Tally::default() };
            if id.to_bits() > self.contexts || part_live.is_empty() && part_accum.is_empty() {
                continue;
            }
            let thread = self.thread(context.thread())? as usize;
            let row = self.frozen.threads.get_mut(thread)?;
            (row.live, row.accum) = (row.live.plus(part_live), row.accum.plus(part_accum));
            (live, accum) = (live.plus(part_live), accum.plus(part_accum));
            self.frozen.parts.push(FrozenPart(Part { thread, live: part_live, accum: part_accum }))?;
        }
        let parts = (first_part as u32, self.frozen.parts.len() as u32);
        if parts.0 == parts.1 {
            return Some(());
        }
        // The list is newest first; threads are shown in the order in which they are listed.
        self.frozen.parts[first_part..].sort_unstable_by_key(|part| part.0.thread);
        let first_frame = self.frozen.frames.len() as u32;
        for id in tables.stacks.frames(stack) {
            let (number, new) = self.addresses.of(id, self.frozen.addresses.len())?;
            if new {
                self.frozen.addresses.push(tables.addresses.site(id)?.as_return_address())?;
            }
            self.frozen.frames.push(number)?;
        }
        let frames = (first_frame, self.frozen.frames.len() as u32);
        self.frozen.stacks.push(FrozenStack { frames, parts, live, accum })
    }
}

const NO_STACK: Stack<'static> = Stack {
    frames: &[],
    live: Tally { sampled: Counts { objs: 0, bytes: 0 }, est_objs_q16: 0, est_bytes: 0 },
    accum: Tally { sampled: Counts { objs: 0, bytes: 0 }, est_objs_q16: 0, est_bytes: 0 },
    parts: 0,
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
        })
    }

    fn part(&self, index: usize, part: usize) -> Part {
        let first = self.stacks.get(index).map_or(0, |stack| stack.parts.0) as usize;
        match self.parts.get(first + part) {
            Some(part) => part.0,
            None => Part { thread: 0, live: Tally::default(), accum: Tally::default() },
        }
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
