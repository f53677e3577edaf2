//! What was sampled, per stack and thread: how much came and how much went.
//!
//! A context has one owner, the allocating thread, which alone adds; anybody may take away. So adding is four plain
//! stores, and what was accumulated comes for free: live = added - removed.
//!
//! **Reset:** each context remembers for which generation it counts. `prof.reset` only advances the generation; an
//! owner that finds an older one in its context starts from zero, and objects of older generations are not taken
//! away from newer counts. (A free that overlaps with a reset and with the first sample after it in the same context
//! may be taken away from the new counts: at most one object, never below zero.)

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use prof_format::{
    unbias::Weight,
    vocab::{Counts, Tally},
};

use crate::{
    index::{Index, mix},
    memory::{Array, Zeroed},
    stack_table::{StackId, StackTable},
};

/// Numbers of one thread's samples in one stack.
#[derive(Default)]
pub struct Context {
    stack: AtomicU32,
    thread: AtomicU32,
    /// The next older context of the stack; 0 for the oldest.
    next: AtomicU32,
    /// Which generation is counted; 0 before the first sample is complete.
    generation: AtomicU32,
    added: Totals,
    removed: Totals,
}

// SAFETY: atomics only, for which zero is a value.
unsafe impl Zeroed for Context {}

/// Sampled objects, sampled bytes, estimated objects in 1/65536ths, estimated bytes.
#[derive(Default)]
struct Totals([AtomicU64; 4]);

fn addends(usize_: u64, weight: Weight) -> [u64; 4] {
    [1, usize_, weight.objs_q16, weight.bytes]
}

impl Totals {
    fn load(&self) -> [u64; 4] {
        // Acquire: see `Context::tallies`.
        self.0.each_ref().map(|cell| cell.load(Ordering::Acquire))
    }
}

