//! Decay: how many unused pages may stay, as time passes. Pure: time comes in as a parameter.
//!
//! As in jemalloc's manual (`opt.dirty_decay_ms`): the decay time is cut into [`STEPS`] epochs. Pages that became
//! unused in the epoch that began `k` epochs ago may stay in the share `h(k)`, a smoothstep `6x^5 - 15x^4 + 10x^3` that falls from 1
//! to 0; what exceeds the sum is to be purged.

use super::pressure::WHOLE;
use crate::units::Ns;

/// Epochs in a decay time.
pub const STEPS: usize = 200;
/// Longest decay time in milliseconds that can be asked for.
pub const MS_MAX: i64 = 18_446_744_072_000;
/// Fixed-point bits of the curve.
const SHIFT: u32 = 24;

/// Share of pages that may stay, `CURVE[i]` for the epoch that is `STEPS - 1 - i` epochs old.
static CURVE: [u32; STEPS] = {
    let mut curve = [0; STEPS];
    let n = STEPS as u128;
    let mut i = 0;
    while i < STEPS {
        let x = i as u128 + 1;
        let top = 6 * x * x * x * x * x + 10 * x * x * x * n * n - 15 * x * x * x * x * n;
        curve[i] = ((top << SHIFT) / (n * n * n * n * n)) as u32;
        i += 1;
    }
    curve
};

/// Decay of one state (dirty or muzzy) of one arena. All-zero decays at once.
pub struct Decay {
    /// Decay time in milliseconds; -1 never, 0 at once.
    ms: i64,
    /// Start of the newest epoch.
    epoch: Ns,
    /// Pages that became unused in each epoch, oldest first.
    backlog: [u32; STEPS],
    /// Unused pages when the newest epoch began or pages were purged.
    seen: usize,
}

impl Decay {
    /// (Re)starts with a decay time in milliseconds.
    pub fn start(&mut self, ms: i64, now: Ns, unused: usize) {
        *self = Decay { ms, epoch: now, backlog: [0; STEPS], seen: unused };
        // Pages that are there already count as new.
        self.backlog[STEPS - 1] = unused as u32;
    }

    /// With a share of the decay time, of [`WHOLE`].
    fn epoch_length(&self, share: u32) -> u64 {
        let time = Ns::from_ms(self.ms as u64).0 as u128 * share as u128 / WHOLE as u128;
        (time as u64 / STEPS as u64).max(1)
    }

    /// Advances to `now`, when `unused` pages are there, and answers how many may stay, if `share` of [`WHOLE`] of the
    /// decay time holds since the last call.
    ///
    /// Pages that appeared since the last call count from the epoch that the last call was in, so one call after a
    /// long idle time purges what is old by then.
    pub fn advance(&mut self, now: Ns, unused: usize, share: u32) -> usize {
        match self.ms {
            ..0 => return usize::MAX,
            0 => return 0,
            _ if share == 0 => return 0,
            _ => {}
        }
        let epoch_length = self.epoch_length(share);
        let fresh = unused.saturating_sub(self.seen);
        self.backlog[STEPS - 1] = self.backlog[STEPS - 1].saturating_add(fresh as u32);
        self.seen = unused;
        let passed = now.since(self.epoch).0 / epoch_length;
        if passed >= STEPS as u64 {
            self.backlog = [0; STEPS];
            self.epoch = now;
        } else if passed > 0 {
            let passed = passed as usize;
            self.backlog.copy_within(passed.., 0);
            self.backlog[STEPS - passed..].fill(0);
            self.epoch.0 += passed as u64 * epoch_length;
        }
        self.kept(0)
    }

    /// How many pages may stay `epochs` from the newest one, if no more become unused.
    fn kept(&self, epochs: usize) -> usize {
        let left = self.backlog[epochs.min(STEPS)..].iter();
        let sum: u64 = left.zip(&CURVE).map(|(&n, &h)| n as u64 * h as u64).sum();
        (sum >> SHIFT) as usize
    }

