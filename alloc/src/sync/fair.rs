//! A mutex for what one thread may want all the time: everybody else who wants it gets a turn.
//!
//! A [`Mutex`] that was just released belongs to whoever comes first, and that is who released it, if it comes again at once:
//! long before the kernel lets the thread run that was woken. This is fastest, and right for locks that are held for a moment,
//! with much else between two times. But who does little else keeps such a lock from all others for as long as it likes.
//!
//! Here a thread that was woken and finds the lock taken again is *starving*. While one is, a release is a hand-over: the lock is
//! reserved for those who have slept for it, of whom the one that sleeps longest is woken, and who comes anew sleeps
//! behind them. While none is, it is the lock of a [`Mutex`], so that two loops with little to do change places once in the
//! time that a thread takes to wake, not with each round.

use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering::*};

use rustix::io::Errno;
use rustix::thread::futex;

use super::{BRIEF_TRIES, CONTENDED, FORKED, FREE, Guard, HELD, Mutex, MutexCounts, Patience, TRIES};
use crate::os::clock;

/// One more word of the lock: free for those who have slept for it.
const RESERVED: u32 = 3;

/// How long who comes anew leaves a reserved lock alone: most waits for a processor are shorter. The thread that it is
/// reserved for may wait for the caller, a handler of a signal that has interrupted it.
const RESERVATION: futex::Timespec = futex::Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// Mutual exclusion over a `T`, in turns. All-zero memory is an unlocked one over an all-zero `T`.
pub struct Fair<T> {
    mutex: Mutex<T>,
    /// Threads that have been woken for the lock in vain, and wait for it still.
    starving: AtomicU32,
}

/// Access to the value of a locked [`Fair`]; dropping it unlocks.
pub struct Turn<'a, T> {
    /// Its own drop would release the lock to whoever comes first.
    guard: ManuallyDrop<Guard<'a, T>>,
    starving: &'a AtomicU32,
}

impl<T> Fair<T> {
    /// Unlocked.
    pub const fn new(value: T) -> Fair<T> {
        Fair { mutex: Mutex::new(value), starving: AtomicU32::new(0) }
    }

