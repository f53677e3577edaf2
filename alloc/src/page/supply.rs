//! The page supply of an arena: finds runs of pages, takes runs back, grows and cuts runs in place.
//!
//! A run of up to 512 pages lies in one block: the fullest of the first few blocks that have a long enough run,
//! dirty pages before muzzy and retained ones, lowest address first. A longer run may begin anywhere and reaches across
//! blocks side by side.

use core::ptr::null_mut;
use core::sync::atomic::AtomicU16;

use super::bits::{BLOCK, BLOCK_PAGES, Bits};
use super::block::{Block, ByArena, ByDirty, ByFree, Region};
use super::churn::Churn;
use super::growth::Growth;
use super::recent::Recent;
use super::run::Run;
use super::state::{Free, PageCounts};
use super::{across, default_hooks, settings};
use crate::base::Base;
use crate::os::clock;
use crate::relaxed::{List, Listed, Relaxed};
use crate::size_class::LARGE_MIN;
use crate::units::PAGE;

/// Lists by the log2 of the longest run: 1 to 512 pages.
const BUCKETS: usize = 10;
/// Blocks of a list that are looked at for the fullest. Eight keeps the search within a few cache lines.
const LOOK: usize = 8;
/// Growth of address space stops doubling at 1 GiB a step.
const GROW_MAX: usize = (1 << 30) / BLOCK;
/// Largest single growth, 8 TiB. Describing it touches a GiB: anything larger would sooner end the process for lack of
/// memory than be of use.
const NEED_MAX: usize = (8 << 40) / BLOCK;

/// The page supply. All-zero is an empty one.
#[derive(Default)]
pub struct Supply {
    pub(super) regions: List<Region, ByArena>,
    pub(super) by_free: [List<Block, ByFree>; BUCKETS],
    pub(super) by_dirty: [List<Block, ByDirty>; BUCKETS],
    /// Regions that were given back, whose descriptors serve again.
    pub(super) spare_regions: List<Region, ByArena>,
    /// How far address space has grown, and may grow at a time.
    pub growth: Growth,
    /// Index of the arena, for what the default hooks do by arena.
    pub arena: u32,
    pub(super) counts: PageCounts,
    /// Runs that count as dirty, and which the bitmaps do not know of.
    pub(super) recent: Recent,
    /// Pages ever taken that no memory backed.
    pub(super) grown: usize,
    /// What of that was given back just before.
    pub(super) churn: Churn,
}

impl Supply {
    /// Pages ever taken that no memory backed.
    pub fn grown(&self) -> usize {
        self.grown
    }

    /// Pages by state.
    pub fn counts(&self) -> PageCounts {
        self.counts
    }

    /// Lets pages that count as active count as guards, or, with less than 0, guards as active.
    pub fn count_guards(&mut self, npages: isize) {
        self.counts.active = self.counts.active.wrapping_sub_signed(npages);
        self.counts.guards = self.counts.guards.wrapping_add_signed(npages);
    }

    /// Where the number of active pages is kept. It stays there: a supply is never moved.
    pub fn active_address(&self) -> *const usize {
        &raw const self.counts.active
    }

    /// Takes `npages` pages whose address is a multiple of `align` pages; answers also whether they are zero.
    ///
    /// `None` when the kernel has no address space or no memory for descriptors.
    pub fn take(&mut self, npages: usize, align: usize, base: &Base) -> Option<(Run, bool)> {
        if let Some(run) = self.recent.take(npages, align) {
            self.counts.dirty -= npages;
            self.counts.active += npages;
            return Some((run, false));
        }
        self.settle();
        let run = match self.find(npages, align) {
            Some(run) => run,
            None => {
                self.grow(npages, align, base)?;
                self.find(npages, align)?
            }
        };
        let zeroed = self.occupy(run);
        self.counts.active += npages;
        Some((run, zeroed))
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
        self.counts.active += npages;
        Some(run)
    }

