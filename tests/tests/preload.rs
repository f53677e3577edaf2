//! Programs that know nothing of us run under `libjemalloc.so` as without it.

use std::path::Path;

use suite::build::preload;
use suite::fixture::{compiled, compiled_with};
use suite::run::{Outcome, Run};

/// Runs a command with and without the library, and asserts the same output and exit status.
#[track_caller]
fn same_as_without(program: impl AsRef<Path>, arguments: &[&str]) -> Outcome {
    let run = || Run::new(program.as_ref()).args(arguments);
    let without = run().outcome();
    let under = run().preload(&preload()).outcome();
    let of = |outcome: &Outcome| (outcome.status, outcome.stdout.clone(), outcome.stderr.clone());
    assert_eq!(of(&without), of(&under), "without, and under the library: {}", under.command);
    under
}

/// Runs a fixture that checks by itself, under the library.
#[track_caller]
fn checks_hold(source: &str, conf: &str, arguments: &[&str]) -> Outcome {
    Run::new(compiled(source)).args(arguments).preload(&preload()).conf(conf).outcome().ok()
}

#[test]
fn small_programs_start_and_end() {
    same_as_without("/bin/true", &[]);
    assert_eq!(same_as_without("/bin/false", &[]).status.code(), Some(1));
    same_as_without("/bin/echo", &["hello"]);
    same_as_without("/bin/ls", &["/"]);
}

#[test]
fn a_shell_starts_children_and_pipes() {
    let outcome =
        same_as_without("/bin/sh", &["-c", "for i in 1 2 3; do echo $i | tr 123 abc; done; (exit 3)"]);
    assert_eq!((outcome.status.code(), outcome.stdout.as_str()), (Some(3), "a\nb\nc\n"));
}

#[test]
fn a_c_program_with_threads_gives_the_same_output() {
    same_as_without(compiled("work.c"), &[]);
    same_as_without(compiled("work.c"), &["--rows=1000", "--seed=7"]);
    assert_eq!(same_as_without(compiled("work.c"), &["--rows=x"]).status.code(), Some(2));
}

#[test]
fn a_cpp_program_with_exceptions_and_threads_gives_the_same_output() {
    same_as_without(compiled("work.cc"), &[]);
}

#[test]
fn a_program_without_position_independence_or_with_static_libgcc_runs() {
    same_as_without(compiled_with("work.c", &["-no-pie"]), &["--rows=1000"]);
    same_as_without(compiled_with("work.cc", &["-static-libgcc", "-static-libstdc++"]), &[]);
}

#[test]
fn every_function_of_the_c_interface_keeps_its_contract() {
    checks_hold("semantics.c", "", &[]);
}

#[test]
fn the_contract_holds_when_every_allocation_is_sampled() {
    checks_hold("semantics.c", "prof:true,lg_prof_sample:0", &[]);
}

#[test]
fn the_contract_holds_without_thread_caches() {
    checks_hold("semantics.c", "tcache:false", &[]);
}

#[test]
fn allocation_works_in_constructors_thread_destructors_and_atexit() {
    for conf in ["", "prof:true,lg_prof_sample:10", "tcache:false"] {
        let outcome = checks_hold("lifecycle.c", conf, &[]);
        assert!(
            outcome.stdout.contains("atexit ran\n") && outcome.stdout.contains("destructor ran\n"),
            "{outcome}"
        );
    }
}

#[test]
fn a_child_forked_from_busy_threads_can_allocate() {
    checks_hold("forking.c", "", &[]);
    checks_hold("forking.c", "prof:true,lg_prof_sample:10", &[]);
    checks_hold("forking.c", "", &["asking"]);
}

#[test]
fn running_out_of_address_space_is_an_answer() {
    checks_hold("no_memory.c", "", &[]);
    checks_hold("no_memory.c", "prof:true,lg_prof_sample:12", &[]);
    // Unused extents that are too long for the request are in the way until they are unmapped.
    checks_hold("no_memory.c", "retain:false", &[]);
}

#[test]
fn a_c_program_is_told_its_options_by_its_own_symbol() {
    let options = |program: &Path, conf: &str| {
        Run::new(program).preload(&preload()).conf(conf).outcome().ok().stdout.trim().to_owned()
    };
    let with_symbol = compiled_with("options.c", &["-DWITH_SYMBOL", "-rdynamic"]);
    assert_eq!(
        options(&with_symbol, ""),
        "narenas:3,dirty_decay_ms:1234,muzzy_decay_ms:0,lg_prof_sample:17,tcache:true"
    );
    // The environment comes later and wins.
    assert_eq!(
        options(&with_symbol, "narenas:5,tcache:false"),
        "narenas:5,dirty_decay_ms:1234,muzzy_decay_ms:0,lg_prof_sample:17,tcache:false"
    );
    let plain = options(&compiled("options.c"), "dirty_decay_ms:-1,muzzy_decay_ms:0x20,lg_prof_sample:021");
    assert!(plain.ends_with(",dirty_decay_ms:-1,muzzy_decay_ms:32,lg_prof_sample:17,tcache:true"), "{plain}");
}

#[test]
fn a_program_that_is_told_of_a_bad_option_may_allocate_before_the_options_are_read() {
    let program = compiled_with("early.c", &["-rdynamic"]);
    Run::new(program).preload(&preload()).conf("narenas:2,bogus:1,dirty_decay_ms:77").outcome().ok();
}
