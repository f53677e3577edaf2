//! The locks of the profiler: a futex that knows its owner, alone or around a value.
//!
//! One serialises dumps; others guard the name of the next file, the recent samples and the log, each for some dozens of
//! instructions, and the list of open descriptors. None is held while a stack is walked or the host's code runs, and a
//! holder waits for nothing but the file system, so they can not take part in a deadlock with locks of the program. Across a
//! fork all are held but that of dumps, for which nobody is to wait: it guards nothing that a child would find half done.
//!
//! Each counts how often it was taken and waited for.

use core::{
    cell::UnsafeCell,
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use prof_format::contention::{Counters, MutexCounts, Wait};
use rustix::thread::futex;

use crate::clock::{Clock, nanos};

const WAITERS: u32 = 1 << 31;

/// States: 0 free; the owner's thread id; the same with `WAITERS` when somebody may sleep. Lockers move it from free
/// to owned, waiters add their bit, the owner sets it free and wakes one.
pub struct Mutex {
    word: AtomicU32,
    /// Whether [`Mutex::hold_for_fork`] took it, or [`Mutex::look_for_fork`] found that the child may free it.
    for_fork: AtomicBool,
    counters: Counters,
}

/// The calling thread holds the lock already.
#[derive(Debug, PartialEq, Eq)]
pub struct Own;

/// The calling thread, as the kernel numbers it.
pub fn self_id() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get() as u32
}

impl Mutex {
    /// A free lock.
    pub const fn new() -> Mutex {
        Mutex { word: AtomicU32::new(0), for_fork: AtomicBool::new(false), counters: Counters::new() }
    }

    /// Waits until the lock is the caller's.
    ///
    /// # Errors
    /// [`Own`] at once when it is already: the caller is a signal handler that interrupted the holder.
    pub fn lock(&self) -> Result<Guard<'_>, Own> {
        let me = self_id();
        let mut mine = me;
        let mut slept: Option<Wait> = None;
        loop {
            let held = match self.word.compare_exchange(0, mine, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => {
                    slept.into_iter().for_each(|wait| self.counters.slept(wait, nanos(Clock::Monotonic)));
                    return Ok(self.taken(me));
                }
                Err(held) => held,
            };
            if held & !WAITERS == me {
                return Err(Own);
            }
            let marked = held | WAITERS;
            if held == marked
                || self.word.compare_exchange(held, marked, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            {
                slept.get_or_insert_with(|| self.counters.sleep(nanos(Clock::Monotonic)));
                // Interrupted, or changed before we slept: the loop looks again.
                let _ = futex::wait(&self.word, futex::Flags::PRIVATE, marked, None);
                // Others may sleep still, and their bit went with the owner.
                mine = me | WAITERS;
            }
        }
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> Option<Guard<'_>> {
        let me = self_id();
        self.word.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).ok().map(|_| self.taken(me))
    }

    /// The guard of the lock that the caller has just taken.
    fn taken(&self, me: u32) -> Guard<'_> {
        self.counters.taken(me as usize);
        Guard(self)
    }

    /// How often the lock was taken and waited for. Takes no lock.
    pub fn counts(&self) -> MutexCounts {
        self.counters.counts()
    }

    /// Sets these numbers to zero, once the lock is to be had. A handler that interrupted its holder leaves them.
    pub fn reset_counts(&self) {
        if let Ok(_guard) = self.lock() {
            self.counters.reset();
        }
    }

    /// Before a fork: waits for the lock, so that the child does not inherit what another thread left half done.
    pub fn hold_for_fork(&self) {
        // A handler that forks in the middle of this thread's own work can not wait for it.
        if let Ok(guard) = self.lock() {
            core::mem::forget(guard);
            self.for_fork.store(true, Ordering::Relaxed);
        }
    }

    /// After a fork, in parent and child. In the child the lock is free whatever its owner's id was.
    pub fn release_after_fork(&self) {
        if self.for_fork.swap(false, Ordering::Relaxed) {
            self.release();
        }
    }

    /// Before a fork, instead of holding a lock that is held for long and guards nothing that could be half done. Some other
    /// lock is held for the fork already, so that there is one fork at a time.
    pub fn look_for_fork(&self) {
        // Nobody else can make it this thread's, or take it away.
        let own = self.word.load(Ordering::Relaxed) & !WAITERS == self_id();
        self.for_fork.store(!own, Ordering::Relaxed);
    }

    /// In the child of such a fork: who held the lock is not there, unless it is the thread itself in whose handler the
    /// fork was.
    pub fn free_in_child(&self) {
        if self.for_fork.swap(false, Ordering::Relaxed) {
            self.word.store(0, Ordering::Relaxed);
        }
    }

    /// Whether [`Mutex::free_in_child`] would free it.
    #[cfg(test)]
    pub fn is_freed_in_child(&self) -> bool {
        self.for_fork.load(Ordering::Relaxed)
    }

    /// How many threads wait for it.
    #[cfg(test)]
    pub fn waiting(&self) -> u32 {
        self.counters.waiting()
    }

    /// In the child of a fork: the threads that waited in the parent do not exist.
    pub fn forget_waiters(&self) {
        self.counters.forget_waiters();
    }

    /// Frees the lock whoever holds it.
    fn release(&self) {
        if self.word.swap(0, Ordering::Release) & WAITERS != 0 {
            let _ = futex::wake(&self.word, futex::Flags::PRIVATE, 1);
        }
    }
}

