//! Decay: when unused pages are purged, and how many of them.

use core::sync::atomic::{Ordering, fence};

use super::{DecayTimes, PageLayer, PurgeCounts, Source};
use crate::os::{clock, probes};
use crate::page::decay::Decay;
use crate::page::purge::{self, Step};
use crate::page::turn::turn;
use crate::page::{caretaker, pressure};
use crate::relaxed::Relaxed;
use crate::sync::{Mutex, Patience};
use crate::units::Ns;

/// Least time between two looks at the decay curves; a hundredth of the shortest useful decay time.
const TICK: Ns = Ns::from_ms(10);

impl PageLayer {
    /// Sets both decay times, which restarts both curves.
    pub fn start(&self, times: DecayTimes) {
        let DecayTimes { dirty_ms, muzzy_ms, lenient, ebbs } = times;
        self.lenient.set(lenient);
        self.ebbs.set(ebbs);
        let counts = self.counts();
        let now = clock::now();
        self.muzzy_ms.set(muzzy_ms);
        self.muzzy.lock().start(muzzy_ms, now, counts.muzzy);
        self.dirty_ms.set(dirty_ms);
        self.dirty.lock().start(dirty_ms, now, counts.dirty);
    }

    /// Decay times in milliseconds, dirty and muzzy.
    pub fn decay_ms(&self) -> (i64, i64) {
        (self.dirty_ms.get(), self.muzzy_ms.get())
    }

    /// Sets one or both decay times in milliseconds, which restarts the curve; 0 purges at once.
    pub fn set_decay_ms(&self, dirty: Option<i64>, muzzy: Option<i64>) {
        let (counts, now) = (self.counts(), clock::now());
        self.ebbs.set(false);
        if let Some(ms) = dirty {
            self.lenient.set(false);
            self.forget_kept();
            self.dirty_ms.set(ms);
            // Who parks a run looks at the decay time afterwards, and who sets it at what is parked: one of them sees the other.
            fence(Ordering::SeqCst);
            self.dirty.lock().start(ms, now, counts.dirty);
        }
        if let Some(ms) = muzzy {
            self.muzzy_ms.set(ms);
            self.muzzy.lock().start(ms, now, counts.muzzy);
        }
        self.decay(now);
    }

    /// Whether nothing may stay unused.
    pub fn at_once(&self) -> bool {
        self.dirty_ms.get() == 0 || pressure::share() == 0
    }

    /// Looks at the clock, and purges what has decayed. Cheap when called again within 10 ms, and when there are
    /// background threads.
    pub fn tick(&self) {
        if !caretaker::looks_after(self.owner(), self.fresh.get()) {
            self.tick_at(clock::now());
        }
    }

    /// [`PageLayer::tick`] where there are no background threads.
    pub fn tick_at(&self, now: Ns) {
        self.give_up_kept(now);
        // What was kept where nothing else is goes by its own time.
        if now.since(Ns(self.looked.get())) >= TICK
            && !(self.kept.get() != 0 && self.lenient.get())
            && !self.is_stuck()
        {
            self.decay(now);
        }
    }

    /// How long after `now`, when [`PageLayer::decay`] was called, the next pages are worth a purge; `None` when there
    /// are none to wait for.
    pub fn due_in(&self, now: Ns) -> Option<Ns> {
        /// What makes a purge worth the while of a background thread, 4 MiB.
        const ENOUGH: usize = 1024;
        let counts = self.counts();
        let due = |decay: &Mutex<Decay>, unused| decay.lock().due_in(now, unused, ENOUGH, pressure::share());
        let (dirty, muzzy) = (due(&self.dirty, counts.dirty), due(&self.muzzy, counts.muzzy));
        dirty.into_iter().chain(muzzy).min()
    }

    /// Purges what has decayed by `now`. Returns at once when another thread is at it.
    pub fn decay(&self, now: Ns) {
        self.looked.set(now.0);
        self.fresh.set(0);
        // What the kernel may take still counts as the process's memory, which is what is short under pressure.
        let short = pressure::share() != pressure::WHOLE;
        let step = if self.muzzy_ms.get() == 0 || self.dirty_ms.get() == 0 || short {
            Step::DirtyToRetained
        } else {
            Step::DirtyToMuzzy
        };
        self.decay_one(&self.dirty, &self.dirty_counts, step, now);
        self.decay_one(&self.muzzy, &self.muzzy_counts, Step::MuzzyToRetained, now);
    }

    fn decay_one(&self, decay: &Mutex<Decay>, counts: &PurgeCounts, step: Step, now: Ns) {
        // With a decay time of 0 nothing may stay behind, so the loser of a race waits for its turn.
        let turn = if self.at_once() { turn(decay) } else { decay.try_lock() };
        let Some(mut decay) = turn else { return };
        let unused = self.unused(step);
        let keep = decay.advance(now, unused, pressure::share());
        if unused > keep {
            self.run(counts, step, keep);
            decay.purged(self.unused(step));
        }
    }

    /// Purges all unused pages, whatever their age.
    pub fn purge_all(&self) {
        let Some(mut dirty) = turn(&self.dirty) else { return };
        self.run(&self.dirty_counts, Step::DirtyToRetained, 0);
        dirty.purged(self.unused(Step::DirtyToRetained));
        let Some(mut muzzy) = turn(&self.muzzy) else { return };
        self.run(&self.muzzy_counts, Step::MuzzyToRetained, 0);
        muzzy.purged(self.unused(Step::MuzzyToRetained));
    }

    pub(super) fn unused(&self, step: Step) -> usize {
        let counts = self.counts();
        if step == Step::MuzzyToRetained { counts.muzzy } else { counts.dirty }
    }

    pub(super) fn run(&self, counts: &PurgeCounts, step: Step, keep: usize) {
        let done = match self.source(Patience::Endless) {
            Some(Source::Blocks(supply)) => {
                drop(supply);
                // The decay's lock keeps the supply from being changed over.
                purge::purge(&self.supply, &self.parked, step, keep)
            }
            Some(Source::Extents(pac)) => pac.purge(step, keep),
            None => return,
        };
        if done.nmadvise != 0 {
            counts.npurge.fetch_add(1, Ordering::Relaxed);
            counts.nmadvise.fetch_add(done.nmadvise as u64, Ordering::Relaxed);
            counts.purged.fetch_add(done.npages as u64, Ordering::Relaxed);
            probes::purge(self.owner().0 as usize, done.npages);
        }
    }
}
