//! Whether a program soon takes again what was given back to the kernel at once. Pure.
//!
//! Oversize runs are given back when they become free: few of them are enough to cost much memory, and nothing bounds how
//! long the next one is away. A program that allocates and frees them in turns pays for that with a system call and a
//! fault for each page, again and again. So what it has shown to take again within [`WINDOW`] may stay: as much as it took
//! again, or as was unused when that was given back, and until it has done without for that long.

use crate::units::{Ns, PAGE};

/// How long memory that was given back counts as missed when it is taken again, and how long it stays once it was.
pub const WINDOW: Ns = Ns::from_ms(100);

/// Most pages that stay: 256 MiB.
const MOST: usize = (256 << 20) / PAGE;

/// What one supply gave back and took lately. All-zero is nothing.
#[derive(Default)]
pub struct Churn {
    /// Pages that were given back at once and not taken again.
    purged: usize,
    /// How many these were when some were last given back.
    most: usize,
    /// Dirty pages that there were then, with these.
    had: usize,
    /// Dirty pages that there may be.
    allowance: usize,
    /// When pages were last given back or stayed.
    at: u64,
    /// Pages that stay since then.
    kept: usize,
}

impl Churn {
    /// Whether it matters that pages without memory are taken.
    #[inline]
    pub fn is_waiting(&self) -> bool {
        self.purged != 0
    }

    /// Pages without memory were taken.
    pub fn took(&mut self, npages: usize, now: Ns) {
        self.forget(now);
        let again = npages.min(self.purged);
        self.purged -= again;
        // The greater part is in use again: had it stayed, there would have been no more than this.
        let enough = if 2 * self.purged <= self.most { self.had } else { 0 };
        self.allowance = (self.allowance + again).max(enough).min(MOST);
    }

    /// Whether an oversize run of `npages` may stay, with which there are `dirty` dirty pages. What does not is purged.
    pub fn keeps(&mut self, npages: usize, dirty: usize, now: Ns) -> bool {
        self.forget(now);
        if dirty > self.allowance {
            self.purged += npages;
            (self.most, self.had, self.at) = (self.purged, dirty, now.0);
            return false;
        }
        (self.at, self.kept) = (now.0, npages);
        true
    }

    /// How many pages stay, and until when; 0 for none.
    pub fn kept(&self) -> (usize, Ns) {
        (self.kept, Ns(self.at + WINDOW.0))
    }

    /// Takes note that nothing stays any more if it is time; answers how many pages did.
    pub fn give_up(&mut self, now: Ns) -> usize {
        let kept = self.kept;
        self.forget(now);
        kept - self.kept
    }

    fn forget(&mut self, now: Ns) {
        if now.since(Ns(self.at)) > WINDOW {
            *self = Churn { at: self.at, ..Churn::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: u64 = WINDOW.0 / 10;

    #[test]
    fn what_is_taken_again_soon_may_stay_the_next_time_and_no_more_than_that() {
        let mut churn = Churn::default();
        let mut now = Ns(1 << 40);
        assert!(!churn.is_waiting() && !churn.keeps(100, 100, now) && churn.is_waiting());
        now.0 += SOON;
        churn.took(100, now);
        assert!(churn.keeps(100, 100, now));
        assert_eq!(churn.kept(), (100, Ns(now.0 + WINDOW.0)));
        assert!(!churn.keeps(100, 101, now));
        now.0 += WINDOW.0 + 1;
        assert!(!churn.keeps(100, 100, now), "it did without for long enough");
        assert_eq!(churn.kept().0, 0);
    }

    #[test]
    fn what_was_unused_beside_it_counts_once_most_of_it_is_taken_again() {
        let mut churn = Churn::default();
        let now = Ns(1 << 40);
        assert!(!churn.keeps(100, 700, now));
        churn.took(40, now);
        assert!(!churn.keeps(100, 700, now), "not most of it yet");
        churn.took(80, now);
        assert!(churn.keeps(100, 700, now) && !churn.keeps(100, 701, now));
    }

    #[test]
    fn freeing_alone_keeps_nothing_and_neither_does_what_is_taken_late() {
        let mut churn = Churn::default();
        let mut now = Ns(1 << 40);
        for _ in 0..10 {
            assert!(!churn.keeps(1000, 1000, now));
            now.0 += SOON;
        }
        now.0 += WINDOW.0;
        churn.took(5000, now);
        assert!(!churn.keeps(1, 1, now));
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut churn = Churn::default();
        let now = Ns(1 << 40);
        churn.keeps(10 * MOST, 10 * MOST, now);
        churn.took(10 * MOST, now);
        assert!(churn.keeps(MOST, MOST, now) && !churn.keeps(MOST, MOST + 1, now));
    }
}
