//! What was sampled, per stack, thread and label: how much came, how much went and how, and how much was there at the peak.
//!
//! A context has one owner, the allocating thread, which alone adds; anybody may take away. So adding is four plain
//! stores, and what was accumulated comes for free: live = added - removed.
//!
//! **Reset:** each context remembers for which generation it counts. `prof.reset` only advances the generation; an
//! owner that finds an older one in its context starts from zero, and objects of older generations are not taken
//! away from newer counts. (A free that overlaps with a reset and with the first sample after it in the same context
//! may be taken away from the new counts: at most one object, never below zero.)

use core::sync::atomic::{AtomicU32, Ordering};

use prof_format::{unbias::Weight, vocab::Tally};

use crate::{
    index::{Index, mix},
    labels::LabelId,
    lifetimes::{Cell, Cells, Counting, End},
    memory::{Array, Zeroed},
    peak::Peak,
    stack_table::{StackId, StackTable},
    sums::{Numbers, Sums, addends, minus, tally},
};

/// Numbers of one thread's samples in one stack under one label.
#[derive(Default)]
pub struct Context {
    stack: AtomicU32,
    thread: AtomicU32,
    /// Bits of the label; 0 for none.
    label: AtomicU32,
    /// The next older context of the stack; 0 for the oldest.
    next: AtomicU32,
    /// Which generation is counted; 0 before the first sample is complete.
    generation: AtomicU32,
    /// Where what it held at the peak is saved; 0 for nowhere.
    at_peak: AtomicU32,
    added: Sums,
    /// The first of the cells that count what was removed.
    removed: Cell,
}

// SAFETY: atomics only, for which zero is a value.
unsafe impl Zeroed for Context {}

/// What a dump tells of a context.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tallies {
    /// Samples that are alive.
    pub live: Tally,
    /// All samples.
    pub accum: Tally,
    /// Samples that were alive at the peak; empty while it is not kept.
    pub peak: Tally,
}

impl Context {
    /// The stack.
    pub fn stack(&self) -> Option<StackId> {
        StackId::from_bits(self.stack.load(Ordering::Relaxed))
    }

    /// Uid of the allocating thread.
    pub fn thread(&self) -> u32 {
        self.thread.load(Ordering::Relaxed)
    }

    /// The label that the thread had.
    pub fn label(&self) -> Option<LabelId> {
        LabelId::from_bits(self.label.load(Ordering::Relaxed))
    }

    /// The next older context of the same stack.
    pub fn next(&self) -> Option<ContextId> {
        ContextId::from_bits(self.next.load(Ordering::Relaxed))
    }
}

/// A context; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextId(u32);

impl ContextId {
    /// For storing.
    pub fn to_bits(self) -> u32 {
        self.0
    }

    /// From what was stored.
    pub fn from_bits(bits: u32) -> Option<ContextId> {
        (bits != 0).then_some(ContextId(bits))
    }
}

/// All contexts.
pub struct Contexts {
    index: Index,
    table: Array<Context, 512>,
    ends: Cells,
    peak: Peak,
}

impl Contexts {
    /// None; maps nothing.
    pub const fn new() -> Contexts {
        Contexts { index: Index::new(), table: Array::new(), ends: Cells::new(), peak: Peak::new() }
    }

    /// When most was alive.
    pub fn peak(&self) -> &Peak {
        &self.peak
    }

    /// Counts one sampled object. Only the owner, not concurrently with itself.
    pub fn add(&self, context: &Context, generation: u32, usize_: u64, weight: Weight) {
        self.peak.changes(&context.at_peak, || self.live(context, generation));
        if context.generation.load(Ordering::Relaxed) != generation {
            context.added.store([0; 4]);
            self.ends.clear(&context.removed);
        }
        context.added.add_alone(addends(usize_, weight));
        // Publishes the counts to dumps; pairs with the acquire in `tallies`.
        context.generation.store(generation, Ordering::Release);
    }

    /// Takes back what [`Contexts::add`] has just counted, because there was no memory for the object: it was neither
    /// live nor accumulated. Only the owner; a handler that interrupts this may add.
    pub fn retract(&self, context: &Context, generation: u32, usize_: u64, weight: Weight) {
        if context.generation.load(Ordering::Relaxed) == generation {
            context.added.take(addends(usize_, weight));
        }
    }

    /// The object that was added is there: only from now on it can be part of the peak.
    pub fn born(&self, generation: u32, weight: Weight) {
        self.peak.grew(generation, weight.bytes);
    }

    /// Takes away one object that was added in this generation; older ones are not counted any more.
    #[inline]
    pub fn remove(
        &self,
        context: &Context,
        generation: u32,
        (usize_, weight): (u64, Weight),
        end: End,
        counting: Counting<'_>,
    ) {
        if context.generation.load(Ordering::Acquire) != generation {
            return;
        }
        if self.peak.is_on() {
            self.peak.leave();
            self.peak.changes(&context.at_peak, || self.live(context, generation));
            self.peak.shrank(generation, weight.bytes);
        }
        self.ends.add(&context.removed, end, addends(usize_, weight), counting);
    }

