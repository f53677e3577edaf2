//! When to sample: random distances. Pure; knows no threads and no clock.
//!
//! Every byte is a sample point with probability `1/R`, independently, so the distances between points are
//! exponential with mean `R` and it does not matter in how many counters a thread counts them down.

/// Pseudo-random numbers of one thread: SplitMix64 (Steele, Lea, Flood 2014). One word of state, period 2^64, and
/// any seed is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prng(u64);

impl Prng {
    /// A sequence of its own for each seed.
    pub const fn new(seed: u64) -> Prng {
        Prng(seed)
    }

    /// Its state, which [`Prng::new`] continues from.
    pub fn state(self) -> u64 {
        self.0
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// An exponential number with mean 1, at least 0, at most 36.8. Cost: one logarithm, about 20 ns.
    pub fn exponential(&mut self) -> f64 {
        // 53 bits make a number in (0, 1]: the logarithm of 0 is not asked for.
        let uniform = ((self.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        -libm::log(uniform)
    }
}

/// Log2 of a mean distance in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(u8);

impl Rate {
    /// At most [`LG_SAMPLE_MAX`].
    pub fn new(lg: u8) -> Rate {
        Rate(lg.min(LG_SAMPLE_MAX))
    }

    /// For storing.
    pub fn lg(self) -> u8 {
        self.0
    }

    /// The mean distance in bytes.
    pub fn period(self) -> u64 {
        period(self.0)
    }
}

/// A distance that was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Until, and including, the next sample: at least 1.
    pub distance: u64,
    /// What it was drawn with, and the sample therefore is to be counted with, whatever the rate is by then.
    pub rate: Rate,
}

/// How many allocations of `usize_` bytes until, and including, the next sampled one: at least 1. `exponential` has
/// mean 1.
///
/// The next sample point is `exponential * R` bytes away, and the allocation that covers it is sampled: each one
/// with probability `1 - exp(-usize/R)`. With `lg_sample` 0 every allocation is.
pub fn allocs_until_sample(exponential: f64, lg_sample: u8, usize_: u64) -> u64 {
    match lg_sample {
        0 => 1,
        // The cast saturates.
        _ => ((exponential * period(lg_sample) as f64 / usize_.max(1) as f64) as u64).saturating_add(1),
    }
}

/// The mean distance in bytes.
pub fn period(lg_sample: u8) -> u64 {
    1 << lg_sample.min(LG_SAMPLE_MAX)
}

/// Largest distance: beyond it no program would be sampled at all.
pub const LG_SAMPLE_MAX: u8 = 62;

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws of `allocs_until_sample` for a size.
    fn draws(seed: u64, lg_sample: u8, size: u64, count: usize) -> impl Iterator<Item = u64> {
        let mut prng = Prng::new(seed);
        (0..count).map(move |_| allocs_until_sample(prng.exponential(), lg_sample, size))
    }

    #[test]
    fn the_distance_in_allocations_is_geometric_with_the_probability_that_readers_assume() {
        for (seed, size) in [(1, 64_u64), (2, 4096), (3, 65_536), (4, 524_288)] {
            const COUNT: usize = 200_000;
            const BINS: usize = 20;
            let p = -libm::expm1(-(size as f64) / 65_536.0);
            // Bins of equal probability under the geometric law, by its distribution function 1 - (1-p)^k; at large
            // p the steps are coarser than the bins, so neighbours that fall together are merged by their edges.
            let mut edges: std::vec::Vec<u64> = (1..BINS)
                .map(|bin| {
                    let q = bin as f64 / BINS as f64;
                    libm::ceil(libm::log1p(-q) / libm::log1p(-p)) as u64
                })
                .collect();
            edges.dedup();
            let mut found = std::vec![0u64; edges.len() + 1];
            for k in draws(seed, 16, size, COUNT) {
                found[edges.partition_point(|edge| *edge < k)] += 1;
            }
            let below = |k: u64| -libm::expm1(k as f64 * libm::log1p(-p));
            let mut chi_squared = 0.0;
            for (bin, found) in found.iter().enumerate() {
                let low = if bin == 0 { 0.0 } else { below(edges[bin - 1]) };
                let high = edges.get(bin).map_or(1.0, |edge| below(*edge));
                let expected = (high - low) * COUNT as f64;
                chi_squared += (*found as f64 - expected) * (*found as f64 - expected) / expected;
            }
            // Fixed seeds. Chi-squared with f degrees of freedom has mean f and variance 2f: 4.5 deviations are
            // exceeded by chance once in a hundred thousand seeds.
            let freedom = edges.len() as f64;
            assert!(
                chi_squared < freedom + 4.5 * libm::sqrt(2.0 * freedom),
                "{size}: {chi_squared} of {freedom}"
            );
        }
    }

    #[test]
    fn the_mean_distance_in_bytes_is_the_period() {
        const COUNT: usize = 100_000;
        for lg in [1, 12, 19, 40] {
            let mut prng = Prng::new(7);
            let total: f64 = (0..COUNT).map(|_| allocs_until_sample(prng.exponential(), lg, 1) as f64).sum();
            // 1 + floor(x) is half a byte more than x on average, exactly 1/(1-exp(-1/R)). The standard error of
            // the mean of an exponential is mean / sqrt(count); the seed is fixed, four of them are allowed.
            let expected = 1.0 / -libm::expm1(-1.0 / period(lg) as f64);
            let error = expected / libm::sqrt(COUNT as f64);
            assert!(
                (total / COUNT as f64 - expected).abs() < 4.0 * error,
                "lg {lg}: {}",
                total / COUNT as f64
            );
        }
    }

    #[test]
    fn every_allocation_is_sampled_at_rate_one_and_extremes_do_not_overflow() {
        assert!(draws(1, 0, 16, 100).all(|k| k == 1));
        assert_eq!(allocs_until_sample(0.0, 62, 1), 1);
        assert!(allocs_until_sample(36.8, 62, 1) > 1 << 62);
        assert!(allocs_until_sample(36.8, 255, 0) > 1 << 62);
        assert_eq!(allocs_until_sample(36.8, 10, u64::MAX), 1);
    }

    #[test]
    fn distances_are_positive_and_the_state_continues_the_sequence() {
        let mut prng = Prng::new(99);
        for _ in 0..10_000 {
            let mut copy = Prng::new(prng.state());
            let drawn = prng.exponential();
            assert_eq!(drawn, copy.exponential());
            assert!((0.0..37.0).contains(&drawn));
        }
    }
}
