//! Arenas that programs make, the one for oversize requests, and which thread uses which.

use std::path::PathBuf;

use suite::build::preload;
use suite::fixture::compiled;
use suite::heap;
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;

#[track_caller]
fn run(program: &str, conf: &str, argument: Option<&str>) -> Outcome {
    Run::new(compiled(program)).args(argument).preload(&preload()).conf(conf).outcome().ok()
}

#[test]
fn arenas_of_a_program_s_own_are_made_reset_destroyed_and_asked() {
    run("arenas.c", "narenas:3", None);
}

#[test]
fn arenas_work_without_thread_caches_except_for_what_the_caches_would_have_done() {
    // Only that nothing breaks: the program's own checks speak of caches.
    run("contexts.c", "narenas:3,tcache:false", None);
}

#[test]
fn one_arena_gives_its_memory_back_at_once_and_another_keeps_it_for_a_minute() {
    run("arena_decay.c", "", None);
    run("arena_decay.c", "retain:false", None);
}

#[test]
fn contexts_with_arenas_of_their_own_come_and_go_without_growth() {
    run("contexts.c", "narenas:4", None);
}

#[test]
fn arenas_may_be_made_and_destroyed_while_the_process_forks() {
    run("contexts.c", "narenas:4", Some("fork"));
}

#[test]
fn threads_follow_the_processor_that_they_run_on() {
    run("per_cpu.c", "percpu_arena:percpu", None);
    run("per_cpu.c", "percpu_arena:percpu,tcache:false", None);
    run("per_cpu.c", "percpu_arena:phycpu", Some("2"));
}

/// What each automatic arena has: threads of ten, and decay times in milliseconds.
#[track_caller]
fn limits(conf: &str) -> String {
    let outcome = run("thread_limits.c", conf, None);
    assert!(outcome.warnings().is_empty(), "{outcome}");
    outcome.stdout
}

#[test]
fn an_arena_takes_as_many_threads_as_it_is_allowed_before_the_next_is_used() {
    assert_eq!(
        limits(
            "narenas:3,dirty_decay_ms:5,arena.0.nthreads:4,arena.1.dirty_decay_ms:60000,arena.2.muzzy_decay_ms:-1"
        ),
        "0: 4 threads, 5 ms, 0 ms\n1: 3 threads, 60000 ms, 0 ms\n2: 3 threads, 5 ms, -1 ms\n"
    );
    assert_eq!(
        limits("narenas:2,dirty_decay_ms:0,arena.0.nthreads:1,arena.1.nthreads:2"),
        "0: 5 threads, 0 ms, 0 ms\n1: 5 threads, 0 ms, 0 ms\n",
        "when all are full, limits count no more"
    );
}

#[test]
fn bad_values_of_a_single_arena_are_told() {
    let outcome = run(
        "thread_limits.c",
        "narenas:1,arena.0.dirty_decay_ms:-2,arena.0.nthreads:many,arena.0.name:x",
        None,
    );
    assert_eq!(
        outcome.warnings(),
        [
            "<jemalloc>: Out-of-range conf value: arena.0.dirty_decay_ms:-2",
            "<jemalloc>: Invalid conf value: arena.0.nthreads:many",
            "<jemalloc>: Invalid conf pair: arena.0.name:x",
        ]
    );
    assert!(outcome.stdout.starts_with("0: 10 threads, 10000 ms"), "{outcome}");
}

#[test]
fn the_number_of_arenas_follows_the_ratio_and_the_limit_of_indices() {
    let narenas = |conf: &str| limits(conf).lines().count();
    let (one, four) = (narenas("narenas_ratio:1"), narenas("narenas_ratio:4.0"));
    assert!(one == four || one * 4 == four, "{one} {four}");
    let outcome = run("thread_limits.c", "narenas:5000", None);
    assert_eq!(outcome.warnings(), ["<jemalloc>: Reducing narenas to limit (4094)"]);
    assert_eq!(outcome.stdout.lines().count(), 4094);
}

#[test]
fn samples_of_what_the_end_of_an_arena_discards_are_live_no_more() {
    let folder = Scratch::new("reset_sampled");
    let dumps: Vec<PathBuf> =
        ["full", "reset", "destroyed"].iter().map(|name| folder.path().join(name)).collect();
    let program = Run::new(compiled("reset_sampled.c")).args(&dumps).preload(&preload());
    program.conf("prof:true,lg_prof_sample:0").outcome().ok();
    let bytes: Vec<f64> = dumps.iter().map(|dump| heap::total(&heap::read(dump)).bytes).collect();
    // 900 of 512 bytes and 100 of 53,248.
    let filled = (900 * 512 + 100 * 53_248) as f64;
    assert!(bytes[0] >= filled && bytes[0] < filled + 100_000.0, "{bytes:?}");
    assert!(bytes[1] < 100_000.0 && bytes[2] < 100_000.0, "{bytes:?}");
}

#[test]
fn arenas_end_while_other_threads_give_back_what_all_arenas_do_not_need() {
    for conf in ["narenas:3", "narenas:2,dirty_decay_ms:0", "narenas:1,retain:false,background_thread:true"] {
        run("ends.c", conf, Some("care"));
    }
}

#[test]
fn an_arena_counts_from_zero_after_the_end_of_the_one_that_had_its_index() {
    run("ends.c", "", Some("counts"));
}

#[test]
fn a_thread_may_fork_before_it_has_allocated() {
    run("ends.c", "narenas:4", Some("fresh-thread-forks"));
}

#[test]
fn threads_of_the_allocator_s_own_owe_nothing_to_the_arena_of_the_thread_that_starts_them() {
    run("ends.c", "prof:true,prof_prefix:,narenas:2", Some("started-from"));
}

#[test]
fn where_address_space_is_short_what_lies_in_front_of_the_pages_serves_as_well() {
    // Without a page more for each object, so that two are exactly as long as one of twice the size.
    run("ends.c", "narenas:1,cache_oblivious:false,oversize_threshold:0", Some("side-by-side"));
}

#[test]
fn forks_do_not_wait_for_ever_while_address_space_is_short() {
    run("ends.c", "narenas:2", Some("short"));
}

#[test]
fn threads_that_start_at_once_make_an_arena_each_and_are_counted_once() {
    for word in ["", "ask", "fork"] {
        for _ in 0..20 {
            run("at_once.c", "narenas:8", Some(word));
        }
    }
}
