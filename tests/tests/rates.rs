//! Sampling at rates that change: estimates stay true, and what the allocator counts does not depend on sampling at all.

use std::collections::BTreeMap;
use std::time::Instant;

use suite::build::preload;
use suite::fixture::compiled;
use suite::heap::{self, Symbols};
use suite::run::Run;
use suite::scratch::Scratch;

/// Name, objects, bytes.
fn told(output: &str) -> BTreeMap<String, [f64; 2]> {
    let line = |line: &str| -> Option<(String, [f64; 2])> {
        let mut words = line.split(' ');
        let name = words.next()?.to_owned();
        Some((name, [words.next()?.parse().ok()?, words.next()?.parse().ok()?]))
    };
    output.lines().filter_map(line).collect()
}

/// Runs `pace.c` so often under options; the ratio of the estimated to the true live bytes, and samples per run.
#[track_caller]
fn paced(conf: &str, arguments: &[&str], runs: usize) -> (f64, f64, f64) {
    let program = compiled("pace.c");
    let symbols = Symbols::of(&program);
    let (mut truth, mut estimate, mut samples, mut seconds) = (0.0, 0.0, 0.0, 0.0);
    for _ in 0..runs {
        let folder = Scratch::new("paced");
        let conf = format!("prof:true,prof_final:true,prof_prefix:{}/p,{conf}", folder.path().display());
        let started = Instant::now();
        let outcome = Run::new(&program).args(arguments).preload(&preload()).conf(conf).outcome().ok();
        seconds += started.elapsed().as_secs_f64();
        let told = told(&outcome.stdout);
        let dumps = folder.files(".f.heap");
        let found = heap::by_function(&heap::read(&dumps[0]), &program, &symbols);
        for function in ["in_bursts", "evenly"] {
            truth += told[function][1];
            estimate += found.get(function).map_or(0.0, |figure| figure.bytes);
        }
        samples += told["samples"][0];
    }
    (estimate / truth, samples / runs as f64, seconds / runs as f64)
}

/// A sample stands for three quarters of a sample's bytes in what is alive; weights differ by some powers of two, which
/// takes at most half of the information. So the mean has a relative error of about the root of 3 over the samples, and
/// six of these are exceeded by chance once in hundreds of millions of runs.
fn tolerance(samples: f64) -> f64 {
    6.0 * (3.0 / samples).sqrt()
}

#[test]
fn with_a_ceiling_on_samples_per_second_estimates_agree_with_the_truth() {
    const RUNS: usize = 6;
    let ceiling = "lg_prof_sample:8,prof_target_samples_per_sec:20000";
    // Raw counts, which viewers scale with one rate, would be off by as much as the rate was raised.
    let raw = format!("{ceiling},prof_unbias:false");
    for (conf, arguments) in [(ceiling, &[][..]), (ceiling, &["12"]), (&raw, &[])] {
        let (ratio, samples, seconds) = paced(conf, arguments, RUNS);
        let tolerance = tolerance(samples * RUNS as f64);
        assert!((ratio - 1.0).abs() < tolerance, "{arguments:?}: {ratio} ± {tolerance}, {samples} samples");
        assert!(tolerance < 0.3, "{samples} samples are too few to tell");
        // At 2^8 there are 40,000 without a ceiling. A quarter of a second may bring three times its share.
        assert!(samples < 3.0 * 20_000.0 * seconds, "{samples} samples in {seconds} s");
    }
}

#[test]
fn a_reset_with_another_rate_in_the_middle_leaves_estimates_true() {
    for (before, after) in [("16", "11"), ("11", "14")] {
        let (ratio, samples, _) = paced(&format!("lg_prof_sample:{before}"), &[after], 3);
        let tolerance = tolerance(samples * 3.0);
        assert!((ratio - 1.0).abs() < tolerance, "{before} to {after}: {ratio} ± {tolerance}");
        assert!(tolerance < 0.5, "{samples} samples are too few to tell");
    }
}

/// What `dumps.c` has in use at its end: allocated bytes, and those of them that lie in thread caches.
#[track_caller]
fn in_use(conf: &str) -> (u64, u64) {
    let actions = ["keep=20000", "free", "big=9", "keep=5000", "threads=3", "stats=1"];
    let outcome = Run::new(compiled("dumps.c")).args(actions).preload(&preload()).conf(conf).outcome().ok();
    let figure = |name: &str| -> u64 {
        let value = outcome.stdout.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{name}: {outcome}")).parse().unwrap()
    };
    (figure("allocated"), figure("arenas.4096.tcache_bytes"))
}

const RATES: [u32; 6] = [0, 6, 10, 12, 16, 19];

#[test]
fn without_thread_caches_allocated_bytes_are_the_same_with_and_without_sampling() {
    let (off, cached) = in_use("tcache:false,prof:false");
    assert_eq!(cached, 0);
    for lg in RATES {
        assert_eq!(in_use(&format!("tcache:false,prof:true,lg_prof_sample:{lg}")), (off, 0), "lg {lg}");
    }
}

/// Objects in thread caches count as allocated, as they do in the reference, and how many there are depends on which requests
/// were sampled, since those are served past the caches. What the program itself has is the same to the byte.
#[test]
fn with_thread_caches_allocated_bytes_differ_by_what_lies_in_these_alone() {
    let (off, cached) = in_use("prof:false");
    assert!(cached > 0, "nothing in caches tells nothing");
    assert_eq!(in_use("prof:true,prof_active:false"), (off, cached));
    for lg in RATES {
        let (allocated, in_caches) = in_use(&format!("prof:true,lg_prof_sample:{lg}"));
        assert_eq!(allocated - in_caches, off - cached, "lg {lg}");
    }
}
