//! The regions of a supply: address space grows by them, and those that nothing lies in are given back.

use core::ptr::null_mut;

use super::Supply;
use super::lists::relist;
use crate::base::Base;
use crate::page::bits::{BLOCK, BLOCK_PAGES};
use crate::page::block::{Block, Region};
use crate::page::{default_hooks, settings};
use crate::units::PAGE;

/// Growth of address space stops doubling at 1 GiB a step.
const GROW_MAX: usize = (1 << 30) / BLOCK;
/// Largest single growth, 8 TiB. Describing it touches a GiB: anything larger would sooner end the process for lack of
/// memory than be of use.
const NEED_MAX: usize = (8 << 40) / BLOCK;

impl Supply {
    /// Reserves address space for a run and describes it.
    #[cold]
    pub(super) fn grow(&mut self, npages: usize, align: usize, base: &Base) -> Option<()> {
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
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::page::parked::Parked;
    use crate::page::run::Run;
    use crate::page::state::PageCounts;
    use std::vec::Vec;

    #[test]
    fn descriptors_of_released_regions_serve_again() {
        let (base, none) = (Base::default(), Parked::default());
        let mut supply = Supply::default();
        let mut described = 0;
        for round in 0..20 {
            let runs: Vec<Run> =
                (0..40).map(|i| supply.take(1 + i * 37 % 700, 1, &base, &none).unwrap().0).collect();
            let (kept, given) = runs.split_at(round % 2);
            for &run in given {
                supply.give(run, usize::MAX);
            }
            let before = supply.counts().reserved();
            let empty = supply.empty();
            supply.release_empty();
            assert_eq!(supply.counts().reserved(), before - empty);
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
}
