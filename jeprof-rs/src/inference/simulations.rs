//! Does it hold? A simulated sampler draws dumps of heaps that are known; what is said of them is counted.
//!
//! Seeds are fixed, so that each figure is the same on every machine; tolerances say how far it may be from its expectation by
//! chance if a change of the code draws other numbers.

use super::discovery::{Correction, q_values};
use super::estimate::Estimate;
use super::growth::{Churn, chance, growth};
use super::interval::interval;
use super::kendall;
use super::survival::{Ages, class_of, plateau};
use super::trend::{Course, Moment, courses, trend};

/// The default sampling distance.
const R: f64 = 524_288.0;
const KIB: f64 = 1024.0;
const MIB: f64 = 1_048_576.0;

/// xorshift64*.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Above 0 and at most 1.
    fn share(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        // In pieces, so that the product stays a number.
        let mut count = 0.0;
        let mut rest = mean;
        while rest > 0.0 {
            let piece = rest.min(500.0);
            rest -= piece;
            let end = (-piece).exp();
            let mut product = self.share();
            while product > end {
                count += 1.0;
                product *= self.share();
            }
        }
        count
    }

    /// How many of `n` objects are samples, each with probability `p`.
    fn samples_of(&mut self, n: f64, p: f64) -> f64 {
        if n <= 64.0 {
            (0..n as usize).filter(|_| self.share() <= p).count() as f64
        } else {
            // Of so many so few are taken that it is next to Poisson's.
            self.poisson(n * p)
        }
    }
}

/// So many objects of one size.
#[derive(Clone, Copy)]
struct Blocks {
    count: f64,
    size: f64,
}

fn bytes(blocks: &[Blocks]) -> f64 {
    blocks.iter().map(|blocks| blocks.count * blocks.size).sum()
}

/// What a `heap_v2` file would tell of a stack at distance [`R`].
fn seen(blocks: &[Blocks], random: &mut Random) -> Estimate {
    let (mut bytes, mut objects) = (0.0, 0.0);
    for Blocks { count, size } in blocks {
        let p = -libm::expm1(-size / R);
        let weight = random.samples_of(*count, p) / p;
        bytes += weight * size;
        objects += weight;
    }
    Estimate::of_heap_v2(bytes, objects, R)
}

/// Counts in how many of `trials` the truth is in the 95 % interval of what is seen of it.
fn covered(blocks: &[Blocks], trials: usize, seed: u64) -> f64 {
    let mut random = Random::new(seed);
    let truth = bytes(blocks);
    // What was seen before has the same interval.
    let mut known = std::collections::HashMap::new();
    let hits = (0..trials).filter(|_| {
        let seen = seen(blocks, &mut random);
        let key = (seen.bytes.to_bits(), seen.variance.to_bits());
        let bounds = *known.entry(key).or_insert_with(|| interval(&seen, 0.95));
        bounds.low <= truth && truth <= bounds.high
    });
    hits.count() as f64 / trials as f64
}

#[test]
fn intervals_cover_the_truth_in_all_mixes() {
    let of = |count: f64, size: f64| Blocks { count, size };
    let classes: Vec<Blocks> =
        (0..17).map(|i| 16.0 * f64::from(1 << i)).map(|size| of(2.0 * MIB / size, size)).collect();
    let mixes: [&[Blocks]; 6] = [
        &[of(1e4, 64.0)],
        &[of(1e5, 64.0)],
        &[of(1e6, 64.0)],
        &[of(1e6, 8.0), of(1.0, 8.0 * MIB)],
        &[of(10.0, 512.0 * KIB), of(10.0, 4.5 * MIB)],
        &classes,
    ];
    // Of 4,000 trials at 95 % the count is off by 0.34 % (one standard deviation); the exact intervals are above 95 %.
    let found: Vec<f64> =
        mixes.iter().enumerate().map(|(at, mix)| covered(mix, 4000, at as u64 + 1)).collect();
    assert!(found.iter().all(|share| *share >= 0.94), "{found:?}");
    // Not by being as wide as one likes: where all blocks are small, the interval is the exact one.
    assert!(found[2] <= 0.965, "{found:?}");
}

