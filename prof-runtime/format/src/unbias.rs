//! From sampled to real figures, and back to what viewers expect.
//!
//! With `R` the mean sampling distance, an object of usable size `z` is sampled with `p(z) = 1 - exp(-z/R)`. Each
//! sampled object therefore stands for `1/p(z)` objects and `z/p(z)` bytes ([`weight`]).
//!
//! Viewers do not know the sizes. They take a line of `n` objects and `s` bytes and multiply both by
//! `1/p(s/n)` ([`scale`]), which is wrong for a line that mixes sizes. A writer prevents that by printing the pair
//! for which the viewer's formula gives the right estimate ([`for_viewers`]). Both numbers of the pair are integers,
//! so a line with few objects of mixed sizes can be off by half an object in `n`; [`split_for_viewers`] uses two
//! lines, with four integers, and is exact to the printed digits.

use libm::{expm1, log1p};

use crate::vocab::{Counts, Figure, Tally};

/// What one sampled object stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Objects in 1/65536ths.
    pub objs_q16: u64,
    /// Usable bytes.
    pub bytes: u64,
}

/// One object in 1/65536ths.
const ONE_Q16: u64 = 1 << 16;

/// Error ([`Target::error_of`]) at which pairs are as good as they need to be.
const CLOSE: f64 = 1e-3;

/// Probability that an object of `size` bytes is sampled.
fn p(size: f64, period: f64) -> f64 {
    -expm1(-size / period)
}

/// Inverse of [`p`] by its reciprocal: the size of an object that stands for `objs` objects.
fn size_standing_for(objs: f64, period: f64) -> f64 {
    -period * log1p(-1.0 / objs)
}

fn round(x: f64) -> u64 {
    (x + 0.5) as u64
}

/// What one sampled object of `usize` usable bytes stands for at mean distance `period`.
///
/// Exact (one object, its bytes) for a period of 0 or 1, where everything is recorded. The same arguments give the
/// same answer, so that taking an object out again leaves nothing behind. Cost: one `expm1`.
pub fn weight(usize: u64, period: u64) -> Weight {
    if period <= 1 || usize == 0 {
        return Weight { objs_q16: ONE_Q16, bytes: usize };
    }
    let p = p(usize as f64, period as f64);
    Weight { objs_q16: round(ONE_Q16 as f64 / p), bytes: round(usize as f64 / p) }
}

/// What one sampled object of `usize_` usable bytes adds to the estimated variance of the estimated bytes: `z^2 (1-p) /
/// p^2`, the unbiased (Horvitz-Thompson) estimate for objects that are sampled independently. 0 where everything is
/// recorded.
pub fn variance(usize_: u64, period: u64) -> f64 {
    if period <= 1 || usize_ == 0 {
        return 0.0;
    }
    let (z, p) = (usize_ as f64, p(usize_ as f64, period as f64));
    z * z * (1.0 - p) / (p * p)
}

/// The viewer's formula: the estimate from a printed pair. Figures of a period of 0 or 1 are taken as they are.
pub fn scale(objs: u64, bytes: u64, period: u64) -> Figure {
    let (n, s) = (objs as f64, bytes as f64);
    if period <= 1 || objs == 0 || bytes == 0 {
        return Figure { objs: n, bytes: s };
    }
    let p = p(s / n, period as f64);
    Figure { objs: n / p, bytes: s / p }
}

/// The tally with what viewers make of its sampled counts as its estimate: biased where sizes are mixed, and all that
/// jemalloc told before it corrected for that.
pub fn averaged(tally: Tally, period: u64) -> Tally {
    let Counts { objs, bytes } = tally.sampled;
    let figure = scale(objs, bytes, period);
    Tally { est_objs_q16: round(figure.objs * ONE_Q16 as f64), est_bytes: round(figure.bytes), ..tally }
}

