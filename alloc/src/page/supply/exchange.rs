//! Taking runs and giving them back, and the choice of those that are purged at once.

use super::Supply;
use crate::base::Base;
use crate::os::clock;
use crate::page::parked::{self, Parked};
use crate::page::run::Run;
use crate::page::settings;
use crate::page::state::Free;
use crate::relaxed::Relaxed;
use crate::size_class::LARGE_MIN;
use crate::units::PAGE;

impl Supply {
    /// Takes `npages` pages whose address is a multiple of `align` pages; answers also whether they are zero.
    ///
    /// Pages without memory are taken only when there are no dirty ones, of a longer parked run if need be. `None` when the kernel
    /// has no address space or no memory for descriptors.
    pub fn take(&mut self, npages: usize, align: usize, base: &Base, parked: &Parked) -> Option<(Run, bool)> {
        if let Some(run) = self.recent.take(npages, align) {
            self.counts.dirty -= npages;
            self.used(npages);
            return Some((run, false));
        }
        self.settle();
        let mut found = self.find_dirty(npages, align);
        if found.is_none() {
            if align == 1
                && let Some(longer) = parked.take_that(|run| run.npages > npages)
            {
                return Some((self.cut(longer, npages), false));
            }
            if self.rejoin(npages, parked) || self.parks_much(npages, parked) && self.unpark(parked) {
                found = self.find_dirty(npages, align);
            }
        }
        let run = match found.or_else(|| self.find_free(npages, align)) {
            Some(run) => run,
            None => {
                self.grow(npages, align, base)?;
                self.find_free(npages, align)?
            }
        };
        let zeroed = self.occupy(run);
        self.used(npages);
        Some((run, zeroed))
    }

    /// The first `npages` pages of a run that was parked; the rest is entered into the bitmaps.
    fn cut(&mut self, run: Run, npages: usize) -> Run {
        let base = run.base.wrapping_add(npages * PAGE);
        self.leave(Run { base, npages: run.npages - npages, block: run.block });
        Run { npages, ..run }
    }

    /// Enters a parked run that is part of a dirty one of `npages` pages then, if there is such.
    fn rejoin(&mut self, npages: usize, parked: &Parked) -> bool {
        let joins = parked.take_that(|run| run.dirty_with() >= npages);
        joins.map(|run| self.leave(run)).is_some()
    }

    /// Whether what is parked is worth a look for `npages` dirty pages: it serves its own lengths if it stays. Long requests are rare.
    fn parks_much(&self, npages: usize, parked: &Parked) -> bool {
        /// A 16th of what is in use: in pieces that are too short it would be of no use in the bitmaps either, most times.
        const LITTLE: usize = 16;
        npages > parked::MOST || parked.pages() >= npages.max(self.counts.active / LITTLE)
    }

    /// Takes dirty pages for something that may soon want those behind them: from the longest dirty run, if that is at least
    /// twice as long. When something lies in front of the run in its block, it may grow as well, and is left half of it.
    pub fn take_roomy(&mut self, npages: usize) -> Option<Run> {
        if self.counts.dirty < 2 * npages {
            return None;
        }
        self.settle();
        let block = self.longest_dirty()?;
        let longest = block.dirty_longest.get() as usize;
        if longest < 2 * npages {
            return None;
        }
        let start = block.dirty.get().find(longest, 1)?;
        let middle = start != 0 && longest >= 4 * npages;
        let run = Run::in_block(block, if middle { start + longest / 2 } else { start }, npages);
        self.occupy(run);
        self.used(npages);
        Some(run)
    }

    /// Adds the `extra` pages behind `run` to it if they are free; answers whether it did and they are zero.
    pub fn extend(&mut self, run: Run, extra: usize, parked: &Parked) -> Option<bool> {
        self.settle();
        let more = Run { base: run.base.wrapping_add(run.npages * PAGE), npages: extra, block: run.block };
        if more.parts().map(|(_, _, n)| n).sum::<usize>() < extra {
            return None;
        }
        let free = || more.parts().all(|(block, page, n)| block.used.count_in(page, n) == 0);
        if !(free() || self.unpark(parked) && free()) {
            return None;
        }
        let zeroed = self.occupy(more);
        self.used(extra);
        Some(zeroed)
    }

    /// Takes back a run that `take` gave (or a tail of it); its pages are dirty.
    ///
    /// If they belong to `oversize` or more dirty pages side by side now, these are taken out of circulation and answered, to be
    /// purged: as in jemalloc, when at least the size of a large object was freed, and not when it is a small
    /// part of the whole ([`settings::lg_fit`]); and not when the program takes such pages again at once ([`Churn`](crate::page::churn::Churn)).
    pub fn give(&mut self, run: Run, oversize: usize) -> Option<Run> {
        if self.counts.dirty + run.npages < oversize || run.npages < LARGE_MIN / PAGE {
            self.keep(run);
            return None;
        }
        self.unused(run.npages);
        self.settle();
        self.vacate(run, Free::Dirty);
        let whole = run.dirty_around()?;
        let close = whole.npages >> settings::lg_fit() <= run.npages;
        if whole.npages < oversize
            || !close
            || self.churn.keeps(whole.npages, self.counts.dirty, clock::now())
        {
            return None;
        }
        self.occupy(whole);
        Some(whole)
    }

