//! Between which bounds the truth lies, whether that is below a limit, and which sampling distance would tell.

use super::estimate::Estimate;
use super::{gamma, normal};

/// Bounds of a figure, in its unit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Interval {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// Bounds of the live bytes that hold with at least `confidence` (0.95), half of the rest on either side.
///
/// The gamma interval of Fay and Feuer (1997) for a sum of weighted Poisson counts, with the period as the largest weight:
/// with small blocks the exact Poisson interval, with others on the safe side. Nothing at all still has an upper bound: where
/// no sample is, there may be up to 3.7 periods (95 %). Exact figures are their own bounds. Cost: two inverse gamma functions.
pub fn interval(estimate: &Estimate, confidence: f64) -> Interval {
    let Estimate { bytes, variance, period: weight, .. } = *estimate;
    if estimate.is_exact() {
        return Interval { low: bytes, high: bytes };
    }
    let alpha = ((1.0 - confidence) / 2.0).clamp(0.0, 0.5);
    let low = if bytes <= 0.0 {
        0.0
    } else if variance <= 0.0 {
        bytes
    } else {
        variance / bytes * gamma::quantile_of_lower(bytes * bytes / variance, alpha)
    };
    let (raised, wider) = (bytes + weight, variance + weight * weight);
    let high = wider / raised * gamma::quantile_of_upper(raised * raised / wider, alpha);
    Interval { low: low.min(bytes), high: high.max(bytes) }
}

/// How an estimate relates to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Not above it, with the confidence asked for.
    Pass,
    /// Above it.
    Fail,
    /// It lies between the bounds: more samples are needed.
    Unsure,
}

/// Compares bounds with a limit.
pub fn verdict(bounds: Interval, limit: f64) -> Verdict {
    if bounds.high <= limit {
        Verdict::Pass
    } else if bounds.low > limit {
        Verdict::Fail
    } else {
        Verdict::Unsure
    }
}

/// The largest `lg_prof_sample` at which so many bytes would be told from the limit; 0, exact, where only that does.
///
/// Begins at `R = (L - B)² / (z² B)` and goes on until the limit is out of the interval that small blocks, the worst case,
/// would have there. Cost: a few intervals.
pub fn lg_sample_that_decides(bytes: f64, limit: f64, confidence: f64) -> u32 {
    let z = normal::quantile_of_upper_tail((1.0 - confidence) / 2.0);
    let bytes = bytes.max(0.0);
    let most = (limit - bytes).powi(2) / (z * z * bytes);
    let mut lg =
        if most.is_finite() { most.log2().clamp(0.0, LG_SAMPLE_MAX) as u32 } else { LG_SAMPLE_MAX as u32 };
    while lg > 0 {
        let period = (1u64 << lg) as f64;
        let there = Estimate { bytes, objects: 0.0, variance: bytes * period, samples: None, period };
        if verdict(interval(&there, confidence), limit) != Verdict::Unsure {
            break;
        }
        lg -= 1;
    }
    lg
}

/// No heap is sampled at a greater distance than a terabyte.
const LG_SAMPLE_MAX: f64 = 40.0;

#[cfg(test)]
mod tests {
    use super::*;

    const R: f64 = 524_288.0;

    fn small_blocks(samples: f64) -> Estimate {
        Estimate::told(samples * R, samples * R / 16.0, samples * R * R, samples, R)
    }

