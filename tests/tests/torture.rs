//! Programs that try to break the allocator, under the options that change its paths.

use suite::build::preload;
use suite::fixture::compiled_with;
use suite::run::Run;
use suite::scratch::Scratch;

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

/// Options under which everything is done at once, by [`mixed`] in turn.
const MIXED: &[&str] = &[
    "",
    "prof:true,lg_prof_sample:8,prof_prefix:,prof_recent_alloc_max:100",
    "narenas:3,dirty_decay_ms:0,muzzy_decay_ms:0",
    "retain:false,narenas:4,prof:true,lg_prof_sample:0,prof_prefix:,prof_recent_alloc_max:-1",
    "narenas:3,background_thread:true,dirty_decay_ms:5,muzzy_decay_ms:5,tcache:false",
    "junk:true,size_checks:true,debug_double_free_max_scan:16,narenas:3",
    "percpu_arena:percpu,cache_oblivious:true",
    "oversize_threshold:100000,narenas:3,prof:true,lg_prof_sample:10,prof_prefix:",
    "prof:true,prof_frag:true,lg_prof_sample:7,prof_prefix:,narenas:3",
    "tcache_max:8388608,narenas:3,lg_tcache_flush_small_div:3,tcache_gc_interval:5,dss:primary",
];

/// Everything that the interface offers, at once and at random. `SUITE_MIX_SEEDS=100` runs so many seeds; a seed that
/// fails is in the output.
#[test]
fn whatever_is_done_at_once_no_byte_is_wrong_and_all_memory_comes_back() {
    let program = compiled_with("mix.c", &["-fno-builtin", "-pthread"]);
    let seeds = std::env::var("SUITE_MIX_SEEDS").ok().map_or(MIXED.len(), |text| {
        text.parse().unwrap_or_else(|_| panic!("SUITE_MIX_SEEDS: `{text}` is not a number"))
    });
    let folder = Scratch::new("mix");
    for (seed, conf) in (1..=seeds).zip(MIXED.iter().cycle()) {
        let run = Run::new(&program).args([seed.to_string(), "40".into()]).arg(folder.path());
        run.preload(&preload()).conf(conf).outcome().ok();
    }
}

#[test]
fn the_words_that_count_a_threads_bytes_are_exact_after_every_call() {
    holds(
        "counting.c",
        "words",
        &["", "tcache:false", "prof:true,lg_prof_sample:0,prof_prefix:", "zero:true"],
    );
}

#[test]
fn the_numbers_of_a_threads_bytes_are_exact_too() {
    holds(
        "counting.c",
        "numbers",
        &[
            "",
            "tcache:false",
            "prof:true,lg_prof_sample:12,prof_prefix:",
            "junk:true,prof:true,lg_prof_sample:12,prof_prefix:",
            "prof:true,prof_frag:true,lg_prof_sample:0,prof_prefix:",
        ],
    );
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
