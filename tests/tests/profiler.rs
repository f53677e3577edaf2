//! The profiler's controls: mallctl leaves, hooks, what options do at the end of a program.

use std::path::Path;

use serde_json::Value;
use suite::build::preload;
use suite::fixture::{compiled, compiled_with};
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
    let conf = "lg_prof_sample:0,prof_final:true,prof_leak_error:true,prof_leak_threshold:0";
    let outcome = scene("leaks", &folder, conf);
    assert_eq!((outcome.status.code(), &*outcome.stdout), (Some(1), "the last words"), "{outcome}");
    let last = "<jemalloc>: Exiting with error code because memory leaks were detected";
    assert_eq!(outcome.warnings().last(), Some(&last), "{outcome}");
    assert_eq!(files(folder.path()), ["p.0.f.heap"]);
    let outcome = scene("clean", &folder, conf).ok();
    assert_eq!((&*outcome.stdout, outcome.warnings().len()), ("the last words", 0), "{outcome}");
}

#[test]
fn the_status_of_a_leak_and_what_counts_as_one_can_be_chosen() {
    let conf = "lg_prof_sample:0,prof_final:true,prof_leak_error:true,prof_leak_error_code:77";
    let with = |more: &str| scene("leaks", &Scratch::new("prof-leak-code"), &format!("{conf}{more}"));
    assert_eq!(with(",prof_leak_threshold:12345").status.code(), Some(77));
    let outcome = with(",prof_leak_threshold:14337").ok();
    let last = "<jemalloc>: No error: that is less than prof_leak_threshold";
    assert_eq!(outcome.warnings().last(), Some(&last), "{outcome}");
    assert!(with("").status.success(), "12345 bytes are none by themselves");
}

#[test]
fn a_program_that_fails_keeps_its_own_status() {
    let conf = "lg_prof_sample:0,prof_final:true,prof_leak_error:true,prof_leak_threshold:0";
    let outcome = scene("leaks-and-fails", &Scratch::new("prof-leak-status"), conf);
    assert_eq!((outcome.status.code(), &*outcome.stdout), (Some(3), "the last words"), "{outcome}");
    let last = "<jemalloc>: Memory leaks were detected; the program has an exit status of its own";
    assert_eq!(outcome.warnings().last(), Some(&last), "{outcome}");
}

#[test]
fn the_summary_names_the_largest_stack_and_the_dump_which_is_whole() {
    let folder = Scratch::new("prof-leak-names");
    let outcome = scene("leaks", &folder, "lg_prof_sample:0,prof_final:true,prof_leak:true").ok();
    let dump = folder.files(".f.heap").pop().unwrap();
    let place = format!("<jemalloc>: The dump is {}", dump.display());
    assert!(outcome.warnings().contains(&&*place), "{outcome}");
    let stacks: Vec<_> =
        outcome.warnings().into_iter().filter(|line| line.contains("profiling_c+0x")).collect();
    let [stack] = stacks[..] else { panic!("one stack: {outcome}") };
    assert!(stack.starts_with("<jemalloc>: ~14336 bytes, ~1 object: profiling_c+0x"), "{stack}");
    assert!(stack.contains("libc.so.6+0x") && stack.contains(" (__libc_start_main"), "{stack}");
    assert!(!suite::heap::read(&dump).maps.is_empty());
}

