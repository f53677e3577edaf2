//! The regularized incomplete gamma functions and their inverses: tails of Poisson and chi-squared distributions.
//!
//! `P(a, x)` is the chance that a gamma variable of shape `a` and scale 1 is at most `x`, and `Q = 1 - P`. For whole `k`,
//! `P(k, m)` is the chance of `k` or more events where `m` are expected; the quantile `p` of chi-squared with `v`
//! degrees of freedom is twice the quantile of shape `v/2`.
//!
//! **Accuracy**: relative, of either tail, about 1e-12 for shapes up to 1e5 and 1e-7 above. Both tails are computed by
//! themselves, never as one less the other where that would cancel. The factor in front is Loader's ("Fast and accurate
//! computation of binomial probabilities", 2000): with `ln Γ` itself ten digits would be lost at a shape of 1e9.
//!
//! **Cost**: some `9 sqrt(a)` terms at most, 3,000 where the expansion takes over; an inverse takes 3 to 10 evaluations.

use std::f64::consts::PI;

use super::normal;

/// From this shape on one uniform expansion (Temme 1979) replaces series and fraction.
const LARGE: f64 = 1e5;

/// Terms beyond this share of the sum change nothing.
const ENOUGH: f64 = 1e-16;

/// More than either expansion ever needs up to [`LARGE`].
const TERMS_MAX: usize = 20_000;

/// `P(a, x)`, the lower tail. `a` is above 0.
pub fn lower(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        0.0
    } else if x.is_infinite() {
        1.0
    } else if a >= LARGE {
        by_expansion(a, x, -1.0)
    } else if x < a + 1.0 {
        by_series(a, x)
    } else {
        1.0 - by_fraction(a, x)
    }
}

/// `Q(a, x)`, the upper tail. `a` is above 0.
pub fn upper(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        1.0
    } else if x.is_infinite() {
        0.0
    } else if a >= LARGE {
        by_expansion(a, x, 1.0)
    } else if x < a + 1.0 {
        1.0 - by_series(a, x)
    } else {
        by_fraction(a, x)
    }
}

/// `x` with `P(a, x) = p`.
pub fn quantile_of_lower(a: f64, p: f64) -> f64 {
    quantile(a, p, Tail::Lower)
}

/// `x` with `Q(a, x) = q`.
pub fn quantile_of_upper(a: f64, q: f64) -> f64 {
    quantile(a, q, Tail::Upper)
}

#[derive(Clone, Copy, PartialEq)]
enum Tail {
    Lower,
    Upper,
}

/// `ln Γ(a+1)` less Stirling's formula for it.
pub(super) fn stirling_error(a: f64) -> f64 {
    if a < 15.0 {
        return libm::lgamma(a + 1.0) - (a + 0.5) * a.ln() + a - 0.5 * (2.0 * PI).ln();
    }
    let square = a * a;
    (1.0 / 12.0
        - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / (1188.0 * square)) / square) / square)
            / square)
        / a
}

/// `x ln(x/m) + m - x`, which is not negative, without cancellation where both are close.
pub(super) fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() < 0.1 * (x + m) {
        let v = (x - m) / (x + m);
        let mut sum = (x - m) * v;
        let mut power = 2.0 * x * v;
        for odd in (3..).step_by(2) {
            power *= v * v;
            let more = sum + power / f64::from(odd);
            if more == sum {
                return sum;
            }
            sum = more;
        }
    }
    x * (x / m).ln() + m - x
}

/// `x^a e^-x / Γ(a+1)`.
fn factor(a: f64, x: f64) -> f64 {
    (-stirling_error(a) - deviance(a, x)).exp() / (2.0 * PI * a).sqrt()
}

fn by_series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 1..TERMS_MAX {
        term *= x / (a + n as f64);
        sum += term;
        if term < sum * ENOUGH {
            break;
        }
    }
    (factor(a, x) * sum).min(1.0)
}

/// Legendre's continued fraction, evaluated by the method of Lentz.
fn by_fraction(a: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for n in 1..TERMS_MAX {
        let n = n as f64;
        let numerator = -n * (n - a);
        b += 2.0;
        d = numerator * d + b;
        d = 1.0 / if d.abs() < TINY { TINY } else { d };
        c = b + numerator / c;
        c = if c.abs() < TINY { TINY } else { c };
        let factor = d * c;
        fraction *= factor;
        if (factor - 1.0).abs() < ENOUGH * 4.0 {
            break;
        }
    }
    // The fraction is of Γ(a, x), the factor of Γ(a+1).
    (factor(a, x) * a * fraction).min(1.0)
}

