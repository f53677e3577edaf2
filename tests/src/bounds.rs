//! How far a statistic may stray: the few quantiles that the sampling tests need.

/// Bounds of a mean of squared standard scores whose variance is `variance`, `sigmas` standard deviations of a normal
/// variable wide.
///
/// A mean of squares is skewed: with a dozen of them, four standard deviations above the mean are passed once in a
/// thousand times. So this takes the gamma variable of mean 1 and that variance, whose cube root is nearly normal
/// (Wilson and Hilferty, 1931).
pub fn mean_square(variance: f64, sigmas: f64) -> (f64, f64) {
    let ninth = variance / 9.0;
    let at = |z: f64| (1.0 - ninth + z * ninth.sqrt()).max(0.0).powi(3);
    (at(-sigmas), at(sigmas))
}

/// Where a standard score of the given skewness is as rare above as a normal one is above `sigmas` (Cornish and
/// Fisher, 1938, first term). Below the mean the normal bound is the wider one.
pub fn skewed(sigmas: f64, skewness: f64) -> f64 {
    sigmas + skewness.max(0.0) * (sigmas * sigmas - 1.0) / 6.0
}

/// The largest number of `n` scores outside two standard errors that chance alone exceeds with probability `alpha`
/// or less, when each is outside with probability 0.0455.
pub fn outside_two_sigma(n: usize, alpha: f64) -> usize {
    let p: f64 = 0.0455;
    let mut term = (1.0 - p).powi(n as i32);
    let mut below = term;
    let mut k = 0;
    while 1.0 - below > alpha {
        term *= (n - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
        below += term;
        k += 1;
    }
    k
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binomial_bound_is_where_the_tail_is_small() {
        // 100 scores: mean 4.55, standard deviation 2.08; three deviations above the mean is 10.8.
        assert!((10..=12).contains(&outside_two_sigma(100, 0.001)));
        assert!(outside_two_sigma(20, 0.05) >= 2);
    }

    /// Quantiles of chi-squared from tables: 12 degrees of freedom, 0.1 % below 2.214 and above 32.909 (3.09 sigmas).
    #[test]
    fn a_mean_of_squares_is_bounded_as_chi_squared_is() {
        let (low, high) = mean_square(2.0 / 12.0, 3.0902);
        assert!((12.0 * low - 2.214).abs() < 0.2 && (12.0 * high - 32.909).abs() < 0.2, "{low} {high}");
    }

    /// A Poisson count of mean 10 is 23 or more with probability 0.00034, and 3.4 sigmas are 0.00034.
    #[test]
    fn a_skewed_score_may_go_further_up() {
        let high = skewed(3.4, 1.0 / 10f64.sqrt());
        assert!((10.0 + high * 10f64.sqrt() - 23.0).abs() < 1.0, "{high}");
        assert_eq!(skewed(3.0, -1.0), 3.0);
    }
}
