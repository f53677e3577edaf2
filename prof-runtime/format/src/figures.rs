//! A snapshot of figures that are un-sampled already, as a reader or a viewer has them: any format can be written from it
//! again, by the same writers that the profiler uses.
//!
//! What samples gave the figures is not known any more. Those of the text forms are such that viewers arrive at the same
//! figures again ([`crate::unbias::tally_for`]).

use alloc::{format, vec::Vec};

use crate::dump::{Figure, MapRow};
use crate::snapshot::{Facts, Module, Part, Snapshot, Stack, Thread};
use crate::unbias::tally_for;
use crate::vocab::Tally;

/// A stack and its figures. Negative ones, as in a difference, cannot be written and count as 0.
#[derive(Clone, Copy, Debug)]
pub struct FigureStack<'a> {
    /// Indices in [`FigureSnapshot::new`]'s `addresses`, leaf first.
    pub frames: &'a [u32],
    /// Live objects and bytes.
    pub live: Figure,
    /// Accumulated objects and bytes.
    pub accum: Figure,
    /// Shares of threads; none when they are not known.
    pub parts: &'a [FigurePart],
}

/// The share of one thread in a stack.
#[derive(Clone, Copy, Debug)]
pub struct FigurePart {
    /// Index in [`FigureSnapshot::new`]'s `threads`.
    pub thread: u32,
    /// Live objects and bytes.
    pub live: Figure,
    /// Accumulated objects and bytes.
    pub accum: Figure,
}

/// See the module's head.
pub struct FigureSnapshot<'a> {
    facts: Facts<'a>,
    addresses: &'a [u64],
    threads: Vec<(u64, &'a str, [Tally; 2])>,
    stacks: &'a [FigureStack<'a>],
    maps: &'a [MapRow],
}

impl<'a> FigureSnapshot<'a> {
    /// A snapshot of `stacks`, whose frames are look-up addresses (inside the calling instruction), with threads by uid
    /// and name, and executable mappings, the program first.
    pub fn new(
        facts: Facts<'a>,
        addresses: &'a [u64],
        threads: &'a [(u64, impl AsRef<str>)],
        stacks: &'a [FigureStack<'a>],
        maps: &'a [MapRow],
    ) -> FigureSnapshot<'a> {
        let mut threads: Vec<_> =
            threads.iter().map(|(uid, name)| (*uid, name.as_ref(), [Tally::default(); 2])).collect();
        for part in stacks.iter().flat_map(|stack| stack.parts) {
            if let Some((_, _, [live, accum])) = threads.get_mut(part.thread as usize) {
                *live = live.plus(tally_for(part.live, facts.period));
                *accum = accum.plus(tally_for(part.accum, facts.period));
            }
        }
        FigureSnapshot { facts, addresses, threads, stacks, maps }
    }
}

impl Snapshot for FigureSnapshot<'_> {
    fn facts(&self) -> Facts<'_> {
        self.facts
    }

    fn addresses(&self) -> usize {
        self.addresses.len()
    }

    fn address(&self, index: usize) -> u64 {
        self.addresses[index].saturating_add(1)
    }

    fn threads(&self) -> usize {
        self.threads.len()
    }

    fn thread(&self, index: usize) -> Thread<'_> {
        let (uid, name, [live, accum]) = self.threads[index];
        Thread { uid, name: name.as_bytes(), live, accum, ..Thread::default() }
    }

    fn stacks(&self) -> usize {
        self.stacks.len()
    }

    fn stack(&self, index: usize) -> Stack<'_> {
        let FigureStack { frames, live, accum, parts } = self.stacks[index];
        let period = self.facts.period;
        let (live, accum) = (tally_for(live, period), tally_for(accum, period));
        Stack { frames, live, accum, parts: parts.len(), rows: 0 }
    }

    fn part(&self, index: usize, part: usize) -> Part {
        let FigurePart { thread, live, accum } = self.stacks[index].parts[part];
        let period = self.facts.period;
        Part { thread: thread as usize, live: tally_for(live, period), accum: tally_for(accum, period) }
    }

    fn modules(&self) -> usize {
        self.maps.len()
    }

    fn module(&self, index: usize) -> Module<'_> {
        let MapRow { start, end, file_offset, path, build_id, .. } = &self.maps[index];
        Module {
            start: *start,
            end: *end,
            file_offset: *file_offset,
            path: path.as_bytes(),
            build_id: *build_id,
        }
    }

    fn maps<E>(&self, piece: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.maps.iter().try_for_each(|row| {
            let MapRow { start, end, file_offset, path, deleted, .. } = row;
            let path = path.replace(char::is_control, "?");
            let mark = if *deleted { " (deleted)" } else { "" };
            let line = format!(
                "{start:x}-{end:x} r-xp {file_offset:08x} 00:00 0                          {path}{mark}\n"
            );
            piece(line.as_bytes())
        })
    }
}
