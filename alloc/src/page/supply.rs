//! The page supply of an arena: finds runs of pages, takes runs back, grows and cuts runs in place.
//!
//! A run of up to 512 pages lies in one block: the fullest of the first few blocks that have a long enough run,
//! dirty pages before muzzy and retained ones, lowest address first. A longer run may begin anywhere and reaches across
//! blocks side by side.

mod across;
mod beside;
mod exchange;
mod find;
mod lists;
mod recent;
mod regions;
mod survey;
mod unused;

use self::lists::{Lists, relist};
use self::recent::Recent;
use super::block::{ByArena, ByDirty, ByFree, Region};
use super::churn::Churn;
use super::ebb::Ebb;
use super::growth::Growth;
use super::parked::Parked;
use super::run::Run;
use super::state::{Free, PageCounts};
use crate::relaxed::{List, Relaxed};

/// The page supply. All-zero is an empty one.
#[derive(Default)]
pub struct Supply {
    regions: List<Region, ByArena>,
    by_free: Lists<ByFree>,
    by_dirty: Lists<ByDirty>,
    /// Regions that were given back, whose descriptors serve again.
    spare_regions: List<Region, ByArena>,
    /// How far address space has grown, and may grow at a time.
    pub growth: Growth,
    /// Index of the arena, for what the default hooks do by arena.
    pub arena: u32,
    counts: PageCounts,
    /// Runs that count as dirty, and which the bitmaps do not know of.
    recent: Recent,
    /// Pages ever taken that no memory backed.
    grown: usize,
    /// What of that was given back just before.
    pub(super) churn: Churn,
    /// When much of it was given back because nearly everything was free.
    pub(super) ebb: Ebb,
}

impl Supply {
    /// Pages ever taken that no memory backed.
    pub fn grown(&self) -> usize {
        self.grown
    }

    /// Pages by state; those of [`Parked`] runs are active.
    pub fn counts(&self) -> PageCounts {
        self.counts
    }

    /// Counts pages as active. What has come back of a region of [`Beside`](super::beside::Beside) may be more than is counted, until the region is known here.
    fn used(&mut self, npages: usize) {
        self.counts.active = self.counts.active.wrapping_add(npages);
    }

    /// Counts pages as active no more.
    fn unused(&mut self, npages: usize) {
        self.counts.active = self.counts.active.wrapping_sub(npages);
    }

    /// Lets pages that count as active count as guards, or, with less than 0, guards as active.
    pub fn count_guards(&mut self, npages: isize) {
        self.counts.active = self.counts.active.wrapping_sub_signed(npages);
        self.counts.guards = self.counts.guards.wrapping_add_signed(npages);
    }

    /// Where the number of active pages is kept, those of [`Parked`] runs included. It stays there: a supply is never moved.
    pub fn active_address(&self) -> *const usize {
        &raw const self.counts.active
    }

    /// Marks free pages as used; answers whether all of them are zero.
    fn occupy(&mut self, run: Run) -> bool {
        let (mut dirty, mut muzzy) = (0, 0);
        for (block, page, n) in run.parts() {
            let was = block.occupy(page, n, self.counts.muzzy != 0);
            dirty += was.dirty;
            muzzy += was.muzzy;
            relist(&self.by_free, block, &block.free_longest, was.longest_free);
            relist(&self.by_dirty, block, &block.dirty_longest, was.longest_dirty);
        }
        self.counts.dirty -= dirty;
        self.counts.muzzy -= muzzy;
        self.counts.retained -= run.npages - dirty - muzzy;
        self.grown = self.grown.wrapping_add(run.npages - dirty - muzzy);
        dirty + muzzy == 0
    }

    /// Marks used pages as free, in state `state`.
    pub fn vacate(&mut self, run: Run, state: Free) {
        for (block, page, n) in run.parts() {
            let (free, dirty) = block.vacate(page, n, state);
            relist(&self.by_free, block, &block.free_longest, free.max(block.free_longest.get() as usize));
            if state == Free::Dirty {
                let longest = dirty.max(block.dirty_longest.get() as usize);
                relist(&self.by_dirty, block, &block.dirty_longest, longest);
            }
        }
        match state {
            Free::Dirty => self.counts.dirty += run.npages,
            Free::Muzzy => self.counts.muzzy += run.npages,
            Free::Retained => self.counts.retained += run.npages,
        }
    }

