//! Finding runs that can be taken. The search changes nothing.

use super::lists::best;
use super::{Supply, across};
use crate::page::bits::{BLOCK_PAGES, Bits};
use crate::page::block::Block;
use crate::page::run::Run;
use crate::relaxed::{List, Relaxed};
use crate::units::PAGE;

impl Supply {
    /// Where `npages` dirty pages are, at a multiple of `align` pages. Runs that are longer than a block, or need more alignment, are
    /// the first such in the oldest region that has one.
    pub(super) fn find_dirty(&self, npages: usize, align: usize) -> Option<Run> {
        if self.counts.dirty < npages {
            return None;
        }
        if npages > BLOCK_PAGES || align > BLOCK_PAGES {
            let count = |block: &Block| block.ndirty.get() as usize;
            return self.find_across(npages, align, count, |block| block.dirty.get());
        }
        let (block, page) =
            best(&self.by_dirty, npages, align, |block| &block.dirty_longest, |block| block.dirty.get())?;
        Some(Run::in_block(block, page, npages))
    }

    /// As [`Supply::find_dirty`], for free pages in any state.
    pub(super) fn find_free(&self, npages: usize, align: usize) -> Option<Run> {
        if npages > BLOCK_PAGES || align > BLOCK_PAGES {
            let count = |block: &Block| block.nfree.get() as usize;
            return self.find_across(npages, align, count, Block::free_bits);
        }
        let (block, page) =
            best(&self.by_free, npages, align, |block| &block.free_longest, Block::free_bits)?;
        Some(Run::in_block(block, page, npages))
    }

    fn find_across(
        &self,
        npages: usize,
        align: usize,
        count: impl Fn(&Block) -> usize,
        bits: impl Fn(&Block) -> Bits,
    ) -> Option<Run> {
        self.regions.iter().find_map(|region| {
            let blocks = region.blocks();
            let page = across::first(blocks, npages, align, &count, &bits)?;
            let at = page - region.base().addr() / PAGE;
            Some(Run::in_block(blocks.get(at / BLOCK_PAGES)?, at % BLOCK_PAGES, npages))
        })
    }

    /// A block with one of the longest dirty runs that the bitmaps know of.
    pub(super) fn longest_dirty(&self) -> Option<&'static Block> {
        self.by_dirty.iter().rev().find_map(List::first)
    }
}
