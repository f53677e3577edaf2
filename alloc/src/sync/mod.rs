//! A mutex of one futex word, and its statistics. Unlike pthread's it needs no initialisation, works before libc does,
//! never allocates, and can be taken over the fork by [`Mutex::hold`] and [`Mutex::unhold`]. Who comes first takes it; where
//! that is too unfair, see [`fair`].

pub mod fair;

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::*};

use prof_format::contention::Counters;
pub use prof_format::contention::MutexCounts;
use rustix::thread::futex;

use crate::os::aside::Aside;
use crate::os::{clock, tls};

/// Words: 0 free, 1 held, 2 held and somebody may sleep. `lock` moves 0 to 1 or to 2, `drop` moves any to 0.
const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

/// Tries before a waiter sleeps; [`FOREVER`] for no end. 100 are about the length of the longest common critical section, a
/// batch of 64 objects.
static TRIES: AtomicU32 = AtomicU32::new(100);
const FOREVER: u32 = u32::MAX;

/// Tries with [`Patience::Brief`].
const BRIEF_TRIES: u32 = 1000;

/// Sets how often a waiter tries before it sleeps, from `opt.mutex_max_spin`: -1 for without end.
pub fn configure(max_spin: i64, processors: u32) {
    TRIES.store(tries(max_spin, processors), Relaxed);
}

/// A sixth of the option, which makes our 100 of its default: the critical sections that it was measured with are longer. On
/// one processor the holder cannot get on while others spin.
fn tries(max_spin: i64, processors: u32) -> u32 {
    match max_spin {
        _ if processors == 1 => 0,
        -1 => FOREVER,
        spins => u32::try_from(spins.unsigned_abs().div_ceil(6)).unwrap_or(FOREVER),
    }
}

/// How often, and how long each time, [`Patience::Short`] waits: 10 ms in all, longer than any of our critical sections
/// and than most waits for a processor.
const NAPS: u32 = 10;
const NAP: futex::Timespec = futex::Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// Whether the process is the child of a fork that is just setting its locks free. Waiting threads of the parent do not
/// exist here.
static FORKED: AtomicBool = AtomicBool::new(false);

/// Tells [`Mutex::unhold`] that locks are now set free in the child of a fork.
pub fn forked(yes: bool) {
    FORKED.store(yes, Relaxed);
}

/// How long to wait for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Until it is free.
    Endless,
    /// A few milliseconds.
    Short,
    /// As long as most critical sections take, without sleep: the caller holds locks itself.
    Brief,
}

impl Patience {
    /// What the calling thread can afford. A function of the program that is called under locks, such as an extent hook,
    /// waits for itself when it waits for one of them, and for others that wait for them.
    pub fn of_caller() -> Patience {
        if Aside::is_stepped() { Patience::Brief } else { Patience::Endless }
    }
}

/// Mutual exclusion over a `T`. All-zero memory is an unlocked mutex over an all-zero `T`.
#[repr(C)]
pub struct Mutex<T> {
    word: AtomicU32,
    counters: Counters,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through a guard, of which there is one at a time.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

/// Access to the value of a locked [`Mutex`]; dropping it unlocks.
pub struct Guard<'a, T> {
    mutex: &'a Mutex<T>,
}

/// Looks so many times whether something has come true, with a pause before each.
#[inline]
fn spin_until(tries: u32, is_true: impl Fn() -> bool) -> bool {
    let mut tried = 0;
    while tried < tries || tries == FOREVER {
        tried = tried.saturating_add(1);
        core::hint::spin_loop();
        if is_true() {
            return true;
        }
    }
    false
}

impl<T> Mutex<T> {
    /// Unlocked.
    pub const fn new(value: T) -> Mutex<T> {
        Mutex { word: AtomicU32::new(FREE), counters: Counters::new(), value: UnsafeCell::new(value) }
    }