    /// Takes back a run that `take` gave (or a tail of it), whose pages are dirty and stay so for now.
    #[inline]
    pub fn keep(&mut self, run: Run) {
        self.unused(run.npages);
        if !self.recent.push(run) {
            self.settle();
            self.recent.push(run);
        }
        self.counts.dirty += run.npages;
    }

    /// Takes a run that `take` gave out of circulation, to be purged; it counts in no state until [`Supply::vacate`].
    pub fn withdraw(&mut self, npages: usize) {
        self.unused(npages);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::page::bits::BLOCK_PAGES;

    #[test]
    fn what_grows_begins_a_long_dirty_run_and_leaves_half_of_one_to_what_lies_in_front() {
        let (base, none) = (Base::default(), Parked::default());
        let mut supply = Supply::default();
        let (whole, _) = supply.take(2 * BLOCK_PAGES, 1, &base, &none).unwrap();
        let page = |n: usize| whole.base.wrapping_add(n * PAGE);
        let part = |from: usize, npages| Run { base: page(from), npages, ..whole };
        supply.give(part(BLOCK_PAGES + 100, 17), usize::MAX);
        assert!(supply.take_roomy(9).is_none(), "no room");
        supply.give(part(0, BLOCK_PAGES), usize::MAX);
        let first = supply.take_roomy(9).unwrap();
        assert_eq!((first.base, first.npages), (page(0), 9));
        let second = supply.take_roomy(9).unwrap();
        assert_eq!(second.base, page(9 + (BLOCK_PAGES - 9) / 2));
        assert_eq!(supply.extend(first, 200, &none), Some(false));
        assert_eq!(supply.extend(second, 200, &none), Some(false));
        assert!(supply.take_roomy(40).is_none(), "the retained pages are not looked at");
        assert_eq!(supply.counts().active, BLOCK_PAGES - 17 + 9 + 9 + 400);
    }

    #[test]
    fn before_fresh_pages_are_taken_parked_ones_are_cut_or_joined_with_what_lies_beside_them() {
        let base = Base::default();
        let (mut supply, parked) = (Supply::default(), Parked::default());
        let (whole, _) = supply.take(2 * BLOCK_PAGES, 1, &base, &parked).unwrap();
        let part = |from: usize, npages| Run { base: whole.base.wrapping_add(from * PAGE), npages, ..whole };
        let take = |supply: &mut Supply, npages| supply.take(npages, 1, &base, &parked).unwrap();
        for run in [part(100, 10), part(200, 20), part(300, 30)] {
            assert!(parked.put(run));
        }
        let (cut, zeroed) = take(&mut supply, 15);
        assert_eq!((cut.base, zeroed, supply.counts().dirty), (part(200, 15).base, false, 5));
        assert_eq!(parked.pages(), 40);
        // Of what is parked, only the ten pages lie beside others, and make 17 with them.
        assert!(parked.take(30).is_some());
        supply.give(part(93, 3), usize::MAX);
        supply.give(part(97, 3), usize::MAX);
        supply.give(part(110, 4), usize::MAX);
        let (joined, zeroed) = take(&mut supply, 17);
        assert_eq!((joined.base, zeroed, parked.pages()), (part(97, 17).base, false, 0));
        assert_eq!(supply.counts().dirty, 5 + 3);
        assert!(take(&mut supply, 17).1, "nothing else is left");
    }

    #[test]
    fn a_large_dirty_run_is_answered_when_what_was_freed_is_no_small_part_of_it() {
        let (base, none) = (Base::default(), Parked::default());
        let mut supply = Supply::default();
        // Three blocks side by side, in pieces: all of the first, 500 pages of the second, which ends dirty.
        let (whole, _) = supply.take(3 * BLOCK_PAGES, 1, &base, &none).unwrap();
        let part = |from: usize, npages| Run { base: whole.base.wrapping_add(from * PAGE), npages, ..whole };
        assert!(supply.give(part(100, 700), 800).is_none());
        // Too small to look around, and too small a part of what lies there.
        assert!(supply.give(part(97, 3), 600).is_none());
        assert!(supply.give(part(93, 4), 600).is_none());
        let found = supply.give(part(800, 200), 800).unwrap();
        assert_eq!((found.base, found.npages), (part(93, 907).base, 907));
        assert_eq!(supply.counts().dirty, 0);
        supply.vacate(found, Free::Retained);
        // Retained pages are no part of a dirty run.
        assert!(supply.give(part(1000, 536), 600).is_none());
        assert_eq!(supply.counts().dirty, 536);
    }
}
