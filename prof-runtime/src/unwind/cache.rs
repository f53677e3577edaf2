//! The rule of every code address that was ever met on a stack. An address's place in the table is its id.
//!
//! Sets of four (key, rule) pairs, one cache line each; segments of growing size are chained when a set is full, and
//! nothing is ever evicted or moved, so an id of 32 bits stands for the address for the rest of the process.
//!
//! **Synchronization:** a slot's key goes from 0 to its value once, by compare-and-swap; slots of a set fill in
//! order. The rule is a hint that may be missing (0: the one who claimed the key is still working it out) or be
//! replaced: any thread may compute it again and store it, for the result depends on the key only.

use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use super::rule::Rule;
use crate::memory::{self, Zeroed};

const WAYS: usize = 4;
/// Log2 of the sets in the first segment: 64 KiB, 4096 addresses. Each next segment is four times as large.
const FIRST_LG: u32 = 10;
/// Eight segments hold 89 million addresses.
const SEGMENTS: usize = 8;

/// A code address and what it is: the address of an instruction, or the return address after a call.
///
/// The difference matters to lookups: a return address may lie one past the end of its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site(u64);

impl Site {
    /// An address that a call returns to.
    #[inline(always)]
    pub fn returning(pc: usize) -> Site {
        Site((pc as u64) << 1)
    }

    /// An instruction that was interrupted, or is being executed.
    #[inline(always)]
    pub fn exact(pc: usize) -> Site {
        Site((pc as u64) << 1 | 1)
    }

    /// The address as found in the frame.
    pub fn pc(self) -> usize {
        (self.0 >> 1) as usize
    }

    /// An address inside the instruction that the frame is executing.
    pub fn lookup(self) -> usize {
        self.pc().wrapping_sub(1 - (self.0 & 1) as usize)
    }

    /// Its set in a segment of `1 << lg` sets. Fibonacci hashing: the upper bits are the mixed ones.
    #[inline(always)]
    fn set(self, lg: u32) -> usize {
        (self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - lg)) as usize
    }

    /// As a return address: readers of profiles take one off every address to get into the calling instruction.
    pub fn as_return_address(self) -> u64 {
        (self.0 >> 1) + (self.0 & 1)
    }
}

#[repr(C, align(64))]
struct Set([(AtomicU64, AtomicU64); WAYS]);

// SAFETY: a set is an array of atomics, for which zero is a value.
unsafe impl Zeroed for Set {}

/// What the table knows of a site.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The site's stable number.
    pub id: u32,
    rule: u64,
}

impl Entry {
    /// The rule, when somebody has worked it out.
    #[inline(always)]
    pub fn rule(&self) -> Option<Rule> {
        Rule::from_bits(self.rule)
    }
}

/// The first segment.
#[derive(Clone, Copy)]
pub struct Known<'a>(&'a [Set; 1 << FIRST_LG]);

impl Known<'_> {
    /// The site's entry, when it is here.
    #[inline(always)]
    pub fn get(self, site: Site) -> Option<Entry> {
        let index = site.set(FIRST_LG);
        // The set is below `1 << FIRST_LG`, as the compiler sees.
        for (way, (key, rule)) in self.0[index].0.iter().enumerate() {
            if key.load(Ordering::Relaxed) == site.0 {
                return Some(Entry { id: (index * WAYS + way) as u32, rule: rule.load(Ordering::Relaxed) });
            }
        }
        None
    }
}

/// The table.
pub struct RuleCache {
    segments: [AtomicPtr<Set>; SEGMENTS],
    /// Per slot, the stamp of the module that a volatile rule was made from; touched for those only.
    stamps: [AtomicPtr<AtomicU32>; SEGMENTS],
}

const fn sets_before(segment: usize) -> usize {
    ((1 << FIRST_LG) * ((1 << (2 * segment)) - 1)) / 3
}

impl RuleCache {
    /// Empty; maps nothing.
    pub const fn new() -> RuleCache {
        RuleCache {
            segments: [const { AtomicPtr::new(core::ptr::null_mut()) }; SEGMENTS],
            stamps: [const { AtomicPtr::new(core::ptr::null_mut()) }; SEGMENTS],
        }
    }

