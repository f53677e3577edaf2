//! Thread caches, background threads, reports by the clock and by bytes.

use suite::build::preload;
use suite::fixture::compiled;
use suite::run::{Outcome, Run};

fn run(program: &str, conf: &str, arguments: &[&str]) -> Outcome {
    Run::new(compiled(program)).preload(&preload()).conf(conf).args(arguments).outcome().ok()
}

#[test]
fn a_thread_changes_its_cache_at_any_time() {
    for conf in ["", "narenas:1", "experimental_tcache_gc:false", "tcache_gc_interval:10"] {
        run("tcache.c", conf, &[]);
    }
}

#[test]
fn background_threads_purge_while_the_program_sleeps_and_end_when_told() {
    run("background.c", "dirty_decay_ms:300", &[]);
    run("background.c", "dirty_decay_ms:300,muzzy_decay_ms:300,narenas:6,background_thread:true", &["on"]);
    run(
        "background.c",
        "dirty_decay_ms:0,background_thread:true,prof:true,lg_prof_sample:14,prof_prefix:",
        &["on"],
    );
}

fn reports(outcome: &Outcome) -> usize {
    outcome.stderr.matches("___ Begin jemalloc statistics ___").count()
}

#[test]
fn statistics_are_printed_by_the_clock_while_the_program_sleeps() {
    let outcome = run("idle.c", "stats_print_interval:100,stats_print_opts:ab", &["0", "1500"]);
    let n = reports(&outcome);
    assert!((2..=15).contains(&n), "{n} reports: {outcome}");
    assert!(!outcome.stderr.contains("arenas[0]"), "{outcome}");
}

#[test]
fn the_clock_goes_on_in_a_child_that_allocates() {
    let outcome = run("idle.c", "stats_print_interval:100", &["1", "1500", "child"]);
    // The parent prints as well.
    assert!(reports(&outcome) >= 4, "{outcome}");
}

#[test]
fn statistics_are_printed_every_so_many_allocated_bytes() {
    let outcome = run("idle.c", "stats_interval:16777216,stats_interval_opts:g", &["64"]);
    let n = reports(&outcome);
    assert!((3..=5).contains(&n), "{n} reports: {outcome}");
    assert!(!outcome.stderr.contains("opt.narenas"), "{outcome}");
    assert_eq!(reports(&run("idle.c", "stats_interval:-1", &["64"])), 0);
}

#[test]
fn caches_that_the_program_makes_hold_objects_and_give_them_back() {
    run("explicit.c", "", &[]);
    run("explicit.c", "tcache_max:1048576", &[]);
}
