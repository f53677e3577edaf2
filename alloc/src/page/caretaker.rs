//! Who purges: the program's threads as they go, or background threads, which are woken from here.
//!
//! Worker `i` of `n` looks after the arenas whose index is `i` modulo `n`. A worker sleeps until pages are due, or
//! without limit when there are none.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::*};

use rustix::thread::futex;

use crate::os::clock;
use crate::relaxed::Relaxed;
use crate::units::{ArenaInd, Ns};

/// Most workers.
pub const WORKERS_MAX: usize = 4096;

/// Pages that must have become unused before a worker is woken that would sleep on.
const WAKE: usize = 1024;

/// Least time that a worker sleeps: purges come in batches, and waking costs more than pages that wait.
pub const NAP: Ns = Ns::from_ms(100);

/// A worker's sleep.
pub struct Bell {
    /// Changes with every ring.
    word: AtomicU32,
    /// Whether there is a worker to hear it.
    staffed: AtomicBool,
    /// When the worker wakes by itself, in nanoseconds; [`FOR_GOOD`] when it does not.
    until: AtomicU64,
}

const FOR_GOOD: u64 = u64::MAX;

/// Number of workers; 0 while the program's threads purge.
static WORKERS: AtomicU32 = AtomicU32::new(0);
static BELLS: [Bell; WORKERS_MAX] = [const { Bell::new() }; WORKERS_MAX];

impl Bell {
    /// For nobody yet.
    pub const fn new() -> Bell {
        Bell { word: AtomicU32::new(0), staffed: AtomicBool::new(false), until: AtomicU64::new(0) }
    }

    /// What [`Bell::sleep`] compares with: read before looking at whatever the bell rings for.
    pub fn heard(&self) -> u32 {
        self.word.load(Acquire)
    }

    /// Wakes the sleeper, or keeps it from falling asleep.
    pub fn ring(&self) {
        // Release: whoever hears the ring sees what it is about.
        self.word.fetch_add(1, Release);
        let _ = futex::wake(&self.word, futex::Flags::PRIVATE, 1);
    }

    /// Sleeps until the next ring after `heard`, or for `time`, or without limit.
    pub fn sleep(&self, heard: u32, time: Option<Ns>) {
        self.until.set(time.map_or(FOR_GOOD, |time| clock::now().0.saturating_add(time.0)));
        let time = time.map(|Ns(ns)| futex::Timespec {
            tv_sec: (ns / 1_000_000_000) as i64,
            tv_nsec: (ns % 1_000_000_000) as _,
        });
        // A signal or a word that has changed already ends the sleep early, which the caller takes for a ring.
        let _ = futex::wait(&self.word, futex::Flags::PRIVATE, heard, time.as_ref());
        self.until.set(0);
    }

    /// Whether there is somebody to hear it.
    pub fn is_staffed(&self) -> bool {
        self.staffed.load(Acquire)
    }

    /// Says whether there is somebody to hear it.
    pub fn staff(&self, staffed: bool) {
        self.staffed.store(staffed, Release);
    }
}

/// The bell of a worker.
pub fn bell(worker: usize) -> &'static Bell {
    &BELLS[worker % WORKERS_MAX]
}

/// Lets `n` workers purge; 0 gives the work back to the program's threads.
pub fn employ(n: u32) {
    WORKERS.store(n, Release);
}

/// Number of workers; 0 while the program's threads purge.
#[inline]
pub fn workers() -> u32 {
    WORKERS.load(Acquire)
}

/// A worker purges for this arena: wakes it if `fresh` pages that became unused since it last looked are worth it.
/// `false`: there are no workers.
pub fn looks_after(arena: ArenaInd, fresh: usize) -> bool {
    let n = workers();
    if n == 0 {
        return false;
    }
    if fresh == 0 {
        return true;
    }
    let bell = bell((arena.0 % n) as usize);
    if !bell.is_staffed() {
        // The first worker starts the others as they are needed.
        self::bell(0).ring();
    } else {
        match bell.until.get() {
            // Awake: it may have passed the arena by, and must not fall asleep for good now.
            0 => {
                bell.word.fetch_add(1, Release);
            }
            until if until == FOR_GOOD || fresh > WAKE && until > clock::now().0.saturating_add(NAP.0) => {
                // One ring is enough.
                bell.until.set(0);
                bell.ring();
            }
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn a_ring_before_the_sleep_is_not_lost() {
        let bell = Bell::new();
        let heard = bell.heard();
        bell.ring();
        // Without limit: would hang.
        bell.sleep(heard, None);
    }

    #[test]
    fn a_sleeper_without_limit_is_woken() {
        static BELL: Bell = Bell::new();
        let sleeper = std::thread::spawn(|| BELL.sleep(BELL.heard(), None));
        while !sleeper.is_finished() {
            BELL.ring();
            std::thread::yield_now();
        }
        sleeper.join().unwrap();
    }
}