fn tally([objs, bytes, est_objs_q16, est_bytes]: [u64; 4]) -> Tally {
    // A dump that meets a count between its stores sees one of a pair: readers divide one by the other.
    match objs == 0 || bytes == 0 {
        true => Tally::default(),
        false => Tally { sampled: Counts { objs, bytes }, est_objs_q16, est_bytes },
    }
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

    /// The next older context of the same stack.
    pub fn next(&self) -> Option<ContextId> {
        ContextId::from_bits(self.next.load(Ordering::Relaxed))
    }

    /// Counts one sampled object. Only the owner, not concurrently with itself.
    pub fn add(&self, generation: u32, usize_: u64, weight: Weight) {
        if self.generation.load(Ordering::Relaxed) != generation {
            self.added.0.iter().chain(&self.removed.0).for_each(|cell| cell.store(0, Ordering::Relaxed));
        }
        for (cell, addend) in self.added.0.iter().zip(addends(usize_, weight)) {
            cell.store(cell.load(Ordering::Relaxed).wrapping_add(addend), Ordering::Relaxed);
        }
        // Publishes the counts to dumps; pairs with the acquire in `tallies`.
        self.generation.store(generation, Ordering::Release);
    }

    /// Takes back what [`Context::add`] has just counted, because there was no memory for the object: it was neither
    /// live nor accumulated. Only the owner, not concurrently with itself.
    pub fn retract(&self, generation: u32, usize_: u64, weight: Weight) {
        if self.generation.load(Ordering::Relaxed) != generation {
            return;
        }
        for (cell, addend) in self.added.0.iter().zip(addends(usize_, weight)) {
            cell.store(cell.load(Ordering::Relaxed).wrapping_sub(addend), Ordering::Relaxed);
        }
    }

    /// Takes away one object that was added in this generation; older ones are not counted any more.
    pub fn remove(&self, generation: u32, usize_: u64, weight: Weight) {
        if self.generation.load(Ordering::Acquire) != generation {
            return;
        }
        for (cell, addend) in self.removed.0.iter().zip(addends(usize_, weight)) {
            cell.fetch_add(addend, Ordering::Release);
        }
    }

    /// Live and accumulated samples, empty when it has none of this generation.
    ///
    /// Removals are read first: whoever sees a removal sees (acquire, release) the addition before it, so
    /// differences are not negative.
    pub fn tallies(&self, generation: u32) -> (Tally, Tally) {
        if self.generation.load(Ordering::Acquire) != generation {
            return Default::default();
        }
        let removed = self.removed.load();
        let added = self.added.load();
        let live = core::array::from_fn(|at| added[at].saturating_sub(removed[at]));
        (tally(live), tally(added))
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
}

impl Contexts {
    /// None; maps nothing.
    pub const fn new() -> Contexts {
        Contexts { index: Index::new(), table: Array::new() }
    }

    /// The context of a stack and a thread, made when there is none; `None` when memory is out. Only that thread
    /// may ask for it.
    pub fn find_or_make(&self, stack: StackId, thread: u32, stacks: &StackTable) -> Option<ContextId> {
        let hash = mix(mix(0, stack.to_bits() as u64), thread as u64);
        let equals = |id| {
            self.get(ContextId(id))
                .is_some_and(|context| context.stack() == Some(stack) && context.thread() == thread)
        };
        let make = || {
            let head = stacks.contexts(stack)?;
            let (at, made) = self.table.alloc(1)?;
            let (id, context) = (at + 1, made.first()?);
            context.stack.store(stack.to_bits(), Ordering::Relaxed);
            context.thread.store(thread, Ordering::Relaxed);
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
    use prof_format::unbias::weight;

    fn counted(objs: u64, bytes: u64, weight: Weight) -> Tally {
        Tally {
            sampled: Counts { objs, bytes },
            est_objs_q16: objs * weight.objs_q16,
            est_bytes: objs * weight.bytes,
        }
    }

    #[test]
    fn what_was_retracted_was_never_accumulated() {
        let context = Context::default();
        let (size, weight) = (1 << 40, weight(1 << 40, 1 << 16));
        context.add(1, 64, weight);
        context.add(1, size, weight);
        context.retract(1, size, weight);
        let (live, accumulated) = context.tallies(1);
        assert_eq!((live, accumulated), (counted(1, 64, weight), counted(1, 64, weight)));
        context.retract(2, 64, weight);
        assert_eq!(context.tallies(1).1.sampled.objs, 1);
    }

    #[test]
    fn what_was_added_and_removed_leaves_exactly_nothing_alive() {
        let context = Context::default();
        for size in [1, 16, 112, 4096, 1 << 20] {
            context.add(1, size, weight(size, 1 << 16));
        }
        assert_eq!(context.tallies(1).0.sampled.objs, 5);
        for size in [112, 1 << 20, 1, 4096, 16] {
            context.remove(1, size, weight(size, 1 << 16));
        }
        assert_eq!(context.tallies(1).0, Tally::default());
        assert_eq!(context.tallies(1).1.sampled, Counts { objs: 5, bytes: 1 + 16 + 112 + 4096 + (1 << 20) });
    }

    #[test]
    fn a_new_generation_starts_from_zero_and_ignores_objects_of_the_old_one() {
        let context = Context::default();
        let weight = weight(100, 1 << 12);
        context.add(1, 100, weight);
        context.add(1, 100, weight);
        assert_eq!(context.tallies(2), Default::default());
        context.add(2, 100, weight);
        context.remove(1, 100, weight);
        let one = counted(1, 100, weight);
        assert_eq!(context.tallies(2), (one, one));
        context.remove(2, 100, weight);
        assert_eq!(context.tallies(2), (Tally::default(), one));
    }

    #[test]
    fn contexts_of_a_stack_are_found_by_thread_and_listed_with_the_oldest_last() {
        let (stacks, contexts) = (StackTable::new(), Contexts::new());
        let stack = stacks.intern(&[1, 2, 3], false).unwrap();
        let other = stacks.intern(&[1, 2], false).unwrap();
        let ids: std::vec::Vec<_> =
            (0..50).map(|thread| contexts.find_or_make(stack, thread, &stacks).unwrap()).collect();
        contexts.find_or_make(other, 3, &stacks).unwrap();
        assert_eq!(contexts.find_or_make(stack, 7, &stacks), Some(ids[7]));
        let mut listed = std::vec::Vec::new();
        let mut at = contexts.newest(stack, &stacks);
        while let Some(id) = at {
            listed.push(id);
            at = contexts.get(id).unwrap().next();
        }
        listed.reverse();
        assert_eq!(listed, ids);
        assert_eq!(contexts.ids().count(), 51);
    }
}