    /// Added and removed samples; nothing when the context counts for another generation.
    ///
    /// Removals are read first: whoever sees a removal sees (acquire, release) the addition before it, so
    /// differences are not negative.
    fn counts(&self, context: &Context, generation: u32) -> (Numbers, Numbers) {
        if context.generation.load(Ordering::Acquire) != generation {
            return Default::default();
        }
        let removed = self.ends.sum(&context.removed);
        (context.added.load(), removed)
    }

    fn live(&self, context: &Context, generation: u32) -> Numbers {
        let (added, removed) = self.counts(context, generation);
        minus(added, removed)
    }

    /// Live and accumulated samples, and those of the peak; empty when it has none of this generation.
    pub fn tallies(&self, context: &Context, generation: u32) -> Tallies {
        let (added, removed) = self.counts(context, generation);
        let live = minus(added, removed);
        let peak = match self.peak.is_on() {
            true => tally(self.peak.at_peak(&context.at_peak, live)),
            false => Tally::default(),
        };
        Tallies { live: tally(live), accum: tally(added), peak }
    }

    /// Samples that ended, by how they did; those of older generations are left out.
    pub fn ends<'a>(&'a self, context: &'a Context, generation: u32) -> impl Iterator<Item = (End, Tally)> {
        let counts = context.generation.load(Ordering::Acquire) == generation;
        let ends = counts.then(|| self.ends.each(&context.removed)).into_iter().flatten();
        ends.map(|(end, numbers)| (end, tally(numbers))).filter(|(_, tally)| !tally.is_empty())
    }

    /// The context of a stack, a thread and its label, made when there is none; `None` when memory is out. Only that
    /// thread may ask for it.
    pub fn find_or_make(
        &self,
        stack: StackId,
        thread: u32,
        label: Option<LabelId>,
        stacks: &StackTable,
    ) -> Option<ContextId> {
        let owner = thread as u64 | (LabelId::to_bits(label) as u64) << 32;
        let hash = mix(mix(0, stack.to_bits() as u64), owner);
        let equals = |id| {
            self.get(ContextId(id)).is_some_and(|context| {
                context.stack() == Some(stack) && context.thread() == thread && context.label() == label
            })
        };
        let make = || {
            let head = stacks.contexts(stack)?;
            let room = self.peak.room()?;
            let (at, made) = self.table.alloc(1)?;
            let (id, context) = (at + 1, made.first()?);
            context.stack.store(stack.to_bits(), Ordering::Relaxed);
            context.thread.store(thread, Ordering::Relaxed);
            context.label.store(LabelId::to_bits(label), Ordering::Relaxed);
            context.at_peak.store(room, Ordering::Relaxed);
            let mut newest = head.load(Ordering::Relaxed);
            loop {
                context.next.store(newest, Ordering::Relaxed);
                // Release: who finds the context through the stack sees its links; pairs with `newest`.
                match head.compare_exchange_weak(newest, id, Ordering::Release, Ordering::Relaxed) {
                    Ok(_) => return Some(id),
                    Err(other) => newest = other,
                }
            }
        };
        self.index.find_or_insert(hash, equals, make).map(ContextId)
    }

    /// More than there are ways to end, over all contexts, beyond one for each.
    pub fn end_cells(&self) -> u32 {
        self.ends.len()
    }

    /// The newest context of a stack: the start of its list.
    pub fn newest(&self, stack: StackId, stacks: &StackTable) -> Option<ContextId> {
        ContextId::from_bits(stacks.contexts(stack)?.load(Ordering::Acquire))
    }

    /// A context by id.
    pub fn get(&self, id: ContextId) -> Option<&Context> {
        self.table.get(id.0 - 1)
    }

    /// How many there are. Some may not be complete yet.
    pub fn len(&self) -> u32 {
        self.table.len()
    }

    /// All that exist at this moment, oldest first.
    pub fn ids(&self) -> impl Iterator<Item = ContextId> {
        (1..=self.len()).map(ContextId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prof_format::{unbias::weight, vocab::Counts};
    use std::vec::Vec;

    const SOON: End = End { lg_nanos: 3, elsewhere: false };
    const LATE: End = End { lg_nanos: 30, elsewhere: true };

    fn anybody() -> Counting<'static> {
        Counting { context: 1, thread: None }
    }

    fn counted(objs: u64, bytes: u64, weight: Weight) -> Tally {
        Tally {
            sampled: Counts { objs, bytes },
            est_objs_q16: objs * weight.objs_q16,
            est_bytes: objs * weight.bytes,
        }
    }

    /// Contexts, and one of them.
    fn one() -> (Contexts, ContextId) {
        let (stacks, contexts) = (StackTable::new(), Contexts::new());
        let stack = stacks.intern(&[1, 2, 3], false).unwrap();
        let id = contexts.find_or_make(stack, 1, None, &stacks).unwrap();
        (contexts, id)
    }

    #[test]
    fn what_was_retracted_was_never_accumulated() {
        let (contexts, id) = one();
        let context = contexts.get(id).unwrap();
        let (size, weight) = (1 << 40, weight(1 << 40, 1 << 16));
        contexts.add(context, 1, 64, weight);
        contexts.add(context, 1, size, weight);
        contexts.retract(context, 1, size, weight);
        let Tallies { live, accum, .. } = contexts.tallies(context, 1);
        assert_eq!((live, accum), (counted(1, 64, weight), counted(1, 64, weight)));
        contexts.retract(context, 2, 64, weight);
        assert_eq!(contexts.tallies(context, 1).accum.sampled.objs, 1);
    }

    #[test]
    fn what_was_added_and_removed_leaves_exactly_nothing_alive() {
        let (contexts, id) = one();
        let context = contexts.get(id).unwrap();
        for size in [1, 16, 112, 4096, 1 << 20] {
            contexts.add(context, 1, size, weight(size, 1 << 16));
        }
        assert_eq!(contexts.tallies(context, 1).live.sampled.objs, 5);
        for (size, end) in [(112, SOON), (1 << 20, LATE), (1, SOON), (4096, LATE), (16, SOON)] {
            contexts.remove(context, 1, (size, weight(size, 1 << 16)), end, anybody());
        }
        let Tallies { live, accum, .. } = contexts.tallies(context, 1);
        assert_eq!(live, Tally::default());
        assert_eq!(accum.sampled, Counts { objs: 5, bytes: 1 + 16 + 112 + 4096 + (1 << 20) });
        let ends: Vec<_> = contexts.ends(context, 1).map(|(end, tally)| (end, tally.sampled)).collect();
        let of = |objs, bytes| Counts { objs, bytes };
        assert_eq!(ends, [(SOON, of(3, 129)), (LATE, of(2, 4096 + (1 << 20)))]);
    }

    #[test]
    fn a_new_generation_starts_from_zero_and_ignores_objects_of_the_old_one() {
        let (contexts, id) = one();
        let context = contexts.get(id).unwrap();
        let weight = weight(100, 1 << 12);
        contexts.add(context, 1, 100, weight);
        contexts.add(context, 1, 100, weight);
        contexts.remove(context, 1, (100, weight), SOON, anybody());
        assert_eq!(contexts.tallies(context, 2), Default::default());
        assert_eq!(contexts.ends(context, 2).count(), 0);
        contexts.add(context, 2, 100, weight);
        contexts.remove(context, 1, (100, weight), LATE, anybody());
        let one = counted(1, 100, weight);
        assert_eq!(contexts.tallies(context, 2), Tallies { live: one, accum: one, peak: Tally::default() });
        assert_eq!(contexts.ends(context, 2).count(), 0);
        contexts.remove(context, 2, (100, weight), LATE, anybody());
        assert_eq!(contexts.tallies(context, 2), Tallies { accum: one, ..Tallies::default() });
        assert_eq!(contexts.ends(context, 2).collect::<Vec<_>>(), [(LATE, one)]);
    }

    #[test]
    fn contexts_of_a_stack_are_found_by_thread_and_label_and_listed_with_the_oldest_last() {
        let (stacks, contexts) = (StackTable::new(), Contexts::new());
        let stack = stacks.intern(&[1, 2, 3], false).unwrap();
        let other = stacks.intern(&[1, 2], false).unwrap();
        let label = |thread: u32| LabelId::from_bits(thread % 3);
        let ids: Vec<_> = (0..50)
            .map(|thread| contexts.find_or_make(stack, thread, label(thread), &stacks).unwrap())
            .collect();
        contexts.find_or_make(other, 3, None, &stacks).unwrap();
        assert_eq!(contexts.find_or_make(stack, 7, label(7), &stacks), Some(ids[7]));
        let mut listed = Vec::new();
        let mut at = contexts.newest(stack, &stacks);
        while let Some(id) = at {
            listed.push(id);
            at = contexts.get(id).unwrap().next();
        }
        listed.reverse();
        assert_eq!(listed, ids);
        assert_eq!(contexts.ids().count(), 51);
        assert_ne!(contexts.find_or_make(stack, 7, label(8), &stacks), Some(ids[7]));
        let labels: Vec<_> = contexts.ids().map(|id| contexts.get(id).unwrap().label()).collect();
        assert_eq!((labels[6], labels[7], labels[51]), (None, label(1), label(2)));
    }
}
