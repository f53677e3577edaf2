//! Depots: full batches of objects of one class on their way between thread caches.
//!
//! A cache that overflows leaves a batch here, a cache that runs empty takes one: a lock held for one copy of at
//! most 512 bytes, instead of a visit to every slab. Objects may belong to any automatic arena; where they finally
//! go is decided by their slab.
//!
//! A depot that is emptied and filled again at a stretch, with batches missing in between and left over afterwards, is
//! too small for how the program swings, and doubles; one that was never more than half full halves again. Programs
//! that replace objects one by one gain nothing by a larger one: their depots fill and empty by chance, and objects that
//! went through their slab come back in the order of their addresses. So do those of batches that lie scattered when they
//! come here, which are not taken: they would come back as they came, and again after the next turn.

use super::batch::{BATCH_MAX, batch, capacity_max, capacity_min, is_scattered};
use super::release::{From, release};
use crate::base::Base;
use crate::relaxed::Relaxed;
use crate::sync::{Mutex, MutexCounts, Patience};
use crate::units::SzInd;
use core::ptr::copy_nonoverlapping;
use core::sync::atomic::AtomicPtr;

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
    /// The first of the slots for `room` batches; made on first use. A reference to one, since only for those is
    /// all-zero memory sure to be `None`.
    first: Option<&'static AtomicPtr<u8>>,
    /// Batches that there are slots for.
    room: usize,
    /// Batches that may be here.
    capacity: usize,
    nbatches: usize,
    /// Batches that came since the last was taken, and that were taken since the last came.
    stretch: Stretch,
    /// Whether it was emptied at a stretch and a batch asked for in vain since the last trim.
    missed: bool,
    /// Batches that caches took.
    popped: u64,
    /// Batches that caches left.
    pushed: u64,
    /// Fewest batches since the last trim.
    low: usize,
    /// Most batches since then.
    high: usize,
}

#[derive(Clone, Copy, Default)]
struct Stretch {
    pushed: usize,
    popped: usize,
}

// SAFETY: a null pointer.
unsafe impl crate::base::Zeroable for AtomicPtr<u8> {}

impl Depot {
    /// Leaves a batch. `false`: it lies scattered, there is no room (or none to be had), or a thread that seems not to run has the
    /// lock; nothing was taken.
    /// `adapts`: there may be more room than at first.
    pub fn push(&self, class: SzInd, base: &Base, objects: &[*mut u8], adapts: bool) -> bool {
        if is_scattered(class, objects) {
            return false;
        }
        let Some(mut state) = self.state.lock_unless_stuck() else { return false };
        if state.nbatches >= state.capacity && !state.widen(class, base, adapts) {
            return false;
        }
        let n = batch(class);
        let at = state.nbatches * n;
        let Some(slots) = state.slots(class).get(at..at + n) else { return false };
        let Some(objects) = objects.get(..n) else { return false };
        // SAFETY: both are `n` pointers, atomic or not, and whoever holds the lock is alone with the slots.
        unsafe { copy_nonoverlapping(objects.as_ptr(), slots.as_ptr().cast_mut().cast(), n) };
        state.nbatches += 1;
        state.high = state.high.max(state.nbatches);
        state.stretch = Stretch { pushed: state.stretch.pushed + 1, popped: 0 };
        state.pushed += 1;
        true
    }

    /// Takes a batch for a cache into `out`, which has room for one. `false`: there is none, or a thread that seems not to run has
    /// the lock.
    pub fn pop(&self, class: SzInd, out: &mut [*mut u8]) -> bool {
        let Some(mut state) = self.state.lock_unless_stuck() else { return false };
        let popped = state.take(class, out);
        if popped {
            state.stretch = Stretch { pushed: 0, popped: state.stretch.popped + 1 };
        } else {
            state.missed |= state.stretch.popped + 1 >= state.capacity;
        }
        state.popped += popped as u64;
        popped
    }

