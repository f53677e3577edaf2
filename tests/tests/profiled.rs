//! The profiler around other allocators: the system's, and ours, which looks at the layouts that it is given back. Programs
//! are those of `fixtures/programs/profiled`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use prof_format::dump::Dump;
use prof_format::vocab::Format;
use suite::build::{self, Profile};
use suite::heap::{self, Symbols};
use suite::run::{Outcome, Run};
use suite::sampling;
use suite::scratch::Scratch;

const PROGRAMS: [&str; 2] = ["profiled-system", "profiled-jealloc"];

fn program(name: &str) -> PathBuf {
    build::package("profiled-programs", Profile::own()).join(name).canonicalize().unwrap()
}

/// The allocator below does not profile, and ends the process when an object comes back with another size than it has.
fn checked(run: Run) -> Run {
    run.env("_RJEM_MALLOC_CONF", "prof:false,size_checks:true")
}

#[track_caller]
fn ran(name: &str, conf: &str, arguments: &[&str], folder: &Scratch) -> Outcome {
    let conf = format!("prof_prefix:{}/p,{conf}", folder.path().display());
    checked(Run::new(program(name))).args(arguments).conf(conf).folder(folder.path()).outcome()
}

/// The one dump whose name has a part.
#[track_caller]
fn only(folder: &Scratch, part: &str) -> Dump {
    let files = folder.files(part);
    assert_eq!(files.len(), 1, "{files:?}");
    heap::read(&files[0])
}

#[track_caller]
fn bytes_of(dump: &Dump, program: &Path, function: &str) -> f64 {
    heap::by_function(dump, program, &Symbols::of(program)).get(function).map_or(0.0, |found| found.bytes)
}

/// As with the allocator's own estimates (`profiles.rs`): six seeds, bounds five standard deviations wide and corrected for the
/// skewness of few samples. Nine sites, two figures, three rates, two allocators: some hundred scores.
#[test]
fn estimates_over_other_allocators_agree_with_the_truth() {
    for name in PROGRAMS {
        let program = program(name);
        for lg_sample in [12, 16, 19] {
            let scores = sampling::measure_runs(&program, lg_sample, 1..7, |run, seed| {
                checked(run).args(["truth", seed])
            });
            assert!(scores.len() >= 8, "{scores:?}");
            let verdict = sampling::judge(&scores, 5.0);
            let table = sampling::table(&scores);
            for (inside, of, beyond) in &verdict.within {
                let outside = suite::bounds::outside_two_sigma(*of, 1e-5);
                assert!(
                    of - inside <= outside && beyond.is_empty(),
                    "{name} lg {lg_sample}: {verdict:?}\n{table}"
                );
            }
            for (spread, low, high) in verdict.spread {
                assert!((low..=high).contains(&spread), "{name} lg {lg_sample}: {verdict:?}\n{table}");
            }
        }
    }
}

#[test]
fn every_format_says_the_same_and_the_viewer_names_the_functions_but_not_the_profiler_s() {
    for name in PROGRAMS {
        let program = program(name);
        let mut seen = BTreeSet::new();
        for format in ["text", "heap_v2", "pprof"] {
            let folder = Scratch::new("profiled-formats");
            // Each allocation is sampled, so that all runs see the same.
            let conf = format!("prof:true,lg_prof_sample:0,prof_final:true,prof_dump_format:{format}");
            ran(name, &conf, &["truth", "5"], &folder).ok();
            let path = folder.files(".f.").pop().expect("a final dump");
            let dump = heap::read(&path);
            seen.insert(bytes_of(&dump, &program, "small_objects") as u64);
            let run = Run::new(build::viewer(Profile::own())).args(["--text", "--show_bytes", "--cum"]);
            let shown = run.arg(&program).arg(&path).outcome().ok().stdout;
            for function in ["small_objects", "large_buffers", "handed_over", "by_destructor", "by_sleeper"] {
                assert!(shown.contains(function), "{function}: {shown}");
            }
            assert!(!shown.contains("Profiled"), "{shown}");
            assert!(!shown.contains("profiled::"), "{shown}");
        }
        assert_eq!(seen.len(), 1, "{seen:?}");
    }
}

#[test]
fn without_options_nothing_is_sampled_and_nothing_said() {
    let folder = Scratch::new("profiled-off");
    let outcome = ran("profiled-system", "prof_final:true", &["truth", "1"], &folder).ok();
    assert_eq!((outcome.stderr.as_str(), folder.files("p.").len()), ("", 0));
}

#[test]
fn a_program_switches_dumps_resets_and_adds_up_by_itself() {
    for name in PROGRAMS {
        let folder = Scratch::new("profiled-switch");
        let target = folder.path().to_str().unwrap().to_owned();
        let outcome = ran(name, "", &["switch", &target], &folder).ok();
        assert_eq!(outcome.stdout, "done\n", "{outcome}");
        let program = program(name);
        for (file, format) in
            [("a.heap", Format::HeapV2), ("a.pb", Format::Pprof), ("a.pb.gz", Format::Pprof)]
        {
            let dump = heap::read(&folder.file(file));
            assert_eq!(dump.format, format, "{file}");
            assert!(bytes_of(&dump, &program, "while_on") >= 500_000.0, "{file}");
            assert_eq!(bytes_of(&dump, &program, "while_off"), 0.0, "{file}");
        }
        let run = Run::new(build::viewer(Profile::own())).arg("tags").arg(folder.file("a.pb.gz"));
        let tags = run.outcome().ok().stdout;
        assert!(tags.contains("switcher") && tags.contains("tenant 7"), "{tags}");
        assert_eq!(only(&folder, ".m0.heap").format, Format::Text);
    }
}