    /// Waits until the lock is free and takes it. Not re-entrant.
    pub fn lock(&self) -> Turn<'_, T> {
        if !self.take(FREE, HELD) {
            self.wait();
        }
        self.turn(self.mutex.taken())
    }

    /// As [`Fair::lock`]; but a caller that cannot wait without end, and so cannot stand in line, gives up after
    /// [`Patience::Brief`], whichever it names.
    pub fn lock_within(&self, patience: Patience) -> Option<Turn<'_, T>> {
        match patience {
            Patience::Endless => Some(self.lock()),
            _ => self.mutex.lock_within(Patience::Brief).map(|guard| self.turn(guard)),
        }
    }

    fn turn<'a>(&'a self, guard: Guard<'a, T>) -> Turn<'a, T> {
        Turn { guard: ManuallyDrop::new(guard), starving: &self.starving }
    }

    /// Takes the lock if its word is `from`. Acquire pairs with the Release in `Turn::drop`.
    fn take(&self, from: u32, to: u32) -> bool {
        self.mutex.word.compare_exchange(from, to, Acquire, Relaxed).is_ok()
    }

    /// Takes the lock with the word [`CONTENDED`], since others may sleep for it, too.
    ///
    /// No wake-up is lost: who was woken takes the lock or leaves the word contended before it sleeps again, and a lock is released
    /// from that word, or to [`RESERVED`], only with a wake-up.
    #[cold]
    fn wait(&self) {
        let Mutex { word, counters, .. } = &self.mutex;
        // Not without end, whatever the option says: who spins is in no line.
        if self.mutex.spin(TRIES.load(Relaxed).min(BRIEF_TRIES)) {
            return counters.spun();
        }
        let wait = counters.sleep(clock::precise().0);
        let (mut is_entitled, mut was_woken, mut starves) = (false, false, false);
        loop {
            let seen = word.load(Relaxed);
            if seen == FREE || seen == RESERVED && is_entitled {
                if self.take(seen, CONTENDED) {
                    break;
                }
                continue;
            }
            if seen != RESERVED && was_woken && !starves {
                starves = true;
                self.starving.fetch_add(1, Relaxed);
            }
            // Release, so that who releases the lock from this word sees who starves. Where others have left it contended,
            // that may be seen a release later.
            if seen == HELD && word.compare_exchange(HELD, CONTENDED, Release, Relaxed).is_err() {
                continue;
            }
            let (asleep_at, at_most) =
                if seen == RESERVED { (RESERVED, Some(&RESERVATION)) } else { (CONTENDED, None) };
            match futex::wait(word, futex::Flags::PRIVATE, asleep_at, at_most) {
                Ok(()) => (is_entitled, was_woken) = (true, true),
                Err(Errno::TIMEDOUT) => is_entitled = true,
                // A signal, or the word has changed.
                Err(_) => {}
            }
        }
        if starves {
            self.starving.fetch_sub(1, Relaxed);
        }
        counters.slept(wait, clock::precise().0);
    }

    /// As [`Mutex::counts`].
    pub fn counts(&self) -> MutexCounts {
        self.mutex.counts()
    }

    /// As [`Mutex::reset_counts`].
    pub fn reset_counts(&self) {
        if let Some(_turn) = self.lock_within(Patience::of_caller()) {
            self.mutex.counters.reset();
        }
    }

    /// As [`Mutex::hold`].
    pub fn hold(&self) {
        core::mem::forget(self.lock());
    }

    /// Ends [`Fair::hold`], in the parent and in the child alike.
    ///
    /// # Safety
    /// 1. As [`Mutex::unhold`].
    pub unsafe fn unhold(&self) {
        if FORKED.load(Relaxed) {
            // Nobody would come for a lock that is reserved for threads of the parent.
            self.starving.store(0, Relaxed);
            self.mutex.counters.forget_waiters();
        }
        drop(self.turn(Guard { mutex: &self.mutex }));
    }
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let word = &self.guard.mutex.word;
        let to = if self.starving.load(Relaxed) == 0 { FREE } else { RESERVED };
        if word.swap(to, Release) == CONTENDED || to == RESERVED {
            let _ = futex::wake(word, futex::Flags::PRIVATE, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use core::sync::atomic::AtomicBool;
    use std::thread::{scope, yield_now};

    use super::*;
    use crate::sync::forked;

    #[test]
    fn who_takes_it_in_a_loop_hands_it_to_who_starves() {
        /// A hand-over takes one round, or two if it was just then that the thread began to starve; and one more for
        /// each reservation that lapses, when the machine is too busy to run the thread.
        const ROUNDS: u32 = 100;
        let (lock, over) = (Fair::new(0_u32), AtomicBool::new(false));
        scope(|s| {
            s.spawn(|| {
                while !over.load(Relaxed) {
                    *lock.lock() += 1;
                }
            });
            let (mut before, mut rounds, mut saved) = (0, 0, 0);
            while saved < 20 && rounds <= ROUNDS {
                let turn = lock.lock();
                if *turn != before {
                    saved += u32::from(rounds != 0);
                    (before, rounds) = (*turn, 0);
                }
                // Time to find the lock taken.
                (0..1000).take_while(|_| lock.starving.load(Relaxed) == 0).for_each(|_| yield_now());
                rounds += lock.starving.load(Relaxed);
            }
            over.store(true, Relaxed);
            assert!(rounds <= ROUNDS, "{saved} times saved before");
        });
        assert_eq!((lock.starving.load(Relaxed), lock.mutex.counters.waiting()), (0, 0));
        assert!(!lock.mutex.is_held(), "reserved for nobody");
    }

    #[test]
    fn all_of_many_who_take_it_in_a_loop_get_their_turns() {
        const TURNS: u32 = 300;
        let lock = Fair::new([0_u32; 4]);
        let all = scope(|s| {
            let loops: std::vec::Vec<_> = (0..4)
                .map(|me| {
                    let lock = &lock;
                    s.spawn(move || {
                        for all in 1.. {
                            let mut turn = lock.lock();
                            turn[me] += 1;
                            if turn.iter().all(|&turns| turns >= TURNS) {
                                return all;
                            }
                            // Longer than others spin, for one.
                            (0..me * 1000).for_each(|_| core::hint::spin_loop());
                        }
                        0
                    })
                })
                .collect();
            loops.into_iter().map(|taken| taken.join().unwrap_or(0)).sum::<u32>()
        });
        assert_eq!(lock.lock().iter().sum::<u32>(), all);
        assert_eq!((lock.starving.load(Relaxed), lock.counts().num_ops), (0, u64::from(all) + 1));
    }

    #[test]
    fn who_cannot_wait_gives_up_on_a_lock_that_is_held_or_reserved() {
        let lock = Fair::new(1);
        let turn = lock.lock();
        for patience in [Patience::Short, Patience::Brief] {
            assert!(lock.lock_within(patience).is_none(), "its holder cannot wait for itself");
        }
        drop(turn);
        for patience in [Patience::Short, Patience::Brief, Patience::Endless] {
            assert_eq!(lock.lock_within(patience).as_deref(), Some(&1));
        }
        lock.mutex.word.store(RESERVED, Relaxed);
        assert!(lock.lock_within(Patience::Brief).is_none());
    }

    #[test]
    fn a_lock_that_nobody_comes_for_is_not_reserved_for_ever() {
        let lock = Fair::new(1);
        lock.mutex.word.store(RESERVED, Relaxed);
        drop(lock.lock());
        assert_eq!((lock.mutex.is_held(), lock.counts().num_wait), (false, 1));
    }

    #[test]
    fn the_child_of_a_fork_has_no_threads_that_starve() {
        let lock = Fair::new(1);
        // A thread of the parent, which waits on while this one forks.
        lock.starving.store(1, Relaxed);
        lock.hold();
        lock.mutex.word.store(CONTENDED, Relaxed);
        forked(true);
        // SAFETY: held above.
        unsafe { lock.unhold() };
        forked(false);
        assert!(lock.lock_within(Patience::Brief).is_some(), "reserved for a thread of the parent");
    }

    #[test]
    fn it_is_counted_who_waited_and_the_counters_can_be_reset() {
        let lock = Fair::new(());
        let turn = lock.lock();
        scope(|s| {
            (0..2).for_each(|_| drop(s.spawn(|| drop(lock.lock()))));
            while lock.mutex.counters.waiting() < 2 {
                yield_now();
            }
            drop(turn);
        });
        let counts = lock.counts();
        assert_eq!((counts.num_ops, counts.num_wait, counts.max_num_thds), (3, 2, 2));
        lock.reset_counts();
        assert_eq!(lock.counts(), MutexCounts::default());
    }
}
