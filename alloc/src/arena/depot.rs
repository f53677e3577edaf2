//! Depots: full batches of objects of one class on their way between thread caches.
//!
//! A cache that overflows leaves a batch here, a cache that runs empty takes one: a lock held for one copy of at
//! most 512 bytes, instead of a visit to every slab. Objects may belong to any automatic arena; where they finally
//! go is decided by their slab.

use super::release::{From, release};
use crate::base::Base;
use crate::relaxed::Relaxed;
use crate::size_class::{NCACHED_MAX, class_size};
use crate::sync::{Mutex, MutexCounts, Patience};
use crate::units::SzInd;
use core::sync::atomic::AtomicPtr;

/// Most objects in a batch.
pub const BATCH_MAX: usize = 64;

/// Objects in a batch of a class that can be cached: 32 KiB worth, 4 to 64.
pub const fn batch(class: SzInd) -> usize {
    BATCHES[class.idx()] as usize
}

/// Batches that a depot holds at most: 256 KiB worth, 4 to 32.
const fn capacity(class: SzInd) -> usize {
    CAPACITIES[class.idx()] as usize
}

/// [`batch`] of each class: refills and flushes ask for it more than once, and a division takes as long as a lock.
static BATCHES: [u8; NCACHED_MAX] = quotients(32 << 10, &[1; NCACHED_MAX], BATCH_MAX as u8);

static CAPACITIES: [u8; NCACHED_MAX] = quotients(256 << 10, &BATCHES, 32);

/// How often `n` objects of each class fit into so many bytes, but 4 to `most`.
const fn quotients(bytes: usize, n: &[u8; NCACHED_MAX], most: u8) -> [u8; NCACHED_MAX] {
    let mut all = [4; NCACHED_MAX];
    let mut class = 0;
    while class < NCACHED_MAX {
        let times = bytes / (n[class] as usize * class_size(class));
        if times > most as usize {
            all[class] = most;
        } else if times > 4 {
            all[class] = times as u8;
        }
        class += 1;
    }
    all
}

/// What lies in a depot and came by.
#[derive(Clone, Copy, Debug, Default)]
pub struct DepotCounts {
    /// Objects here.
    pub objects: usize,
    /// Batches that caches took.
    pub popped: u64,
    /// Batches that caches left.
    pub pushed: u64,
}

/// The depot of one class. All-zero is empty.
#[derive(Default)]
pub struct Depot {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The first of the slots for `capacity` batches; made on first use. A reference to one, since only for those is
    /// all-zero memory sure to be `None`.
    first: Option<&'static AtomicPtr<u8>>,
    nbatches: usize,
    /// Batches that caches took.
    popped: u64,
    /// Batches that caches left.
    pushed: u64,
    /// Fewest batches since the last trim.
    low: usize,
}

// SAFETY: a null pointer.
unsafe impl crate::base::Zeroable for AtomicPtr<u8> {}

impl Depot {
    /// Leaves a batch. `false`: no room (or none to be had), nothing was taken.
    pub fn push(&self, class: SzInd, base: &Base, objects: &[*mut u8]) -> bool {
        let mut state = self.state.lock();
        let n = batch(class);
        if state.first.is_none() {
            state.first = base.make_slice(capacity(class) * n).and_then(|slots| slots.first());
        }
        let at = state.nbatches * n;
        let Some(slots) = state.slots(class).get(at..at + n) else { return false };
        slots.iter().zip(objects).for_each(|(slot, &object)| slot.set(object));
        state.nbatches += 1;
        state.pushed += 1;
        true
    }

    /// Takes a batch for a cache into `out`, which has room for one.
    pub fn pop(&self, class: SzInd, out: &mut [*mut u8]) -> bool {
        let mut state = self.state.lock();
        let popped = state.take(class, out);
        state.popped += popped as u64;
        popped
    }

    /// Returns batches to their slabs: those that lay unused since the last trim, or all.
    pub fn trim(&self, class: SzInd, all: bool) {
        let unused = {
            let mut state = self.state.lock();
            let unused = if all { state.nbatches } else { state.low };
            state.low = state.nbatches - unused;
            unused
        };
        let mut batch_of = [core::ptr::null_mut(); BATCH_MAX];
        let n = batch(class);
        for _ in 0..unused {
            if !self.state.lock().take(class, &mut batch_of[..n]) {
                return;
            }
            release(class, &mut batch_of[..n], From::Depot);
        }
    }

    /// What lies here and came by, if the lock is to be had in time.
    pub fn counts(&self, class: SzInd, patience: Patience) -> Option<DepotCounts> {
        let state = self.state.lock_within(patience)?;
        let objects = state.nbatches * batch(class);
        Some(DepotCounts { objects, popped: state.popped, pushed: state.pushed })
    }

    /// How often the lock was taken and waited for.
    pub fn mutex_counts(&self) -> MutexCounts {
        self.state.counts()
    }

    /// Sets these to zero.
    pub fn reset_mutex_counts(&self) {
        self.state.reset_counts();
    }

    /// Locks for a fork.
    pub fn hold(&self) {
        self.state.hold();
    }

    /// Unlocks after a fork.
    ///
    /// # Safety
    /// As [`Mutex::unhold`].
    pub unsafe fn unhold(&self) {
        // SAFETY: by the caller's promise.
        unsafe { self.state.unhold() }
    }
}

impl State {
    fn take(&mut self, class: SzInd, out: &mut [*mut u8]) -> bool {
        if self.nbatches == 0 {
            return false;
        }
        let n = batch(class);
        self.nbatches -= 1;
        self.low = self.low.min(self.nbatches);
        let slots = &self.slots(class)[self.nbatches * n..][..n];
        out.iter_mut().zip(slots).for_each(|(object, slot)| *object = slot.get());
        true
    }

    /// All slots; none before the first use.
    fn slots(&self, class: SzInd) -> &'static [AtomicPtr<u8>] {
        match self.first {
            // SAFETY: `first` begins an array that `push` made for this class with exactly this length, and base
            // memory lives for ever. A depot serves one class.
            Some(first) => unsafe { core::slice::from_raw_parts(first, capacity(class) * batch(class)) },
            None => &[],
        }
    }
}
