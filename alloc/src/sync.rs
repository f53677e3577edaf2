//! A mutex of one futex word. Unlike pthread's it needs no initialisation, works before libc does, never
//! allocates, and can be taken over the fork by [`Mutex::hold`] and [`Mutex::unhold`].

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering::*};

use rustix::thread::futex;

/// Words: 0 free, 1 held, 2 held and somebody may sleep. `lock` moves 0 to 1 or to 2, `drop` moves any to 0.
const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

/// Tries before a waiter sleeps: about the length of the longest common critical section, a batch of 64 objects.
const SPINS: u32 = 100;

/// Mutual exclusion over a `T`. All-zero memory is an unlocked mutex over an all-zero `T`.
#[repr(C)]
pub struct Mutex<T> {
    word: AtomicU32,
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

impl<T> Mutex<T> {
    /// Unlocked.
    pub const fn new(value: T) -> Mutex<T> {
        Mutex { word: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }

    /// Waits until the lock is free and takes it. Not re-entrant.
    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        // Acquire pairs with the Release in `Guard::drop`.
        if self.word.compare_exchange(FREE, HELD, Acquire, Relaxed).is_err() {
            self.wait();
        }
        Guard { mutex: self }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        self.word.compare_exchange(FREE, HELD, Acquire, Relaxed).ok().map(|_| Guard { mutex: self })
    }

    #[cold]
    fn wait(&self) {
        for _ in 0..SPINS {
            core::hint::spin_loop();
            if self.word.load(Relaxed) == FREE
                && self.word.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok()
            {
                return;
            }
        }
        while self.word.swap(CONTENDED, Acquire) != FREE {
            // Any error (a signal, the word changed) leads to another look at the word.
            let _ = futex::wait(&self.word, futex::Flags::PRIVATE, CONTENDED, None);
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
        drop(Guard { mutex: self });
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
        drop(g);
        assert!(m.try_lock().is_some());
    }
}