    /// Takes back a run that `take` gave (or a tail of it); its pages are dirty.
    ///
    /// If they belong to `oversize` or more dirty pages side by side now, these are taken out of circulation and answered, to be
    /// purged: as in jemalloc, when at least the size of a large object was freed, and not when it is a small
    /// part of the whole ([`settings::lg_fit`]); and not when the program takes such pages again at once ([`Churn`]).
    pub fn give(&mut self, run: Run, oversize: usize) -> Option<Run> {
        if self.counts.dirty + run.npages < oversize || run.npages < LARGE_MIN / PAGE {
            self.keep(run);
            return None;
        }
        self.counts.active -= run.npages;
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
        self.counts.active -= run.npages;
        if !self.recent.push(run) {
            self.settle();
            self.recent.push(run);
        }
        self.counts.dirty += run.npages;
    }

    /// Takes a run that `take` gave out of circulation, to be purged; it counts in no state until [`Supply::vacate`].
    pub fn withdraw(&mut self, npages: usize) {
        self.counts.active -= npages;
    }

    /// Enters what was freed last into the bitmaps.
    #[inline]
    pub(super) fn settle(&mut self) {
        while let Some(run) = self.recent.pop() {
            self.counts.dirty -= run.npages;
            self.vacate(run, Free::Dirty);
        }
    }

    /// Adds the `extra` pages behind `run` to it if they are free; answers whether it did and they are zero.
    pub fn extend(&mut self, run: Run, extra: usize) -> Option<bool> {
        self.settle();
        let more = Run { base: run.base.wrapping_add(run.npages * PAGE), npages: extra, block: run.block };
        if more.parts().map(|(_, _, n)| n).sum::<usize>() < extra {
            return None;
        }
        if !more.parts().all(|(block, page, n)| block.used.count_in(page, n) == 0) {
            return None;
        }
        let zeroed = self.occupy(more);
        self.counts.active += extra;
        Some(zeroed)
    }

    fn find(&self, npages: usize, align: usize) -> Option<Run> {
        if npages > BLOCK_PAGES || align > BLOCK_PAGES {
            return self.find_across(npages, align);
        }
        let in_dirty = if self.counts.dirty < npages {
            None
        } else {
            best(&self.by_dirty, npages, align, |block| &block.dirty_longest, |block| block.dirty.get())
        };
        let in_free = || best(&self.by_free, npages, align, |block| &block.free_longest, Block::free_bits);
        let (block, page) = in_dirty.or_else(in_free)?;
        Some(Run::in_block(block, page, npages))
    }

