//! Distinct stacks, each stored once as ids of addresses. Lock-free, append-only.
//!
//! A record is a run of words: `frames | TRUNCATED`, the newest context of the stack (0: none), then the frames,
//! leaf first. It is complete before its id is published and only the context word changes afterwards.

use core::{
    cell::Cell,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{
    index::{Index, mix},
    memory::Array,
};

const HEADER: u32 = 2;
/// Set in the first word when the stack was deeper than what is stored: a stack that ends there and one that goes on
/// are different stacks, even where dumps do not show it.
const TRUNCATED: u32 = 1 << 31;

/// A stored stack; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackId(u32);

impl StackId {
    /// For storing.
    pub fn to_bits(self) -> u32 {
        self.0
    }

    /// From what was stored.
    pub fn from_bits(bits: u32) -> Option<StackId> {
        (bits != 0).then_some(StackId(bits))
    }
}

/// The table.
pub struct StackTable {
    index: Index,
    words: Array<AtomicU32, 1024>,
    count: AtomicU32,
    /// How many there may be; 0 for any number.
    limit: AtomicU32,
}

impl StackTable {
    /// Empty; maps nothing.
    pub const fn new() -> StackTable {
        StackTable {
            index: Index::new(),
            words: Array::new(),
            count: AtomicU32::new(0),
            limit: AtomicU32::new(0),
        }
    }

    /// From now on stacks are added up to so many; 0 for any number. Threads that add at once may exceed it by one each.
    pub fn set_limit(&self, limit: u32) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    fn is_full(&self) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        limit != 0 && self.count() >= limit
    }

    /// The id of a stack, added when it is new; `None` when memory is out or there are too many.
    ///
    /// **Cost:** about 1 ns per frame to hash, as much to compare.
    pub fn intern(&self, frames: &[u32], truncated: bool) -> Option<StackId> {
        let length = frames.len() as u32 | if truncated { TRUNCATED } else { 0 };
        let equals = |id: u32| {
            let Some([first, _, stored @ ..]) = self.record(StackId(id)) else { return false };
            first.load(Ordering::Relaxed) == length && settled(stored) == frames
        };
        let made = Cell::new(0);
        let make = || {
            if self.is_full() {
                return None;
            }
            let (start, record) = self.words.alloc(HEADER + frames.len() as u32)?;
            record[0].store(length, Ordering::Relaxed);
            for (word, frame) in record[HEADER as usize..].iter().zip(frames) {
                word.store(*frame, Ordering::Relaxed);
            }
            made.set(start + 1);
            Some(made.get())
        };
        let id = self.index.find_or_insert(hash(frames, length), equals, make)?;
        // Another id than the one that was made is that of a thread that met the stack at the same time.
        if id == made.get() {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        Some(StackId(id))
    }

    /// How many stacks there are. Cost: a load.
    pub fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    /// Header and frames of a stack.
    fn record(&self, id: StackId) -> Option<&[AtomicU32]> {
        let start = id.0 - 1;
        let frames = self.words.get(start)?.load(Ordering::Relaxed) & !TRUNCATED;
        self.words.slice(start, HEADER + frames)
    }

    /// Whether the stack was deeper than what is stored.
    pub fn is_truncated(&self, id: StackId) -> bool {
        self.words.get(id.0 - 1).is_some_and(|first| first.load(Ordering::Relaxed) & TRUNCATED != 0)
    }

    /// The frames of a stack, leaf first.
    pub fn frames(&self, id: StackId) -> impl Iterator<Item = u32> {
        let record = self.record(id).unwrap_or(&[]);
        record.iter().skip(HEADER as usize).map(|word| word.load(Ordering::Relaxed))
    }

    /// The word that leads to the contexts of a stack.
    pub fn contexts(&self, id: StackId) -> Option<&AtomicU32> {
        self.words.get(id.0)
    }

    /// Words used: more than all frames of all stacks together.
    pub fn words(&self) -> u32 {
        self.words.len()
    }
}

/// The frames of a published record.
fn settled(frames: &[AtomicU32]) -> &[u32] {
    // SAFETY: an atomic integer has the layout of its integer, and the frames of a record are written before its id is
    // published and never again, so that plain reads race with nothing.
    unsafe { core::slice::from_raw_parts(frames.as_ptr().cast::<u32>(), frames.len()) }
}

/// Of the frames and the first word of a record. Two sums side by side: one alone would wait for each of its
/// multiplications.
fn hash(frames: &[u32], length: u32) -> u64 {
    let word = |pair: [u32; 2]| pair[0] as u64 | (pair[1] as u64) << 32;
    let (blocks, rest) = frames.as_chunks::<4>();
    let (mut a, mut b) = (length as u64, 0);
    for [first, second, third, fourth] in blocks {
        a = mix(a, word([*first, *second]));
        b = mix(b, word([*third, *fourth]));
    }
    let b = rest.iter().fold(b, |hash, frame| mix(hash, *frame as u64));
    mix(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::HashMap, vec::Vec};

    #[test]
    fn equal_stacks_have_one_id_and_different_ones_differ_in_length_frames_or_cut() {
        let table = StackTable::new();
        let mut stacks = Vec::new();
        for length in 0..=128_u32 {
            for variant in 0..20 {
                let stack: Vec<u32> =
                    (0..length).map(|at| at * 7 + u32::from(at % 20 == variant) * variant).collect();
                stacks.push((stack, variant == 3));
            }
        }
        let mut ids = HashMap::new();
        for (stack, truncated) in &stacks {
            let id = table.intern(stack, *truncated).unwrap();
            assert!(table.frames(id).eq(stack.iter().copied()));
            let first = table.words.get(id.to_bits() - 1).unwrap().load(Ordering::Relaxed);
            assert_eq!(first & TRUNCATED != 0, *truncated);
            assert_eq!(*ids.entry((stack, truncated)).or_insert(id), id);
        }
        let distinct: std::collections::HashSet<_> = ids.values().map(|id| id.to_bits()).collect();
        assert_eq!((distinct.len(), table.count() as usize), (ids.len(), ids.len()));
    }

    #[test]
    fn a_full_table_finds_what_it_has_and_takes_no_more() {
        let table = StackTable::new();
        let [first, second] = [1, 2].map(|n| table.intern(&[n, 9], n == 2).unwrap());
        table.set_limit(3);
        assert!(table.intern(&[3], false).is_some());
        assert_eq!((table.intern(&[4], false), table.count()), (None, 3));
        assert_eq!((table.intern(&[1, 9], false), table.intern(&[2, 9], true)), (Some(first), Some(second)));
        assert_eq!([first, second].map(|id| table.is_truncated(id)), [false, true]);
        table.set_limit(0);
        assert!(table.intern(&[4], false).is_some());
    }

    #[test]
    fn threads_that_meet_the_same_and_different_stacks_at_once_agree_on_the_ids() {
        static TABLE: StackTable = StackTable::new();
        let threads: Vec<_> = (0..8_u32)
            .map(|thread| {
                std::thread::spawn(move || {
                    let mut ids = Vec::new();
                    for n in 0..3000 {
                        // Two of three stacks are everybody's, in an order of one's own; the third is private.
                        let key = (n * 37 + thread * 1000) % 3000;
                        let owner = if key % 3 == 0 { thread } else { 99 };
                        let stack = [key, owner, key / 2, 5, 6, 7];
                        ids.push((stack, TABLE.intern(&stack, false).unwrap()));
                    }
                    ids
                })
            })
            .collect();
        let mut all = HashMap::new();
        for thread in threads {
            for (stack, id) in thread.join().unwrap() {
                assert_eq!(*all.entry(stack).or_insert(id), id);
                assert!(TABLE.frames(id).eq(stack));
            }
        }
        assert_eq!((all.len(), TABLE.count()), (2000 + 8 * 1000, 10_000));
    }
}