/// A heap of so many stacks, whose sizes follow Zipf's law, each of blocks of one or two sizes.
fn heap(total: f64, stacks: usize) -> Vec<Vec<Blocks>> {
    const SIZES: [f64; 8] = [64.0, 1024.0, 256.0, 32.0 * KIB, 48.0, 256.0 * KIB, 4096.0, 1536.0 * KIB];
    let sum: f64 = (1..=stacks).map(|rank| 1.0 / rank as f64).sum();
    let stack = |rank: usize| {
        let bytes = total / sum / rank as f64;
        let of = |share: f64, size: f64| Blocks { count: (bytes * share / size).round().max(1.0), size };
        match rank % 3 {
            0 => vec![of(0.5, SIZES[rank % 8]), of(0.5, SIZES[rank * 5 % 8])],
            _ => vec![of(1.0, SIZES[rank % 8])],
        }
    };
    (1..=stacks).map(stack).collect()
}

/// What is reported as growth between two dumps: indices of stacks.
fn grown(before: &[Estimate], after: &[Estimate], churn: &[Option<Churn>]) -> Vec<usize> {
    let is_tested = |at: &usize| before[*at].is_worth(5.0) || after[*at].is_worth(5.0);
    let tested: Vec<usize> = (0..before.len()).filter(is_tested).collect();
    let p: Vec<f64> = tested.iter().map(|&at| chance(&before[at], &after[at], 0.0, churn[at])).collect();
    tested.into_iter().zip(q_values(&p)).filter(|(_, q)| *q <= 0.05).map(|(at, _)| at).collect()
}

#[test]
fn an_unchanged_heap_alarms_in_at_most_five_percent_of_pairs() {
    for (total, stacks) in [(256.0 * MIB, 200), (1024.0 * MIB, 2000), (4096.0 * MIB, 5000)] {
        let heap = heap(total, stacks);
        let mut random = Random::new(stacks as u64);
        let mut dump = || -> Vec<Estimate> { heap.iter().map(|stack| seen(stack, &mut random)).collect() };
        let none = vec![None; stacks];
        let alarms = (0..300).filter(|_| !grown(&dump(), &dump(), &none).is_empty()).count();
        // 15 of 300 are 5 %; discreteness keeps the expectation at 2 %, 6 with a standard deviation of 2.5.
        assert!(alarms <= 15, "{alarms} of 300 pairs alarm with {stacks} stacks");
    }
}

#[test]
fn half_as_much_again_on_a_hundred_megabytes_is_found() {
    // 1 GiB in 2,000 stacks of one process; one of them has 100 MiB of small blocks, and gets 50 MiB more.
    let mut heap = heap(924.0 * MIB, 1999);
    let blocks = |bytes: f64| vec![Blocks { count: bytes / 112.0, size: 112.0 }];
    heap.push(blocks(100.0 * MIB));
    let planted = heap.len() - 1;
    let mut random = Random::new(50);
    let (mut found, mut found_by_churn) = (0, 0);
    for _ in 0..100 {
        let before: Vec<Estimate> = heap.iter().map(|stack| seen(stack, &mut random)).collect();
        // All others turn over: nothing of what lived is there any more.
        let mut after: Vec<Estimate> = heap.iter().map(|stack| seen(stack, &mut random)).collect();
        let born = seen(&blocks(50.0 * MIB), &mut random);
        after[planted] = [before[planted], born].into_iter().sum();
        let mut churn = vec![None; heap.len()];
        found += usize::from(grown(&before, &after, &churn).contains(&planted));
        churn[planted] = Some(Churn { born: born.bytes, freed: 0.0 });
        found_by_churn += usize::from(grown(&before, &after, &churn).contains(&planted));
    }
    // Expected 97 % (standard deviation 1.7) and, with what was born told, all.
    assert!(found >= 90, "{found} of 100");
    assert_eq!(found_by_churn, 100);
}

