//! What a page layer has: counts, free extents, runs in use, how its locks were taken.

use super::{PageLayer, Source};
use crate::page::census::Census;
use crate::page::pac::Pac;
use crate::page::state::PageCounts;
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
            Source::Blocks(supply) => {
                let counts = supply.counts();
                let parked = self.parked.pages().min(counts.active);
                let fresh = self.beside.pages().min(counts.active - parked);
                let active = counts.active - parked - fresh;
                let (dirty, retained) = (counts.dirty + parked, counts.retained + fresh);
                Some(PageCounts { active, dirty, retained, ..counts })
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
                self.enter_all(&mut supply);
                with();
                // And what is fresh since then is entered again, so that its pages are counted.
                supply.unstock(&self.beside);
                supply.stretches(|part| {
                    part.state.into_iter().for_each(|state| census.count(state, part.npages));
                });
                Some(supply.counts())
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
