//! The page layer of one arena: its supply, the decay of its unused pages, and the counters of both.

use core::sync::atomic::*;

use super::decay::Decay;
use super::purge::{Step, purge};
use super::supply::{PageCounts, Run, Supply};
use super::{caretaker, pressure};
use crate::base::{Base, Zeroable};
use crate::os::clock;
use crate::relaxed::Relaxed;
use crate::sync::{Mutex, Patience};
use crate::units::{ArenaInd, Ns};

/// Pages that may become unused between two looks at the clock: 1 MiB.
const FRESH_MAX: usize = 256;
/// Least time between two looks at the decay curves; a hundredth of the shortest useful decay time.
const TICK: Ns = Ns::from_ms(10);

/// Counters of the purges of one state.
#[derive(Default)]
pub struct PurgeCounts {
    /// Passes that purged something.
    pub npurge: AtomicU64,
    /// System calls.
    pub nmadvise: AtomicU64,
    /// Pages.
    pub purged: AtomicU64,
}

/// Pages of one arena. All-zero is valid; [`PageLayer::start`] sets the decay times.
#[derive(Default)]
pub struct PageLayer {
    owner: AtomicU32,
    supply: Mutex<Supply>,
    dirty: Mutex<Decay>,
    muzzy: Mutex<Decay>,
    /// Counters of the purges of dirty pages.
    pub dirty_counts: PurgeCounts,
    /// Counters of the purges of muzzy pages.
    pub muzzy_counts: PurgeCounts,
    /// Pages freed since the last look at the clock.
    fresh: AtomicUsize,
    /// Time of the last look.
    looked: AtomicU64,
    /// `dirty_decay_ms`, readable without the lock.
    dirty_ms: AtomicI64,
    /// `muzzy_decay_ms`, readable without the lock.
    muzzy_ms: AtomicI64,
}

impl Default for Decay {
    fn default() -> Self {
        // SAFETY: all fields are integers.
        unsafe { core::mem::zeroed() }
    }
}

// SAFETY: counters, mutexes over all-zero-valid values.
unsafe impl Zeroable for PageLayer {}

impl PageLayer {
    /// Says whose pages these are. Called once, before there are any.
    pub fn belong_to(&self, arena: ArenaInd) {
        self.owner.set(arena.0);
    }

    /// Sets both decay times in milliseconds, which restarts both curves.
    pub fn start(&self, dirty_ms: i64, muzzy_ms: i64) {
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

    /// Pages by state.
    pub fn counts(&self) -> PageCounts {
        self.supply.lock().counts()
    }

    /// Pages by state, if the lock is to be had in time.
    pub fn counts_within(&self, patience: Patience) -> Option<PageCounts> {
        Some(self.supply.lock_within(patience)?.counts())
    }

    /// Takes pages; see [`Supply::take`].
    pub fn take(&self, npages: usize, align: usize, base: &Base) -> Option<(Run, bool)> {
        self.growing(|supply| supply.take(npages, align, base))
    }

    /// Counts the pages that `f` takes without memory behind them.
    fn growing<R>(&self, f: impl FnOnce(&mut Supply) -> R) -> R {
        let mut supply = self.supply.lock();
        let before = supply.grown();
        let result = f(&mut supply);
        pressure::grew(supply.grown().wrapping_sub(before));
        result
    }

    /// Adds pages to a run in place; see [`Supply::extend`].
    pub fn extend(&self, run: Run, extra: usize) -> Option<bool> {
        self.growing(|supply| supply.extend(run, extra))
    }

    /// Takes pages back.
    pub fn give(&self, run: Run) {
        self.supply.lock().give(run);
        if self.at_once() {
            return self.decay(clock::now());
        }
        let fresh = self.fresh.fetch_add(run.npages, Ordering::Relaxed) + run.npages;
        if !caretaker::looks_after(self.owner(), fresh) && fresh > FRESH_MAX {
            self.tick();
        }
    }

    fn owner(&self) -> ArenaInd {
        ArenaInd(self.owner.get())
    }

    /// Whether nothing may stay unused.
    fn at_once(&self) -> bool {
        self.dirty_ms.get() == 0 || pressure::share() == 0
    }

    /// Looks at the clock, and purges what has decayed. Cheap when called again within 10 ms, and when there are
    /// background threads.
    pub fn tick(&self) {
        if caretaker::looks_after(self.owner(), self.fresh.get()) {
            return;
        }
        let now = clock::now();
        if now.since(Ns(self.looked.get())) >= TICK {
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
        let mut decay = match decay.try_lock() {
            Some(decay) => decay,
            None if self.at_once() => decay.lock(),
            None => return,
        };
        let unused = self.unused(step);
        let keep = decay.advance(now, unused, pressure::share());
        if unused > keep {
            self.run(counts, step, keep);
            decay.purged(self.unused(step));
        }
    }

    /// Purges all unused pages, whatever their age.
    pub fn purge_all(&self) {
        let mut dirty = self.dirty.lock();
        self.run(&self.dirty_counts, Step::DirtyToRetained, 0);
        dirty.purged(self.unused(Step::DirtyToRetained));
        let mut muzzy = self.muzzy.lock();
        self.run(&self.muzzy_counts, Step::MuzzyToRetained, 0);
        muzzy.purged(self.unused(Step::MuzzyToRetained));
    }

    fn unused(&self, step: Step) -> usize {
        let counts = self.counts();
        if step == Step::MuzzyToRetained { counts.muzzy } else { counts.dirty }
    }

    fn run(&self, counts: &PurgeCounts, step: Step, keep: usize) {
        let done = purge(&self.supply, step, keep);
        if done.nmadvise != 0 {
            counts.npurge.fetch_add(1, Ordering::Relaxed);
            counts.nmadvise.fetch_add(done.nmadvise as u64, Ordering::Relaxed);
            counts.purged.fetch_add(done.npages as u64, Ordering::Relaxed);
        }
    }

    /// Locks for a fork, in the order in which the locks are taken elsewhere.
    pub fn hold(&self) {
        self.dirty.hold();
        self.muzzy.hold();
        self.supply.hold();
    }

    /// Unlocks after a fork.
    ///
    /// # Safety
    /// As [`Mutex::unhold`].
    pub unsafe fn unhold(&self) {
        // SAFETY: by the caller's promise, for each of the three.
        unsafe {
            self.supply.unhold();
            self.muzzy.unhold();
            self.dirty.unhold();
        }
    }
}