#[test]
fn bounds_of_growth_cover_the_truth() {
    // Independent dumps; 0 samples to be expected and 4, 3 and 10, 40 and 40, 200 and 300; and large blocks.
    let small = |samples: f64| Blocks { count: samples * R / 64.0, size: 64.0 };
    let large = |count: f64| Blocks { count, size: 700.0 * KIB };
    let pairs = [
        (small(0.0), small(4.0)),
        (small(3.0), small(10.0)),
        (small(40.0), small(40.0)),
        (small(200.0), small(300.0)),
        (large(5.0), large(12.0)),
    ];
    for (before, after) in pairs {
        let mut random = Random::new(before.count as u64 + 3);
        let truth = bytes(&[after]) - bytes(&[before]);
        let hits = (0..1000).filter(|_| {
            let sides = [before, after].map(|blocks| seen(&[blocks], &mut random));
            let change = growth(&sides[0], &sides[1], 0.0, None, 0.95);
            change.low <= truth && truth <= change.high
        });
        // One standard deviation of 1,000 trials is 0.7 %.
        let share = hits.count() as f64 / 1000.0;
        assert!(share >= 0.93, "{share} of changes by {truth}");
    }
}

/// What a series of dumps shows of objects that each stand for one sample: `births` per dump, each of which lives as long as
/// `life` says, in dumps, and starts after `start`.
fn history(
    births: f64,
    dumps: usize,
    start: f64,
    mut life: impl FnMut(&mut Random, f64) -> f64,
    random: &mut Random,
) -> Vec<Moment> {
    let end = (dumps - 1) as f64;
    let count = random.poisson(births * (end - start));
    let mut live = vec![0.0; dumps];
    for _ in 0..count as usize {
        let born = start + random.share() * (end - start);
        let died = born + life(random, born);
        for (at, live) in live.iter_mut().enumerate() {
            *live += f64::from(born <= at as f64 && (at as f64) < died);
        }
    }
    let moment = |(at, live): (usize, f64)| Moment {
        at: at as f64,
        live: Estimate::told(live * R, live, live * R * R, live, R),
    };
    live.into_iter().enumerate().map(moment).collect()
}

fn counted(seed: u64, runs: usize, mut series: impl FnMut(&mut Random) -> Vec<Moment>) -> [usize; 4] {
    let mut random = Random::new(seed);
    let mut counts = [0; 4];
    for _ in 0..runs {
        let trend = trend(&series(&mut random), None, 0.95).unwrap();
        counts[courses(&[trend], Correction::DiscoveryRate, 0.01)[0].0 as usize] += 1;
    }
    counts
}

#[test]
fn a_steady_state_does_not_grow() {
    // 20 sampled objects at a time, which live for 5 or 20 dumps, so that one dump has most of what the last one had.
    for (life, dumps) in [(5.0, 8), (20.0, 8), (5.0, 40), (20.0, 40)] {
        let mut random = Random::new(dumps as u64 + life as u64);
        let (mut alone, mut both) = (0, 0);
        for _ in 0..500 {
            let exponential = |random: &mut Random, _| -random.share().ln() * life;
            let series = history(20.0 / life, dumps, -10.0 * life, exponential, &mut random);
            let bytes: Vec<f64> = series.iter().map(|moment| moment.live.bytes).collect();
            alone += usize::from(kendall::rising(&bytes).p <= 0.01);
            both += usize::from(trend(&series, None, 0.95).unwrap().p <= 0.01);
        }
        // 1 % is 5 of 500, with a standard deviation of 2.2; what Kendall's test does alone is why it is not asked alone.
        assert!(both <= 10, "{both} of 500 steady states alarm");
        assert!(alone >= 25, "{alone} of 500 would by the order alone");
    }
}