    /// First run across blocks in the oldest region that has one; of dirty pages, if there is one.
    fn find_across(&self, npages: usize, align: usize) -> Option<Run> {
        let run_in = |region: &'static Region, page: usize| {
            let blocks = region.blocks();
            let at = page - region.base().addr() / PAGE;
            Some(Run::in_block(blocks.get(at / BLOCK_PAGES)?, at % BLOCK_PAGES, npages))
        };
        let dirty = |region: &'static Region| {
            let count = |block: &Block| block.ndirty.get() as usize;
            let page = across::first(region.blocks(), npages, align, count, |block| block.dirty.get())?;
            run_in(region, page)
        };
        let free = |region: &'static Region| {
            let count = |block: &Block| block.nfree.get() as usize;
            run_in(region, across::first(region.blocks(), npages, align, count, Block::free_bits)?)
        };
        let in_dirty = if self.counts.dirty < npages { None } else { self.regions.iter().find_map(dirty) };
        in_dirty.or_else(|| self.regions.iter().find_map(free))
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

    /// A block with one of the longest dirty runs that the bitmaps know of.
    fn longest_dirty(&self) -> Option<&'static Block> {
        self.by_dirty.iter().rev().find_map(List::first)
    }

    /// Takes a run of at most `most` pages in state `state` out of circulation, to be purged; it counts in no
    /// state until [`Supply::vacate`]. Blocks with the longest dirty runs come first, and last what was freed last: it is the
    /// most likely to be wanted again.
    pub fn take_unused(&mut self, state: Free, most: usize) -> Option<Run> {
        let (block, bits) = match state {
            Free::Dirty => {
                let block = self.longest_dirty().or_else(|| {
                    self.settle();
                    self.longest_dirty()
                })?;
                (block, block.dirty.get())
            }
            _ => self
                .regions
                .iter()
                .flat_map(|region| region.blocks())
                .map(|block| (block, block.bits_in(Free::Muzzy)))
                .find(|(_, bits)| *bits != Bits::EMPTY)?,
        };
        let (page, len) = bits.runs().max_by_key(|&(_, n)| n)?;
        let run = Run::in_block(block, page, len.min(most));
        self.occupy(run);
        Some(run)
    }

    /// Reserves address space for a run and describes it.
    #[cold]
    fn grow(&mut self, npages: usize, align: usize, base: &Base) -> Option<()> {
        let need = npages.div_ceil(BLOCK_PAGES);
        if need > NEED_MAX {
            return None;
        }
        let next = self.growth.next(npages);
        let step = next.map_or(0, |next| next.npages / BLOCK_PAGES).min(GROW_MAX);
        let want = need.max(step).next_multiple_of(settings::chunk() / BLOCK);
        let align = align.checked_mul(PAGE)?.max(BLOCK);
        // A process near its address-space limit may still have room for just what is needed.
        self.add_region(want, align, base).or_else(|| self.add_region(need, align, base))?;
        if let Some(next) = next.filter(|next| next.npages <= GROW_MAX * BLOCK_PAGES) {
            self.growth.took(next);
        }
        Some(())
    }

    /// Calls `visit` with each run of used pages of each block until it answers `false`.
    pub fn visit_used(&mut self, visit: &mut dyn FnMut(*mut u8, usize) -> bool) {
        self.settle();
        let blocks = self.regions.iter().flat_map(|region| region.blocks());
        for block in blocks.filter(|block| block.nfree.get() as usize != BLOCK_PAGES) {
            if !block.used.get().runs().all(|(page, npages)| visit(block.page(page), npages)) {
                return;
            }
        }
    }

    /// Regions in which no page is in use and that can be given back, which the data segment cannot.
    fn idle(&mut self) -> impl Iterator<Item = &'static Region> + use<> {
        self.settle();
        self.regions.iter().filter(|region| region.is_empty() && !default_hooks::is_permanent(region.base()))
    }

    /// Pages of the regions that [`Supply::release_empty`] would give back.
    pub fn empty(&mut self) -> usize {
        self.idle().map(|region| region.blocks().len() * BLOCK_PAGES).sum()
    }

    /// Gives the regions in which no page is in use back to the kernel; growth begins anew with small steps.
    pub fn release_empty(&mut self) {
        for region in self.idle() {
            self.regions.remove(region);
            for block in region.blocks() {
                let dirty = block.dirty.get().count();
                let muzzy = block.muzzy.get().count();
                self.counts.dirty -= dirty;
                self.counts.muzzy -= muzzy;
                self.counts.retained -= BLOCK_PAGES - dirty - muzzy;
                relist(&self.by_free, block, &block.free_longest, 0);
                relist(&self.by_dirty, block, &block.dirty_longest, 0);
            }
            // SAFETY: the region was reserved as one mapping, no extent lies in it, and no list leads to it any more.
            unsafe { default_hooks::unmap(region.base(), region.blocks().len() * BLOCK) };
            self.spare_regions.push(region);
        }
        self.growth.restart();
    }

    /// Descriptors for a region of `nblocks` blocks: the smallest spare ones that suffice, or new ones.
    fn region_for(&mut self, nblocks: usize, base: &Base) -> Option<&'static Region> {
        let large_enough = self.spare_regions.iter().filter(|region| region.capacity() >= nblocks);
        if let Some(region) = large_enough.min_by_key(|region| region.capacity()) {
            self.spare_regions.remove(region);
            return Some(region);
        }
        let (region, blocks) = base.make::<Region>().zip(base.make_slice::<Block>(nblocks))?;
        region.set_descriptors(blocks);
        Some(region)
    }

    fn add_region(&mut self, nblocks: usize, align: usize, base: &Base) -> Option<()> {
        let bytes = nblocks.checked_mul(BLOCK)?;
        let at = default_hooks::map(null_mut(), bytes, align, self.arena)?.as_ptr();
        let Some(region) = self.region_for(nblocks, base) else {
            // SAFETY: mapped above, and nothing refers to it.
            unsafe { default_hooks::unmap(at, bytes) };
            return None;
        };
        region.describe(at, nblocks);
        self.regions.push(region);
        for block in region.blocks().iter().rev() {
            relist(&self.by_free, block, &block.free_longest, BLOCK_PAGES);
        }
        self.counts.retained += nblocks * BLOCK_PAGES;
        Some(())
    }
}