    /// Waits until the lock is free and takes it. Not re-entrant.
    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        // Acquire pairs with the Release in `Guard::drop`.
        if self.word.compare_exchange(FREE, HELD, Acquire, Relaxed).is_err() {
            self.wait();
        }
        self.taken()
    }

    /// The guard of the lock that the caller has just taken.
    #[inline]
    fn taken(&self) -> Guard<'_, T> {
        self.counters.taken(tls::identity());
        Guard { mutex: self }
    }

    /// As [`Mutex::lock`], or gives up: the holder may be the caller itself, interrupted by a signal, or a thread that
    /// a debugger has stopped.
    pub fn lock_within(&self, patience: Patience) -> Option<Guard<'_, T>> {
        if patience == Patience::Endless {
            return Some(self.lock());
        }
        if let Some(guard) = self.try_lock() {
            return Some(guard);
        }
        if patience == Patience::Brief {
            return self.spin(BRIEF_TRIES).then(|| self.taken());
        }
        let wait = self.counters.sleep(clock::precise().0);
        for nap in 0..=NAPS {
            // As in `wait`; each wake-up that was meant for another leads to a swap, so that it is passed on.
            if self.word.swap(CONTENDED, Acquire) == FREE {
                self.counters.slept(wait, clock::precise().0);
                return Some(self.taken());
            }
            if nap < NAPS {
                let _ = futex::wait(&self.word, futex::Flags::PRIVATE, CONTENDED, Some(&NAP));
            }
        }
        self.counters.gave_up(wait);
        None
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        self.word.compare_exchange(FREE, HELD, Acquire, Relaxed).ok().map(|_| self.taken())
    }

    /// Takes the lock if it gets free while a waiter would spin. That nobody gave it up by then says that its holder is not running.
    pub fn lock_spinning(&self) -> Option<Guard<'_, T>> {
        self.spin(TRIES.load(Relaxed)).then(|| {
            self.counters.spun();
            self.taken()
        })
    }

    /// Takes the lock unless its holder seems not to run.
    #[inline]
    pub fn lock_unless_stuck(&self) -> Option<Guard<'_, T>> {
        self.try_lock().or_else(|| self.lock_spinning())
    }

    /// Whether nobody gave the lock up while a waiter would spin: its holder seems not to run.
    #[inline]
    pub fn is_stuck(&self) -> bool {
        self.is_held() && self.stays_held(TRIES.load(Relaxed))
    }

    #[cold]
    fn stays_held(&self, tries: u32) -> bool {
        !spin_until(tries, || !self.is_held())
    }

    /// Whether somebody holds the lock, or did a moment ago.
    #[inline]
    pub fn is_held(&self) -> bool {
        self.word.load(Relaxed) != FREE
    }

    #[cold]
    fn wait(&self) {
        if self.spin(TRIES.load(Relaxed)) {
            return self.counters.spun();
        }
        let wait = self.counters.sleep(clock::precise().0);
        while self.word.swap(CONTENDED, Acquire) != FREE {
            // Any error (a signal, the word changed) leads to another look at the word.
            let _ = futex::wait(&self.word, futex::Flags::PRIVATE, CONTENDED, None);
        }
        self.counters.slept(wait, clock::precise().0);
    }

    /// Takes the lock if it is free at one of so many looks.
    fn spin(&self, tries: u32) -> bool {
        spin_until(tries, || {
            !self.is_held() && self.word.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok()
        })
    }

    /// How often the mutex was taken and waited for. Takes no lock.
    pub fn counts(&self) -> MutexCounts {
        self.counters.counts()
    }

    /// Sets the counters to zero; those of a lock that the caller is called under stay.
    pub fn reset_counts(&self) {
        if let Some(_guard) = self.lock_within(Patience::of_caller()) {
            self.counters.reset();
        }
    }

    /// Takes the lock without a guard, for the time of a fork.
    pub fn hold(&self) {
        core::mem::forget(self.lock());
    }

    /// Ends [`Mutex::hold`], in the parent and in the child alike.
    ///
    /// # Safety
    /// 1. The caller's `hold` is the last locking of this mutex, and no guard of it is in use.
    pub unsafe fn unhold(&self) {
        if FORKED.load(Relaxed) {
            self.counters.forget_waiters();
        }
        drop(Guard { mutex: self });
    }
}

