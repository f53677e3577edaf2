//! Taking pages and giving them back.

use core::sync::atomic::Ordering;

use super::{PageLayer, Source, kept};
use crate::base::Base;
use crate::os::{clock, pages};
use crate::page::ebb;
use crate::page::pac::Pac;
use crate::page::purge::{self, Step};
use crate::page::run::Run;
use crate::page::state::{Free, PageCounts};
use crate::page::supply::Supply;
use crate::page::{advice, caretaker, pressure};
use crate::relaxed::Relaxed;
use crate::size_class::LARGE_MIN;
use crate::sync::Patience;
use crate::units::PAGE;

/// Pages that may become unused between two looks at the clock: 4 MiB.
const FRESH_MAX: usize = 1024;

impl PageLayer {
    /// Counts the pages that `f` takes without memory behind them.
    fn growing<R>(
        &self,
        blocks: impl FnOnce(&mut Supply) -> Option<R>,
        extents: impl FnOnce(&Pac) -> Option<R>,
    ) -> Option<R> {
        match self.source(Patience::Endless)? {
            Source::Blocks(mut supply) => {
                let before = supply.grown();
                let result = blocks(&mut supply);
                let grown = supply.grown().wrapping_sub(before);
                if grown != 0 && supply.churn.is_waiting() {
                    supply.churn.took(grown, clock::now());
                }
                pressure::grew(grown);
                result
            }
            Source::Extents(pac) => {
                let before = pac.grown();
                let result = extents(pac);
                pressure::grew(pac.grown().wrapping_sub(before));
                result
            }
        }
    }

    /// Takes `npages` pages whose address is a multiple of `align` pages; answers also whether they are zero. What `grows`
    /// gets room behind it, where that is to be had.
    ///
    /// `None` when there is no address space, or no memory for descriptors.
    #[inline(always)]
    pub fn take(&self, npages: usize, align: usize, grows: bool, base: &Base) -> Option<(Run, bool)> {
        let roomy = grows && align == 1;
        if align == 1
            && !roomy
            && let Some(run) = self.parked.take(npages)
        {
            return Some((run, false));
        }
        self.growing(
            |supply| {
                let run = if roomy {
                    supply.unpark(&self.parked);
                    supply.take_roomy(npages)
                } else {
                    None
                };
                run.map(|run| (run, false)).or_else(|| supply.take(npages, align, base, &self.parked))
            },
            |pac| {
                let taken = pac.take(npages, align, self.mode(), base)?;
                Some((Run { base: taken.base, npages, block: None }, taken.zeroed))
            },
        )
    }

    /// Lets the kernel back the pages of `run`, which were taken and have no memory, at once, unless memory is short or
    /// of a kind that only the program's hooks know. A fault for each would take about twice as long.
    #[cold]
    pub fn back(&self, run: Run) {
        let short = pressure::share() != pressure::WHOLE;
        let ours = self.pac.acquire().is_none_or(Pac::is_default);
        if ours && !short && !self.at_once() && !advice::wants_huge() {
            // SAFETY: the run belongs to the caller.
            unsafe { pages::back(run.base, run.npages * PAGE) };
        }
    }

    /// Adds the `extra` pages behind `run` to it if they are free; answers whether it did and they are zero.
    pub fn extend(&self, run: Run, extra: usize, base: &Base) -> Option<bool> {
        self.growing(
            |supply| supply.extend(run, extra, &self.parked),
            |pac| pac.extend(run.base, run.npages, extra, base),
        )
    }

    /// Takes back all but the first `keep` pages of a run; answers whether it did, which hooks may refuse. `leave` is called
    /// when that is certain, and the pages still are the caller's.
    pub fn shrink(&self, run: Run, keep: usize, base: &Base, leave: impl FnOnce()) -> bool {
        let rest = run.npages - keep;
        if let Some(Source::Extents(pac)) = self.source(Patience::Endless) {
            let Some(purged) = pac.shrink(run.base, run.npages, keep, self.mode(), base, leave) else {
                return false;
            };
            self.purged_at_once(purged);
            self.freed(rest);
            return true;
        }
        leave();
        self.give(Run { base: run.base.wrapping_add(keep * PAGE), npages: rest, block: run.block }, base);
        true
    }

