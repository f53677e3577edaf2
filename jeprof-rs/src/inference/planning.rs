//! What a sampling distance finds: how much a stack has to grow to be found, in samples.
//!
//! Samples times the distance are bytes, for small blocks; of large ones less is enough.

use super::{beta, gamma, normal};

/// Below so many samples before, the power is summed up exactly; above, the normal distribution is within a hundredth.
const EXACT_MAX: f64 = 500.0;

/// A test and how surely it finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aim {
    /// The chance of a false alarm of one test.
    pub alpha: f64,
    /// The chance to find what is there.
    pub power: f64,
}

/// How many samples a stack has to gain so that growth from `before` samples is found as `aim` says, to a hundredth of a sample.
///
/// Both dumps are taken as independent, the worst case. Cost: some thousand incomplete beta functions.
pub fn gain_needed(before: f64, aim: Aim) -> f64 {
    let z = normal::quantile_of_upper_tail(aim.alpha) + normal::quantile_of_upper_tail(1.0 - aim.power);
    // Of the gain g = z sqrt(2 before + g).
    let square = z * z;
    let by_normal = (square + (square * square + 8.0 * square * before).sqrt()) / 2.0;
    if before > EXACT_MAX {
        return by_normal;
    }
    let test = Test::new(before, aim.alpha);
    let (mut low, mut high) = (0.0, 2.0 * by_normal + 40.0);
    while high - low > 0.01 {
        let middle = 0.5 * (low + high);
        if test.power(before + middle) < aim.power { low = middle } else { high = middle }
    }
    high
}

/// The relative half-width of the 95 % bounds of an estimate from so many samples of small blocks, upwards and downwards the
/// mean of both.
pub fn relative_error(samples: f64) -> f64 {
    let low = gamma::quantile_of_lower(samples, 0.025);
    let high = gamma::quantile_of_upper(samples + 1.0, 0.025);
    (high - low) / 2.0 / samples
}

/// What the exact conditional test finds.
struct Test {
    /// For each count before: its chance, and the least count after that is found.
    found_from: Vec<(f64, f64)>,
}

impl Test {
    fn new(before: f64, alpha: f64) -> Test {
        // What is left out has a chance of 1e-9 at most.
        let most = if before > 0.0 { gamma::quantile_of_upper(before + 1.0, 1e-9).ceil() } else { 0.0 };
        let mut after = 0.0;
        let found_from = (0..=most as u32).map(|count| {
            let count = f64::from(count);
            // More before needs more after.
            while beta::binomial_at_least(after, count, 0.5, 0.5) > alpha {
                after += 1.0;
            }
            (poisson(count, before), after)
        });
        Test { found_from: found_from.collect() }
    }

    /// The chance to find it when so many samples are to be expected after.
    fn power(&self, expected: f64) -> f64 {
        self.found_from.iter().map(|(chance, after)| chance * gamma::lower(*after, expected)).sum()
    }
}

/// The chance of just so many events where so many are expected.
fn poisson(count: f64, expected: f64) -> f64 {
    if expected <= 0.0 {
        return f64::from(count == 0.0);
    }
    (count * expected.ln() - expected - libm::lgamma(count + 1.0)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AIM: Aim = Aim { alpha: 3e-4, power: 0.9 };

    #[test]
    fn gains_are_those_of_the_design() {
        // Worked out apart from this code, to whole samples.
        for (before, gain) in
            [(0.0, 17.0), (1.0, 20.0), (5.0, 28.0), (20.0, 43.0), (100.0, 79.0), (400.0, 146.0)]
        {
            let found = gain_needed(before, AIM);
            assert!((found - gain).abs() <= 1.0, "{before}: {found} for {gain}");
        }
    }

    #[test]
    fn more_is_needed_for_more() {
        let gains: Vec<f64> = [0.0, 0.5, 3.0, 50.0, 499.0, 501.0, 1e4, 1e7]
            .iter()
            .map(|before| gain_needed(*before, AIM))
            .collect();
        assert!(gains.windows(2).all(|pair| pair[0] <= 1.01 * pair[1]), "{gains:?}");
        // The border between both ways is no step.
        assert!(gains[5] / gains[4] < 1.01, "{gains:?}");
        assert!(gain_needed(20.0, Aim { power: 0.99, ..AIM }) > gain_needed(20.0, AIM));
        assert!(gain_needed(20.0, Aim { alpha: 1e-6, ..AIM }) > gain_needed(20.0, AIM));
    }

    #[test]
    fn errors_are_those_of_the_design() {
        for (samples, error) in [(20.0, 0.465), (100.0, 0.20), (400.0, 0.099), (1000.0, 0.0625)] {
            let found = relative_error(samples);
            assert!((found - error).abs() < 0.01, "{samples}: {found}");
        }
    }
}
