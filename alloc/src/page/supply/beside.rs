//! What came and went without the supply's lock, because its holder did not run.

use super::Supply;
use crate::page::beside::Beside;
use crate::page::bits::BLOCK_PAGES;
use crate::page::block::Region;
use crate::page::late::{Late, take};
use crate::page::run::Run;
use crate::page::state::Free;

impl Supply {
    /// Enters what others left since the lock was last held. Cost: two looks when that is nothing.
    #[inline]
    pub fn catch_up(&mut self, late: &Late, beside: &Beside) {
        if beside.has_regions() || late.is_some() {
            self.catch_up_with(late, beside);
        }
    }

    #[cold]
    fn catch_up_with(&mut self, late: &Late, beside: &Beside) {
        late.drain(&mut |run| self.leave(run));
        // Last: runs of a region may have come back before it is known here, and count as less than none until then.
        beside.take_regions().for_each(|region| self.adopt(region));
    }

    /// Enters a region all of whose pages are used.
    fn adopt(&mut self, region: &'static Region) {
        self.regions.push(region);
        self.used(region.blocks().len() * BLOCK_PAGES);
    }

    /// In the child of a fork, before it has a second thread: enters what threads of the parent had left and not yet said.
    pub fn catch_up_forked(&mut self, late: &Late, beside: &Beside) {
        self.catch_up_with(late, beside);
        for block in self.regions.iter().flat_map(Region::blocks) {
            take(block, &mut |run| self.leave(run));
        }
    }

    /// Enters the fresh pages that nobody has taken, and the regions they are of.
    pub fn unstock(&mut self, beside: &Beside) {
        beside.drain(|run| self.leave_fresh(run));
        beside.take_regions().for_each(|region| self.adopt(region));
    }

    /// Shows the fresh pages that nobody has taken, which stay where they are and count as active, and enters the regions they are of.
    pub fn look_beside(&mut self, beside: &Beside, show: impl FnMut(Run)) {
        beside.look(show);
        beside.take_regions().for_each(|region| self.adopt(region));
    }

    /// As [`Supply::unstock`], and from now on there are none.
    pub fn close_stock(&mut self, beside: &Beside) {
        let regions = beside.close(&mut |run| self.leave_fresh(run));
        regions.for_each(|region| self.adopt(region));
    }

    /// Enters what came back late, and from now on nothing does.
    pub fn close_late(&mut self, late: &Late) {
        late.close(&mut |run| self.leave(run));
    }

    /// Takes back pages that nobody has used.
    pub fn leave_fresh(&mut self, run: Run) {
        self.unused(run.npages);
        self.vacate(run, Free::Retained);
    }
}