/// A tally with this estimate, for figures of which nothing else is known: as many samples, of the mean size, as would
/// most likely have given it. Negative figures and those that are no numbers are nothing.
///
/// `k` samples of any sizes give at most `n = C * p(S/C)`, since `p` is concave, and exactly that if they are of one size;
/// so `k` is the whole part of `n`. Below 2, `n` is 1 for a single sample; where it is not (the figures were rounded), the
/// bytes are kept, and the objects follow from one sample or two of one size, whichever is nearer.
pub fn tally_for(figure: Figure, period: u64) -> Tally {
    let Figure { objs, bytes } = figure;
    if !(objs > 0.0 && bytes > 0.0) {
        return Tally::default();
    }
    let tally = |count: u64, objs: f64| Tally {
        sampled: Counts { objs: count, bytes: round(count as f64 * bytes / objs) },
        est_objs_q16: round(objs * ONE_Q16 as f64),
        est_bytes: round(bytes),
    };
    if period <= 1 {
        return tally(round(objs).max(1), objs);
    }
    let expected = objs * p(bytes / objs, period as f64);
    // Floating point, and bytes that were rounded.
    let slack = expected * (1e-4 + 1.0 / bytes);
    let count = ((expected + slack) as u64).max(1);
    if count > 1 || (expected - 1.0).abs() <= slack {
        return tally(count, objs);
    }
    let [one, two] = [1u64, 2].map(|count| {
        let count_n = count as f64;
        (count, count_n / p(size_of_bytes(bytes / count_n, period as f64), period as f64))
    });
    let off = |(_, found): (u64, f64)| (found - objs).abs();
    // Two for which there are too few bytes give no number.
    let (count, objs) = if off(two) < off(one) { two } else { one };
    tally(count, objs)
}

/// Inverse of `size / p(size)`, the bytes that an object of this size stands for; 0 where no object stands for so few.
fn size_of_bytes(bytes: f64, period: f64) -> f64 {
    let (mut low, mut high) = (0.0, bytes);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if middle / p(middle, period) > bytes { high = middle } else { low = middle }
    }
    high
}

/// The one pair for which [`scale`] gives back the estimate of `tally`, as near as two integers come.
///
/// Objects of a single size class give the raw sampled counts. Neither number is 0 unless both are: Go pprof
/// refuses bytes without objects.
pub fn for_viewers(tally: Tally, period: u64) -> Counts {
    if tally.is_empty() {
        return Counts::default();
    }
    let raw = Counts { objs: tally.sampled.objs, bytes: tally.sampled.bytes.max(1) };
    if period <= 1 || raw_is_right(tally, period) {
        return raw;
    }
    let target = Target::new(tally, period);
    if target.objs <= 0.0 || target.bytes <= 0.0 { raw } else { target.mean_line() }
}

/// At most two pairs whose scaled figures add up to the estimate of `tally`; the second is zero when one suffices.
///
/// One pair is what jemalloc prints, but for `k` sampled objects of very different sizes its rounding costs up to
/// `1/(2k)` of the figure. Both pairs together hold as many objects as were sampled.
/// Cost: below 1 µs for a single size class, a few µs otherwise.
pub fn split_for_viewers(tally: Tally, period: u64) -> [Counts; 2] {
    let single = for_viewers(tally, period);
    let k = tally.sampled.objs;
    if k < 2 || period <= 1 || single == tally.sampled && raw_is_right(tally, period) {
        return [single, Counts::default()];
    }
    let target = Target::new(tally, period);
    let mut best = [single, Counts::default()];
    let mut best_error = target.error_of(best);
    // Half of the objects on either side first; the others help where rounding the smaller side to whole bytes
    // costs too much.
    for small in [k / 2, k - 1, k - k / 4, k / 4, 1] {
        if best_error < CLOSE {
            break;
        }
        for pairs in target.two_lines(small, k - small).into_iter().flatten() {
            let error = target.error_of(pairs);
            if error < best_error {
                (best, best_error) = (pairs, error);
            }
        }
    }
    best
}

/// Whether the raw counts, scaled, give the estimate up to the rounding of each object's [`Weight`].
fn raw_is_right(tally: Tally, period: u64) -> bool {
    let raw = tally.sampled;
    let scaled = scale(raw.objs, raw.bytes, period);
    let k = raw.objs as f64;
    // Half a unit per object, and a little for the floating point itself.
    let objs_slack = (0.51 * k + 0.5) / ONE_Q16 as f64 + scaled.objs * 1e-12;
    let bytes_slack = 0.51 * k + scaled.bytes * 1e-12;
    (scaled.objs - tally.est_objs()).abs() <= objs_slack
        && (scaled.bytes - tally.est_bytes as f64).abs() <= bytes_slack
}

/// So many objects of this size, in whole bytes.
fn line(objs: u64, size: f64) -> Counts {
    Counts { objs, bytes: round(objs as f64 * size).max(1) }
}

/// The estimate that printed pairs have to give back.
struct Target {
    objs: f64,
    bytes: f64,
    period: u64,
}

impl Target {
    fn new(tally: Tally, period: u64) -> Target {
        Target { objs: tally.est_objs(), bytes: tally.est_bytes as f64, period }
    }

    /// jemalloc's solution: the mean size `x = S/C` is right, `n = C * p(x)`.
    fn mean_line(&self) -> Counts {
        let mean = self.bytes / self.objs;
        let objs = round(self.objs * p(mean, self.period as f64)).max(1);
        line(objs, mean)
    }

