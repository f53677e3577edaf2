//! The one lock of the profiler: a futex that knows its owner.
//!
//! It serialises dumps. It is never taken while a stack is walked or counted, and its holder waits for nothing but
//! the file system, so it can not take part in a deadlock with locks of the program.

use core::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::futex;

const WAITERS: u32 = 1 << 31;

/// States: 0 free; the owner's thread id; the same with `WAITERS` when somebody may sleep. Lockers move it from free
/// to owned, waiters add their bit, the owner sets it free and wakes one.
pub struct Mutex(AtomicU32);

/// The calling thread holds the lock already.
#[derive(Debug, PartialEq, Eq)]
pub struct Own;

fn self_id() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get() as u32
}

impl Mutex {
    /// A free lock.
    pub const fn new() -> Mutex {
        Mutex(AtomicU32::new(0))
    }

    /// Waits until the lock is the caller's.
    ///
    /// # Errors
    /// [`Own`] at once when it is already: the caller is a signal handler that interrupted the holder.
    pub fn lock(&self) -> Result<Guard<'_>, Own> {
        let me = self_id();
        let mut mine = me;
        loop {
            let held = match self.0.compare_exchange(0, mine, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Ok(Guard(self)),
                Err(held) => held,
            };
            if held & !WAITERS == me {
                return Err(Own);
            }
            let marked = held | WAITERS;
            if held == marked
                || self.0.compare_exchange(held, marked, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            {
                // Interrupted, or changed before we slept: the loop looks again.
                let _ = futex::wait(&self.0, futex::Flags::PRIVATE, marked, None);
                // Others may sleep still, and their bit went with the owner.
                mine = me | WAITERS;
            }
        }
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> Option<Guard<'_>> {
        self.0.compare_exchange(0, self_id(), Ordering::Acquire, Ordering::Relaxed).ok().map(|_| Guard(self))
    }

    /// Frees the lock whoever holds it: for the end of [`Mutex::lock`] and for the child of a fork.
    pub fn release(&self) {
        if self.0.swap(0, Ordering::Release) & WAITERS != 0 {
            let _ = futex::wake(&self.0, futex::Flags::PRIVATE, 1);
        }
    }
}

/// Frees the lock when dropped.
#[derive(Debug)]
pub struct Guard<'a>(&'a Mutex);

impl core::fmt::Debug for Mutex {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Mutex({:#x})", self.0.load(Ordering::Relaxed))
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.release();
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
        assert_eq!(LOCK.0.load(Ordering::Relaxed), 0);
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
}