    /// The entries that nearly all are among; `None` as long as there are none at all.
    #[inline(always)]
    pub fn known(&self) -> Option<Known<'_>> {
        let base = self.segments[0].load(Ordering::Acquire);
        // SAFETY: the segment holds `1 << FIRST_LG` sets; it is zeroed or written through shared references to atomics
        // only, and stays mapped for the rest of the process.
        unsafe { base.cast::<[Set; 1 << FIRST_LG]>().as_ref() }.map(Known)
    }

    /// The site's entry, added when it is new; `None` when memory is out.
    #[inline(always)]
    pub fn entry(&self, site: Site) -> Option<Entry> {
        self.known().and_then(|known| known.get(site)).or_else(|| self.entry_slow(site))
    }

    #[cold]
    #[inline(never)]
    fn entry_slow(&self, site: Site) -> Option<Entry> {
        for (at, segment) in self.segments.iter().enumerate() {
            let lg = FIRST_LG + 2 * at as u32;
            let base = memory::chunk(segment, size_of::<Set>() << lg)?;
            let index = site.set(lg);
            // SAFETY: the segment holds `1 << lg` sets and `index` is below that; it is zeroed or written through
            // shared references to atomics only, and stays mapped for the rest of the process.
            let set = unsafe { &*base.add(index) };
            for (way, (key, rule)) in set.0.iter().enumerate() {
                let mut held = key.load(Ordering::Relaxed);
                if held == 0 {
                    held = match key.compare_exchange(0, site.0, Ordering::Relaxed, Ordering::Relaxed) {
                        Ok(_) => site.0,
                        Err(theirs) => theirs,
                    };
                }
                if held == site.0 {
                    let id = (sets_before(at) + index) * WAYS + way;
                    return Some(Entry { id: id as u32, rule: rule.load(Ordering::Relaxed) });
                }
            }
        }
        None
    }

    /// Key and rule of an id.
    fn slot(&self, id: u32) -> Option<&(AtomicU64, AtomicU64)> {
        let (segment, index) = Self::locate(id as usize / WAYS)?;
        let base = self.segments[segment].load(Ordering::Acquire);
        if base.is_null() {
            return None;
        }
        // SAFETY: `locate` gives a set of the segment, which is mapped; see `entry_slow`.
        let set = unsafe { &*base.add(index) };
        set.0.get(id as usize % WAYS)
    }

    /// The site of an id that [`RuleCache::entry`] gave.
    pub fn site(&self, id: u32) -> Option<Site> {
        match self.slot(id)?.0.load(Ordering::Relaxed) {
            0 => None,
            key => Some(Site(key)),
        }
    }

    /// Stores the rule of an id. Relaxed: it is one word and refers to nothing.
    pub fn set_rule(&self, id: u32, rule: Rule) {
        if let Some(slot) = self.slot(id) {
            slot.1.store(rule.to_bits(), Ordering::Relaxed);
        }
    }

    /// Segment of a set number, and the set's place in it.
    fn locate(set: usize) -> Option<(usize, usize)> {
        let segment = (0..SEGMENTS).rev().find(|segment| sets_before(*segment) <= set)?;
        Some((segment, set - sets_before(segment)))
    }

    /// One past the largest id so far possible: what a table by id must hold.
    pub fn id_limit(&self) -> u32 {
        let used =
            self.segments.iter().take_while(|segment| !segment.load(Ordering::Acquire).is_null()).count();
        (sets_before(used) * WAYS) as u32
    }

    /// Where the stamp of an id is kept; `None` when memory is out.
    pub fn stamp(&self, id: u32) -> Option<&AtomicU32> {
        let (segment, index) = Self::locate(id as usize / WAYS)?;
        let slots = (WAYS << FIRST_LG) << (2 * segment);
        let base = memory::chunk(&self.stamps[segment], slots * size_of::<u32>())?;
        // SAFETY: the chunk holds one stamp per slot of the segment, and this is one of them.
        Some(unsafe { &*base.add(index * WAYS + id as usize % WAYS) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unwind::rule::Kind;

    #[test]
    fn ids_are_stable_distinct_and_lead_back_to_their_sites() {
        let cache = RuleCache::new();
        let sites: std::vec::Vec<_> =
            (1..30_000).flat_map(|n| [Site::returning(n * 5), Site::exact(n * 5)]).collect();
        let ids: std::vec::Vec<_> = sites.iter().map(|site| cache.entry(*site).unwrap().id).collect();
        for (site, id) in sites.iter().zip(&ids) {
            assert_eq!(cache.entry(*site).unwrap().id, *id);
            assert_eq!(cache.site(*id), Some(*site));
            assert!(*id < cache.id_limit());
        }
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn an_interrupted_instruction_and_a_return_address_are_looked_up_differently() {
        assert_eq!(Site::returning(0x1000).lookup(), 0xfff);
        assert_eq!(Site::exact(0x1000).lookup(), 0x1000);
        assert_eq!(Site::returning(0x1000).as_return_address() - 1, 0xfff);
        assert_eq!(Site::exact(0x1000).as_return_address() - 1, 0x1000);
    }

    #[test]
    fn rules_and_stamps_belong_to_their_entry() {
        let cache = RuleCache::new();
        for n in 1..20_000 {
            let entry = cache.entry(Site::returning(n)).unwrap();
            assert!(entry.rule().is_none());
            cache.set_rule(entry.id, Rule::plain(Kind::Unknown));
            assert_eq!(cache.stamp(entry.id).unwrap().swap(n as u32, Ordering::Relaxed), 0);
        }
        for n in 1..20_000 {
            let entry = cache.entry(Site::returning(n)).unwrap();
            assert_eq!(entry.rule(), Some(Rule::plain(Kind::Unknown)));
            assert_eq!(cache.stamp(entry.id).unwrap().load(Ordering::Relaxed), n as u32);
        }
    }
}
