//! Finding runs that can be taken. The search changes nothing.

use super::lists::best;
use super::{Supply, across};
use crate::page::bits::BLOCK_PAGES;
use crate::page::block::{Block, Region};
use crate::page::run::Run;
use crate::relaxed::{List, Relaxed};
use crate::units::PAGE;

impl Supply {
    /// Where `npages` free pages are, at a multiple of `align` pages; dirty ones, if there are such.
    pub(super) fn find(&self, npages: usize, align: usize) -> Option<Run> {
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

    /// A block with one of the longest dirty runs that the bitmaps know of.
    pub(super) fn longest_dirty(&self) -> Option<&'static Block> {
        self.by_dirty.iter().rev().find_map(List::first)
    }
}
