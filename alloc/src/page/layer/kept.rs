//! Pages that stay for a little although a run of them is oversize: [`Churn`](crate::page::churn::Churn) says which, and the
//! layer gives them up in time.

use core::sync::atomic::Ordering;

use super::{PageLayer, Source};
use crate::os::clock;
use crate::page::churn::Churn;
use crate::page::purge::Step;
use crate::page::run::Run;
use crate::page::supply::Supply;
use crate::page::{caretaker, pressure};
use crate::relaxed::Relaxed;
use crate::sync::Patience;
use crate::units::Ns;

impl PageLayer {
    /// Whether anything may stay where the decay time is 0.
    pub(super) fn may_keep(&self) -> bool {
        self.lenient.get() && pressure::share() != 0 && caretaker::workers() == 0
    }

    pub(super) fn note_kept(&self, supply: &Supply) {
        let (kept, until) = supply.churn.kept();
        self.kept.set(kept);
        self.kept_until.set(until.0);
    }

    /// Lets what was kept be like other pages.
    pub(super) fn forget_kept(&self) {
        if let Some(Source::Blocks(mut supply)) = self.source(Patience::Endless) {
            supply.churn = Churn::default();
            self.note_kept(&supply);
        }
    }

    /// Gives back what was kept because the program seemed to want it, once it did without for long enough.
    pub fn give_up_kept(&self, now: Ns) {
        if self.kept.get() == 0 || now.0 <= self.kept_until.get() {
            return;
        }
        let kept = match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) => {
                // Or every run that comes back from now on would be the next occasion.
                let kept = supply.churn.give_up(now);
                self.note_kept(&supply);
                kept
            }
            // What there was to keep was handed over.
            _ => self.kept.swap(0, Ordering::Relaxed),
        };
        if kept == 0 {
            return;
        }
        if self.at_once() {
            return self.decay(now);
        }
        let Some(mut decay) = self.dirty.try_lock() else { return };
        let unused = self.unused(Step::DirtyToRetained);
        self.run(&self.dirty_counts, Step::DirtyToRetained, unused.saturating_sub(kept));
        decay.purged(self.unused(Step::DirtyToRetained));
    }
}

/// Whether a run that is about to come back may stay, where nothing else does.
pub(super) fn keeps(supply: &mut Supply, run: Run) -> bool {
    let dirty = supply.counts().dirty + run.npages;
    supply.churn.keeps(run.npages, dirty, clock::now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Base;
    use crate::page::churn::WINDOW;
    use crate::page::layer::DecayTimes;
    use crate::units::{ArenaInd, PAGE};

    /// A layer that keeps a run of 100 pages, which it had to take again, and the time at which it does no longer.
    fn keeping(dirty_ms: i64) -> (PageLayer, Base, Ns) {
        let (layer, base) = (PageLayer::default(), Base::default());
        layer.belong_to(ArenaInd(0), &base);
        layer.start(DecayTimes { dirty_ms, lenient: dirty_ms == 0, ..Default::default() });
        layer.set_oversize_threshold(64 * PAGE);
        let give = || layer.give(layer.take(100, 1, false, &base).unwrap().0, &base);
        give();
        assert_eq!(layer.counts().dirty, 0);
        give();
        assert_eq!(layer.counts().dirty, 100);
        (layer, base, Ns(clock::now().0 + WINDOW.0 + 1))
    }

    #[test]
    fn what_was_given_up_is_not_given_up_again() {
        let (layer, base, late) = keeping(600_000);
        layer.give_up_kept(late);
        assert_eq!(layer.counts().dirty, 0);
        let (run, _) = layer.take(10, 1, false, &base).unwrap();
        layer.give(run, &base);
        layer.give_up_kept(late);
        assert_eq!(layer.counts().dirty, 10, "these decay as others do");
    }

    #[test]
    fn pages_that_are_to_stay_for_good_do_even_if_they_were_to_stay_for_a_little() {
        let (layer, _, late) = keeping(600_000);
        layer.set_decay_ms(Some(-1), None);
        layer.give_up_kept(late);
        assert_eq!(layer.counts().dirty, 100);
    }

    #[test]
    fn where_nothing_else_stays_all_that_was_kept_goes_in_time() {
        let (layer, _, late) = keeping(0);
        layer.tick_at(Ns(late.0 - WINDOW.0 / 2));
        assert_eq!(layer.counts().dirty, 100);
        layer.tick_at(late);
        assert_eq!(layer.counts().dirty, 0);
    }
}