    #[test]
    fn small_blocks_have_the_poisson_interval() {
        // Samples, and the exact 95 % limits of a Poisson count (Documenta Geigy), in periods.
        for (samples, low, high) in [
            (0.0, 0.0, 3.69),
            (1.0, 0.0253, 5.57),
            (2.0, 0.242, 7.22),
            (3.0, 0.619, 8.77),
            (5.0, 1.62, 11.67),
            (10.0, 4.80, 18.39),
            (20.0, 12.22, 30.89),
            (50.0, 37.11, 65.92),
            (100.0, 81.36, 121.63),
            (400.0, 361.76, 441.17),
            (1000.0, 938.97, 1063.94),
        ] {
            let found = interval(&small_blocks(samples), 0.95);
            let near = |found: f64, printed: f64| (found / R - printed).abs() <= 0.005 * printed.max(1.0);
            assert!(near(found.low, low) && near(found.high, high), "{samples}: {found:?}");
        }
        assert!((interval(&small_blocks(0.0), 0.99).high / R - 5.298).abs() < 1e-3);
    }

    #[test]
    fn exact_figures_are_their_own_bounds() {
        let exact = Estimate::of_heap_v2(12_345.0, 3.0, 1.0);
        assert_eq!(interval(&exact, 0.95), Interval { low: 12_345.0, high: 12_345.0 });
        assert_eq!(interval(&Estimate::default(), 0.95), Interval::default());
    }

    #[test]
    fn large_blocks_have_next_to_no_error_below() {
        // One block of 100 periods: it cannot have been missed, another one could.
        let block = Estimate::told(100.0 * R, 1.0, 0.0, 1.0, R);
        let bounds = interval(&block, 0.95);
        assert_eq!(bounds.low, 100.0 * R);
        assert!(bounds.high > 101.0 * R && bounds.high < 104.0 * R, "{bounds:?}");
        // Variances of no heap.
        for variance in [1e-300, 1e300] {
            let odd = interval(&Estimate { variance, ..block }, 0.95);
            assert!(odd.low >= 0.0 && odd.low <= odd.high && odd.high.is_finite(), "{variance}: {odd:?}");
        }
    }

    #[test]
    fn bounds_widen_with_confidence_and_contain_the_estimate() {
        for samples in [0.5, 1.0, 7.0, 300.0] {
            let estimate = small_blocks(samples);
            let all = [0.5, 0.9, 0.95, 0.99, 0.9999].map(|confidence| interval(&estimate, confidence));
            assert!(all.windows(2).all(|pair| pair[1].low <= pair[0].low && pair[1].high >= pair[0].high));
            assert!(all.iter().all(|bounds| bounds.low <= estimate.bytes && estimate.bytes <= bounds.high));
        }
    }

    #[test]
    fn verdicts_follow_the_bounds() {
        let bounds = interval(&small_blocks(100.0), 0.95);
        let told = [1000.0, 130.0, 100.0, 80.0].map(|limit| verdict(bounds, limit * R));
        assert_eq!(told, [Verdict::Pass, Verdict::Pass, Verdict::Unsure, Verdict::Fail]);
        let exact = interval(&Estimate::of_heap_v2(100.0, 1.0, 1.0), 0.95);
        assert_eq!([99.0, 100.0].map(|limit| verdict(exact, limit)), [Verdict::Fail, Verdict::Pass]);
    }

    #[test]
    fn the_distance_that_decides_does_and_twice_that_does_not() {
        let mib = 1_048_576.0;
        for (bytes, limit) in
            [(3.9 * mib, 4.0 * mib), (3.9 * mib, 5.0 * mib), (9.0 * mib, 8.0 * mib), (0.0, mib)]
        {
            let lg = lg_sample_that_decides(bytes, limit, 0.95);
            let decides = |lg: u32| {
                let period = (1u64 << lg) as f64;
                let there = Estimate { bytes, objects: 1.0, variance: bytes * period, samples: None, period };
                verdict(interval(&there, 0.95), limit) != Verdict::Unsure
            };
            assert!(lg > 0 && decides(lg), "{bytes} {limit}: {lg}");
            assert!(!decides(lg + 2), "{bytes} {limit}: {lg}");
        }
        assert_eq!(lg_sample_that_decides(mib, mib, 0.95), 0);
        assert_eq!(lg_sample_that_decides(mib, mib + 1.0, 0.95), 0);
    }
}
