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
fn a_thread_begins_as_the_first_did_whatever_the_one_before_has_left() {
    for conf in ["", "narenas:1", "tcache_gc_incr_bytes:1024", "prof:true,lg_prof_sample:40", "junk:true"] {
        run("heirs.c", conf, &[]);
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

#[test]
fn blocks_of_one_cache_line_that_two_threads_give_back_are_not_given_to_both_again() {
    run("neighbours.c", "", &[]);
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

/// Most objects that a thread caches, by size, and whether any stay when 300 are freed.
#[track_caller]
fn limits(conf: &str, sizes: &[(usize, usize)]) {
    let arguments: Vec<String> = sizes.iter().map(|(size, _)| size.to_string()).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = run("limits.c", conf, &arguments);
    let expected: String =
        sizes.iter().map(|(_, limit)| format!("{limit} {}\n", u8::from(*limit != 0))).collect();
    assert_eq!(outcome.stdout, expected, "MALLOC_CONF={conf}");
}

#[test]
fn options_say_which_sizes_threads_cache_and_how_many_objects() {
    limits("", &[(64, 256), (4096, 48), (32768, 16), (40960, 0)]);
    limits("tcache_max:64", &[(64, 256), (80, 0), (32768, 0)]);
    limits("lg_tcache_max:17", &[(65536, 16), (131072, 16), (163840, 0)]);
    limits("tcache_max:8388608", &[(100000, 16), (1 << 20, 16)]);
    limits("tcache_nslots_small_max:30,tcache_nslots_large:3", &[(64, 30), (14336, 20), (32768, 3)]);
    limits("lg_tcache_nslots_mul:-1,tcache_nslots_small_min:4", &[(64, 32), (14336, 4)]);
    limits("tcache_ncached_max:64-128:5|4096-8192:0", &[(64, 5), (80, 5), (128, 5), (160, 256), (4096, 0)]);
    limits(
        "lg_tcache_flush_small_div:3,lg_tcache_flush_large_div:2,tcache_gc_delay_bytes:10000",
        &[(64, 256)],
    );
    limits("tcache_gc_incr_bytes:1024,tcache_gc_interval:10", &[(64, 256), (4096, 48)]);
    limits("tcache:false", &[(64, 0)]);
    let several = Run::new(compiled("limits.c")).preload(&preload()).args(["64", "80", "96"]);
    let several =
        several.env("_RJEM_MALLOC_CONF", "tcache_ncached_max:64-80:5").conf("tcache_ncached_max:80-96:7");
    assert_eq!(several.outcome().ok().stdout, "5 1\n5 1\n7 1\n");
    let bad = Run::new(compiled("limits.c")).preload(&preload()).conf("tcache_ncached_max:8-64:x").outcome();
    assert_eq!(
        bad.warnings(),
        ["<jemalloc>: Invalid settings for tcache_ncached_max: tcache_ncached_max:8-64:x"]
    );
}

#[test]
fn the_callback_of_a_thread_may_end_its_cache_in_the_middle_of_a_free() {
    for conf in ["", "narenas:1,tcache_gc_interval:7", "prof:true,lg_prof_sample:10,prof_prefix:"] {
        run("callbacks.c", conf, &["activity"]);
    }
}
