//! What samples tell about the live memory of a stack, a subtree or the whole heap, and how sure that is.

use std::iter::Sum;
use std::ops::AddAssign;

/// At this multiple of the period a block adds most to the variance: the root of `2(1 - e^-x) = x`.
const WORST_SIZE: f64 = 1.593_624_26;

/// What it adds there, in squares of the period.
const WORST_VARIANCE: f64 = 0.647_610_24;

/// An estimate from samples, or a figure without error.
///
/// **Units**: bytes, objects, bytes squared. **Shape**: nothing is negative. Estimates of different stacks are independent, so
/// adding them up adds their variances; adding nothing ([`Estimate::default`]) changes nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Live bytes.
    pub bytes: f64,
    /// Live objects.
    pub objects: f64,
    /// Variance of `bytes`: told by the dump, or not less than it is to be expected.
    pub variance: f64,
    /// How many samples it is made of, where that is known.
    pub samples: Option<f64>,
    /// Mean sampling distance in bytes, the largest of all that was added up; 1 where every allocation is recorded, 0 for
    /// nothing at all.
    pub period: f64,
}

/// Nothing, of no dump.
impl Default for Estimate {
    fn default() -> Estimate {
        Estimate { bytes: 0.0, objects: 0.0, variance: 0.0, samples: Some(0.0), period: 0.0 }
    }
}

impl Estimate {
    /// From the estimates of bytes and objects that a `heap_v2` file comes to, at this mean sampling distance.
    ///
    /// Such a file does not tell the variance. If all `N` blocks had the mean size `x`, it would be `N g(x)` with `g(x) =
    /// x² / (e^(x/R) - 1)`. `g` rises up to `x = 1.594 R` and is concave there, so mixed sizes have less than that; beyond it
    /// falls, and mixed sizes may have more, so its maximum `0.6476 R²` stands for it there.
    pub fn of_heap_v2(bytes: f64, objects: f64, period: f64) -> Estimate {
        let (bytes, objects) = (amount(bytes), amount(objects));
        if is_exact(period) {
            return Estimate { bytes, objects, variance: 0.0, samples: None, period };
        }
        let per_block = match bytes / objects {
            size if size.is_finite() => envelope(size / period),
            // Bytes without objects: as if they were small, which is the most that they can be off.
            _ => 0.0,
        };
        let variance = if per_block > 0.0 { objects * per_block * period * period } else { bytes * period };
        Estimate { bytes, objects, variance, samples: None, period }
    }

    /// From a dump that tells variance and number of samples itself, as ours in pprof's format do.
    pub fn told(bytes: f64, objects: f64, variance: f64, samples: f64, period: f64) -> Estimate {
        let variance = if is_exact(period) { 0.0 } else { amount(variance) };
        let samples = Some(amount(samples));
        Estimate { bytes: amount(bytes), objects: amount(objects), variance, samples, period }
    }

    /// Whether nothing was left to chance.
    pub fn is_exact(&self) -> bool {
        is_exact(self.period)
    }

    /// The bytes that one sample stands for: their mean weighted by what each stands for. The period where there are no
    /// samples, or as many as small blocks have; less for large blocks, of which hardly any is missed.
    pub fn unit(&self) -> f64 {
        let unit = self.variance / self.bytes;
        if unit.is_finite() { unit.min(self.period) } else { self.period }
    }

    /// Whether it is made of so many samples, or worth as many distances: a single block that is far larger than a distance cannot
    /// have been missed, so that one sample of it says more than many of small ones.
    pub fn is_worth(&self, samples: f64) -> bool {
        let is_large = self.bytes > 0.0 && self.bytes >= samples * self.period;
        is_large || self.effective_samples() >= samples
    }

    /// How many samples it is made of. Where the dump does not tell, as many as blocks of the mean size would have given, which
    /// is at least as many as there were to be expected.
    pub fn effective_samples(&self) -> f64 {
        if let Some(samples) = self.samples {
            return samples;
        }
        if self.bytes <= 0.0 {
            return 0.0;
        }
        if self.is_exact() {
            return self.objects;
        }
        let size = self.bytes / self.objects;
        if size.is_finite() {
            self.objects * -libm::expm1(-size / self.period)
        } else {
            self.bytes / self.period
        }
    }
}

