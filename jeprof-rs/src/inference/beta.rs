//! The regularized incomplete beta function and its inverse: tails of binomial distributions, bounds of shares.
//!
//! `I(x; a, b)` is the chance that a beta variable is at most `x`; for whole numbers `I(p; k, n-k+1)` is the chance of `k`
//! or more successes among `n`, each with probability `p`.
//!
//! **Accuracy**: relative, about 1e-11 of the smaller tail for `a + b` up to 1e7. **Cost**: some `sqrt(max(a, b))` terms.

use std::f64::consts::PI;

use super::gamma::{deviance, stirling_error};

const TERMS_MAX: usize = 100_000;

/// `I(x; a, b)`. Both `a` and `b` are above 0.
pub fn lower(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        0.0
    } else if x >= 1.0 {
        1.0
    } else if x <= (a + 1.0) / (a + b + 2.0) {
        by_fraction(x, 1.0 - x, a, b)
    } else {
        1.0 - by_fraction(1.0 - x, x, b, a)
    }
}

/// The chance of `successes` or more of `successes + failures` trials, each of which succeeds with probability `p` and fails
/// with probability `q = 1 - p`: one of the two may be too close to 1 to be told from it. Fractions of a trial are taken as
/// between their neighbours.
pub fn binomial_at_least(successes: f64, failures: f64, p: f64, q: f64) -> f64 {
    let (a, b) = (successes, failures + 1.0);
    if successes <= 0.0 || q <= 0.0 {
        1.0
    } else if p <= 0.0 {
        0.0
    } else if p <= (a + 1.0) / (a + b + 2.0) {
        by_fraction(p, q, a, b)
    } else {
        1.0 - by_fraction(q, p, b, a)
    }
}

/// Bounds of Clopper and Pearson for a probability, of which each is wrong with at most `alpha`, from `successes` of `trials`.
pub fn clopper_pearson(successes: f64, trials: f64, alpha: f64) -> (f64, f64) {
    let failures = trials - successes;
    let low = if successes <= 0.0 { 0.0 } else { quantile(alpha, successes, failures + 1.0) };
    // By the other side, so that a bound close to 1 keeps its digits.
    let high = if failures <= 0.0 { 1.0 } else { 1.0 - quantile(alpha, failures, successes + 1.0) };
    (low, high)
}

/// `x` with `I(x; a, b) = p`, to 13 digits.
pub fn quantile(p: f64, a: f64, b: f64) -> f64 {
    if p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return 1.0;
    }
    let (mut low, mut high) = (0.0f64, 1.0f64);
    let mut x = a / (a + b);
    for _ in 0..200 {
        let here = lower(x, a, b);
        if here > p {
            high = x
        } else {
            low = x
        }
        // ln I is nearly straight in ln x on the lower side.
        let slope = x * density(x, 1.0 - x, a, b) / here;
        let next = x * (-(here / p).ln() / slope).clamp(-20.0, 20.0).exp();
        let next = if next.is_finite() && next > low && next < high { next } else { 0.5 * (low + high) };
        if (next - x).abs() <= 1e-14 * x {
            return next;
        }
        x = next;
    }
    x
}

/// `x^a y^b / B(a, b)` with `y = 1 - x`, by Loader's parts.
fn factor(x: f64, y: f64, a: f64, b: f64) -> f64 {
    let n = a + b;
    let error = stirling_error(n) - stirling_error(a) - stirling_error(b);
    let exponent = error - deviance(a, n * x) - deviance(b, n * y);
    // x^a y^b is for Γ(n)/(Γ(a)Γ(b)): each Γ(v) is Γ(v+1)/v.
    exponent.exp() * (a / n * b / (2.0 * PI)).sqrt()
}

fn density(x: f64, y: f64, a: f64, b: f64) -> f64 {
    factor(x, y, a, b) / (x * y)
}

