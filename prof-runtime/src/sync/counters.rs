//! What a lock counts. Written by whoever holds it, but for the number of waiting threads; readers without the lock see
//! recent values, each by itself.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::clock::{Clock, nanos};

/// How often a lock was taken and waited for, named as in jemalloc's `stats.mutexes`. Times are nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockCounts {
    /// Times taken.
    pub num_ops: u64,
    /// Times taken after sleeping. Nobody spins.
    pub num_wait: u64,
    /// Times taken by another thread than the time before.
    pub num_owner_switch: u64,
    /// Time that threads slept for it, in all.
    pub total_wait_time: u64,
    /// The longest of these times.
    pub max_wait_time: u64,
    /// Most threads that slept for it at once.
    pub max_num_thds: u32,
}

/// The counters of a lock.
pub(super) struct Counters {
    waiting: AtomicU32,
    ops: AtomicU64,
    owner: AtomicU32,
    switches: AtomicU64,
    waits: AtomicU64,
    wait_time: AtomicU64,
    wait_max: AtomicU64,
    waiting_max: AtomicU32,
}

/// The sleep of a thread.
pub(super) struct Wait {
    since: u64,
    at_once: u32,
}

/// Only the holder of the lock writes, so that a load and a store are enough.
fn change(counter: &AtomicU64, to: impl FnOnce(u64) -> u64) {
    counter.store(to(counter.load(Ordering::Relaxed)), Ordering::Relaxed);
}

impl Counters {
    pub(super) const fn new() -> Counters {
        Counters {
            waiting: AtomicU32::new(0),
            ops: AtomicU64::new(0),
            owner: AtomicU32::new(0),
            switches: AtomicU64::new(0),
            waits: AtomicU64::new(0),
            wait_time: AtomicU64::new(0),
            wait_max: AtomicU64::new(0),
            waiting_max: AtomicU32::new(0),
        }
    }

    /// The thread `me` has taken the lock.
    pub(super) fn taken(&self, me: u32) {
        change(&self.ops, |n| n + 1);
        if self.owner.load(Ordering::Relaxed) != me {
            self.owner.store(me, Ordering::Relaxed);
            change(&self.switches, |n| n + 1);
        }
    }

    /// A thread is about to sleep; it does not hold the lock.
    pub(super) fn sleep(&self) -> Wait {
        let at_once = self.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        Wait { since: nanos(Clock::Monotonic), at_once }
    }

    /// A thread has slept, and holds the lock now.
    pub(super) fn slept(&self, wait: Wait) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let time = nanos(Clock::Monotonic).saturating_sub(wait.since);
        change(&self.waits, |n| n + 1);
        change(&self.wait_time, |n| n + time);
        change(&self.wait_max, |n| n.max(time));
        let most = self.waiting_max.load(Ordering::Relaxed).max(wait.at_once);
        self.waiting_max.store(most, Ordering::Relaxed);
    }

    /// Threads that sleep now.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn forget_waiters(&self) {
        self.waiting.store(0, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> LockCounts {
        let [ops, waits, switches, time, longest] =
            [&self.ops, &self.waits, &self.switches, &self.wait_time, &self.wait_max]
                .map(|counter| counter.load(Ordering::Relaxed));
        LockCounts {
            num_ops: ops,
            num_wait: waits,
            num_owner_switch: switches,
            total_wait_time: time,
            max_wait_time: longest,
            max_num_thds: self.waiting_max.load(Ordering::Relaxed),
        }
    }

    /// Sets the counters to zero. Called with the lock held.
    pub(super) fn reset(&self) {
        for counter in [&self.ops, &self.switches, &self.waits, &self.wait_time, &self.wait_max] {
            counter.store(0, Ordering::Relaxed);
        }
        self.waiting_max.store(0, Ordering::Relaxed);
        self.owner.store(0, Ordering::Relaxed);
    }
}
