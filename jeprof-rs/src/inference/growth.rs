//! Whether one estimate is more than another by more than chance allows, and by how much.

use super::estimate::Estimate;
use super::interval::{Interval, interval};
use super::{beta, gamma, normal};

/// What came and went between two dumps of one process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Churn {
    /// Allocated since the first dump.
    pub born: f64,
    /// Of all that lived, freed since the first dump.
    pub freed: f64,
}

/// A change, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Growth {
    /// What it is estimated to be; negative for what became less.
    pub by: f64,
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
    /// The chance of seeing as much, or more, when it did not grow by more than was allowed.
    pub p: f64,
}

/// From here on both counts together are large enough for the normal distribution, and the exact sum begins to take time.
const MANY: f64 = 1e6;

/// Neither count may be below this for it.
const MANY_EACH: f64 = 30.0;

/// Compares two estimates: the change with bounds that hold with `confidence`, and the chance `p` of the test for growth by more
/// than `delta` bytes. What became less is found by the test the other way round.
///
/// The bounds combine those of both sides (Zou and Donner 2008), so that they are as skewed as those where counts are small.
/// Cost: those of two intervals and of [`chance`].
pub fn growth(
    before: &Estimate,
    after: &Estimate,
    delta: f64,
    churn: Option<Churn>,
    confidence: f64,
) -> Growth {
    let by = after.bytes - before.bytes;
    let (low_side, high_side) = sides(before, after, churn);
    let [less, more] = [&low_side, &high_side].map(|side| interval(side, confidence));
    let down = |of: Interval, estimate: &Estimate| estimate.bytes - of.low;
    let up = |of: Interval, estimate: &Estimate| of.high - estimate.bytes;
    Growth {
        by,
        low: by - down(more, &high_side).hypot(up(less, &low_side)),
        high: by + up(more, &high_side).hypot(down(less, &low_side)),
        p: test(&low_side, &high_side, by, delta),
    }
}

/// The `p` of [`growth`] alone.
///
/// **Method**: each side counts as `bytes / unit` samples, each of which stands for `unit` bytes. Under the hypothesis of
/// equal bytes the share of the later side among both counts is known, so how many of them are its own is binomial: the exact
/// conditional test, for any two sampling distances. It takes the two sides as independent, which dumps of different processes
/// are; two of one process share what lived in both, are closer to each other, and so are tested on the safe side. Where
/// [`Churn`] is told for those, and bounds the variance by less, it is born against freed bytes that are tested.
///
/// An allowance `delta` counts as if it had been sampled, too, on the earlier side: a little more uncertain than it is. Where both
/// sides are exact nothing is left to chance, and `p` is 0 or 1. Cost: one incomplete beta function.
pub fn chance(before: &Estimate, after: &Estimate, delta: f64, churn: Option<Churn>) -> f64 {
    let (less, more) = sides(before, after, churn);
    test(&less, &more, after.bytes - before.bytes, delta)
}

/// What is compared: the sides as they are, or what was freed and what was born, whichever is more certain.
fn sides(before: &Estimate, after: &Estimate, churn: Option<Churn>) -> (Estimate, Estimate) {
    // What a dump does not have was sampled as the rest of it; without any dump, as on the other side.
    let placed = |side: &Estimate, other: &Estimate| match side.period {
        0.0 if side.bytes == 0.0 => Estimate { period: other.period, ..*side },
        _ => *side,
    };
    let sides = (placed(before, after), placed(after, before));
    let Some(churn) = churn else { return sides };
    let period = sides.0.period.max(sides.1.period);
    // Both are estimates themselves; the greater of either is on the safe side, and their difference is that of the sides.
    let by = after.bytes - before.bytes;
    let born = churn.born.max(churn.freed + by).max(0.0);
    let freed = born - by;
    if freed < 0.0 || period * (born + freed) >= before.variance + after.variance {
        return sides;
    }
    let side = |bytes: f64| Estimate { bytes, objects: 0.0, variance: bytes * period, samples: None, period };
    (side(freed), side(born))
}

