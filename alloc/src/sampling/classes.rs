//! Samples by size class (`prof_stats`): how many, and how many bytes were asked for.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::size_class::{NSIZES, index_of};
use crate::units::SzInd;

/// Sums of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ClassSum {
    /// Bytes that were asked for.
    pub requested: u64,
    /// Objects.
    pub count: u64,
}

#[derive(Default)]
struct Cells {
    requested: AtomicU64,
    count: AtomicU64,
}

impl Cells {
    const fn new() -> Cells {
        Cells { requested: AtomicU64::new(0), count: AtomicU64::new(0) }
    }

    fn add(&self, requested: usize) {
        self.requested.fetch_add(requested as u64, Relaxed);
        self.count.fetch_add(1, Relaxed);
    }

    fn load(&self) -> ClassSum {
        ClassSum { requested: self.requested.load(Relaxed), count: self.count.load(Relaxed) }
    }
}

/// Sums of all classes.
pub struct Classes {
    on: AtomicBool,
    added: [Cells; NSIZES],
    removed: [Cells; NSIZES],
}

/// Of the process.
pub static CLASSES: Classes = Classes::new();

impl Classes {
    const fn new() -> Classes {
        Classes {
            on: AtomicBool::new(false),
            added: [const { Cells::new() }; NSIZES],
            removed: [const { Cells::new() }; NSIZES],
        }
    }

    /// Counts from now on; once, before anything is sampled.
    pub fn enable(&self) {
        self.on.store(true, Relaxed);
    }

    /// Whether it counts.
    pub fn enabled(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// A sampled object of `usable` bytes was made.
    pub fn add(&self, usable: usize, requested: usize) {
        if self.enabled() {
            self.added[index_of(usable).idx()].add(requested);
        }
    }

    /// A sampled object died.
    pub fn remove(&self, usable: usize, requested: usize) {
        if self.enabled() {
            self.removed[index_of(usable).idx()].add(requested);
        }
    }

    /// Sums of the objects of a class that are alive.
    pub fn live(&self, class: SzInd) -> ClassSum {
        // Removals first, so that none is seen without its addition.
        let (removed, added) = (self.removed[class.idx()].load(), self.added[class.idx()].load());
        ClassSum {
            requested: added.requested.saturating_sub(removed.requested),
            count: added.count.saturating_sub(removed.count),
        }
    }

    /// Sums of all objects of a class that ever were.
    pub fn accumulated(&self, class: SzInd) -> ClassSum {
        self.added[class.idx()].load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_count_in_their_class_until_they_die() {
        let classes = Classes::new();
        classes.add(112, 100);
        assert_eq!(classes.accumulated(index_of(112)), ClassSum::default(), "it does not count yet");
        classes.enable();
        classes.add(112, 100);
        classes.add(112, 111);
        classes.add(1 << 20, 1 << 20);
        classes.remove(112, 111);
        assert_eq!(classes.live(index_of(112)), ClassSum { requested: 100, count: 1 });
        assert_eq!(classes.accumulated(index_of(112)), ClassSum { requested: 211, count: 2 });
        assert_eq!(classes.live(index_of(1 << 20)), ClassSum { requested: 1 << 20, count: 1 });
    }
}
