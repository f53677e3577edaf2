//! The profiler's controls: mallctl leaves, hooks, what options do at the end of a program.

use std::path::Path;

use suite::build::preload;
use suite::fixture::compiled;
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;

/// A scene of `profiling.c` under options; files go to the folder.
fn scene(name: &str, folder: &Scratch, conf: &str) -> Outcome {
    let prefix = folder.file("p");
    let run = Run::new(compiled("profiling.c")).preload(&preload()).arg(name).arg(&prefix);
    run.conf(format!("prof:true,prof_prefix:{},{conf}", prefix.display())).folder(folder.path()).outcome()
}

/// Names of the files in a folder, without the process id, in order.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries
        .map(|name| {
            let name = name.into_string().unwrap();
            let parts = name.split('.').filter(|part| part.len() == 1 || part.parse::<u64>().is_err());
            parts.collect::<Vec<_>>().join(".")
        })
        .collect();
    names.sort();
    names
}

#[test]
fn without_the_profiler_its_leaves_answer_as_the_reference_s() {
    Run::new(compiled("profiling.c")).preload(&preload()).arg("off").outcome().ok();
}

#[test]
fn leaves_keep_the_reference_s_order_of_checks() {
    scene("leaves", &Scratch::new("prof-leaves"), "lg_prof_sample:0").ok();
}

#[test]
fn threads_can_have_the_system_s_names() {
    let conf = "lg_prof_sample:0,prof_sys_thread_name:true";
    scene("system-names", &Scratch::new("prof-names"), conf).ok();
}

#[test]
fn the_prefix_can_be_changed_and_an_empty_one_makes_no_names() {
    let folder = Scratch::new("prof-prefix");
    scene("prefix", &folder, "").ok();
    assert_eq!(files(folder.path()), ["p.0.m0.heap", "p.1.m1.heap"]);
}

#[test]
fn the_namespace_of_process_ids_is_in_the_names_when_that_is_asked_for() {
    let folder = Scratch::new("prof-namespace");
    scene("prefix", &folder, "prof_pid_namespace:true").ok();
    let link = std::fs::read_link("/proc/self/ns/pid").unwrap();
    let number = link.to_str().unwrap().trim_start_matches("pid:[").trim_end_matches(']').to_owned();
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2);
    let start = format!("p.{number}.");
    assert!(names.iter().all(|name| name.to_str().unwrap().starts_with(&start)), "{names:?}");
}

#[test]
fn samples_are_counted_by_class_with_the_bytes_that_were_asked_for() {
    scene("stats", &Scratch::new("prof-stats"), "lg_prof_sample:0,prof_stats:true").ok();
}

#[test]
fn hooks_are_told_of_samples_frees_and_dumps_and_can_replace_the_unwinder() {
    scene("hooks", &Scratch::new("prof-hooks"), "lg_prof_sample:0,prof_bt_max:5").ok();
}

#[test]
fn a_dump_inside_of_the_hook_of_dumps_is_refused() {
    scene("nested-dump", &Scratch::new("prof-nested"), "").ok();
}

#[test]
fn a_leak_ends_the_program_with_an_error_when_that_is_asked_for_and_nothing_it_printed_is_lost() {
    let folder = Scratch::new("prof-leak-error");
    let conf = "lg_prof_sample:0,prof_final:true,prof_leak_error:true";
    let outcome = scene("leaks", &folder, conf);
    assert_eq!((outcome.status.code(), &*outcome.stdout), (Some(1), "the last words"), "{outcome}");
    let last = "<jemalloc>: Exiting with error code because memory leaks were detected";
    assert_eq!(outcome.warnings().last(), Some(&last), "{outcome}");
    assert_eq!(files(folder.path()), ["p.0.f.heap"]);
    let outcome = scene("clean", &folder, conf).ok();
    assert_eq!((&*outcome.stdout, outcome.warnings().len()), ("the last words", 0), "{outcome}");
}

#[test]
fn an_error_for_leaks_wants_the_final_dump() {
    let outcome =
        scene("leaks", &Scratch::new("prof-leak-conf"), "lg_prof_sample:0,prof_leak_error:true").ok();
    assert_eq!(outcome.warnings()[0], "<jemalloc>: prof_leak_error is set w/o prof_final.");
}

#[test]
fn a_dump_of_the_profiler_s_own_that_fails_aborts_the_program_when_that_is_asked_for() {
    use std::os::unix::process::ExitStatusExt;
    let run = |conf: &str| {
        let conf = format!("prof:true,prof_final:true,prof_prefix:/nonexistent-folder/p{conf}");
        Run::new("/bin/true").preload(&preload()).conf(conf).outcome()
    };
    let outcome = run("").ok();
    assert!(outcome.stderr.contains("failed to open"), "{outcome}");
    let outcome = run(",abort:true");
    assert_eq!(outcome.status.signal(), Some(6), "{outcome}");
}