/// LeakSanitizer's way of a program to say what is no leak.
#[test]
fn what_the_program_says_of_its_leaks_is_honoured_and_told_by_the_dump() {
    let program = compiled_with("suppressing.c", &["-rdynamic"]);
    for (format, ending) in [("text", ".f.heap"), ("pprof", ".f.pb.gz"), ("heap_v2", ".f.heap")] {
        let folder = Scratch::new("prof-suppressed");
        let conf = format!(
            "prof_final:true,prof_leak_error:true,prof_leak_threshold:0,lg_prof_sample:0,prof_dump_format:{format},\
             prof_prefix:{}/p",
            folder.path().display()
        );
        let run = |argument: &str| Run::new(&program).arg(argument).preload(&preload()).conf(&conf).outcome();
        let outcome = run("suppressed").ok();
        assert_eq!(outcome.warnings().len(), 0, "{outcome}");
        let dump = suite::heap::read(&folder.files(ending)[0]);
        let told: Vec<_> =
            dump.about.iter().filter(|(name, _)| name == "suppression").map(|(_, text)| text).collect();
        let expected: &[&str] = match format {
            "heap_v2" => &[],
            _ => &["# what stays", "leak:keep_for_e*er$", "# jeprof-rs: max=10", "leak:limited"],
        };
        assert_eq!(told, expected, "{format}");
        // A rule with a condition is left to the viewer.
        let outcome = run("limited");
        assert_eq!(outcome.status.code(), Some(1), "{outcome}");
        assert!(outcome.stderr.contains("(limited)"), "{outcome}");
        assert!(
            outcome.stderr.contains("<jemalloc>: Suppressed: ~1280 bytes, ~1 object, 1 context"),
            "{outcome}"
        );
    }
}

#[test]
fn programs_that_keep_little_until_they_end_are_no_leaks() {
    for command in [&["/bin/true"][..], &["/bin/ls", "/"], &["/bin/bash", "-c", "true"]] {
        let folder = Scratch::new("prof-no-leak");
        let conf = format!(
            "prof:true,prof_leak:true,prof_leak_error:true,prof_final:true,lg_prof_sample:0,prof_prefix:{}/p",
            folder.path().display()
        );
        Run::new(command[0]).args(&command[1..]).preload(&preload()).conf(conf).outcome().ok();
        assert_eq!(folder.files(".f.heap").len(), 1);
    }
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

/// The members of an object, in order of their names.
fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort();
    keys
}

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", path.display()))
}

const BIRTH: [&str; 7] =
    ["alloc_thread_name", "alloc_thread_uid", "alloc_time", "alloc_trace", "released", "size", "usize"];

const DEATH: [&str; 4] = ["dalloc_thread_name", "dalloc_thread_uid", "dalloc_time", "dalloc_trace"];

#[test]
fn recent_samples_are_told_one_by_one_with_their_births_and_deaths() {
    let folder = Scratch::new("prof-recent");
    scene("recent", &folder, "lg_prof_sample:0,prof_time_resolution:high").ok();
    let told = json(&folder.file("p"));
    assert_eq!(keys(&told), ["recent_alloc", "recent_alloc_max", "sample_interval"]);
    assert_eq!((&told["sample_interval"], &told["recent_alloc_max"]), (&1.into(), &100.into()));
    let records = told["recent_alloc"].as_array().unwrap();
    let of_size = |size: u64| {
        let mut found = records.iter().filter(move |record| record["size"] == size);
        let record = found.next().unwrap();
        assert!(found.next().is_none(), "two of {size} bytes: {told}");
        record
    };
    let (by_other, large, alive) = (of_size(100), of_size(20_000), of_size(300));
    assert_eq!(keys(alive), BIRTH);
    let mut all = [&BIRTH[..], &DEATH].concat();
    all.sort();
    assert_eq!(keys(by_other), all);
    assert_eq!(
        (&by_other["usize"], &large["usize"], &alive["usize"]),
        (&112.into(), &20_480.into(), &320.into())
    );
    assert_eq!((&by_other["released"], &alive["released"]), (&true.into(), &false.into()));
    assert_eq!(by_other["alloc_thread_name"], "main \\ one");
    assert_eq!(by_other["dalloc_thread_name"], "freeing \"one\"");
    assert_ne!(by_other["alloc_thread_uid"], by_other["dalloc_thread_uid"]);
    assert_eq!(large["alloc_thread_uid"], large["dalloc_thread_uid"]);
    for record in [by_other, large] {
        let time = |key: &str| record[key].as_u64().unwrap();
        assert!(time("alloc_time") <= time("dalloc_time"), "{record}");
        for key in ["alloc_trace", "dalloc_trace"] {
            let trace = record[key].as_array().unwrap();
            assert!(
                trace.len() > 1 && trace.iter().all(|a| a.as_str().unwrap().starts_with("0x")),
                "{record}"
            );
        }
    }
}