#[test]
fn children_of_a_fork_dump_under_their_own_number_what_they_and_their_parent_hold() {
    for name in PROGRAMS {
        let folder = Scratch::new("profiled-fork");
        ran(name, "prof:true,lg_prof_sample:10,prof_final:true", &["fork"], &folder).ok();
        let (dumps, program) = (folder.files(".f.heap"), program(name));
        assert_eq!(dumps.len(), 21, "20 children and their parent: {dumps:?}");
        let symbols = Symbols::of(&program);
        let held: Vec<[bool; 2]> = dumps
            .iter()
            .map(|dump| {
                let found = heap::by_function(&heap::read(dump), &program, &symbols);
                ["in_parent", "in_child"].map(|function| found.contains_key(function))
            })
            .collect();
        assert_eq!(held.iter().filter(|held| **held == [true, true]).count(), 20, "{held:?}");
        assert_eq!(held.iter().filter(|held| **held == [true, false]).count(), 1, "{held:?}");
    }
}

#[test]
fn dumps_come_by_bytes_allocated_and_newest_samples_as_json() {
    let folder = Scratch::new("profiled-interval");
    let conf = "prof:true,lg_prof_sample:12,lg_prof_interval:24";
    ran("profiled-system", conf, &["churn", "100"], &folder).ok();
    // 100 MiB by estimate; 16 MiB for a dump. The estimate is some 26,000 samples': its error is below a percent.
    let dumps = folder.files(".i");
    assert!((5..=7).contains(&dumps.len()), "{dumps:?}");

    let folder = Scratch::new("profiled-recent");
    let conf = "prof:true,lg_prof_sample:0,prof_recent_alloc_max:50,prof_final:true";
    ran("profiled-system", conf, &["recent"], &folder).ok();
    let [recent, last] = [".r0.json", ".f.heap"].map(|part| folder.files(part).pop().expect(part));
    // The dump knows where modules lie.
    let run = Run::new(build::viewer(Profile::own())).args(["recent", "--where=size>100000"]);
    let shown = run.arg(recent).arg(last).outcome().ok().stdout;
    assert!(shown.contains("newest"), "{shown}");
}

#[test]
fn leaks_decide_about_the_status_of_a_program_that_has_none_of_its_own() {
    let folder = Scratch::new("profiled-leak");
    let conf = "prof_leak_error:true,prof_final:true,lg_prof_sample:0,prof_leak_error_code:7";
    let status = |conf: &str, own: &str| {
        let outcome = ran("profiled-system", conf, &["leak", own], &folder);
        assert!(outcome.stderr.contains("Leak approximation summary"), "{outcome}");
        outcome.status.code()
    };
    assert_eq!(status(conf, "0"), Some(7));
    assert_eq!(status(conf, "3"), Some(3));
    assert_eq!(status(&format!("{conf},prof_leak_threshold:1000000000"), "0"), Some(0));
}

#[test]
fn what_cannot_be_had_is_said_and_ends_the_process_when_asked_to() {
    let folder = Scratch::new("profiled-options");
    let warnings = |conf: &str| {
        let outcome = ran("profiled-system", conf, &["truth", "1"], &folder);
        outcome.warnings().iter().map(|line| line["<jemalloc>: ".len()..].to_owned()).collect::<Vec<_>>()
    };
    let said = warnings("prof_stats:true,prof_gdump:true,prof_listen:true,prof_frag:true,prof_interval_ms:5");
    for option in ["prof_stats", "prof_gdump", "prof_listen", "prof_frag", "prof_interval_ms"] {
        let has = format!("{option} has no effect over this allocator");
        assert!(said.iter().any(|line| line.starts_with(&has)), "{option}: {said:?}");
    }
    let said = warnings("narenas:4,prof_finale:true,lg_prof_interval:99,");
    let expected = [
        "Profiled has the options of the profiler (prof*, lg_prof*), abort, abort_conf and confirm_conf",
        "Invalid conf pair: narenas:4",
        "Invalid conf pair: prof_finale:true",
        "Did you mean prof_final?",
        "Out-of-range conf value: lg_prof_interval:99",
        "Conf string ends with comma -- ",
    ];
    assert_eq!(said, expected);
    let outcome = ran("profiled-system", "abort_conf:true,nothing:1", &["truth", "1"], &folder);
    assert!(!outcome.status.success() && outcome.stderr.contains("Abort (abort_conf:true)"), "{outcome}");
    // What the program says comes first.
    let outcome = ran("profiled-jealloc", "confirm_conf:true", &["truth", "1"], &folder).ok();
    let first = "malloc_conf #1 (text given to Profiled::with_conf): \"lg_prof_sample:12,prof_accum:true\"";
    assert!(outcome.stderr.contains(first), "{outcome}");
}
