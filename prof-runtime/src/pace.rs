//! A ceiling on samples per second (`prof_target_samples_per_sec`): the mean distance is doubled as often as it takes,
//! and halved again, never below what was asked for.
//!
//! Which distance is in force depends on samples of the past alone, and each sample keeps the weight of the distance
//! that it was drawn with; so estimates stay unbiased, however often and for whatever reason the distance changes.

use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

const SECOND: u64 = 1_000_000_000;
/// Fewest samples that a span of time is long enough for.
const SAMPLES_MIN: u64 = 8;
/// Most doublings in all: nobody would notice more.
const RAISED_MAX: u8 = 40;

/// The state. Time is cut into spans of a quarter of a second, longer where that would be too few samples.
pub struct Pace {
    /// Samples per second at most; 0 for no limit.
    target: AtomicU64,
    /// Doublings in force.
    raised: AtomicU8,
    /// When the span began.
    since: AtomicU64,
    /// Samples of this span.
    count: AtomicU64,
    /// How many they would have been without doublings.
    wanted: AtomicU64,
    /// Samples upon which the distance is doubled before the span ends.
    limit: AtomicU64,
}

impl Pace {
    /// No limit.
    pub const fn new() -> Pace {
        Pace {
            target: AtomicU64::new(0),
            raised: AtomicU8::new(0),
            since: AtomicU64::new(0),
            count: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
            limit: AtomicU64::new(0),
        }
    }

    /// Sets the limit, from `now` on. Once, before anything is sampled.
    pub fn start(&self, target: u64, now: u64) {
        self.since.store(now, Ordering::Relaxed);
        self.limit.store(Spans::of(target).samples, Ordering::Relaxed);
        self.target.store(target, Ordering::Relaxed);
    }

    /// How often the mean distance is doubled now. Cost: a load.
    #[inline]
    pub fn raised(&self) -> u8 {
        self.raised.load(Ordering::Relaxed)
    }

    /// Whether there is a limit.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.target.load(Ordering::Relaxed) != 0
    }

    /// Another distance was asked for: what is in force stays, as far as it is not below that.
    pub fn asked(&self, old_lg: u8, new_lg: u8) {
        let lg = old_lg.saturating_add(self.raised());
        self.raised.store(lg.saturating_sub(new_lg).min(RAISED_MAX), Ordering::Relaxed);
        let wanted = self.wanted.load(Ordering::Relaxed) as f64;
        let wanted = wanted * libm::exp2(old_lg as f64 - new_lg as f64);
        self.wanted.store(wanted as u64, Ordering::Relaxed);
    }

    /// One sample was taken at `now`, nanoseconds of a clock that never goes back. Whether the distance has changed. Any
    /// thread; takes no lock.
    pub fn sampled(&self, now: u64) -> bool {
        let (spans, raised) = (Spans::of(self.target.load(Ordering::Relaxed)), self.raised());
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let more = 1 << raised;
        let wanted = self.wanted.fetch_add(more, Ordering::Relaxed).saturating_add(more);
        let (since, limit) = (self.since.load(Ordering::Relaxed), self.limit.load(Ordering::Relaxed));
        let elapsed = now.saturating_sub(since);
        // Of the threads that come to the same conclusion, the one that gets to change the word carries it out.
        let first = |word: &AtomicU64, from: u64, to: u64| {
            word.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        let next = if elapsed >= spans.nanos {
            if !first(&self.since, since, now) {
                return false;
            }
            self.count.store(0, Ordering::Relaxed);
            self.wanted.store(0, Ordering::Relaxed);
            self.limit.store(spans.samples, Ordering::Relaxed);
            spans.raised_for(wanted, elapsed)
        } else {
            if count < limit || !first(&self.limit, limit, spans.limit_after(limit)) {
                return false;
            }
            (raised + 1).min(RAISED_MAX)
        };
        self.raised.store(next, Ordering::Relaxed);
        next != raised
    }
}

/// How long a span is.
#[derive(Clone, Copy)]
struct Spans {
    nanos: u64,
    /// How many samples it may bring.
    samples: u64,
}

impl Spans {
    fn of(target: u64) -> Spans {
        let target = target.max(1);
        let samples = (target / 4).max(SAMPLES_MIN);
        Spans { samples, nanos: (samples as u128 * SECOND as u128 / target as u128) as u64 }
    }

    /// The doublings for the next span, when in `elapsed` nanoseconds so many samples were wanted.
    fn raised_for(self, wanted: u64, elapsed: u64) -> u8 {
        let wanted = wanted as u128 * self.nanos as u128 / elapsed.max(1) as u128;
        let factor = wanted.div_ceil(self.samples as u128).max(1);
        (factor.next_power_of_two().ilog2() as u8).min(RAISED_MAX)
    }

