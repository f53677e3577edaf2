//! Which addresses are those of sampled objects: for a host that has no room of its own for the reference of a sample.
//!
//! A hash table that every thread may change at once, without a lock. That is as simple as it is because of what the host
//! promises: an address is added, looked up and removed only by whoever owns the object there, so that nothing ever
//! happens twice at once to the same address. What others do meanwhile concerns other addresses.
//!
//! An object that does not fit into the bucket of its address goes into one behind it, and each bucket on the way counts
//! that it was passed. A search goes on exactly as long as buckets were passed, and a removal takes its counts back: there are no
//! graves, and most searches look at one cache line, whatever lived there before.

use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::{
    index::mix,
    live::SampleRef,
    memory::{self, Zeroed},
};

/// Objects of one bucket.
const WAYS: usize = 7;
/// Log2 of the buckets in the first level (128 KiB, touched as they are used); each next level has four times as many.
const FIRST_LG: usize = 10;
const LEVELS: usize = 8;
/// Objects per bucket, on average, from which on a level takes no more: then one in nine buckets is full.
const FULL: u64 = 4;

/// What a search looks at is in the first of its two cache lines.
#[derive(Default)]
#[repr(C, align(128))]
struct Bucket {
    /// 0 where there is none.
    addresses: [AtomicUsize; WAYS],
    /// Objects that lie in a bucket behind this one, but would have been put into it.
    passed: AtomicU32,
    samples: [AtomicU64; WAYS],
    notes: [AtomicU8; WAYS],
}

const _: () = assert!(size_of::<Bucket>() == 128);

// SAFETY: atomics only, for which zero is a value.
unsafe impl Zeroed for Bucket {}

/// A sampled object, as it was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// Its sample.
    pub sample: SampleRef,
    /// Whatever the host wants to remember of it.
    pub note: u8,
}

/// The addresses of all sampled objects of a host. Lives in a static; what it maps stays for the life of the process.
pub struct Objects {
    levels: [AtomicPtr<Bucket>; LEVELS],
    /// Objects in each level.
    counts: [AtomicU64; LEVELS],
    /// The level that takes what is added; never goes down.
    level: AtomicUsize,
}

impl Default for Objects {
    fn default() -> Self {
        Objects::new()
    }
}

impl Objects {
    /// None; maps nothing.
    pub const fn new() -> Objects {
        Objects {
            levels: [const { AtomicPtr::new(core::ptr::null_mut()) }; LEVELS],
            counts: [const { AtomicU64::new(0) }; LEVELS],
            level: AtomicUsize::new(0),
        }
    }

    /// Remembers an object; false when there is no memory for it. The caller owns the object, whose address is not 0 and
    /// is not remembered yet.
    pub fn add(&self, object: usize, what: Sampled) -> bool {
        let mut level = self.level.load(Ordering::Relaxed);
        loop {
            let Some(buckets) = self.buckets_or_map(level) else { return false };
            if self.counts[level].fetch_add(1, Ordering::Relaxed) < FULL * buckets.len() as u64 {
                return self.add_to(buckets, object, what) || self.uncount(level);
            }
            self.uncount(level);
            level += 1;
            if level >= LEVELS {
                return false;
            }
            self.level.fetch_max(level, Ordering::Relaxed);
        }
    }

    /// False.
    fn uncount(&self, level: usize) -> bool {
        self.counts[level].fetch_sub(1, Ordering::Relaxed);
        false
    }

    fn add_to(&self, buckets: &[Bucket], object: usize, what: Sampled) -> bool {
        for at in way(buckets, object) {
            let bucket = &buckets[at];
            for n in 0..WAYS {
                let place = &bucket.addresses[n];
                // Acquire: what is stored below comes after the removal of the object that was here; pairs with the release of
                // `remove`.
                if place.load(Ordering::Relaxed) == 0
                    && place.compare_exchange(0, object, Ordering::Acquire, Ordering::Relaxed).is_ok()
                {
                    bucket.samples[n].store(what.sample.to_bits(), Ordering::Relaxed);
                    bucket.notes[n].store(what.note, Ordering::Relaxed);
                    return true;
                }
            }
            bucket.passed.fetch_add(1, Ordering::Relaxed);
        }
        // Cannot be: a level that takes objects has room. Everything was passed once.
        for bucket in buckets {
            bucket.passed.fetch_sub(1, Ordering::Relaxed);
        }
        false
    }

    /// What is remembered of an object that the caller owns. Most of the time it is none: cost then, with nothing sampled
    /// three loads, else a multiplication and a cache line for each level that has objects.
    ///
    /// Relaxed loads are enough: the caller came by the object after it was added, in the order of its program, so that it
    /// sees at least that; and what comes later concerns other objects, without which all the same counts above zero.
    #[inline]
    pub fn get(&self, object: usize) -> Option<Sampled> {
        self.find(object).map(|(level, at, n)| self.look(level, at, n)).unwrap_or_default()
    }

    fn look(&self, level: usize, at: usize, n: usize) -> Option<Sampled> {
        let bucket = &self.buckets(level)?[at];
        let sample = SampleRef::from_bits(bucket.samples[n].load(Ordering::Relaxed))?;
        Some(Sampled { sample, note: bucket.notes[n].load(Ordering::Relaxed) })
    }

    /// Forgets an object that the caller owns; what was remembered.
    pub fn remove(&self, object: usize) -> Option<Sampled> {
        let (level, at, n) = self.find(object)?;
        let sampled = self.look(level, at, n);
        let buckets = self.buckets(level)?;
        buckets[at].addresses[n].store(0, Ordering::Release);
        for passed in way(buckets, object).take_while(|other| *other != at) {
            buckets[passed].passed.fetch_sub(1, Ordering::Relaxed);
        }
        self.uncount(level);
        sampled
    }