    /// Enters the runs of `parked` into the bitmaps; answers whether there were any.
    pub fn unpark(&mut self, parked: &Parked) -> bool {
        let before = self.counts.active;
        parked.drain(|run| self.leave(run));
        self.counts.active != before
    }

    /// As [`Supply::unpark`], and from now on nothing is parked.
    pub fn close(&mut self, parked: &Parked) {
        parked.close(|run| self.leave(run));
    }

    /// Enters a run that was parked.
    fn leave(&mut self, run: Run) {
        self.unused(run.npages);
        self.vacate(run, Free::Dirty);
    }

    /// Enters what was freed last into the bitmaps.
    #[inline]
    fn settle(&mut self) {
        while let Some(run) = self.recent.pop() {
            self.counts.dirty -= run.npages;
            self.vacate(run, Free::Dirty);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::base::Base;
    use crate::os::pages;
    use crate::page::bits::BLOCK_PAGES;
    use crate::units::PAGE;
    use std::vec::Vec;

    /// Takes, gives, extends and purges at random against a plain list of address ranges.
    #[test]
    fn runs_never_overlap_and_the_counts_add_up() {
        let (base, parked) = (Base::default(), Parked::default());
        let mut supply = Supply::default();
        let mut live: Vec<Run> = Vec::new();
        let mut x = 88172645463325252u64;
        let mut next = |n: u64| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x % n
        };
        let mut mapped = 0;
        for _ in 0..6000 {
            match next(8) {
                0..=3 => {
                    let lg = next(11);
                    let npages = 1 + next(1 << lg) as usize;
                    let wide = next(20) == 0;
                    let align = 1 << next(if wide { 12 } else { 4 });
                    let (run, zeroed) = supply.take(npages, align, &base, &parked).unwrap();
                    assert!(run.base.addr().is_multiple_of(align * PAGE));
                    let (start, end) = (run.base.addr(), run.base.addr() + npages * PAGE);
                    for other in &live {
                        let at = other.base.addr();
                        assert!(end <= at || at + other.npages * PAGE <= start);
                    }
                    for page in 0..npages {
                        let at = run.base.wrapping_add(page * PAGE).cast::<u64>();
                        // SAFETY: the page belongs to the run just taken.
                        unsafe {
                            assert!(!zeroed || *at == 0);
                            *at = 7;
                        }
                    }
                    live.push(run);
                }
                4 | 5 if !live.is_empty() => {
                    let at = next(live.len() as u64) as usize;
                    assert!(supply.give(live.swap_remove(at), usize::MAX).is_none());
                }
                6 if !live.is_empty() => {
                    let at = next(live.len() as u64) as usize;
                    let extra = 1 + next(600) as usize;
                    if supply.extend(live[at], extra, &parked).is_some() {
                        live[at].npages += extra;
                    }
                }
                _ => {
                    if let Some(run) = supply.take_unused(Free::Dirty, 40, &parked) {
                        // SAFETY: the run is out of circulation.
                        assert!(unsafe { pages::purge_forced(run.base, run.npages * PAGE) });
                        supply.vacate(run, Free::Retained);
                    }
                }
            }
            assert_eq!(supply.counts().active, live.iter().map(|r| r.npages).sum::<usize>());
            assert!(supply.counts().reserved() >= mapped);
            mapped = supply.counts().reserved();
            assert_eq!(mapped % BLOCK_PAGES, 0);
        }
        live.drain(..).for_each(|run| assert!(supply.give(run, usize::MAX).is_none()));
        while let Some(run) = supply.take_unused(Free::Dirty, usize::MAX, &parked) {
            supply.vacate(run, Free::Retained);
        }
        assert_eq!(supply.counts(), PageCounts { retained: mapped, ..Default::default() });
        assert_eq!(supply.empty(), mapped);
    }
}
