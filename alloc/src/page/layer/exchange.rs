//! Taking pages and giving them back.

use core::sync::atomic::Ordering;

use super::{PageLayer, Source, kept};
use crate::base::Base;
use crate::os::{clock, pages, probes};
use crate::page::ebb;
use crate::page::pac::Pac;
use crate::page::purge::{self, Step};
use crate::page::run::Run;
use crate::page::state::{Free, PageCounts};
use crate::page::supply::Supply;
use crate::page::{advice, caretaker, parked, pressure};
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
        source: Source<'_>,
        blocks: impl FnOnce(&mut Supply) -> Option<R>,
        extents: impl FnOnce(&Pac) -> Option<R>,
    ) -> Option<R> {
        match source {
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
        self.take_locked(npages, align, roomy, base)
    }

    /// The rest of [`PageLayer::take`], apart, so that what is parked needs no room for what this needs.
    #[inline(never)]
    fn take_locked(&self, npages: usize, align: usize, roomy: bool, base: &Base) -> Option<(Run, bool)> {
        let source = match self.source_unless_stuck() {
            Some(source) => source,
            None => {
                if let Some(taken) = self.take_beside(npages, align, base) {
                    return Some(taken);
                }
                self.source(Patience::Endless)?
            }
        };
        self.growing(
            source,
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

    /// [`PageLayer::take`] when the holder of the supply's lock does not run: a part of a parked run, or fresh pages.
    #[cold]
    fn take_beside(&self, npages: usize, align: usize, base: &Base) -> Option<(Run, bool)> {
        if npages > parked::MOST || align != 1 {
            return None;
        }
        if let Some(run) = self.parked.take_that(|run| run.npages > npages) {
            let at = run.base.wrapping_add(npages * PAGE);
            let rest = Run { base: at, npages: run.npages - npages, block: run.block };
            if !self.parked.put(rest) && !self.put_late(rest, base) {
                self.put_back(rest, Free::Dirty, base);
            }
            return Some((Run { npages, ..run }, false));
        }
        let run = self.beside.take(npages).or_else(|| {
            let grown = self.beside.grow(npages, self.owner.get(), base)?;
            grown.rest.into_iter().for_each(|rest| self.put_back(rest, Free::Retained, base));
            Some(grown.run)
        })?;
        pressure::grew(npages);
        Some((run, true))
    }

    /// Takes back a run without the lock, which its holder does not give up; `false` when that cannot be.
    #[cold]
    fn put_late(&self, run: Run, base: &Base) -> bool {
        self.late.put(run, &mut |run| self.put_back(run, Free::Dirty, base))
    }

    /// Takes back pages that are not handed out.
    fn put_back(&self, run: Run, state: Free, base: &Base) {
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) if state == Free::Retained => supply.leave_fresh(run),
            Some(Source::Blocks(mut supply)) => supply.keep(run),
            Some(Source::Extents(pac)) => drop(pac.give(run.base, run.npages, self.mode(), base)),
            None => {}
        }
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
        let source = match self.source_unless_stuck() {
            Some(source) => source,
            // To copy so little takes less time than to wait.
            None if run.npages <= parked::MOST => return None,
            None => self.source(Patience::Endless)?,
        };
        self.growing(
            source,
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
        let parks = self.parks(run.npages);
        if parks && self.parked.put(run) {
            return self.freed(run.npages);
        }
        self.give_locked(run, parks, base);
    }

    /// The rest of [`PageLayer::give`], apart.
    #[inline(never)]
    fn give_locked(&self, run: Run, parks: bool, base: &Base) {
        let source = match self.source_unless_stuck() {
            None if parks && run.npages <= parked::MOST && self.put_late(run, base) => {
                return self.freed(run.npages);
            }
            None => self.source(Patience::Endless),
            source => source,
        };
        let mut low = false;
        match source {
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
            probes::purge(self.owner().0 as usize, npages);
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

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::page::beside;
    use crate::page::census::Census;
    use crate::page::classes::NPSIZES;
    use crate::page::default_hooks;
    use crate::page::layer::DecayTimes;
    use crate::units::ArenaInd;
    use core::ptr::NonNull;
    use std::boxed::Box;
    use std::vec::Vec;

    fn layer() -> (PageLayer, Base) {
        let (layer, base) = (PageLayer::default(), Base::default());
        layer.belong_to(ArenaInd(0), &base);
        layer.start(DecayTimes { dirty_ms: -1, muzzy_ms: -1, ..Default::default() });
        (layer, base)
    }

    /// Takes and gives while the lock of the supply is held by nobody who would give it up; answers runs that are in use, of 1 to 20 pages.
    fn beside(layer: &PageLayer, base: &Base) -> Vec<Run> {
        let held = layer.supply.lock();
        let take = |npages| layer.take(npages, 1, false, base).unwrap();
        let runs: Vec<Run> = (1..=20).cycle().take(400).map(|npages| take(npages).0).collect();
        let (mut kept, mut given) = (runs.clone(), runs);
        kept.truncate(20);
        given.drain(..20).for_each(drop);
        given.into_iter().for_each(|run| layer.give(run, base));
        assert_eq!(layer.extend(kept[0], 1, base), None);
        drop(held);
        kept
    }

    /// Retained pages by the census.
    fn retained(census: &Census) -> usize {
        (0..NPSIZES).map(|class| census.of(Free::Retained, class).bytes / PAGE).sum()
    }

    #[test]
    fn what_is_taken_and_given_while_the_lock_is_held_is_counted_as_soon_as_it_is_not() {
        let (layer, base) = layer();
        let kept = beside(&layer, &base);
        let counts = layer.counts();
        assert_eq!((counts.active, counts.dirty), (210, 19 * 210));
        assert_eq!(counts.reserved(), 3 * beside::BYTES / PAGE);
        let mut census = Census::EMPTY;
        assert_eq!(layer.survey(Patience::Endless, &mut census, || ()), Some(counts));
        assert_eq!(retained(&census), counts.retained, "also what nobody has taken");
        kept.into_iter().for_each(|run| layer.give(run, &base));
        layer.purge_all();
        assert_eq!((layer.counts().active, layer.counts().dirty), (0, 0));
        layer.release_empty();
        assert_eq!(layer.counts(), PageCounts::default());
    }

    #[test]
    fn hooks_find_what_was_taken_and_given_while_the_lock_was_held() {
        let (layer, base) = layer();
        let kept = beside(&layer, &base);
        // SAFETY: the default table is a static.
        let table = Box::leak(Box::new(unsafe { *default_hooks::table().as_ptr() }));
        // SAFETY: the table lives for ever, and its functions are the default ones.
        assert!(unsafe { layer.set_hooks(NonNull::from(table), &base) }.is_some());
        let counts = layer.counts();
        assert_eq!((counts.active, counts.dirty), (210, 19 * 210));
        assert!(!layer.late.put(kept[0], &mut |_| panic!("it is closed")));
        assert!(layer.beside.grow(1, 0, &base).is_none());
        kept.into_iter().for_each(|run| layer.give(run, &base));
        assert_eq!((layer.counts().active, layer.counts().dirty), (0, 20 * 210));
    }

    #[test]
    fn a_request_that_found_nothing_gets_what_lies_beside_the_supply() {
        const LONG: usize = 1000;
        let (layer, base) = layer();
        assert!(!layer.gather());
        let held = layer.supply.lock();
        let (run, _) = layer.take(1, 1, false, &base).unwrap();
        drop(held);
        assert!(layer.gather() && !layer.gather());
        let (long, zeroed) = layer.take(LONG, 1, false, &base).unwrap();
        assert!(zeroed && long.base.addr() - run.base.addr() < beside::BYTES);
        assert_eq!(layer.counts().reserved(), beside::BYTES / PAGE);
    }

    #[test]
    fn statistics_in_between_cost_no_address_space() {
        let (layer, base) = layer();
        for _ in 0..50 {
            let held = layer.supply.lock();
            let (run, _) = layer.take(1, 1, false, &base).unwrap();
            drop(held);
            let mut census = Census::EMPTY;
            let counts = layer.survey(Patience::Endless, &mut census, || ()).unwrap();
            assert_eq!((counts.active, counts.reserved()), (1, beside::BYTES / PAGE));
            layer.give(run, &base);
            layer.purge_all();
        }
    }
}