    /// Returns batches to their slabs: those that lay unused since the last trim, or all.
    pub fn trim(&self, class: SzInd, all: bool) {
        let unused = {
            let mut state = self.state.lock();
            let unused = if all { state.nbatches } else { state.low };
            state.low = state.nbatches - unused;
            if 2 * state.high <= state.capacity {
                state.capacity = (state.capacity / 2).max(capacity_min(class)).min(state.room);
            }
            (state.missed, state.high) = (false, state.low);
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
    /// Makes room in a full depot: its first, or twice as much where batches were missed lately.
    #[cold]
    fn widen(&mut self, class: SzInd, base: &Base, adapts: bool) -> bool {
        let wanted = match self.capacity {
            0 => capacity_min(class),
            full if adapts && self.missed && self.stretch.pushed + 1 >= full => {
                (2 * self.capacity).min(capacity_max(class))
            }
            _ => return false,
        };
        if wanted <= self.capacity {
            return false;
        }
        if wanted > self.room {
            let Some(slots) = base.make_slice::<AtomicPtr<u8>>(wanted * batch(class)) else { return false };
            slots.iter().zip(self.slots(class)).for_each(|(new, old)| new.set(old.get()));
            (self.first, self.room) = (slots.first(), wanted);
        }
        self.missed = false;
        self.capacity = wanted;
        true
    }

    fn take(&mut self, class: SzInd, out: &mut [*mut u8]) -> bool {
        if self.nbatches == 0 {
            return false;
        }
        let n = batch(class);
        self.nbatches -= 1;
        self.low = self.low.min(self.nbatches);
        let slots = &self.slots(class)[self.nbatches * n..][..n];
        // SAFETY: both are `n` pointers, atomic or not, and whoever holds the lock is alone with the slots.
        unsafe { copy_nonoverlapping(slots.as_ptr().cast(), out[..n].as_mut_ptr(), n) };
        true
    }

    /// All slots; none before the first use.
    fn slots(&self, class: SzInd) -> &'static [AtomicPtr<u8>] {
        match self.first {
            // SAFETY: `first` begins an array that `widen` made for this class with exactly this length, and base
            // memory lives for ever. A depot serves one class.
            Some(first) => unsafe { core::slice::from_raw_parts(first, self.room * batch(class)) },
            None => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::size_class::NCACHED_MAX;

    const CLASS: SzInd = SzInd(NCACHED_MAX as u8 / 4);

    fn objects() -> std::vec::Vec<*mut u8> {
        (1..=batch(CLASS)).map(core::ptr::without_provenance_mut).collect()
    }

    /// Pushes batches until one is refused or `most` are there; answers how many were taken.
    fn fill(depot: &Depot, base: &Base, most: usize, adapts: bool) -> usize {
        (0..most).take_while(|_| depot.push(CLASS, base, &objects(), adapts)).count()
    }

    /// Pops until nothing is left, and once more.
    fn drain(depot: &Depot) -> usize {
        let mut out = [core::ptr::null_mut(); BATCH_MAX];
        core::iter::from_fn(|| depot.pop(CLASS, &mut out[..batch(CLASS)]).then_some(())).count()
    }

    #[test]
    fn a_depot_that_swings_at_a_stretch_grows_and_keeps_what_it_holds() {
        let (depot, base) = (Depot::default(), Base::default());
        assert_eq!(fill(&depot, &base, usize::MAX, true), capacity_min(CLASS));
        for _ in 0..20 {
            drain(&depot);
            fill(&depot, &base, capacity_max(CLASS), true);
        }
        let mut out = std::vec![core::ptr::null_mut(); batch(CLASS)];
        for _ in 0..capacity_max(CLASS) {
            assert!(depot.pop(CLASS, &mut out));
            assert_eq!(out, objects());
        }
        assert!(!depot.pop(CLASS, &mut out));
    }

    #[test]
    fn a_depot_does_not_grow_for_objects_that_come_and_go_one_by_one() {
        let (depot, base) = (Depot::default(), Base::default());
        let mut out = [core::ptr::null_mut(); BATCH_MAX];
        fill(&depot, &base, usize::MAX, true);
        for _ in 0..20 {
            // Down to nothing and up again, but with steps back in between.
            while depot.pop(CLASS, &mut out[..batch(CLASS)]) && depot.pop(CLASS, &mut out[..batch(CLASS)]) {
                assert!(depot.push(CLASS, &base, &objects(), true));
            }
            while depot.push(CLASS, &base, &objects(), true) && depot.push(CLASS, &base, &objects(), true) {
                assert!(depot.pop(CLASS, &mut out[..batch(CLASS)]));
            }
        }
        drain(&depot);
        assert_eq!(fill(&depot, &base, usize::MAX, false), capacity_min(CLASS));
    }

    #[test]
    fn a_batch_that_lies_scattered_goes_to_its_slabs() {
        let (depot, base, short) = (Depot::default(), Base::default(), SzInd(4));
        let far = |i: usize| core::ptr::without_provenance_mut(i << 20);
        let scattered: std::vec::Vec<*mut u8> = (1..=batch(short)).map(far).collect();
        assert!(!depot.push(short, &base, &scattered, true));
        assert_eq!(depot.counts(short, Patience::Endless).unwrap().objects, 0);
    }

    #[test]
    fn a_depot_that_may_not_adapt_keeps_its_size() {
        let (depot, base) = (Depot::default(), Base::default());
        for _ in 0..5 {
            assert_eq!(fill(&depot, &base, usize::MAX, false), capacity_min(CLASS));
            assert_eq!(drain(&depot), capacity_min(CLASS));
        }
    }
}
