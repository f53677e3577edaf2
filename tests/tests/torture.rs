//! Programs that try to break the allocator, under the options that change its paths.

use suite::build::preload;
use suite::fixture::compiled_with;
use suite::run::Run;

/// Runs one case of a fixture that checks by itself.
#[track_caller]
fn holds(source: &str, case: &str, confs: &[&str]) {
    // Without this the compiler drops allocations that it sees freed.
    let program = compiled_with(source, &["-fno-builtin", "-pthread"]);
    for conf in confs {
        Run::new(&program).arg(case).preload(&preload()).conf(conf).outcome().ok();
    }
}

const DECAYS: &[&str] = &[
    "",
    "tcache:false,narenas:1,dirty_decay_ms:0",
    "dirty_decay_ms:10,muzzy_decay_ms:10",
    "dirty_decay_ms:0,muzzy_decay_ms:100",
    "prof:true,prof_accum:true,lg_prof_sample:0,prof_prefix:",
];

#[test]
fn the_words_that_count_a_threads_bytes_are_exact_after_every_call() {
    holds("counting.c", "words", &["", "tcache:false", "prof:true,lg_prof_sample:0,prof_prefix:"]);
}

#[test]
fn the_numbers_of_a_threads_bytes_are_exact_too() {
    holds("counting.c", "numbers", &["", "tcache:false", "prof:true,lg_prof_sample:12,prof_prefix:"]);
}

#[test]
fn without_caches_every_free_reaches_its_slab_at_once() {
    holds("counting.c", "uncached", &["tcache:false"]);
}

#[test]
fn counts_stay_exact_when_requests_fail() {
    holds("counting.c", "failures", &["", "tcache:false"]);
}

#[test]
fn no_call_of_any_kind_and_size_changes_a_byte_of_another_object() {
    holds("torture.c", "churn", DECAYS);
}

#[test]
fn what_nothing_can_serve_is_refused_and_small_alignments_are_kept() {
    holds("torture.c", "hostile", &["", "tcache:false", "prof:true,lg_prof_sample:0,prof_prefix:"]);
}

#[test]
fn zeroed_memory_is_zero_whatever_was_there() {
    holds("torture.c", "zero", DECAYS);
}

#[test]
fn a_hundred_threads_come_and_go_while_others_free_their_objects() {
    holds("torture.c", "threads", DECAYS);
}

#[test]
fn purges_touch_nothing_that_is_in_use() {
    holds("torture.c", "purge", DECAYS);
}
