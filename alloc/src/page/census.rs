//! Free extents by page size class and state: `stats.arenas.<i>.extents.<j>`.

use super::classes::{NPSIZES, at_most};
use super::state::Free;
use crate::units::PAGE;

/// Extents of one class in one state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub nextents: usize,
    /// Their bytes.
    pub bytes: usize,
}

/// Extents of all classes: of `j`, those at least as large as class `j` and smaller than the next.
#[derive(Clone, Debug)]
pub struct Census {
    classes: [[Tally; NPSIZES]; Free::ALL.len()],
}

impl Census {
    /// None.
    pub const EMPTY: Census =
        Census { classes: [[Tally { nextents: 0, bytes: 0 }; NPSIZES]; Free::ALL.len()] };

    /// Adds an extent.
    pub(super) fn count(&mut self, state: Free, npages: usize) {
        let tally = &mut self.classes[state as usize][at_most(npages)];
        tally.nextents += 1;
        tally.bytes += npages * PAGE;
    }

    /// Those of page size class `class` in `state`.
    pub fn of(&self, state: Free, class: usize) -> Tally {
        self.classes[state as usize][class]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_counts_in_the_largest_class_that_it_fills() {
        let mut census = Census::EMPTY;
        // 16 KiB, 20 KiB and 256 KiB are classes; 260 KiB is none.
        for npages in [4, 4, 5, 64, 65] {
            census.count(Free::Dirty, npages);
        }
        census.count(Free::Retained, 1);
        assert_eq!(census.of(Free::Dirty, 3), Tally { nextents: 2, bytes: 8 * PAGE });
        assert_eq!(census.of(Free::Dirty, 4), Tally { nextents: 1, bytes: 5 * PAGE });
        assert_eq!(census.of(Free::Dirty, at_most(64)), Tally { nextents: 2, bytes: 129 * PAGE });
        assert_eq!(census.of(Free::Retained, 0), Tally { nextents: 1, bytes: PAGE });
        assert_eq!(census.of(Free::Muzzy, 0), Tally::default());
    }
}