/// A period that says that every allocation is recorded, or that there was none to be.
fn is_exact(period: f64) -> bool {
    period <= 1.0
}

fn amount(figure: f64) -> f64 {
    if figure > 0.0 { figure } else { 0.0 }
}

/// What a block of `size` adds to the variance at most, both in units of the period.
fn envelope(size: f64) -> f64 {
    if size <= 0.0 {
        0.0
    } else if size < WORST_SIZE {
        size * size / libm::expm1(size)
    } else {
        WORST_VARIANCE
    }
}

impl AddAssign for Estimate {
    fn add_assign(&mut self, other: Estimate) {
        self.bytes += other.bytes;
        self.objects += other.objects;
        self.variance += other.variance;
        self.samples = self.samples.zip(other.samples).map(|(own, other)| own + other);
        self.period = self.period.max(other.period);
    }
}

impl Sum for Estimate {
    fn sum<I: Iterator<Item = Estimate>>(estimates: I) -> Estimate {
        estimates.fold(Estimate::default(), |mut sum, estimate| {
            sum += estimate;
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const R: f64 = 524_288.0;

    #[test]
    fn small_blocks_have_the_variance_of_a_poisson_count() {
        let estimate = Estimate::of_heap_v2(100.0 * R, 100.0 * R / 64.0, R);
        assert!((estimate.variance / (100.0 * R * R) - 1.0).abs() < 1e-4, "{estimate:?}");
        assert!((estimate.unit() / R - 1.0).abs() < 1e-4);
        assert!((estimate.effective_samples() - 100.0).abs() < 0.01);
    }

    #[test]
    fn the_envelope_is_the_greatest_at_the_worst_size_and_stays_there() {
        let around = [-1e-3, 0.0, 1e-3].map(|off| {
            let size = WORST_SIZE + off;
            size * size / libm::expm1(size)
        });
        assert!(around[1] >= around[0] && around[1] >= around[2], "{around:?}");
        assert!((around[1] - WORST_VARIANCE).abs() < 1e-8, "{around:?}");
        assert_eq!(envelope(1e9), WORST_VARIANCE);
        // Concave up to there: no mixture of two sizes has more than blocks of their mean size.
        for a in 1..40 {
            for b in 1..40 {
                let [a, b] = [a, b].map(|i| f64::from(i) * 0.2);
                assert!(envelope((a + b) / 2.0) >= (envelope(a) + envelope(b)) / 2.0 - 1e-12, "{a} {b}");
            }
        }
    }

    #[test]
    fn sums_add_variances_and_keep_the_largest_period() {
        let parts = [
            Estimate::told(100.0, 2.0, 30.0, 1.0, 16.0),
            Estimate::told(50.0, 1.0, 12.0, 2.0, 64.0),
            Estimate::default(),
        ];
        let sum: Estimate = parts.into_iter().sum();
        assert_eq!(
            sum,
            Estimate { bytes: 150.0, objects: 3.0, variance: 42.0, samples: Some(3.0), period: 64.0 }
        );
        let mixed: Estimate = [parts[0], Estimate::of_heap_v2(64.0, 1.0, 64.0)].into_iter().sum();
        assert_eq!(mixed.samples, None);
    }

    #[test]
    fn exact_figures_have_no_variance() {
        for period in [0.0, 1.0] {
            assert_eq!(Estimate::of_heap_v2(4096.0, 3.0, period).variance, 0.0);
            assert_eq!(Estimate::told(4096.0, 3.0, 5.0, 3.0, period).variance, 0.0);
            assert!(Estimate::of_heap_v2(4096.0, 3.0, period).is_exact());
        }
    }

    #[test]
    fn figures_that_make_no_sense_are_nothing() {
        let odd = Estimate::of_heap_v2(f64::NAN, -3.0, R);
        assert_eq!((odd.bytes, odd.objects, odd.variance), (0.0, 0.0, 0.0));
        // Bytes of no objects are as uncertain as bytes can be.
        assert_eq!(Estimate::of_heap_v2(R, 0.0, R).variance, R * R);
    }
}