/// The continued fraction (Abramowitz and Stegun 26.5.8), for `x` below the mean, by the method of Lentz.
fn by_fraction(x: f64, y: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let kept = |value: f64| if value.abs() < TINY { TINY } else { value };
    let front = factor(x, y, a, b) / a;
    if front == 0.0 {
        return 0.0;
    }
    let mut c = 1.0;
    let mut d = 1.0 / kept(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..TERMS_MAX {
        let m = m as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / kept(1.0 + even * d);
        c = kept(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / kept(1.0 + odd * d);
        c = kept(1.0 + odd / c);
        let step = d * c;
        fraction *= step;
        if (step - 1.0).abs() < 4e-16 {
            break;
        }
    }
    (front * fraction).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Term by term.
    fn binomial_sum(k: u32, n: u32, p: f64) -> f64 {
        let ln_choose = |k: u32| {
            let [n, k, rest] = [n, k, n - k].map(|v| libm::lgamma(f64::from(v) + 1.0));
            n - k - rest
        };
        (k..=n)
            .map(|i| (ln_choose(i) + f64::from(i) * p.ln() + f64::from(n - i) * libm::log1p(-p)).exp())
            .sum()
    }

    #[test]
    fn tails_are_sums_of_binomial_terms() {
        for n in [1u32, 2, 7, 40, 300] {
            for k in [1, n / 3, n / 2, n - n / 10, n].into_iter().filter(|k| *k > 0) {
                for p in [1e-3, 0.2, 0.5, 0.77, 0.999] {
                    let [successes, failures] = [k, n - k].map(f64::from);
                    let found = binomial_at_least(successes, failures, p, 1.0 - p);
                    let sum = binomial_sum(k, n, p);
                    // Both may be too small to be numbers.
                    assert!((found - sum).abs() <= 1e-10 * sum, "{k} of {n} at {p}: {found:e} for {sum:e}");
                }
            }
        }
        let all = binomial_at_least(12.0, 0.0, 0.5, 0.5);
        assert!((all / 0.5f64.powi(12) - 1.0).abs() < 1e-13, "{all:e}");
    }

    #[test]
    fn bounds_of_shares_are_those_of_the_tables() {
        // Clopper and Pearson's 95 % limits, as printed (Documenta Geigy).
        for (k, n, low, high) in [
            (0.0, 10.0, 0.0, 0.3085),
            (1.0, 10.0, 0.0025, 0.4450),
            (5.0, 10.0, 0.1871, 0.8129),
            (10.0, 100.0, 0.0490, 0.1762),
        ] {
            let found = clopper_pearson(k, n, 0.025);
            assert!((found.0 - low).abs() < 6e-5 && (found.1 - high).abs() < 6e-5, "{k} of {n}: {found:?}");
        }
        // All of n: the n-th root.
        let (low, high) = clopper_pearson(10.0, 10.0, 0.001);
        assert!((low - 0.001f64.powf(0.1)).abs() < 1e-13 && high == 1.0, "{low}");
    }

    #[test]
    fn quantiles_and_tails_are_inverse() {
        for (a, b) in [(0.5, 0.5), (1.0, 3.0), (24.0, 1961.0), (300.5, 2.0), (1e5, 1.2e5)] {
            for p in [1e-60, 1e-9, 0.001, 0.3, 0.9, 0.9999] {
                let x = quantile(p, a, b);
                let back = lower(x, a, b);
                assert!((back / p - 1.0).abs() < 1e-8, "{a} {b} {p}: {x} back {back:e}");
            }
        }
    }

    #[test]
    fn counts_that_no_heap_has_give_numbers() {
        for (k, rest, p) in [(1e43, 3.0, 0.5), (3.0, 1e43, 1e-30), (1e8, 1e8, 0.5), (0.0, 0.0, 0.5)] {
            let found = binomial_at_least(k, rest, p, 1.0 - p);
            assert!((0.0..=1.0).contains(&found), "{k} {rest} {p}: {found}");
        }
    }
}
