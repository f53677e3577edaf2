//! Giving much back at once when nearly everything was freed: [`Ebb`](crate::page::ebb::Ebb) says when and how much.

use super::{PageLayer, Source};
use crate::os::clock;
use crate::page::caretaker;
use crate::page::ebb::is_low;
use crate::page::purge::Step;
use crate::relaxed::Relaxed;
use crate::sync::Patience;

/// Pages that are freed between two looks at the clock: 1 MiB.
const STRIDE: usize = 256;

impl PageLayer {
    /// `npages` pages were freed, and nearly everything is free: purges part of it unless that was done lately.
    #[cold]
    pub(super) fn ebb(&self, npages: usize) {
        let fresh = self.fresh.get();
        let looks = fresh / STRIDE != (fresh + npages) / STRIDE;
        if !looks || !self.ebbs.get() || caretaker::workers() != 0 {
            return;
        }
        let Some(mut decay) = self.dirty.try_lock() else { return };
        let keep = match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) => {
                let (counts, grown) = (supply.counts(), supply.grown());
                if is_low(&counts) { supply.ebb.keep(counts.dirty, grown, clock::now()) } else { None }
            }
            _ => None,
        };
        if let Some(keep) = keep {
            self.run(&self.dirty_counts, Step::DirtyToRetained, keep);
            decay.purged(self.unused(Step::DirtyToRetained));
        }
    }
}