    /// `few` objects of one size and `many` of a larger one that together give both figures.
    ///
    /// Seen as points (objects stood for, bytes stood for), objects of all sizes lie on a convex falling curve and
    /// the mean of the sampled ones lies above it. A chord through that mean with both ends on the curve, divided by
    /// it as `few : many`, always exists; its steepness is found by bisection over the size at the lower end.
    fn two_lines(&self, few: u64, many: u64) -> Option<[[Counts; 2]; 2]> {
        if few == 0 || many == 0 {
            return None;
        }
        let period = self.period as f64;
        let (few_n, many_n) = (few as f64, many as f64);
        let mean_objs = self.objs / (few_n + many_n);
        let excess = self.objs - many_n;
        if !(mean_objs > 1.0 && excess > few_n) {
            return None;
        }
        let larger_for = |small: f64| {
            let objs = (self.objs - few_n / p(small, period)) / many_n;
            (size_standing_for(objs, period), objs)
        };
        let bytes_for = |small: f64| {
            let (large, objs) = larger_for(small);
            few_n * small / p(small, period) + many_n * large * objs
        };
        // At `high` both sizes are equal and the bytes lowest; towards `low` the larger size grows without bound.
        let mut high = size_standing_for(mean_objs, period);
        let mut low = size_standing_for(excess / few_n, period);
        if bytes_for(high) > self.bytes {
            return None;
        }
        // Whole bytes are printed, but a small size that is slightly off moves the larger one a lot.
        for _ in 0..60 {
            if high - low < 1e-9 * high {
                break;
            }
            let middle = (low + high) / 2.0;
            // Infinite or undefined where the larger objects would stand for no more than themselves.
            if bytes_for(middle) <= self.bytes { high = middle } else { low = middle }
        }
        let small_line = line(few, high);
        // Once as computed, once with larger sizes that make good what rounding the smaller ones to whole bytes has
        // done to the objects.
        Some([high, small_line.bytes as f64 / few_n].map(|small| {
            let (mut large, _) = larger_for(small);
            // A size far above the distance does not show in the objects it stands for, `1 + exp(-large/R)`, but all
            // the more in the bytes. The iteration at least halves the error each time, its factor is `x exp(-x)`.
            let large_bytes = (self.bytes - few_n * small / p(small, period)) / many_n;
            if large_bytes > 2.0 * period {
                large = large_bytes;
                for _ in 0..20 {
                    large = large_bytes * p(large, period);
                }
            }
            [small_line, line(many, large)]
        }))
    }

