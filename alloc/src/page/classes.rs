//! Page size classes: the sizes of extents by which pools and `stats.arenas.<i>.extents.<j>` sort. Pure.
//!
//! They are the size classes that are page multiples: 1, 2, 3, 4 pages, then four per doubling.

use crate::size_class::{NBINS, NSIZES, class_size, index_of};
use crate::units::PAGE;

/// Number of page size classes.
pub const NPSIZES: usize = NSIZES - NBINS + SINGLE;
/// Classes below the first large size class: 1, 2 and 3 pages.
const SINGLE: usize = 3;

/// Pages of the extents of a class (the fewest, for all but exact uses).
pub const fn pages_of(class: usize) -> usize {
    if class < SINGLE { class + 1 } else { class_size(NBINS - SINGLE + class) / PAGE }
}

/// Smallest class of at least `npages`; [`NPSIZES`] when there is none.
pub const fn at_least(npages: usize) -> usize {
    if npages <= SINGLE {
        return npages.saturating_sub(1);
    }
    if npages > pages_of(NPSIZES - 1) {
        return NPSIZES;
    }
    index_of(npages * PAGE).idx() - NBINS + SINGLE
}

/// Largest class of at most `npages`, which is 1 or more.
pub const fn at_most(npages: usize) -> usize {
    at_least(npages + 1).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_the_page_multiples_among_the_size_classes() {
        let mut class = 0;
        for index in 0..NSIZES {
            if class_size(index).is_multiple_of(PAGE) {
                assert_eq!(pages_of(class), class_size(index) / PAGE);
                class += 1;
            }
        }
        assert_eq!((class, NPSIZES), (199, 199));
    }

    #[test]
    fn each_length_lies_between_its_two_classes() {
        for npages in (1..3000).chain([1 << 30, (1 << 30) + 1, pages_of(NPSIZES - 1)]) {
            let (low, high) = (at_most(npages), at_least(npages));
            assert!(pages_of(low) <= npages && npages <= pages_of(high), "{npages}");
            assert!(low == high || low + 1 == high, "{npages}");
        }
        assert_eq!(at_least(pages_of(NPSIZES - 1) + 1), NPSIZES);
        assert_eq!(at_most(usize::MAX / PAGE), NPSIZES - 1);
    }
}