fn test(before: &Estimate, after: &Estimate, by: f64, delta: f64) -> f64 {
    // An allowance to become less is one on the later side.
    let (less, more) = (before.bytes + delta.max(0.0), after.bytes + (-delta).max(0.0));
    // A count in fractions of a trillionth is no longer one of samples, but it is still a number.
    let unit = |side: &Estimate| side.unit().max(side.bytes * 1e-12);
    match (before.is_exact(), after.is_exact()) {
        (true, true) => f64::from(by <= delta),
        (true, false) => {
            let unit = unit(after);
            match more / unit {
                count if count <= 0.0 => 1.0,
                count if less <= 0.0 => f64::from(count <= 0.0),
                count => gamma::lower(count, less / unit),
            }
        }
        (false, true) => {
            let unit = unit(before);
            gamma::upper(less / unit + 1.0, more / unit)
        }
        (false, false) => {
            let units = (unit(before), unit(after));
            let (early, late) = (less / units.0, more / units.1);
            if early + late > MANY && early > MANY_EACH && late > MANY_EACH {
                let variance = before.variance + after.variance;
                return normal::upper_tail((by - delta) / variance.sqrt());
            }
            let both = units.0 + units.1;
            beta::binomial_at_least(late, early, units.0 / both, units.1 / both)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const R: f64 = 524_288.0;

    fn samples_at(samples: f64, period: f64) -> Estimate {
        Estimate::told(samples * period, samples, samples * period * period, samples, period)
    }

    fn samples(samples: f64) -> Estimate {
        samples_at(samples, R)
    }

    fn close(found: f64, wanted: f64) {
        assert!((found / wanted - 1.0).abs() < 1e-9, "{found:e} for {wanted:e}");
    }

    #[test]
    fn the_test_is_the_exact_binomial_one() {
        // P(X >= 12), X ~ Bin(12, 1/2).
        close(chance(&samples(0.0), &samples(12.0), 0.0, None), 0.5f64.powi(12));
        // P(X >= 15), X ~ Bin(20, 1/2): 21,700 of 2^20.
        close(chance(&samples(5.0), &samples(15.0), 0.0, None), 21_700.0 / f64::from(1 << 20));
        assert_eq!(chance(&samples(7.0), &samples(0.0), 0.0, None), 1.0);
        // A stack that the earlier dump does not have was sampled as the later one was.
        close(chance(&Estimate::default(), &samples(12.0), 0.0, None), 0.5f64.powi(12));
    }

    #[test]
    fn different_distances_are_different_chances() {
        // Four times as many samples for the same bytes: one of five counts is of the coarser side.
        let p = chance(&samples_at(0.0, R), &samples_at(8.0, R / 4.0), 0.0, None);
        close(p, 0.8f64.powi(8));
        let p = chance(&samples_at(0.0, R / 4.0), &samples_at(8.0, R), 0.0, None);
        close(p, 0.2f64.powi(8));
    }

    #[test]
    fn against_an_exact_dump_the_count_is_a_poisson_one() {
        let exact = Estimate::of_heap_v2(3.0 * R, 10.0, 1.0);
        // P(N >= 8), 3 expected.
        close(chance(&exact, &samples(8.0), 0.0, None), 0.011_904_503_856_357_4);
        // P(N <= 1), 3 expected: 4 e^-3.
        close(chance(&samples(1.0), &exact, 0.0, None), 4.0 * (-3.0f64).exp());
        let nothing = Estimate::of_heap_v2(0.0, 0.0, 1.0);
        assert_eq!(chance(&nothing, &samples(1.0), 0.0, None), 0.0);
        assert_eq!(chance(&nothing, &samples(0.0), 0.0, None), 1.0);
    }

    #[test]
    fn exact_dumps_leave_nothing_to_chance() {
        let [less, more] = [4096.0, 4112.0].map(|bytes| Estimate::of_heap_v2(bytes, 1.0, 1.0));
        let change = growth(&less, &more, 0.0, None, 0.95);
        assert_eq!(change, Growth { by: 16.0, low: 16.0, high: 16.0, p: 0.0 });
        assert_eq!(growth(&less, &more, 16.0, None, 0.95).p, 1.0);
        assert_eq!(growth(&more, &less, 0.0, None, 0.95).p, 1.0);
    }

    #[test]
    fn bounds_of_the_change_agree_with_the_test() {
        // Where one-sided p is above 5 % a two-sided bound cannot exclude zero; far below it has to.
        for (before, after) in
            [(0.0, 3.0), (5.0, 9.0), (100.0, 115.0), (0.0, 20.0), (10.0, 60.0), (400.0, 600.0)]
        {
            let change = growth(&samples(before), &samples(after), 0.0, None, 0.95);
            assert!(change.low <= change.by && change.by <= change.high);
            if change.p > 0.05 {
                assert!(change.low <= 0.0, "{before} {after}: {change:?}");
            }
            if change.p < 0.002 {
                assert!(change.low > 0.0, "{before} {after}: {change:?}");
            }
        }
    }

    #[test]
    fn an_allowance_is_subtracted() {
        let p = [0.0, 5.0, 10.0, 20.0].map(|delta| chance(&samples(20.0), &samples(60.0), delta * R, None));
        assert!(p.windows(2).all(|pair| pair[0] < pair[1]) && p[0] < 1e-4, "{p:?}");
        assert!(chance(&samples(20.0), &samples(30.0), 10.0 * R, None) > 0.4);
        assert!(chance(&samples(20.0), &samples(15.0), -15.0 * R, None) < 0.11);
    }

    #[test]
    fn births_and_frees_tell_more_than_the_sizes_do() {
        // A stack of 400 samples that grew by 40 and freed next to nothing.
        let (before, after) = (samples(400.0), samples(440.0));
        let churn = Churn { born: 42.0 * R, freed: 2.0 * R };
        let alone = growth(&before, &after, 0.0, None, 0.95);
        let told = growth(&before, &after, 0.0, Some(churn), 0.95);
        assert!(alone.p > 0.05 && told.p < 1e-9, "{alone:?} {told:?}");
        assert!(told.low > alone.low && told.high < alone.high && told.by == alone.by);
        // One that turns over many times is no more certain for it.
        let busy = Churn { born: 1e6 * R, freed: (1e6 - 40.0) * R };
        assert_eq!(chance(&before, &after, 0.0, Some(busy)), alone.p);
        // Figures that do not fit the sizes are made to, on the safe side.
        let wrong = Churn { born: 0.0, freed: 30.0 * R };
        let fitted = Churn { born: 70.0 * R, freed: 30.0 * R };
        let p = [wrong, fitted].map(|churn| chance(&before, &after, 0.0, Some(churn)));
        assert_eq!(p[0], p[1]);
    }

    #[test]
    fn the_normal_distribution_takes_over_without_a_step() {
        // On either side of the border; next to each other in z.
        let exact = chance(&samples(499_000.0), &samples(500_990.0), 0.0, None);
        let normal = chance(&samples(499_010.0), &samples(501_000.0), 0.0, None);
        assert!((exact / normal - 1.0).abs() < 0.01, "{exact} {normal}");
    }

    #[test]
    fn a_single_large_block_is_no_accident() {
        // 16 periods: it was not there before, or it would have been missed with probability e^-16.
        let block = Estimate::of_heap_v2(16.0 * R, 1.0, R);
        assert!(chance(&Estimate::default(), &block, 0.0, None) < 1e-5);
        // Told variance says how certain: the exact chance.
        let g = 256.0 * R * R / libm::expm1(16.0);
        let told = Estimate::told(16.0 * R, 1.0, g, 1.0, R);
        let p = chance(&Estimate::default(), &told, 0.0, None);
        assert!((p.ln() / -16.0 - 1.0).abs() < 0.01, "{p:e}");
        let none = Estimate::told(16.0 * R, 1.0, 0.0, 1.0, R);
        let p = chance(&Estimate::default(), &none, 0.0, None);
        assert!((p.ln() / -16.0 - 1.0).abs() < 0.01, "{p:e}");
    }
}
