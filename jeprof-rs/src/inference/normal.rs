//! The normal distribution.

use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

/// The chance of a value above `z`.
pub fn upper_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z * FRAC_1_SQRT_2)
}

/// The value above which lies the share `tail` of the distribution; infinite for 0 and 1.
///
/// Accurate to a few units in the last place: a start within 5e-4 (Abramowitz and Stegun 26.2.23), then steps of Halley on
/// the tail itself, which keeps its relative accuracy however far out.
pub fn quantile_of_upper_tail(tail: f64) -> f64 {
    if tail > 0.5 {
        return -quantile_of_upper_tail(1.0 - tail);
    }
    if tail <= 0.0 {
        return f64::INFINITY;
    }
    let t = (-2.0 * tail.ln()).sqrt();
    let mut z = t
        - (2.515_517 + t * (0.802_853 + t * 0.010_328))
            / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)));
    for _ in 0..4 {
        // Of ln(tail): nearly a parabola out there, where the tail itself is far from a straight line.
        let here = upper_tail(z);
        let density = (-0.5 * z * z).exp() / (SQRT_2 * PI.sqrt());
        if here <= 0.0 || density <= 0.0 {
            break;
        }
        let hazard = density / here;
        let off = (here / tail).ln();
        let step = off / hazard;
        z += step / (1.0 + 0.5 * step * (hazard - z)).max(0.5);
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (tail, z) in [
            (0.5, 0.0),
            (0.1, 1.281_551_565_544_600_4),
            (0.05, 1.644_853_626_951_472_2),
            (0.025, 1.959_963_984_540_054),
            (0.005, 2.575_829_303_548_901),
            (0.001, 3.090_232_306_167_813),
            (1e-6, 4.753_424_308_822_899),
            (1e-15, 7.941_345_326_170_998),
            (0.975, -1.959_963_984_540_054),
        ] {
            let found = quantile_of_upper_tail(tail);
            assert!((found - z).abs() < 1e-12 * (1.0 + z.abs()), "{tail}: {found} for {z}");
        }
        assert_eq!(quantile_of_upper_tail(0.0), f64::INFINITY);
        assert_eq!(quantile_of_upper_tail(1.0), f64::NEG_INFINITY);
    }

    #[test]
    fn tails_and_quantiles_are_inverse() {
        for power in 1..300 {
            let tail = 0.5f64.powi(power);
            let there = upper_tail(quantile_of_upper_tail(tail));
            assert!((there / tail - 1.0).abs() < 1e-10, "2^-{power}: {there:e}");
        }
    }
}
