//! How far a statistic may stray: the few quantiles that the sampling tests need.

/// Bounds of the mean of `n` squared standard scores, `sigmas` standard deviations wide.
///
/// A squared standard normal score has mean 1 and variance 2. Poisson-like scores have more: `excess` is the mean
/// of the fourth standardized moment minus 3, so the variance is `2 + excess`.
pub fn mean_square(n: usize, excess: f64, sigmas: f64) -> (f64, f64) {
    let width = sigmas * ((2.0 + excess) / n as f64).sqrt();
    (1.0 - width, 1.0 + width)
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
        let (low, high) = mean_square(200, 0.0, 3.0);
        assert!((low - 0.7).abs() < 1e-9 && (high - 1.3).abs() < 1e-9);
    }
}