#[test]
fn leaks_grow_and_caches_stop() {
    // Ten samples leak between two of nine dumps, on top of 20 that live for three dumps.
    let leak = counted(1, 300, |random| {
        let turnover = history(20.0 / 3.0, 9, -30.0, |random, _| -random.share().ln() * 3.0, random);
        let leak = history(10.0, 9, 0.0, |_, _| f64::INFINITY, random);
        added(&turnover, &leak)
    });
    let [growing, stopped] = [Course::Growing, Course::StoppedGrowing].map(|course| course as usize);
    // 94 % with a standard deviation of 1.4 %.
    assert!(leak[growing] >= 270 && leak[stopped] <= 3, "{leak:?}");
    // Caches that are full after so many dumps, and then replace the oldest: few samples, and many.
    for (rate, most) in [(20.0, 18), (100.0, 2)] {
        for life in [2.0, 3.0, 4.0] {
            let cache = counted(2, 300, |random| history(rate, 9, 0.0, |_, _| life, random));
            assert!(cache[growing] <= most, "{rate} {life}: {cache:?}");
        }
    }
}

fn added(a: &[Moment], b: &[Moment]) -> Vec<Moment> {
    let both = |(a, b): (&Moment, &Moment)| Moment { at: a.at, live: [a.live, b.live].into_iter().sum() };
    a.iter().zip(b).map(both).collect()
}

/// A unit of time in nanoseconds.
const UNIT: f64 = 1_073_741_824.0;

/// Ages at the time `t`: 200 births per unit of time, of which the share `leak` never dies and the others live as `life` says.
fn ages(t: f64, leak: f64, life: fn(&mut Random) -> f64, random: &mut Random) -> Ages {
    let mut ages = Ages::default();
    for _ in 0..random.poisson(200.0 * t) as usize {
        let age = t * random.share();
        let life = if random.share() <= leak { f64::INFINITY } else { life(random) };
        let class = class_of((age.min(life) * UNIT) as u64);
        if life <= age { ages.freed[class] += 1.0 } else { ages.alive[class] += 1.0 }
    }
    ages
}

fn exponential(random: &mut Random) -> f64 {
    -0.1 * random.share().ln()
}

/// Of standard deviation 1.5, with the mean 0.1.
fn log_normal(random: &mut Random) -> f64 {
    let z = (-2.0 * random.share().ln()).sqrt() * (std::f64::consts::TAU * random.share()).cos();
    0.1 * (1.5 * z - 1.125).exp()
}

/// Of exponent 1.25, with the mean 0.1.
fn pareto(random: &mut Random) -> f64 {
    0.02 * random.share().powf(-0.8)
}

fn fifo(_: &mut Random) -> f64 {
    2.0
}

fn plateaus(t: f64, leak: f64, life: fn(&mut Random) -> f64) -> usize {
    let mut random = Random::new((t * 1000.0 + leak * 100.0) as u64 + 7);
    (0..100).filter(|_| plateau(&ages(t, leak, life, &mut random), 0.001).is_some()).count()
}

#[test]
fn what_dies_in_the_end_is_no_plateau() {
    for t in [2.5, 6.0, 10.0, 30.0] {
        for (at, life) in [exponential, log_normal, pareto, fifo].into_iter().enumerate() {
            // None of 300 in the measurements that the test follows; of 100 each, none here.
            assert_eq!(plateaus(t, 0.0, life), 0, "at {t}, distribution {at}");
        }
    }
}

#[test]
fn what_never_dies_is_a_plateau() {
    // At least so many of 100, by time; the standard deviation is 5 at a half, 0 at the ends.
    for (life, leak, least) in [
        (exponential as fn(&mut Random) -> f64, 0.02, [10, 90, 98]),
        (exponential, 0.05, [90, 97, 98]),
        (pareto, 0.05, [40, 90, 98]),
        (log_normal, 0.02, [0, 0, 60]),
        (fifo, 0.05, [0, 0, 95]),
    ] {
        let found = [6.0, 10.0, 30.0].map(|t| plateaus(t, leak, life));
        assert!(
            found.iter().zip(least).all(|(found, least)| *found >= least),
            "{leak}: {found:?} for {least:?}"
        );
    }
}