/// Frees the lock when dropped.
#[derive(Debug)]
pub struct Guard<'a>(&'a Mutex);

impl core::fmt::Debug for Mutex {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Mutex({:#x})", self.word.load(Ordering::Relaxed))
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// A value behind a [`Mutex`].
pub struct Locked<T> {
    lock: Mutex,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through the guard of its lock alone, by one thread at a time.
unsafe impl<T: Send> Sync for Locked<T> {}

impl<T> Locked<T> {
    /// A free lock.
    pub const fn new(value: T) -> Locked<T> {
        Locked { lock: Mutex::new(), value: UnsafeCell::new(value) }
    }

    /// Waits until the value is the caller's.
    ///
    /// # Errors
    /// See [`Mutex::lock`].
    pub fn lock(&self) -> Result<Held<'_, T>, Own> {
        Ok(Held { value: &self.value, _guard: self.lock.lock()? })
    }

    /// The lock alone, for a fork.
    pub fn mutex(&self) -> &Mutex {
        &self.lock
    }

    /// Calls `change` with the value if a fork holds the lock.
    ///
    /// # Safety
    /// 1. The caller is the thread that forks, and between [`Mutex::hold_for_fork`] and [`Mutex::release_after_fork`].
    pub unsafe fn in_fork(&self, change: impl FnOnce(&mut T)) {
        if self.lock.for_fork.load(Ordering::Relaxed) {
            // SAFETY: the fork has the lock, and this thread, or the one that it is a copy of, is the fork's (1).
            change(unsafe { &mut *self.value.get() });
        }
    }
}

/// The value, until it is dropped.
pub struct Held<'a, T> {
    value: &'a UnsafeCell<T>,
    _guard: Guard<'a>,
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held for as long as `self` lives, and nobody reaches the value without it.
        unsafe { &*self.value.get() }
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and `&mut self` makes this the only reference.
        unsafe { &mut *self.value.get() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicU64;

    #[test]
    fn increments_under_the_lock_by_many_threads_are_never_lost() {
        static LOCK: Mutex = Mutex::new();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let threads: std::vec::Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| {
                    for round in 0..5000 {
                        let guard = LOCK.lock().unwrap();
                        let seen = COUNT.load(Ordering::Relaxed);
                        if round % 64 == 0 {
                            std::thread::yield_now();
                        }
                        COUNT.store(seen + 1, Ordering::Relaxed);
                        drop(guard);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(COUNT.load(Ordering::Relaxed), 20_000);
        assert_eq!(LOCK.word.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_holder_that_comes_again_is_told_so_instead_of_waiting_for_ever() {
        let lock = Mutex::new();
        let guard = lock.lock().unwrap();
        assert_eq!(lock.lock().unwrap_err(), Own);
        assert!(lock.try_lock().is_none());
        drop(guard);
        assert!(lock.try_lock().is_some());
    }

    #[test]
    fn it_is_counted_who_took_the_lock_and_who_waited() {
        let lock = Mutex::new();
        (0..3).for_each(|_| drop(lock.lock().unwrap()));
        drop(lock.try_lock());
        let alone = lock.counts();
        assert_eq!((alone.num_ops, alone.num_owner_switch), (4, 1));
        assert_eq!((alone.num_wait, alone.total_wait_time, alone.max_num_thds), (0, 0, 0));

        let guard = lock.lock().unwrap();
        assert!(lock.try_lock().is_none() && lock.lock().is_err(), "refusals do not count");
        std::thread::scope(|scope| {
            (0..2).for_each(|_| drop(scope.spawn(|| drop(lock.lock().unwrap()))));
            while lock.counters.waiting() < 2 {
                std::thread::yield_now();
            }
            drop(guard);
        });
        let contended = lock.counts();
        assert_eq!((contended.num_ops, contended.num_wait, contended.max_num_thds), (7, 2, 2));
        assert_eq!((contended.num_owner_switch, lock.counters.waiting()), (3, 0));
        assert!(contended.total_wait_time >= contended.max_wait_time && contended.max_wait_time > 0);

        lock.reset_counts();
        assert_eq!(lock.counts(), MutexCounts::default());
    }

    #[test]
    fn a_lock_held_for_a_fork_is_free_after_it_and_one_that_was_not_held_stays_as_it_is() {
        let locked = Locked::new(5);
        locked.mutex().hold_for_fork();
        assert!(locked.lock().is_err());
        locked.mutex().release_after_fork();
        *locked.lock().unwrap() += 1;
        let held = locked.lock().unwrap();
        locked.mutex().hold_for_fork();
        locked.mutex().release_after_fork();
        assert!(locked.lock().is_err(), "the holder's own fork frees nothing");
        assert_eq!(*held, 6);
    }
}