#[test]
fn recent_samples_go_to_files_of_the_profiler_s_naming_and_the_oldest_are_dropped() {
    let folder = Scratch::new("prof-recent-files");
    scene("recent-files", &folder, "lg_prof_sample:0,prof_recent_alloc_max:5").ok();
    let mut files: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "json"));
    files.sort();
    let [all, two] = &files[..] else { panic!("{files:?}") };
    let ends = |path: &Path, end: &str| path.to_str().unwrap().ends_with(end);
    assert!(ends(all, ".0.r0.json") && ends(two, ".2.r1.json"), "{files:?}");
    let (all, two) = (json(all), json(two));
    assert_eq!(all["recent_alloc_max"], -1);
    assert!(all["recent_alloc"].as_array().unwrap().len() >= 3000);
    assert_eq!((&two["recent_alloc_max"], two["recent_alloc"].as_array().unwrap().len()), (&2.into(), 2));
    let received = json(&folder.file("p.received"));
    assert_eq!(received["recent_alloc_max"], 2);
}

#[test]
fn a_log_lists_what_was_sampled_and_freed_while_it_was_on() {
    let folder = Scratch::new("prof-log");
    let outcome = scene("logs", &folder, "lg_prof_sample:0,prof_time_resolution:high").ok();
    assert!(outcome.stderr.contains("failed to open \"/nonexistent-folder/log\""), "{outcome}");
    let log = json(&folder.file("p"));
    assert_eq!(keys(&log), ["allocations", "info", "stack_traces", "threads"]);
    assert_eq!(keys(&log["info"]), ["duration", "lg_sample_rate", "pid", "prof_time_resolution", "version"]);
    assert_eq!(
        (&log["info"]["lg_sample_rate"], &log["info"]["prof_time_resolution"]),
        (&0.into(), &"high".into())
    );
    let rows = log["allocations"].as_array().unwrap();
    let mut found = rows.iter().filter(|row| row["usize"] == 5120);
    let row = found.next().unwrap_or_else(|| panic!("{log}"));
    assert!(found.next().is_none(), "{log}");
    let row_keys = ["alloc_thread", "alloc_timestamp", "alloc_trace", "free_thread", "free_timestamp"];
    assert_eq!(keys(row), [&row_keys[..], &["free_trace", "usize"]].concat());
    let thread = |key: &str| &log["threads"][row[key].as_u64().unwrap() as usize];
    assert_eq!(keys(thread("alloc_thread")), ["thr_name", "thr_uid"]);
    assert_eq!(thread("alloc_thread")["thr_name"], "logged\ttab");
    assert_eq!(thread("free_thread")["thr_name"], "freeing \"one\"");
    for key in ["alloc_trace", "free_trace"] {
        let trace = log["stack_traces"][row[key].as_u64().unwrap() as usize].as_array().unwrap();
        assert!(trace.len() > 1, "{log}");
    }
    assert!(row["alloc_timestamp"].as_u64() <= row["free_timestamp"].as_u64(), "{row}");
}

#[test]
fn a_log_that_the_options_begin_is_written_when_the_program_ends() {
    let folder = Scratch::new("prof-log-exit");
    scene("log-at-exit", &folder, "lg_prof_sample:0,prof_log:true").ok();
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let log = json(&file);
    assert_eq!(log["info"]["prof_time_resolution"], "default");
    assert!(log["allocations"].as_array().unwrap().iter().any(|row| row["usize"] == 96), "{log}");
    scene("log-at-exit", &Scratch::new("prof-no-log"), "lg_prof_sample:0").ok();
}

#[test]
fn threads_sample_and_free_while_the_ring_is_resized_and_logs_begin_and_end() {
    let folder = Scratch::new("prof-contended");
    scene("contended", &folder, "lg_prof_sample:6,prof_recent_alloc_max:7").ok();
    let mut told = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        json(&entry.unwrap().path());
        told += 1;
    }
    assert_eq!(told, 6);
}
