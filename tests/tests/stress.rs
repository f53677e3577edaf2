//! The stress program, short here; `SUITE_STRESS_SECONDS=180` runs it as long as a release asks for.

use std::time::Duration;

use suite::build::preload;
use suite::fixture::compiled;
use suite::run::Run;

/// Runs the stress program and asserts that no byte was wrong and that everything freed is free again.
#[track_caller]
fn survives(conf: &str, seed: u32) {
    let seconds = std::env::var("SUITE_STRESS_SECONDS").ok().map_or(8, |text| {
        text.parse::<u64>().unwrap_or_else(|_| panic!("SUITE_STRESS_SECONDS: `{text}` is not a number"))
    });
    let arguments = [format!("--seconds={seconds}"), format!("--seed={seed}")];
    let run = Run::new(compiled("stress.c")).args(arguments).preload(&preload()).conf(conf);
    let outcome = run.limit(Duration::from_secs(seconds + 120)).outcome().ok();
    assert!(outcome.stdout.contains("faults 0"), "{outcome}");
    println!("{}", outcome.stdout);
}

#[test]
fn no_byte_is_wrong_and_all_memory_comes_back() {
    survives("", 1);
}

#[test]
fn the_same_with_profiling() {
    survives("prof:true,lg_prof_sample:14,prof_accum:true", 2);
}

#[test]
fn the_same_without_caches_and_with_instant_decay() {
    survives("tcache:false,narenas:1,dirty_decay_ms:0,muzzy_decay_ms:0", 3);
}

#[test]
fn the_same_with_muzzy_pages_and_every_allocation_sampled() {
    survives("dirty_decay_ms:50,muzzy_decay_ms:50,prof:true,lg_prof_sample:0", 4);
}