    /// How long after `now` at least `enough` of the `unused` pages are to be purged, or all when there are fewer; `None`
    /// when none ever will be. `share` as in [`Decay::advance`], which was called just before.
    pub fn due_in(&self, now: Ns, unused: usize, enough: usize, share: u32) -> Option<Ns> {
        if unused == 0 || self.ms < 0 {
            return None;
        }
        let keep = unused - enough.min(unused);
        let (mut early, mut late) = (0, STEPS);
        // What may stay only becomes less: the first epoch with little enough, by halves.
        while early < late {
            let middle = (early + late) / 2;
            if self.kept(middle) <= keep { late = middle } else { early = middle + 1 }
        }
        let epoch = Ns(self.epoch.0.saturating_add(early as u64 * self.epoch_length(share)));
        Some(epoch.since(now))
    }

    /// Tells how many unused pages are left after a purge.
    pub fn purged(&mut self, unused: usize) {
        self.seen = unused;
    }
}

impl Default for Decay {
    fn default() -> Self {
        Decay { ms: 0, epoch: Ns(0), backlog: [0; STEPS], seen: 0 }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    const SECOND: Ns = Ns(1_000_000_000);

    fn decay(ms: i64) -> Decay {
        let mut decay = Decay { ms: 0, epoch: Ns(0), backlog: [0; STEPS], seen: 0 };
        decay.start(ms, SECOND, 0);
        decay
    }

    #[test]
    fn pages_go_along_the_smoothstep_curve() {
        let mut d = decay(10_000);
        d.advance(SECOND, 10_000, WHOLE);
        let left: Vec<usize> = (0..=11).map(|s| d.advance(Ns(SECOND.0 * (s + 1)), 10_000, WHOLE)).collect();
        assert_eq!(left[0], 10_000);
        // h(1/2) = 1/2, within the one epoch of rounding (0.5 %).
        assert!((4_900..=5_050).contains(&left[5]), "{left:?}");
        assert!(left.windows(2).all(|w| w[1] <= w[0]));
        assert_eq!(left[11], 0);
    }

    #[test]
    fn one_call_after_a_long_idle_time_purges_all_that_is_old() {
        let mut d = decay(1_000);
        d.advance(SECOND, 0, WHOLE);
        // Freed right after, and never looked at for a minute.
        assert_eq!(d.advance(Ns(SECOND.0 * 61), 5_000, WHOLE), 0);
    }

    #[test]
    fn zero_keeps_nothing_and_minus_one_everything() {
        assert_eq!(decay(0).advance(SECOND, 77, WHOLE), 0);
        assert_eq!(decay(-1).advance(Ns(u64::MAX), 77, 0), usize::MAX);
    }

    #[test]
    fn what_was_purged_is_not_counted_as_new_again() {
        let mut d = decay(10_000);
        d.advance(SECOND, 1_000, WHOLE);
        let half = Ns(SECOND.0 * 6);
        let keep = d.advance(half, 1_000, WHOLE);
        d.purged(keep);
        assert!(d.advance(half, keep, WHOLE) <= keep + 1);
    }

    #[test]
    fn a_share_of_the_time_is_a_shorter_time() {
        let mut whole = decay(10_000);
        let mut half = decay(20_000);
        for second in 1..=11 {
            let now = Ns(SECOND.0 * second);
            let (a, b) = (whole.advance(now, 10_000, WHOLE), half.advance(now, 10_000, WHOLE / 2));
            assert_eq!(a, b, "{second}");
        }
        let mut none = decay(10_000);
        assert_eq!(none.advance(SECOND, 10_000, 0), 0);
    }

    #[test]
    fn what_is_said_to_be_due_is_due_then_and_not_long_before() {
        for (enough, ms) in [(1024, 10_000), (50, 10_000), (10_000, 777)] {
            let mut d = decay(ms);
            d.advance(SECOND, 10_000, WHOLE);
            let wait = d.due_in(SECOND, 10_000, enough, WHOLE).unwrap();
            let epoch = d.epoch_length(WHOLE);
            let then = d.advance(Ns(SECOND.0 + wait.0 - epoch), 10_000, WHOLE);
            assert!(then > 10_000 - enough, "{enough} {ms}");
            let then = d.advance(Ns(SECOND.0 + wait.0), 10_000, WHOLE);
            assert!(then <= 10_000 - enough, "{enough} {ms}");
        }
        assert_eq!(decay(10_000).due_in(SECOND, 0, 1, WHOLE), None);
        assert_eq!(decay(-1).due_in(SECOND, 10, 1, WHOLE), None);
    }
}
