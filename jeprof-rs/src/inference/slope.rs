//! How fast something grows: per time, robustly, or per iteration, exactly.

use super::{beta, kendall};

/// A slope in the units of what was given, `y` per `x`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slope {
    /// The estimate.
    pub value: f64,
    /// The lower bound; no bound (`-inf`) where there are too few points for the confidence.
    pub low: f64,
    /// The upper bound, likewise.
    pub high: f64,
}

/// The median of the slopes between all pairs of points `(x, y)` (Theil and Sen), with Sen's bounds, which hold whatever the
/// distribution of the errors. A few points that are far off change nothing. `None` where no two points have different `x`.
///
/// Cost: all pairs, sorted.
pub fn theil_sen(points: &[(f64, f64)], confidence: f64) -> Option<Slope> {
    let pairs = points.iter().enumerate().flat_map(|(at, a)| points[at + 1..].iter().map(move |b| (a, b)));
    let mut slopes: Vec<f64> =
        pairs.filter(|(a, b)| a.0 != b.0).map(|(a, b)| (b.1 - a.1) / (b.0 - a.0)).collect();
    if slopes.is_empty() {
        return None;
    }
    slopes.sort_by(f64::total_cmp);
    let last = slopes.len() - 1;
    let value = (slopes[last / 2] + slopes[slopes.len() / 2]) / 2.0;
    // A slope within the bounds is one which, taken off, leaves as many pairs that fall as chance does.
    let beyond = kendall::falling_pairs_within(points.len(), (1.0 - confidence) / 2.0);
    let beyond = beyond.filter(|beyond| 2 * beyond <= last);
    Some(Slope {
        value,
        low: beyond.map_or(f64::NEG_INFINITY, |beyond| slopes[beyond]),
        high: beyond.map_or(f64::INFINITY, |beyond| slopes[last - beyond]),
    })
}

/// The slope of least squares with Student's bounds, for figures without sampling error, such as exact dumps after each thousand
/// iterations: start-up memory and caches cancel out, and a single block per iteration shows. `None` where no two points have
/// different `x`. Cost: one pass, one inverse beta function.
pub fn least_squares(points: &[(f64, f64)], confidence: f64) -> Option<Slope> {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x_mean, y_mean) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
    if spread.is_nan() || spread <= 0.0 {
        return None;
    }
    let value = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum::<f64>() / spread;
    let rest: f64 = points.iter().map(|(x, y)| (y - y_mean - value * (x - x_mean)).powi(2)).sum();
    let freedom = count - 2.0;
    let off = if freedom < 1.0 {
        f64::INFINITY
    } else {
        student_quantile(freedom, (1.0 - confidence) / 2.0) * (rest / freedom / spread).sqrt()
    };
    Some(Slope { value, low: value - off, high: value + off })
}

/// The value above which lies the share `tail`, below a half, of Student's distribution.
fn student_quantile(freedom: f64, tail: f64) -> f64 {
    let x = beta::quantile(2.0 * tail, freedom / 2.0, 0.5);
    (freedom * (1.0 - x) / x).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_the_median_of_those_of_all_pairs() {
        // The ten slopes: -.15 -.13 -.08 -.07 -.0575 | -.055 -.045 -.0333 .01 .04; one from either end for 90 %.
        let points = [(1.0, 1.26), (2.0, 1.27), (3.0, 1.12), (4.0, 1.16), (5.0, 1.03)];
        let slope = theil_sen(&points, 0.9).unwrap();
        let off = [slope.value - -0.056_25, slope.low - -0.13, slope.high - 0.01];
        assert!(off.iter().all(|off| off.abs() < 1e-12), "{slope:?}");
    }

    #[test]
    fn outliers_do_not_matter() {
        let mut points: Vec<(f64, f64)> =
            (0..15).map(|x| (f64::from(x), 100.0 + 7.0 * f64::from(x))).collect();
        points[3].1 = 1e9;
        points[11].1 = -1e9;
        let slope = theil_sen(&points, 0.95).unwrap();
        assert_eq!((slope.value, slope.low, slope.high), (7.0, 7.0, 7.0));
        assert!((least_squares(&points, 0.95).unwrap().value - 7.0).abs() > 1e5);
    }

    #[test]
    fn too_few_points_have_no_bounds() {
        let points = [(0.0, 1.0), (1.0, 3.0)];
        for slope in [theil_sen(&points, 0.95).unwrap(), least_squares(&points, 0.95).unwrap()] {
            assert_eq!(slope, Slope { value: 2.0, low: f64::NEG_INFINITY, high: f64::INFINITY });
        }
        for points in [&[][..], &[(1.0, 1.0)], &[(1.0, 1.0), (1.0, 2.0)]] {
            assert_eq!((theil_sen(points, 0.95), least_squares(points, 0.95)), (None, None));
        }
    }

    #[test]
    fn one_block_per_iteration_is_one_block_per_iteration() {
        // Dumps after 1,000, 2,000, ... iterations; start-up takes 4 MiB.
        let points: Vec<(f64, f64)> =
            (1..=9).map(|k| (1000.0 * f64::from(k), 4_194_304.0 + 112_000.0 * f64::from(k))).collect();
        let slope = least_squares(&points, 0.95).unwrap();
        assert!((slope.value - 112.0).abs() < 1e-6 && (slope.high - slope.low) < 1e-6, "{slope:?}");
    }

    #[test]
    fn student_s_quantiles_are_those_of_the_tables() {
        for (freedom, tail, printed) in [
            (1.0, 0.025, 12.706),
            (2.0, 0.025, 4.303),
            (7.0, 0.025, 2.365),
            (7.0, 0.005, 3.499),
            (30.0, 0.05, 1.697),
        ] {
            let found = student_quantile(freedom, tail);
            assert!((found - printed).abs() < 6e-4, "{freedom} {tail}: {found}");
        }
    }
}