    /// Whether runs of so many pages may be parked. Not where dirty pages are to go as soon as some of them are side by side: while they
    /// are parked, nobody looks.
    #[inline]
    fn parks(&self, npages: usize) -> bool {
        /// Half of the default: what is parked is less.
        const FEW: usize = 4 << 20;
        !self.at_once() && (npages < LARGE_MIN / PAGE || self.oversize_threshold() >= FEW)
    }

    /// Takes pages back.
    pub fn give(&self, run: Run, base: &Base) {
        if self.parks(run.npages) && self.parked.put(run) {
            return self.freed(run.npages);
        }
        let mut low = false;
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) if self.at_once() => {
                if self.may_keep() && kept::keeps(&mut supply, run) {
                    supply.keep(run);
                    return self.note_kept(&supply);
                }
                supply.withdraw(run.npages);
                drop(supply);
                return self.give_at_once(run, base);
            }
            Some(Source::Blocks(mut supply)) => {
                let at_once = supply.give(run, self.mode().oversize / PAGE);
                self.note_kept(&supply);
                low = ebb::is_low(&supply.counts());
                drop(supply);
                if let Some(run) = at_once {
                    self.purge_run(run, base);
                }
            }
            Some(Source::Extents(pac)) => {
                let purged = pac.give(run.base, run.npages, self.mode(), base);
                self.purged_at_once(purged);
            }
            None => {}
        }
        if low {
            self.ebb(run.npages);
        }
        self.freed(run.npages);
    }

    /// Purges a run that is out of circulation, and whatever else may not stay.
    #[cold]
    fn give_at_once(&self, run: Run, base: &Base) {
        self.dirty_counts.npurge.fetch_add(1, Ordering::Relaxed);
        let left = self.purge_run(run, base);
        if left.dirty != 0 || left.muzzy != 0 {
            self.decay(clock::now());
        }
    }

    /// Purges a run that is out of circulation; answers what there is then.
    #[cold]
    fn purge_run(&self, run: Run, base: &Base) -> PageCounts {
        let state = purge::advise(&run, Step::DirtyToRetained);
        if state == Free::Retained {
            pressure::shrank(run.npages);
            self.purged_at_once(run.npages);
        }
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) => {
                supply.vacate(run, state);
                supply.counts()
            }
            // The supply was changed over in between, and took the run for one in use.
            Some(Source::Extents(pac)) => {
                pac.give(run.base, run.npages, self.mode(), base);
                pac.counts(Patience::Endless).unwrap_or_default()
            }
            None => PageCounts::default(),
        }
    }

    fn purged_at_once(&self, npages: usize) {
        if npages != 0 {
            self.dirty_counts.nmadvise.fetch_add(1, Ordering::Relaxed);
            self.dirty_counts.purged.fetch_add(npages as u64, Ordering::Relaxed);
        }
    }

    /// Sees to it that what became unused is purged in time.
    fn freed(&self, npages: usize) {
        if self.at_once() {
            return self.decay(clock::now());
        }
        // Pages that two threads free at once may be missed: a little later is as good.
        let fresh = self.fresh.get() + npages;
        self.fresh.set(fresh);
        if !caretaker::looks_after(self.owner(), fresh) && fresh > FRESH_MAX {
            self.tick();
        }
    }

    /// Lets pages that are in use read as zero without writing to them; answers whether that was possible, which it is not
    /// under hooks whose memory may be of any kind, nor where it would split huge pages that were asked for.
    ///
    /// # Safety
    /// The range belongs to the caller, and its contents are no longer wanted.
    pub unsafe fn zero(&self, at: *mut u8, bytes: usize) -> bool {
        let ours = self.pac.acquire().is_none_or(Pac::is_default);
        // SAFETY: by the caller's promise.
        ours && !advice::wants_huge() && unsafe { advice::purge_forced(at, bytes) }
    }
}