    /// The next limit within a span after one was reached: half as far as from the one before, but not too near, so that
    /// a span brings between two and three times what it may at most.
    fn limit_after(self, limit: u64) -> u64 {
        let left = (2 * self.samples).saturating_sub(limit);
        limit.saturating_add((left / 2).max(self.samples / 16).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::{Prng, allocs_until_sample, period};
    use prof_format::unbias;

    #[test]
    fn the_next_span_has_the_distance_that_would_have_been_right_for_the_last() {
        let spans = Spans::of(1000);
        assert_eq!((spans.samples, spans.nanos), (250, SECOND / 4));
        assert_eq!(spans.raised_for(250, SECOND / 4), 0, "just as many as allowed");
        assert_eq!(spans.raised_for(251, SECOND / 4), 1);
        assert_eq!(spans.raised_for(250 << 7, SECOND / 4), 7);
        assert_eq!(spans.raised_for(250 << 7, SECOND / 2), 6);
        assert_eq!(spans.raised_for(250 << 7, 100 * SECOND), 0, "a long time without a sample");
        assert_eq!(spans.raised_for(u64::MAX, 1), RAISED_MAX);
        let slow = Spans::of(1);
        assert_eq!((slow.samples, slow.nanos), (8, 8 * SECOND));
    }

    #[test]
    fn a_span_brings_about_twice_what_it_may_however_quick_samples_come() {
        let pace = Pace::new();
        pace.start(1000, 0);
        // A sample comes while as many are wanted as the distance is long.
        let mut taken = 0;
        for wanted in 0..1_000_000_u64 {
            if wanted % (1 << pace.raised()) == 0 {
                taken += 1;
                pace.sampled(5);
            }
        }
        assert!((500..750).contains(&taken), "{taken}");
        assert!(pace.sampled(SECOND / 4));
        // The next span begins with what a million in a quarter of a second takes, as far as few samples tell.
        assert!((11..=13).contains(&pace.raised()), "{}", pace.raised());
        let (raised, wanted) = (pace.raised(), pace.wanted.swap(64, Ordering::Relaxed));
        assert_eq!(wanted, 0);
        pace.asked(12, 14);
        assert_eq!((pace.raised(), pace.wanted.load(Ordering::Relaxed)), (raised - 2, 16));
        pace.asked(14, 40);
        assert_eq!(pace.raised(), 0);
        pace.asked(40, 12);
        assert_eq!(pace.raised(), 28);
        pace.asked(12, 12 + 10);
        assert!(pace.sampled(5000 * SECOND) && pace.raised() < 9, "{}", pace.raised());
    }

    /// One thread's allocations of one size by simulated time: bursts a thousand times as quick as the rest.
    #[test]
    fn estimates_of_a_program_with_bursts_are_unbiased_and_the_ceiling_is_kept() {
        const RUNS: u64 = 40;
        const TARGET: u64 = 1000;
        let (mut errors, mut variance_of_all) = (0.0, 0.0);
        for run in 0..RUNS {
            let (pace, mut prng) = (Pace::new(), Prng::new(run));
            pace.start(TARGET, 0);
            let (mut now, mut truth, mut estimate, mut variance) = (0_u64, 0.0, 0.0, 0.0);
            let mut lg = 12;
            let size = 64 << (run % 4);
            let mut left = allocs_until_sample(prng.exponential(), lg, size);
            let mut taken = 0;
            for burst in 0..400_u64 {
                let quick = burst % 8 == 0;
                for _ in 0..2000 {
                    now += if quick { 50 } else { 50_000 };
                    truth += size as f64;
                    left -= 1;
                    if left > 0 {
                        continue;
                    }
                    let bytes = unbias::weight(size, period(lg)).bytes as f64;
                    estimate += bytes;
                    variance += bytes * (bytes - size as f64);
                    taken += 1;
                    pace.sampled(now);
                    lg = 12 + pace.raised();
                    left = allocs_until_sample(prng.exponential(), lg, size);
                }
            }
            let allowed = 3.0 * TARGET as f64 * now as f64 / 1e9 + 500.0;
            assert!((taken as f64) < allowed, "{taken} of {allowed}");
            errors += estimate - truth;
            variance_of_all += variance;
        }
        // Fixed seeds. The sum of 40 runs: five deviations are exceeded by chance once in two million.
        let deviations = errors / libm::sqrt(variance_of_all);
        assert!(deviations.abs() < 5.0, "{deviations}");
    }

    #[test]
    fn of_threads_that_sample_at_once_one_decides() {
        let pace = Pace::new();
        pace.start(1000, 0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..10_000_u64).map(|n| pace.sampled(n * 1000)).filter(|changed| *changed).count()
                });
            }
        });
        // 40,000 samples within a span that may have 250: a doubling for each four of them at most.
        assert!((8..=RAISED_MAX).contains(&pace.raised()), "{}", pace.raised());
        assert!(pace.limit.load(Ordering::Relaxed) >= 500, "no sample was missed");
    }
}
