//! What a mutex counts: how often it was taken, by whom, and how long threads waited for it.
//!
//! **Synchronization**: written by whoever holds the mutex, but for the number of waiting threads. Readers without the
//! lock see recent values, each by itself.

use core::sync::atomic::*;

use crate::os::{clock, tls};
use crate::relaxed::Relaxed;
use crate::units::Ns;

/// Whether the process is the child of a fork that is just setting its locks free. Waiting threads of the parent do not
/// exist here.
static FORKED: AtomicBool = AtomicBool::new(false);

/// Tells [`Counters::settle`] that locks are now set free in the child of a fork.
pub fn forked(yes: bool) {
    FORKED.set(yes);
}

/// The counters. All-zero is none.
///
/// Taking a free lock costs two loads and a store here, and two stores when the owner changes; time is measured only
/// for threads that sleep.
#[derive(Default)]
#[repr(C)]
pub(super) struct Counters {
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

/// A thread's way through the slow path of a lock.
pub(super) struct Wait {
    since: Ns,
    at_once: u32,
}

impl Counters {
    pub(super) const fn new() -> Counters {
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

    /// The mutex was taken. Called with the lock held.
    #[inline]
    pub(super) fn taken(&self) {
        self.ops.change(|n| n + 1);
        let me = tls::identity();
        if self.owner.get() != me {
            self.owner.set(me);
            self.switches.change(|n| n + 1);
        }
    }

    /// The mutex was taken while spinning. Called with the lock held.
    pub(super) fn spun(&self) {
        self.spins.change(|n| n + 1);
    }

    /// A thread is about to sleep.
    pub(super) fn sleep(&self) -> Wait {
        let at_once = self.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        Wait { since: clock::precise(), at_once }
    }

    /// A thread gave up.
    pub(super) fn gave_up(&self, _: Wait) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// A thread has slept and then taken the mutex. Called with the lock held.
    pub(super) fn slept(&self, wait: Wait) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let time = clock::precise().since(wait.since).0;
        self.waits.change(|n| n + 1);
        self.wait_time.change(|n| n + time);
        self.wait_max.change(|n| n.max(time));
        self.waiting_max.change(|n| n.max(wait.at_once));
    }

    /// Threads that sleep now.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> u32 {
        self.waiting.get()
    }

    /// The mutex, taken for a fork, is about to be set free.
    pub(super) fn settle(&self) {
        if FORKED.get() {
            self.waiting.set(0);
        }
    }

    pub(super) fn counts(&self) -> MutexCounts {
        MutexCounts {
            num_ops: self.ops.get(),
            num_wait: self.waits.get(),
            num_spin_acq: self.spins.get(),
            num_owner_switch: self.switches.get(),
            total_wait_time: self.wait_time.get(),
            max_wait_time: self.wait_max.get(),
            max_num_thds: self.waiting_max.get() as u64,
        }
    }

    /// Sets the counters to zero. Called with the lock held.
    pub(super) fn reset(&self) {
        for counter in [&self.ops, &self.switches, &self.waits, &self.spins, &self.wait_time, &self.wait_max]
        {
            counter.set(0);
        }
        self.waiting_max.set(0);
        self.owner.set(0);
    }
}