/// `½ erfc(±η sqrt(a/2)) ± exp(-aη²/2) / sqrt(2πa) C(η)` with `½η² = λ - 1 - ln λ`, `λ = x/a`, of which the first term of
/// `C` is taken: the next is smaller by a factor of `a`.
fn by_expansion(a: f64, x: f64, sign: f64) -> f64 {
    let mu = (x - a) / a;
    let half_square = deviance(a, x) / a;
    let eta = (2.0 * half_square).sqrt().copysign(mu);
    let first = if mu.abs() < 1e-3 {
        -1.0 / 3.0 + eta * (1.0 / 12.0 - eta * (2.0 / 135.0 - eta / 864.0))
    } else {
        1.0 / mu - 1.0 / eta
    };
    let tail = normal::upper_tail(sign * eta * a.sqrt());
    (tail + sign * (-a * half_square).exp() / (2.0 * PI * a).sqrt() * first).clamp(0.0, 1.0)
}

/// Newton's method on the logarithm of the tail, kept within bounds that shrink at each step.
fn quantile(a: f64, tail: f64, which: Tail) -> f64 {
    let of = |x: f64| match which {
        Tail::Lower => lower(a, x),
        Tail::Upper => upper(a, x),
    };
    match (tail <= 0.0, tail >= 1.0, which) {
        (true, _, Tail::Lower) | (_, true, Tail::Upper) => return 0.0,
        (true, _, Tail::Upper) | (_, true, Tail::Lower) => return f64::INFINITY,
        _ => {}
    }
    let (mut low, mut high) = (0.0f64, f64::INFINITY);
    let mut x = start(a, tail, which);
    for _ in 0..200 {
        let here = of(x);
        let is_beyond = (here > tail) == (which == Tail::Lower);
        if is_beyond {
            high = high.min(x)
        } else {
            low = low.max(x)
        }
        // d ln(tail) / d ln(x) is x times the density, by the tail.
        let slope = a * factor(a, x) / here;
        let off = (here / tail).ln();
        let next = match which {
            // ln P is nearly straight in ln x, ln Q in x.
            Tail::Lower => x * (-off / slope).clamp(-20.0, 20.0).exp(),
            Tail::Upper => x + x * off / slope,
        };
        let middle = if high.is_infinite() { 2.0 * x } else { 0.5 * (low + high) };
        let is_within = next.is_finite() && next > low && next < high;
        let next = if is_within { next } else { middle };
        if (next - x).abs() <= 1e-14 * x {
            return next;
        }
        x = next;
    }
    x
}

