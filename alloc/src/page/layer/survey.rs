//! What a page layer has: counts, free extents, runs in use, how its locks were taken.

use super::{PageLayer, Source};
use crate::page::census::Census;
use crate::page::pac::Pac;
use crate::page::state::{Free, PageCounts};
use crate::relaxed::Relaxed;
use crate::sync::{MutexCounts, Patience};

impl PageLayer {
    /// Pages by state.
    pub fn counts(&self) -> PageCounts {
        self.counts_within(Patience::Endless).unwrap_or_default()
    }

    /// Pages by state, if the lock is to be had in time.
    pub fn counts_within(&self, patience: Patience) -> Option<PageCounts> {
        match self.source(patience)? {
            Source::Blocks(mut supply) => {
                let mut fresh = 0;
                supply.look_beside(&self.beside, |run| fresh += run.npages);
                let counts = supply.counts();
                let parked = self.parked.pages().min(counts.active);
                let counts =
                    PageCounts { active: counts.active - parked, dirty: counts.dirty + parked, ..counts };
                Some(with_fresh(counts, fresh))
            }
            Source::Extents(pac) => pac.counts(patience),
        }
    }

    /// Pages by state and free extents, of the moment in which `with` is called; `None` when a lock was not to be had
    /// in time, and `with` was not called.
    ///
    /// Cost: a look at each block, or at each free extent.
    pub fn survey(&self, patience: Patience, census: &mut Census, with: impl FnOnce()) -> Option<PageCounts> {
        match self.source(patience)? {
            Source::Blocks(mut supply) => {
                // What is given and taken without the lock from now on was in use before, and counts as in use: so objects
                // that `with` finds never are more than the pages.
                supply.unpark(&self.parked);
                with();
                // Fresh pages that nobody has taken by now are told as retained, and stay where they are: were they entered, the next
                // that finds the lock held would map others, and every look at the statistics would cost address space.
                let mut fresh = 0;
                supply.look_beside(&self.beside, |run| {
                    fresh += run.npages;
                    census.count(Free::Retained, run.npages);
                });
                supply.stretches(|part| {
                    part.state.into_iter().for_each(|state| census.count(state, part.npages));
                });
                Some(with_fresh(supply.counts(), fresh))
            }
            Source::Extents(pac) => pac.survey(patience, with, |state, npages| census.count(state, npages)),
        }
    }

    /// Where the number of active pages is kept, for programs that read it without a lock.
    pub fn active_address(&self) -> *const usize {
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) => {
                // Who reads the number without the lock is to find the right one: nothing changes without the lock any more.
                self.close(&mut supply);
                supply.active_address()
            }
            Some(Source::Extents(pac)) => pac.active_address(),
            None => core::ptr::null(),
        }
    }

    /// Calls `visit` with the first byte and the length in pages of each run of used pages, block by block, until it
    /// answers `false`. The pages of a run may belong to several extents, or be on their way to the kernel.
    pub fn visit_used(&self, visit: &mut dyn FnMut(*mut u8, usize) -> bool) {
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) => {
                self.enter_all(&mut supply);
                supply.visit_used(visit);
            }
            Some(Source::Extents(pac)) => pac.visit_used(visit),
            None => {}
        }
    }

    /// How often the locks of the supply, of growth, of dirty decay and of muzzy decay were taken and waited for. Growth
    /// has none of its own where pages come in blocks.
    pub fn mutex_counts(&self) -> [MutexCounts; 4] {
        let mut supply = self.supply.counts();
        let mut growth = MutexCounts::default();
        if let Some(pac) = self.pac.acquire() {
            let [extents, grown] = pac.mutex_counts();
            supply.add(&extents);
            growth = grown;
        }
        [supply, growth, self.dirty.counts(), self.muzzy.counts()]
    }

    /// Sets these to zero.
    pub fn reset_mutex_counts(&self) {
        self.dirty.reset_counts();
        self.muzzy.reset_counts();
        self.supply.reset_counts();
        self.pac.acquire().into_iter().for_each(Pac::reset_mutex_counts);
    }

    /// `stats.arenas.<i>.abandoned_vm`: bytes of address space that were lost, because hooks refused to cut an extent
    /// or memory for its description ran out.
    pub fn abandoned(&self) -> usize {
        self.abandoned.get() + self.pac.acquire().map_or(0, Pac::abandoned)
    }
}

/// Counts with so many active pages told as what they are, fresh ones that nobody has taken.
fn with_fresh(counts: PageCounts, fresh: usize) -> PageCounts {
    let fresh = fresh.min(counts.active);
    PageCounts { active: counts.active - fresh, retained: counts.retained + fresh, ..counts }
}
