//! How much address space an arena takes at a time: ever more, along the page size classes from 2 MiB on, so that
//! the number of mappings stays small (`opt.retain`, `arena.<i>.retain_grow_limit` of jemalloc's manual). Pure.

use super::classes::{NPSIZES, at_least, at_most, pages_of};
use crate::units::PAGE;

/// Where the series begins: 2 MiB.
const FIRST: usize = at_least((2 << 20) / PAGE);
/// Last class that is ever taken.
const LAST: usize = NPSIZES - 1;

/// The series of one arena. All-zero is its beginning, without a limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Growth {
    /// Steps from [`FIRST`] to the next class; the limit may pull it below.
    step: i16,
    /// Classes that the limit lies below [`LAST`].
    below_last: u16,
}

/// The next growth.
#[derive(Clone, Copy, Debug)]
pub struct Next {
    /// Pages.
    pub npages: usize,
    /// Classes passed over because they are too small.
    skipped: usize,
}

impl Growth {
    fn class(&self) -> usize {
        FIRST.saturating_add_signed(self.step as isize)
    }

    fn limit_class(&self) -> usize {
        LAST - self.below_last as usize
    }

    /// The next of the series that has at least `least` pages; `None` past the largest class.
    pub fn next(&self, least: usize) -> Option<Next> {
        let class = self.class().max(at_least(least));
        (class < LAST || class == self.class())
            .then(|| Next { npages: pages_of(class), skipped: class - self.class() })
    }

    /// Goes on in the series after `next` was taken.
    pub fn took(&mut self, next: Next) {
        let class = (self.class() + next.skipped + 1).min(self.limit_class());
        self.step = class as i16 - FIRST as i16;
    }

    /// Begins the series anew; the limit stays.
    pub fn restart(&mut self) {
        self.step = 0;
    }

    /// Most bytes that the series grows to.
    pub fn limit(&self) -> usize {
        pages_of(self.limit_class()) * PAGE
    }

    /// Sets the limit to the largest class of at most `bytes`; answers whether there is one.
    pub fn set_limit(&mut self, bytes: usize) -> bool {
        if bytes < PAGE {
            return false;
        }
        self.below_last = (LAST - at_most(bytes / PAGE)) as u16;
        true
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    const MIB: usize = 1 << 20;

    fn series(growth: &mut Growth, needs: &[usize]) -> Vec<usize> {
        let took = needs.iter().map(|need| {
            let next = growth.next(need.div_ceil(PAGE)).unwrap();
            growth.took(next);
            next.npages * PAGE
        });
        took.collect()
    }

    #[test]
    fn each_growth_is_the_next_class_and_a_large_need_skips_some() {
        let mut growth = Growth::default();
        let got = series(&mut growth, &[1, 1, 1, 1, 1, 9 * MIB, 1]);
        let mib = |n: usize| n * MIB;
        assert_eq!(got, [mib(2), mib(2) + MIB / 2, mib(3), mib(3) + MIB / 2, mib(4), mib(10), mib(12)]);
    }

    #[test]
    fn the_limit_bounds_the_series_but_not_a_larger_need() {
        let mut growth = Growth::default();
        assert_eq!(growth.limit(), 7 << 60);
        assert!(growth.set_limit(3 * MIB + 5));
        assert_eq!(growth.limit(), 3 * MIB);
        assert_eq!(
            series(&mut growth, &[1, 1, 1, 1, 20 * MIB, 1]),
            [2 * MIB, 5 * MIB / 2, 3 * MIB, 3 * MIB, 20 * MIB, 3 * MIB]
        );
        assert!(growth.set_limit(PAGE));
        assert_eq!(growth.limit(), PAGE);
        assert!(!growth.set_limit(PAGE - 1));
        let next = growth.next(1).unwrap();
        growth.took(next);
        assert_eq!(growth.next(1).unwrap().npages, 1);
    }

    #[test]
    fn nothing_grows_past_the_largest_class() {
        let growth = Growth::default();
        assert!(growth.next(pages_of(LAST)).is_none());
        assert!(growth.next(pages_of(LAST - 1)).is_some());
        assert!(growth.next(usize::MAX).is_none());
    }
}
