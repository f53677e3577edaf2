//! When a program has freed nearly everything, and what of it may go before its time. Pure.
//!
//! Decay needs somebody to look at the clock. A program that frees what it had and waits for something else to do makes no
//! call any more, so that everything would stay, however long it waits. Therefore part of it goes while the program frees.
//! One that goes on with as much at once pays for that with faults, so it does not happen often, and the less often the more
//! of it is taken again.

use super::state::PageCounts;
use crate::units::{Ns, PAGE};

/// Fewest dirty pages that are worth it: 64 MiB.
const LEAST: usize = (64 << 20) / PAGE;

/// How many dirty pages there must be for one in use.
const RATIO: usize = 8;

/// How many of the dirty pages go, one in so many. Giving pages back takes as long as a program of small objects needs to free
/// them, so what else there is goes in its time, if somebody looks at the clock by then.
const GOES: usize = 4;

/// Least time until the next occasion, and most.
const WAIT: Ns = Ns::from_ms(1_000);
const WAIT_MAX: Ns = Ns::from_ms(16_000);

/// What happened at the last occasion. All-zero is none.
#[derive(Default)]
pub struct Ebb {
    /// Nothing goes before.
    until: u64,
    wait: u64,
    /// Pages that went.
    went: usize,
    /// Pages without memory that had ever been taken by then.
    grown: usize,
}

/// Whether nearly everything is free, and dirty.
#[inline]
pub fn is_low(counts: &PageCounts) -> bool {
    counts.dirty >= LEAST && counts.active < counts.dirty / RATIO
}

impl Ebb {
    /// How many dirty pages may stay now, while [`is_low`] holds; `None` for all. `grown` counts pages without memory that were ever
    /// taken.
    pub fn keep(&mut self, dirty: usize, grown: usize, now: Ns) -> Option<usize> {
        if now.0 < self.until {
            return None;
        }
        let again = grown.wrapping_sub(self.grown);
        self.wait = if again < self.went / 2 { WAIT.0 } else { (2 * self.wait).clamp(WAIT.0, WAIT_MAX.0) };
        self.until = now.0.saturating_add(self.wait);
        let goes = dirty / GOES;
        (self.went, self.grown) = (goes, grown);
        Some(dirty - goes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn little_is_in_use_when_there_is_much_else_and_dirty() {
        let low =
            |active, dirty, retained| is_low(&PageCounts { active, dirty, retained, ..Default::default() });
        assert!(low(0, LEAST, 0) && low(LEAST / RATIO - 1, LEAST, 0));
        assert!(!low(LEAST / RATIO, LEAST, 0));
        assert!(!low(0, LEAST - 1, 10 * LEAST));
    }

    #[test]
    fn a_part_goes_and_nothing_more_for_a_second() {
        let mut ebb = Ebb::default();
        let now = 1 << 40;
        assert_eq!(ebb.keep(4 * LEAST, 4 * LEAST, Ns(now)), Some(3 * LEAST));
        assert_eq!(ebb.keep(4 * LEAST, 8 * LEAST, Ns(now + SECOND - 1)), None);
        assert!(ebb.keep(4 * LEAST, 4 * LEAST, Ns(now + SECOND)).is_some());
    }

    #[test]
    fn what_is_taken_again_each_time_goes_less_and_less_often() {
        let (mut ebb, mut now, mut grown) = (Ebb::default(), 1 << 40, 0);
        let mut went = 0;
        // A program that needs everything again, ten times a second, for a minute.
        for _ in 0..600 {
            if let Some(keep) = ebb.keep(4 * LEAST, grown, Ns(now)) {
                went += 1;
                grown += 4 * LEAST - keep;
            }
            now += SECOND / 10;
        }
        assert!((6..=8).contains(&went), "{went}");
        now += SECOND * 16;
        let mut again = || {
            let keep = ebb.keep(4 * LEAST, grown, Ns(now));
            now += SECOND;
            keep
        };
        assert!(again().is_some(), "it may have been needed in that time");
        now += SECOND * 16;
        let mut again = || {
            let keep = ebb.keep(4 * LEAST, grown, Ns(now));
            now += SECOND;
            keep
        };
        assert!(again().is_some() && again().is_some() && again().is_some(), "none of it was needed");
    }
}