/// Notes that the longest run of a block that these lists are about is `longest` pages now.
fn relist<K>(
    lists: &[List<Block, K>; BUCKETS],
    block: &'static Block,
    at: &impl Relaxed<Value = u16>,
    longest: usize,
) where
    Block: Listed<K>,
{
    let list = |longest: usize| longest.checked_ilog2().map(|lg| &lists[lg as usize]);
    let (old, new) = (at.get() as usize, longest);
    if old == new {
        return;
    }
    at.set(new as u16);
    if old.checked_ilog2() == new.checked_ilog2() {
        return;
    }
    if let Some(old) = list(old) {
        old.remove(block);
    }
    if let Some(new) = list(new) {
        new.push(block);
    }
}

/// The fullest of the first [`LOOK`] blocks that have a fitting run, from the list of the tightest fit up.
fn best<K>(
    lists: &[List<Block, K>; BUCKETS],
    npages: usize,
    align: usize,
    longest: impl Fn(&Block) -> &AtomicU16,
    runs: impl Fn(&Block) -> Bits,
) -> Option<(&'static Block, usize)>
where
    Block: Listed<K>,
{
    let fitting = |list: &List<Block, K>| {
        list.iter().take(LOOK).filter(|block| longest(block).get() as usize >= npages)
    };
    lists[npages.ilog2() as usize..].iter().find_map(|list| {
        if align == 1 {
            // Any of these has a run.
            let block = fitting(list).min_by_key(|block| block.nfree.get())?;
            return Some((block, runs(block).find(npages, 1)?));
        }
        fitting(list)
            .filter_map(|block| Some((block, runs(block).find(npages, align)?)))
            .min_by_key(|(block, _)| block.nfree.get())
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::os::pages;
    use std::vec::Vec;

    fn total(counts: PageCounts) -> usize {
        counts.active + counts.dirty + counts.muzzy + counts.retained
    }

    /// Takes, gives, extends and purges at random against a plain list of address ranges.
    #[test]
    fn runs_never_overlap_and_the_counts_add_up() {
        let base = Base::default();
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
                    let (run, zeroed) = supply.take(npages, align, &base).unwrap();
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
                    if supply.extend(live[at], extra).is_some() {
                        live[at].npages += extra;
                    }
                }
                _ => {
                    if let Some(run) = supply.take_unused(Free::Dirty, 40) {
                        // SAFETY: the run is out of circulation.
                        assert!(unsafe { pages::purge_forced(run.base, run.npages * PAGE) });
                        supply.vacate(run, Free::Retained);
                    }
                }
            }
            assert_eq!(supply.counts().active, live.iter().map(|r| r.npages).sum::<usize>());
            assert!(total(supply.counts()) >= mapped);
            mapped = total(supply.counts());
            assert_eq!(mapped % BLOCK_PAGES, 0);
        }
        live.drain(..).for_each(|run| assert!(supply.give(run, usize::MAX).is_none()));
        while let Some(run) = supply.take_unused(Free::Dirty, usize::MAX) {
            supply.vacate(run, Free::Retained);
        }
        assert_eq!(supply.counts(), PageCounts { retained: mapped, ..Default::default() });
        assert_eq!(supply.empty(), mapped);
    }

    #[test]
    fn descriptors_of_released_regions_serve_again() {
        let base = Base::default();
        let mut supply = Supply::default();
        let mut described = 0;
        for round in 0..20 {
            let runs: Vec<Run> =
                (0..40).map(|i| supply.take(1 + i * 37 % 700, 1, &base).unwrap().0).collect();
            let (kept, given) = runs.split_at(round % 2);
            for &run in given {
                supply.give(run, usize::MAX);
            }
            let before = total(supply.counts());
            let empty = supply.empty();
            supply.release_empty();
            assert_eq!(total(supply.counts()), before - empty);
            assert_eq!(supply.empty(), 0);
            assert_eq!(supply.counts().active, kept.iter().map(|run| run.npages).sum::<usize>());
            for &run in kept {
                supply.give(run, usize::MAX);
            }
            supply.release_empty();
            assert_eq!(supply.counts(), PageCounts::default());
            match round {
                0..2 => described = base.allocated(),
                _ => assert_eq!(base.allocated(), described, "round {round}"),
            }
        }
    }

    #[test]
    fn what_grows_begins_a_long_dirty_run_and_leaves_half_of_one_to_what_lies_in_front() {
        let base = Base::default();
        let mut supply = Supply::default();
        let (whole, _) = supply.take(2 * BLOCK_PAGES, 1, &base).unwrap();
        let page = |n: usize| whole.base.wrapping_add(n * PAGE);
        let part = |from: usize, npages| Run { base: page(from), npages, ..whole };
        supply.give(part(BLOCK_PAGES + 100, 17), usize::MAX);
        assert!(supply.take_roomy(9).is_none(), "no room");
        supply.give(part(0, BLOCK_PAGES), usize::MAX);
        let first = supply.take_roomy(9).unwrap();
        assert_eq!((first.base, first.npages), (page(0), 9));
        let second = supply.take_roomy(9).unwrap();
        assert_eq!(second.base, page(9 + (BLOCK_PAGES - 9) / 2));
        assert_eq!(supply.extend(first, 200), Some(false));
        assert_eq!(supply.extend(second, 200), Some(false));
        assert!(supply.take_roomy(40).is_none(), "the retained pages are not looked at");
        assert_eq!(supply.counts().active, BLOCK_PAGES - 17 + 9 + 9 + 400);
    }

    #[test]
    fn what_was_freed_last_is_purged_last() {
        let base = Base::default();
        let mut supply = Supply::default();
        let (whole, _) = supply.take(400, 1, &base).unwrap();
        let part = |from: usize, npages| Run { base: whole.base.wrapping_add(from * PAGE), npages, ..whole };
        supply.give(part(0, 5), usize::MAX);
        // Other pages than those, so that they are entered into the bitmaps.
        supply.take(7, 1, &base).unwrap();
        supply.give(part(100, 200), usize::MAX);
        for old in [part(0, 5), part(100, 200)] {
            let run = supply.take_unused(Free::Dirty, usize::MAX).unwrap();
            assert_eq!((run.base, run.npages), (old.base, old.npages));
        }
        assert!(supply.take_unused(Free::Dirty, usize::MAX).is_none());
    }

    #[test]
    fn a_large_dirty_run_is_answered_when_what_was_freed_is_no_small_part_of_it() {
        let base = Base::default();
        let mut supply = Supply::default();
        // Three blocks side by side, in pieces: all of the first, 500 pages of the second, which ends dirty.
        let (whole, _) = supply.take(3 * BLOCK_PAGES, 1, &base).unwrap();
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
