//! Runs: pages side by side, which may reach across blocks.

use core::ptr::null_mut;

use super::bits::BLOCK_PAGES;
use super::block::Block;
use super::state::Free;

/// Pages side by side.
#[derive(Clone, Copy)]
pub struct Run {
    /// First byte.
    pub base: *mut u8,
    /// Length.
    pub npages: usize,
    /// A block at or before the first page, of the same region; `None` where pages do not come in blocks.
    pub block: Option<&'static Block>,
}

impl Default for Run {
    fn default() -> Run {
        Run { base: null_mut(), npages: 0, block: None }
    }
}

impl Run {
    /// Pages of one block, or from it on.
    pub(super) fn in_block(block: &'static Block, page: usize, npages: usize) -> Run {
        Run { base: block.page(page), npages, block: Some(block) }
    }

    /// Block and page in it that the run begins with.
    pub(super) fn start(&self) -> Option<(&'static Block, usize)> {
        let block = self.block?;
        let page = block.page_of(self.base.addr());
        if page < BLOCK_PAGES {
            Some((block, page))
        } else {
            Some((block.ahead(page / BLOCK_PAGES)?, page % BLOCK_PAGES))
        }
    }

    /// The part of the run in each block, as (block, first page, length).
    pub(super) fn parts(self) -> impl Iterator<Item = (&'static Block, usize, usize)> {
        let mut rest = self.start().map(|(block, page)| (block, page, self.npages));
        core::iter::from_fn(move || {
            let (block, page, npages) = rest?;
            let here = npages.min(BLOCK_PAGES - page);
            rest = (npages > here).then(|| block.next().map(|next| (next, 0, npages - here))).flatten();
            Some((block, page, here))
        })
    }

    /// How many pages side by side would be dirty in the block if those of this run were; 0 for a run across blocks.
    pub(super) fn dirty_with(&self) -> usize {
        let start = self.start().filter(|(_, page)| page + self.npages <= BLOCK_PAGES);
        start.map_or(0, |(block, page)| block.dirty_with(page, self.npages))
    }

    /// The dirty pages side by side that a run of such belongs to.
    pub(super) fn dirty_around(self) -> Option<Run> {
        let (block, page) = self.start()?;
        let (mut start, mut npages) = block.bits_in(Free::Dirty).around(page);
        let (mut first, mut last) = (block, block);
        while let (0, Some(block)) = (start, first.previous()) {
            let dirty = block.bits_in(Free::Dirty);
            if !dirty.has(BLOCK_PAGES - 1) {
                break;
            }
            let more;
            (start, more) = dirty.around(BLOCK_PAGES - 1);
            npages += more;
            first = block;
        }
        let mut end = block.bits_in(Free::Dirty).around(page);
        while let (true, Some(block)) = (end.0 + end.1 == BLOCK_PAGES, last.next()) {
            let dirty = block.bits_in(Free::Dirty);
            if !dirty.has(0) {
                break;
            }
            end = dirty.around(0);
            npages += end.1;
            last = block;
        }
        Some(Run::in_block(first, start, npages))
    }
}
