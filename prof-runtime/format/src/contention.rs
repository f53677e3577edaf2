//! What a lock counts: how often it was taken, by whom, and how long threads waited for it. The families of [`crate::metrics`]
//! that are about locks tell it; the locks themselves are the allocator's and the profiler's, each of which knows its own
//! threads and its own clock.
//!
//! **Synchronization**: written by whoever holds the lock, but for the number of waiting threads. Readers without the
//! lock see recent values, each by itself.

use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The counters of a lock. All-zero is none.
///
/// Taking a free lock costs two loads and a store here, and two stores when the owner changes; time is measured only
/// for threads that sleep.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Counters {
    waiting: AtomicU32,
    ops: AtomicU64,
    owner: AtomicUsize,
    switches: AtomicU64,
    waits: AtomicU64,
    spins: AtomicU64,
    wait_time: AtomicU64,
    wait_max: AtomicU64,
    waiting_max: AtomicU32,
}

/// The values of a mutex's counters, named as in jemalloc's `stats.mutexes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MutexCounts {
    /// Times taken.
    pub num_ops: u64,
    /// Times taken after sleeping.
    pub num_wait: u64,
    /// Times taken while spinning.
    pub num_spin_acq: u64,
    /// Times taken by another thread than the time before.
    pub num_owner_switch: u64,
    /// Nanoseconds that threads slept for it, in all.
    pub total_wait_time: u64,
    /// The longest of these times.
    pub max_wait_time: u64,
    /// Most threads that slept for it at once.
    pub max_num_thds: u64,
}

impl MutexCounts {
    /// Adds those of another mutex that does the same work.
    pub fn add(&mut self, other: &MutexCounts) {
        self.num_ops += other.num_ops;
        self.num_wait += other.num_wait;
        self.num_spin_acq += other.num_spin_acq;
        self.num_owner_switch += other.num_owner_switch;
        self.total_wait_time += other.total_wait_time;
        self.max_wait_time = self.max_wait_time.max(other.max_wait_time);
        self.max_num_thds = self.max_num_thds.max(other.max_num_thds);
    }

    /// The values in the order of jemalloc's leaves.
    pub fn values(&self) -> [u64; 7] {
        [
            self.num_ops,
            self.num_wait,
            self.num_spin_acq,
            self.num_owner_switch,
            self.total_wait_time,
            self.max_wait_time,
            self.max_num_thds,
        ]
    }
}

/// The sleep of a thread.
#[derive(Debug)]
pub struct Wait {
    since: u64,
    at_once: u32,
}

/// Only the holder of the lock writes, so that a load and a store are enough.
#[inline(always)]
fn change(counter: &AtomicU64, to: impl FnOnce(u64) -> u64) {
    counter.store(to(counter.load(Relaxed)), Relaxed);
}

impl Counters {
    /// None.
    pub const fn new() -> Counters {
        Counters {
            waiting: AtomicU32::new(0),
            ops: AtomicU64::new(0),
            owner: AtomicUsize::new(0),
            switches: AtomicU64::new(0),
            waits: AtomicU64::new(0),
            spins: AtomicU64::new(0),
            wait_time: AtomicU64::new(0),
            wait_max: AtomicU64::new(0),
            waiting_max: AtomicU32::new(0),
        }
    }

    /// The thread `me`, which no other is and which is not 0, has taken the lock, and holds it.
    #[inline]
    pub fn taken(&self, me: usize) {
        change(&self.ops, |n| n + 1);
        if self.owner.load(Relaxed) != me {
            self.owner.store(me, Relaxed);
            change(&self.switches, |n| n + 1);
        }
    }

    /// The lock was taken while spinning. Called with the lock held.
    pub fn spun(&self) {
        change(&self.spins, |n| n + 1);
    }

    /// A thread is about to sleep at the time `now`, in nanoseconds; it does not hold the lock.
    pub fn sleep(&self, now: u64) -> Wait {
        Wait { since: now, at_once: self.waiting.fetch_add(1, Relaxed) + 1 }
    }

    /// A thread gave up.
    pub fn gave_up(&self, _: Wait) {
        self.waiting.fetch_sub(1, Relaxed);
    }

    /// A thread has slept until `now`, by the clock of [`Counters::sleep`], and then taken the lock, which it holds.
    pub fn slept(&self, wait: Wait, now: u64) {
        self.waiting.fetch_sub(1, Relaxed);
        let time = now.saturating_sub(wait.since);
        change(&self.waits, |n| n + 1);
        change(&self.wait_time, |n| n + time);
        change(&self.wait_max, |n| n.max(time));
        self.waiting_max.store(self.waiting_max.load(Relaxed).max(wait.at_once), Relaxed);
    }

    /// Threads that sleep now.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Relaxed)
    }

    /// In the child of a fork: the threads that slept in the parent do not exist.
    pub fn forget_waiters(&self) {
        self.waiting.store(0, Relaxed);
    }

    /// The values now.
    pub fn counts(&self) -> MutexCounts {
        MutexCounts {
            num_ops: self.ops.load(Relaxed),
            num_wait: self.waits.load(Relaxed),
            num_spin_acq: self.spins.load(Relaxed),
            num_owner_switch: self.switches.load(Relaxed),
            total_wait_time: self.wait_time.load(Relaxed),
            max_wait_time: self.wait_max.load(Relaxed),
            max_num_thds: self.waiting_max.load(Relaxed).into(),
        }
    }

    /// Sets them to zero. Called with the lock held.
    pub fn reset(&self) {
        for counter in [&self.ops, &self.switches, &self.waits, &self.spins, &self.wait_time, &self.wait_max]
        {
            counter.store(0, Relaxed);
        }
        self.waiting_max.store(0, Relaxed);
        self.owner.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_add_up_and_the_longest_and_the_most_at_once_are_kept() {
        let counters = Counters::new();
        counters.taken(1);
        let (first, second, third) = (counters.sleep(100), counters.sleep(110), counters.sleep(120));
        counters.gave_up(third);
        counters.taken(2);
        counters.slept(first, 130);
        counters.taken(2);
        // Clocks of two processors may differ a little.
        counters.slept(second, 105);
        let counts = counters.counts();
        assert_eq!(counts.values(), [3, 2, 0, 2, 30, 30, 2]);
        assert_eq!(counters.waiting(), 0);
        let mut sum = MutexCounts { max_wait_time: 7, max_num_thds: 9, ..MutexCounts::default() };
        sum.add(&counts);
        assert_eq!(sum.values(), [3, 2, 0, 2, 30, 30, 9]);
        counters.reset();
        assert_eq!(counters.counts(), MutexCounts::default());
    }
}
