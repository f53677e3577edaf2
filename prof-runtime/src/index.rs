//! A hash set of table indices: finds the record that equals what one holds, or adds it. Lock-free, never shrinks.
//!
//! It knows no records: the caller hashes, compares and makes them. Segments of growing size are chained: a set of
//! eight slots (one cache line) is looked at per segment, and slots are filled in order, so an empty slot ends the
//! search and the same record can not be added twice.

use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crate::memory;

/// Slots per set: one cache line.
const WAYS: usize = 8;
/// Log2 of the sets in the first segment (32 KiB); each next segment is four times as large.
const FIRST_LG: u32 = 9;
const SEGMENTS: usize = 9;

/// Slot: `tag << 32 | value`, 0 when empty. Values are above 0.
pub struct Index {
    segments: [AtomicPtr<AtomicU64>; SEGMENTS],
}

impl Index {
    /// Empty; maps nothing.
    pub const fn new() -> Index {
        Index { segments: [const { AtomicPtr::new(core::ptr::null_mut()) }; SEGMENTS] }
    }

    /// The value whose record `equals`, else the one that `make` makes (called at most once; its record must be
    /// complete, for other threads see it at once). `None` when `make` gives none or memory is out.
    ///
    /// Two threads may make equal records at once: both get the winner's, the loser's is lost.
    pub fn find_or_insert(
        &self,
        hash: u64,
        equals: impl Fn(u32) -> bool,
        make: impl FnOnce() -> Option<u32>,
    ) -> Option<u32> {
        let tag = hash >> 32;
        let found = |slot: u64| slot >> 32 == tag && equals(slot as u32);
        let mut make = Some(make);
        let mut made = 0;
        for (segment, lg) in self.segments.iter().zip((FIRST_LG..).step_by(2)) {
            for slot in Self::set(segment, hash, lg)? {
                // Pairs with the release below: the record behind the value is complete.
                let mut held = slot.load(Ordering::Acquire);
                if held == 0 {
                    if let Some(make) = make.take() {
                        made = tag << 32 | make()? as u64;
                    }
                    match slot.compare_exchange(0, made, Ordering::AcqRel, Ordering::Acquire) {
                        Ok(_) => return Some(made as u32),
                        Err(theirs) => held = theirs,
                    }
                }
                if found(held) {
                    return Some(held as u32);
                }
            }
        }
        None
    }

    /// The set of a hash in a segment of `1 << lg` sets.
    fn set(segment: &AtomicPtr<AtomicU64>, hash: u64, lg: u32) -> Option<&[AtomicU64]> {
        let base = memory::chunk(segment, (WAYS * 8) << lg)?;
        let set = (hash & ((1 << lg) - 1)) as usize;
        // SAFETY: the segment holds `WAYS << lg` slots, and `set` is below `1 << lg`.
        let first = unsafe { base.add(set * WAYS) };
        // SAFETY: `WAYS` slots from there lie in the segment, which is zeroed at first, shared, and stays mapped.
        Some(unsafe { core::slice::from_raw_parts(first, WAYS) })
    }
}

/// Mixes `word` into `hash`.
///
/// The multiply-and-fold step of wyhash: one multiplication of which both halves are used, so that low bits (the
/// set) and high bits (the tag) of the result depend on all bits of both.
pub fn mix(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word ^ 0xa076_1d64_78bd_642f) as u128 * 0xe703_7ed1_a0b4_28db_u128;
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::RefCell;

    #[test]
    fn every_key_is_found_again_with_its_first_value_through_several_segments() {
        let index = Index::new();
        let keys = RefCell::new(std::vec![0u64]);
        let put = |key: u64| {
            index.find_or_insert(
                mix(7, key),
                |value| keys.borrow()[value as usize] == key,
                || {
                    keys.borrow_mut().push(key);
                    Some(keys.borrow().len() as u32 - 1)
                },
            )
        };
        let first: std::vec::Vec<_> = (0..40_000).map(|key| put(key * 8).unwrap()).collect();
        let again: std::vec::Vec<_> = (0..40_000).map(|key| put(key * 8).unwrap()).collect();
        assert_eq!(first, again);
        assert_eq!(keys.borrow().len(), 40_001);
        assert!(!index.segments[1].load(Ordering::Relaxed).is_null(), "one segment holds 4096");
    }

    #[test]
    fn a_maker_that_fails_leaves_the_set_unchanged() {
        let index = Index::new();
        assert_eq!(index.find_or_insert(5, |_| true, || None), None);
        assert_eq!(index.find_or_insert(5, |_| true, || Some(9)), Some(9));
        assert_eq!(index.find_or_insert(5, |_| true, || Some(10)), Some(9));
    }

    #[test]
    fn mixing_spreads_neighbouring_words_over_sets() {
        let mut used = std::collections::HashSet::new();
        (0..512u64).for_each(|n| {
            used.insert(mix(mix(0, n * 16), 1) & 511);
        });
        // Throwing 512 balls at 512 urns fills 324 on average, deviation 7: 290 is five deviations away.
        assert!(used.len() > 290, "{}", used.len());
    }
}