impl<T> Guard<'_, T> {
    /// Counts that the holder has spun, for another lock, before it took this one instead.
    pub fn count_spinning(&self) {
        self.mutex.counters.spun();
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held for as long as the guard lives, and there is one guard at a time.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; the guard itself is borrowed mutably.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.mutex.word.swap(FREE, Release) == CONTENDED {
            let _ = futex::wake(&self.mutex.word, futex::Flags::PRIVATE, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn tries_follow_the_option_but_a_single_processor_never_spins() {
        assert_eq!([600, 0, 1, 7, -1, i64::MAX].map(|n| tries(n, 2)), [100, 0, 1, 2, FOREVER, FOREVER]);
        assert_eq!([600, -1].map(|n| tries(n, 1)), [0, 0]);
    }

    #[test]
    fn four_threads_count_to_the_right_number() {
        static SUM: Mutex<u64> = Mutex::new(0);
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| (0..50_000).for_each(|_| *SUM.lock() += 1));
            }
        });
        assert_eq!(*SUM.lock(), 200_000);
    }

    #[test]
    fn a_held_lock_is_not_taken_again() {
        let m = Mutex::new(1);
        let g = m.lock();
        assert!(m.try_lock().is_none());
        for patience in [Patience::Short, Patience::Brief] {
            assert!(m.lock_within(patience).is_none(), "its holder cannot wait for itself");
        }
        drop(g);
        assert!(m.try_lock().is_some());
        assert!(m.lock_within(Patience::Short).is_some() && m.lock_within(Patience::Endless).is_some());
    }

    #[test]
    fn who_only_spins_gets_a_free_lock_and_gives_up_on_a_held_one() {
        let (m, other) = (Mutex::new(1), Mutex::new(2));
        assert!(!m.is_held());
        let held = m.lock();
        assert!(m.is_held() && m.lock_spinning().is_none());
        other.lock().count_spinning();
        assert_eq!((m.counts().num_spin_acq, other.counts().num_spin_acq), (0, 1));
        drop(held);
        assert!(m.lock_spinning().is_some());
        assert_eq!((m.counts().num_spin_acq, m.counts().num_wait), (1, 0));
    }

    #[test]
    fn impatient_lockers_lose_no_wake_up_of_others() {
        static SUM: Mutex<u64> = Mutex::new(0);
        std::thread::scope(|s| {
            for patience in [Patience::Short, Patience::Endless, Patience::Short, Patience::Endless] {
                s.spawn(move || {
                    for round in 0..2000 {
                        let mut guard = loop {
                            if let Some(guard) = SUM.lock_within(patience) {
                                break guard;
                            }
                        };
                        *guard += 1;
                        if round % 64 == 0 {
                            std::thread::yield_now();
                        }
                    }
                });
            }
        });
        assert_eq!(*SUM.lock(), 8000);
    }

    #[test]
    fn it_is_counted_who_took_the_lock_and_who_waited_how_long() {
        let m = Mutex::new(0);
        for _ in 0..3 {
            drop(m.lock());
        }
        drop(m.try_lock());
        let alone = m.counts();
        assert_eq!((alone.num_ops, alone.num_owner_switch), (4, 1));
        assert_eq!(
            (alone.num_wait, alone.num_spin_acq, alone.total_wait_time, alone.max_num_thds),
            (0, 0, 0, 0)
        );

        let guard = m.lock();
        std::thread::scope(|s| {
            (0..2).for_each(|_| drop(s.spawn(|| drop(m.lock()))));
            // Both are asleep before the lock is free, however slow the machine.
            while m.counters.waiting() < 2 {
                std::thread::yield_now();
            }
            drop(guard);
        });
        let contended = m.counts();
        assert_eq!((contended.num_ops, contended.num_wait, contended.max_num_thds), (7, 2, 2));
        assert_eq!(contended.num_owner_switch, 3);
        assert!(contended.total_wait_time >= contended.max_wait_time && contended.max_wait_time > 0);
        assert_eq!(m.counters.waiting(), 0);

        m.reset_counts();
        assert_eq!(m.counts(), MutexCounts::default());
        drop(m.lock());
        assert_eq!((m.counts().num_ops, m.counts().num_owner_switch), (1, 1));
    }

    #[test]
    fn who_gives_up_waits_no_longer() {
        let m = Mutex::new(0);
        let guard = m.lock();
        assert!(m.lock_within(Patience::Short).is_none());
        assert_eq!((m.counters.waiting(), m.counts().num_wait), (0, 0));
        drop(guard);
    }
}