    /// Level, bucket and place in it.
    fn find(&self, object: usize) -> Option<(usize, usize, usize)> {
        for level in (0..=self.level.load(Ordering::Relaxed)).rev() {
            if self.counts[level].load(Ordering::Relaxed) == 0 {
                continue;
            }
            let Some(buckets) = self.buckets(level) else { continue };
            for at in way(buckets, object) {
                let bucket = &buckets[at];
                let held = bucket.addresses.iter().position(|place| place.load(Ordering::Relaxed) == object);
                if let Some(n) = held {
                    return Some((level, at, n));
                }
                if bucket.passed.load(Ordering::Relaxed) == 0 {
                    break;
                }
            }
        }
        None
    }

    fn buckets(&self, level: usize) -> Option<&[Bucket]> {
        let base = self.levels[level].load(Ordering::Acquire);
        // SAFETY: null, or the first bucket of a chunk of a level's size that `buckets_or_map` mapped; it is zeroed, changed
        // through shared references alone, and stays mapped.
        (!base.is_null()).then(|| unsafe { core::slice::from_raw_parts(base, len(level)) })
    }

    fn buckets_or_map(&self, level: usize) -> Option<&[Bucket]> {
        memory::chunk(&self.levels[level], size_of::<Bucket>() * len(level))?;
        self.buckets(level)
    }
}

/// Buckets of a level.
const fn len(level: usize) -> usize {
    1 << (FIRST_LG + 2 * level)
}

/// The buckets in which an object may lie, in order.
fn way(buckets: &[Bucket], object: usize) -> impl Iterator<Item = usize> {
    let mask = buckets.len() - 1;
    let first = mix(0, object as u64) as usize;
    (0..buckets.len()).map(move |n| first.wrapping_add(n) & mask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::HashMap, vec::Vec};

    fn sampled(n: u64) -> Sampled {
        Sampled { sample: SampleRef::from_bits(n + 1).unwrap(), note: n as u8 }
    }

    fn passed(objects: &Objects) -> u32 {
        let levels = (0..LEVELS).filter_map(|level| objects.buckets(level));
        levels.flatten().map(|bucket| bucket.passed.load(Ordering::Relaxed)).sum()
    }

    #[test]
    fn an_object_is_found_from_its_adding_to_its_removal_through_several_levels() {
        let objects = Objects::new();
        assert_eq!((objects.get(16), objects.remove(16)), (None, None));
        let address = |n: u64| (n as usize + 1) << 12;
        for n in 0..40_000 {
            assert!(objects.add(address(n), sampled(n)));
        }
        assert!(objects.level.load(Ordering::Relaxed) == 2 && passed(&objects) > 0);
        assert!((0..40_000).all(|n| objects.get(address(n)) == Some(sampled(n))));
        assert_eq!(objects.get(address(40_000)), None);
        assert!((0..40_000).step_by(2).all(|n| objects.remove(address(n)) == Some(sampled(n))));
        assert!((0..40_000).all(|n| objects.get(address(n)) == (n % 2 == 1).then(|| sampled(n))));
        assert!((0..40_000).skip(1).step_by(2).all(|n| objects.remove(address(n)) == Some(sampled(n))));
        // Nothing is left behind that would make a search longer.
        assert_eq!(passed(&objects), 0);
        assert!(objects.counts.iter().all(|count| count.load(Ordering::Relaxed) == 0));
    }

    /// Against a map, with random additions and removals around the number at which buckets are full.
    #[test]
    fn it_holds_what_a_map_holds() {
        let objects = Objects::new();
        let (mut map, mut random) = (HashMap::new(), crate::sampler::Prng::new(11));
        for n in 0..200_000_u64 {
            let object = ((random.bits() % 6000 + 1) << 4) as usize;
            match map.remove(&object) {
                Some(held) => assert_eq!(objects.remove(object), Some(held)),
                None => {
                    assert!(objects.add(object, sampled(n)));
                    map.insert(object, sampled(n));
                }
            }
            let other = ((random.bits() % 6000 + 1) << 4) as usize;
            assert_eq!(objects.get(other), map.get(&other).copied());
        }
        assert!(map.len() > 2000);
    }

    #[test]
    fn threads_that_add_and_remove_at_once_find_their_own() {
        static OBJECTS: Objects = Objects::new();
        let threads: Vec<_> = (0..4_u64)
            .map(|thread| {
                std::thread::spawn(move || {
                    let address = |n: u64| ((n * 4 + thread + 1) << 5) as usize;
                    for round in 0..200 {
                        // Few buckets, so that threads meet in them, and pass them.
                        let what = |n: u64| sampled(thread << 20 | round << 10 | n);
                        for n in 0..800 {
                            assert!(OBJECTS.add(address(n), what(n)));
                        }
                        for n in 0..800 {
                            assert_eq!(OBJECTS.get(address(n)), Some(what(n)));
                            assert_eq!(OBJECTS.remove(address(n)), Some(what(n)));
                            assert_eq!(OBJECTS.get(address(n)), None);
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(passed(&OBJECTS), 0);
    }

    #[test]
    fn a_full_level_is_not_asked_for_more() {
        let objects = Objects::new();
        let all = FULL * len(0) as u64;
        for n in 0..=all {
            assert!(objects.add((n as usize + 1) << 6, sampled(n)));
        }
        assert_eq!([0, 1].map(|level| objects.counts[level].load(Ordering::Relaxed)), [all, 1]);
    }
}