    /// How far pairs are off: the relative error in objects, or 20 times that in bytes if it is larger. Whole bytes on
    /// a line of few small objects leave an error in its objects that no choice of pairs removes; it must not keep
    /// pairs from being chosen that are right in bytes.
    fn error_of(&self, pairs: [Counts; 2]) -> f64 {
        let [a, b] = pairs.map(|pair| scale(pair.objs, pair.bytes, self.period));
        let objs = ((a.objs + b.objs) / self.objs - 1.0).abs();
        let bytes = ((a.bytes + b.bytes) / self.bytes - 1.0).abs();
        let error = objs.max(20.0 * bytes);
        if error.is_nan() { f64::INFINITY } else { error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Random, tally_of};

    const PERIODS: [u64; 5] = [1, 1 << 6, 1 << 12, 1 << 16, 1 << 19];

    #[test]
    fn objects_of_one_size_print_raw_counts() {
        for period in PERIODS {
            for size in [8, 16, 112, 320, 4096, 81920, 3 << 20, 1 << 30] {
                for count in [1, 2, 3, 7, 40, 1000] {
                    let tally = tally_of(&vec_of(size, count), period);
                    let raw = Counts { objs: count, bytes: count * size };
                    assert_eq!(for_viewers(tally, period), raw, "{size} x {count} at {period}");
                    assert_eq!(split_for_viewers(tally, period), [raw, Counts::default()]);
                }
            }
        }
    }

    fn vec_of(size: u64, count: u64) -> alloc::vec::Vec<u64> {
        alloc::vec![size; count as usize]
    }

    #[test]
    fn split_pairs_scale_back_to_the_estimate_for_any_mix_of_sizes() {
        // Whole bytes on a line of s bytes leave 0.5/s in its objects; the smallest line here has 16 bytes or more
        // and the rest is shared, so a single mix may be 1 % off in objects, while bytes hardly feel it. The mean
        // over all mixes has to be far better, without a lean to one side.
        let mut random = Random::new(0x5eed);
        for period in &PERIODS[2..] {
            let mut lean = 0.0;
            for _ in 0..2000 {
                let count = 2 + random.below(40);
                let sizes: alloc::vec::Vec<u64> = (0..count).map(|_| random.size_class()).collect();
                let tally = tally_of(&sizes, *period);
                let pairs = split_for_viewers(tally, *period);
                for pair in pairs {
                    assert_eq!(pair.objs == 0, pair.bytes == 0, "{sizes:?}");
                }
                let figures = pairs.map(|pair| scale(pair.objs, pair.bytes, *period));
                let objs = (figures[0].objs + figures[1].objs) / tally.est_objs() - 1.0;
                let bytes = (figures[0].bytes + figures[1].bytes) / tally.est_bytes as f64 - 1.0;
                assert!(objs.abs() < 0.01, "objects {objs} of {sizes:?} at {period}: {pairs:?}");
                assert!(bytes.abs() < 1e-4, "bytes {bytes} of {sizes:?} at {period}: {pairs:?}");
                lean += objs;
            }
            assert!((lean / 2000.0).abs() < 1e-4, "objects lean by {lean} at {period}");
        }
    }

    #[test]
    fn figures_alone_give_pairs_that_scale_back_to_them() {
        let mut random = Random::new(0xf19);
        for period in PERIODS {
            for _ in 0..2000 {
                let count = 1 + random.below(30);
                let one = random.below(2).eq(&0).then(|| random.size_class());
                let sizes: alloc::vec::Vec<u64> =
                    (0..count).map(|_| one.unwrap_or_else(|| random.size_class())).collect();
                let real = tally_of(&sizes, period);
                let figure = Figure { objs: real.est_objs(), bytes: real.est_bytes as f64 };
                let found = tally_for(figure, period);
                if one.is_some() && period > 1 {
                    assert!(found.sampled.objs.abs_diff(count) <= 1, "{found:?} of {sizes:?} at {period}");
                }
                let pairs = split_for_viewers(found, period).map(|pair| scale(pair.objs, pair.bytes, period));
                let (objs, bytes) = (pairs[0].objs + pairs[1].objs, pairs[0].bytes + pairs[1].bytes);
                assert!(
                    (objs / figure.objs - 1.0).abs() < 0.02,
                    "{objs} for {figure:?} of {sizes:?} at {period}"
                );
                // Each sample's weight was rounded to whole bytes.
                let slack = 1e-4 * figure.bytes + 0.5 * count as f64;
                let off = (bytes - figure.bytes).abs();
                assert!(off <= slack, "{bytes} for {figure:?} of {sizes:?} at {period}");
            }
        }
        for (objs, bytes) in [(0.0, 5.0), (5.0, 0.0), (-1.0, -5.0), (f64::NAN, 1.0), (1.0, f64::NAN)] {
            assert_eq!(tally_for(Figure { objs, bytes }, 4096), Tally::default());
        }
    }

    #[test]
    fn the_single_pair_keeps_the_mean_size() {
        let period = 1 << 19;
        let mut sizes = vec_of(64, 300);
        sizes.extend(vec_of(1 << 20, 200));
        let tally = tally_of(&sizes, period);
        let pair = for_viewers(tally, period);
        let figure = scale(pair.objs, pair.bytes, period);
        assert!((figure.objs / tally.est_objs() - 1.0).abs() < 2e-3, "{figure:?}");
        assert!((figure.bytes / tally.est_bytes as f64 - 1.0).abs() < 2e-3, "{figure:?}");
    }

    #[test]
    fn nothing_sampled_prints_nothing() {
        assert_eq!(split_for_viewers(Tally::default(), 4096), [Counts::default(); 2]);
        assert_eq!(scale(0, 0, 4096), Figure::default());
    }

    #[test]
    fn an_object_much_larger_than_the_distance_stands_for_itself() {
        assert_eq!(weight(1 << 30, 1 << 19), Weight { objs_q16: ONE_Q16, bytes: 1 << 30 });
        assert_eq!(weight(48, 1), Weight { objs_q16: ONE_Q16, bytes: 48 });
        // 1/p for 64 bytes at 4096: 64.5013...
        assert_eq!(weight(64, 4096).bytes, 4128);
        assert_eq!(weight(64, 4096).objs_q16 >> 16, 64);
    }

    #[test]
    fn inconsistent_tallies_still_give_whole_pairs() {
        let mut random = Random::new(7);
        for _ in 0..2000 {
            let tally = Tally {
                sampled: Counts { objs: random.below(5), bytes: random.next() >> random.below(64) },
                est_objs_q16: random.next() >> random.below(64),
                est_bytes: random.next() >> random.below(64),
            };
            for pair in split_for_viewers(tally, 1 << random.below(40)) {
                assert_eq!(pair.objs == 0, pair.bytes == 0, "{tally:?}");
            }
        }
    }
}