/// Wilson and Hilferty's cube, or the first term of the series where that is no number.
fn start(a: f64, tail: f64, which: Tail) -> f64 {
    let z = match which {
        Tail::Lower => -normal::quantile_of_upper_tail(tail),
        Tail::Upper => normal::quantile_of_upper_tail(tail),
    };
    let cube = a * (1.0 - 1.0 / (9.0 * a) + z / (3.0 * a.sqrt())).powi(3);
    let of_series = || {
        let p = if which == Tail::Lower { tail } else { 1.0 - tail };
        ((p.ln() + libm::lgamma(a + 1.0)) / a).exp()
    };
    if cube > 0.05 * a { cube } else { of_series().max(f64::MIN_POSITIVE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, wanted: f64, within: f64, what: &str) {
        assert!((found / wanted - 1.0).abs() < within, "{what}: {found:e} for {wanted:e}");
    }

    /// The chance of fewer than `k` events where `m` are expected, term by term.
    fn poisson_below(k: u32, m: f64) -> f64 {
        (0..k).map(|i| (f64::from(i) * m.ln() - m - libm::lgamma(f64::from(i) + 1.0)).exp()).sum()
    }

    #[test]
    fn tails_are_sums_of_poisson_terms() {
        for k in [1u32, 2, 3, 10, 40, 200] {
            for share in [0.1, 0.5, 0.9, 1.0, 1.1, 2.0, 5.0] {
                let m = f64::from(k) * share;
                close(upper(f64::from(k), m), poisson_below(k, m), 1e-11, &format!("Q({k}, {m})"));
            }
        }
        // Shape 1 is the exponential distribution: the lower tail keeps its digits where 1 - e^-x has none.
        for x in [1e-300, 1e-18, 1e-9, 0.1, 1.0, 30.0, 700.0] {
            close(lower(1.0, x), -libm::expm1(-x), 1e-13, &format!("P(1, {x})"));
            close(upper(1.0, x), (-x).exp(), 1e-12, &format!("Q(1, {x})"));
        }
    }

    #[test]
    fn quantiles_of_chi_squared_are_those_of_the_tables() {
        // Degrees of freedom; 0.5 %, 2.5 %, 97.5 % and 99.5 % as printed in tables of chi-squared.
        for (v, printed) in [
            (2.0, [0.010, 0.051, 7.378, 10.597]),
            (10.0, [2.156, 3.247, 20.483, 25.188]),
            (30.0, [13.787, 16.791, 46.979, 53.672]),
            (100.0, [67.328, 74.222, 129.561, 140.169]),
        ] {
            let found = [
                2.0 * quantile_of_lower(v / 2.0, 0.005),
                2.0 * quantile_of_lower(v / 2.0, 0.025),
                2.0 * quantile_of_upper(v / 2.0, 0.025),
                2.0 * quantile_of_upper(v / 2.0, 0.005),
            ];
            for (found, printed) in found.iter().zip(printed) {
                assert!((found - printed).abs() < 6e-4, "{v}: {found} for {printed}");
            }
        }
        // With one degree of freedom it is the square of a normal variable.
        close(2.0 * quantile_of_upper(0.5, 0.05), 1.959_963_984_540_054f64.powi(2), 1e-11, "one degree");
    }

    #[test]
    fn quantiles_and_tails_are_inverse_far_into_both() {
        for a in [0.01, 0.3, 1.0, 2.5, 17.0, 150.0, 4e3, 9e4, 3e5, 1e9] {
            for power in [1, 4, 20, 100, 300] {
                let tail = 0.5f64.powi(power);
                let low = quantile_of_lower(a, tail);
                // A quantile has 14 digits; its tail loses sqrt(a) of them, the more the further out.
                let within = 1e-11 + 4e-14 * a.sqrt() * f64::from(power).sqrt();
                // Where the quantile is no number any more, there is nothing to go back from.
                if low > 1e-290 {
                    close(lower(a, low), tail, within, &format!("P({a}, .) = 2^-{power}"));
                }
                close(upper(a, quantile_of_upper(a, tail)), tail, within, &format!("Q({a}, .) = 2^-{power}"));
            }
        }
        assert_eq!((quantile_of_lower(3.0, 0.0), quantile_of_upper(3.0, 1.0)), (0.0, 0.0));
        assert_eq!(
            (quantile_of_lower(3.0, 1.0), quantile_of_upper(3.0, 0.0)),
            (f64::INFINITY, f64::INFINITY)
        );
    }

    #[test]
    fn the_expansion_takes_over_without_a_step() {
        let a = LARGE * (1.0 - 1e-12);
        for z in [-8.0, -3.0, -0.5, 0.0, 0.01, 1.0, 4.0, 9.0] {
            let x = a + z * a.sqrt();
            close(
                by_expansion(a, x, -1.0),
                if x < a + 1.0 { by_series(a, x) } else { 1.0 - by_fraction(a, x) },
                1e-6,
                "P",
            );
            close(
                by_expansion(a, x, 1.0),
                if x < a + 1.0 { 1.0 - by_series(a, x) } else { by_fraction(a, x) },
                1e-6,
                "Q",
            );
        }
    }

    #[test]
    fn shapes_that_no_heap_has_give_numbers() {
        for a in [1e-12, 1e12, 1e43, 1e300] {
            for tail in [0.025, 0.5] {
                let x = [quantile_of_lower(a, tail), quantile_of_upper(a, tail)];
                assert!(x.iter().all(|x| x.is_finite() && *x >= 0.0), "{a}: {x:?}");
                if a > 1.0 {
                    assert!(x.iter().all(|x| (x / a - 1.0).abs() < 1e-5), "{a}: {x:?}");
                }
            }
        }
    }
}
