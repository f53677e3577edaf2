//! From a real dump of a real program to the table, the collapsed stacks and the flame graph.

use std::path::{Path, PathBuf};

use suite::build::{self, Profile};
use suite::heap;
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;

struct Fixture {
    scratch: Scratch,
    svc: PathBuf,
    dump: PathBuf,
}

/// One exact dump of the service.
fn fixture() -> Fixture {
    let scratch = Scratch::new("viewer");
    let svc = build::svc(Profile::own()).canonicalize().unwrap();
    let conf =
        format!("prof:true,lg_prof_sample:0,prof_final:true,prof_prefix:{}/v", scratch.path().display());
    Run::new(&svc).args(["--cache=3000", "--requests=2000", "--threads=2"]).conf(conf).outcome().ok();
    let dump = scratch.files(".f.heap").remove(0);
    Fixture { scratch, svc, dump }
}

fn view(fixture: &Fixture, arguments: &[&str]) -> Outcome {
    let run = Run::new(build::viewer(Profile::own())).args(arguments).folder(fixture.scratch.path());
    run.arg(&fixture.svc).arg(&fixture.dump).outcome()
}

/// Flat and cumulative figure of each row of a text table, by name.
fn rows(table: &str) -> Vec<(f64, f64, String)> {
    let parse = |word: &str| word.trim_end_matches('%').parse::<f64>().ok();
    table
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [flat, _, _, cumulative, _, name @ ..] = &words[..] else { return None };
            Some((parse(flat)?, parse(cumulative)?, name.join(" ")))
        })
        .collect()
}

#[test]
fn the_table_names_the_functions_and_its_total_is_the_dump_s() {
    let fixture = fixture();
    let outcome = view(&fixture, &["--text", "--show_bytes"]).ok();
    let total = heap::total(&heap::read(&fixture.dump)).bytes;
    let head = outcome.stdout.lines().next().unwrap_or_default();
    let told: f64 = head
        .split_whitespace()
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or_else(|| panic!("{outcome}"));
    assert!((told - total).abs() <= 1.0, "{head}, not {total}");
    let rows = rows(&outcome.stdout);
    for name in ["big_block", "log_buffer", "middle_block", "leak_request"] {
        assert!(
            rows.iter().any(|(_, cumulative, row)| row.contains(name) && *cumulative > 0.0),
            "{name}: {outcome}"
        );
    }
    let big = rows.iter().find(|(.., name)| name.ends_with("svc::blocks::big_block"));
    assert_eq!(
        big.map(|(_, cumulative, _)| *cumulative),
        Some(12_582_912.0),
        "four blocks of 3 MiB: {outcome}"
    );
    for shim in ["__rust_alloc", "je_malloc", "GlobalAlloc", "jealloc::"] {
        assert!(!outcome.stdout.contains(shim), "frames of the allocator are left out: {outcome}");
    }
}

#[test]
fn lines_name_file_and_line() {
    let fixture = fixture();
    let outcome = view(&fixture, &["--lines", "--show_bytes"]).ok();
    let line = outcome.stdout.lines().find(|line| line.contains("blocks.rs:"));
    assert!(line.is_some(), "{outcome}");
}

#[test]
fn objects_are_counted() {
    let fixture = fixture();
    let outcome = view(&fixture, &["--inuse_objects", "--text", "--focus=tiny_counter"]).ok();
    let tiny = rows(&outcome.stdout).into_iter().find(|(.., name)| name.contains("tiny_counter"));
    assert_eq!(tiny.map(|(flat, cumulative, _)| flat.max(cumulative)), Some(20_000.0), "{outcome}");
}

#[test]
fn collapsed_stacks_add_up_to_the_total() {
    let fixture = fixture();
    let outcome = view(&fixture, &["--collapsed", "--inuse_space"]).ok();
    let mut sum = 0.0;
    for line in outcome.stdout.lines() {
        let (stack, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("`{line}`"));
        assert!(!stack.is_empty());
        sum += value.parse::<f64>().unwrap_or_else(|_| panic!("`{line}`"));
    }
    let dump = heap::read(&fixture.dump);
    let total = heap::total(&dump).bytes;
    // Every line is cut to a whole number.
    assert!((sum - total).abs() <= dump.stacks.len() as f64, "{sum}, not {total}");
}

#[test]
fn several_dumps_are_added_up() {
    let fixture = fixture();
    let single = view(&fixture, &["--text", "--show_bytes"]).ok();
    let copy = fixture.scratch.file("copy.heap");
    std::fs::copy(&fixture.dump, &copy).unwrap();
    let copied = copy.to_string_lossy().into_owned();
    let run = Run::new(build::viewer(Profile::own())).args(["--text", "--show_bytes"]).arg(&fixture.svc);
    let double = run.arg(&fixture.dump).arg(&copied).outcome().ok();
    let total = |outcome: &Outcome| -> f64 {
        outcome
            .stdout
            .split_whitespace()
            .nth(1)
            .and_then(|word| word.parse().ok())
            .unwrap_or_else(|| panic!("{outcome}"))
    };
    assert!((total(&double) - 2.0 * total(&single)).abs() <= 1.0, "{} {}", total(&double), total(&single));
}

#[test]
fn the_flame_graph_is_drawn_from_the_newest_dump_here() {
    let fixture = fixture();
    let run = || Run::new(build::viewer(Profile::own())).arg("flame").folder(fixture.scratch.path());
    for outcome in [run().outcome().ok(), run().arg(&fixture.dump).outcome().ok()] {
        assert!(
            outcome.stdout.contains("<svg") && outcome.stdout.trim_end().ends_with("</svg>"),
            "{outcome}"
        );
        assert!(outcome.stdout.contains("cache_value"), "frames have names");
    }
}

/// Exit status 2, and a message that names `part`.
#[track_caller]
fn refused(arguments: &[&Path], part: &str) {
    let outcome = Run::new(build::viewer(Profile::own())).args(arguments).outcome();
    assert_eq!(outcome.status.code(), Some(2), "{outcome}");
    assert!(outcome.stderr.contains(part), "`{part}` is not in: {outcome}");
    assert_eq!(outcome.stdout, "", "{outcome}");
}

#[test]
fn wrong_inputs_are_refused_with_a_clear_message() {
    let fixture = fixture();
    let scratch = &fixture.scratch;
    let text = Path::new("--text");
    refused(&[text, &fixture.svc, &scratch.file("absent.heap")], "absent.heap");
    let empty = scratch.file("empty.heap");
    std::fs::write(&empty, "").unwrap();
    refused(&[text, &fixture.svc, &empty], "empty.heap");
    let folder = scratch.file("nothing");
    std::fs::create_dir(&folder).unwrap();
    refused(&[text, &fixture.svc, &folder], "nothing");
    refused(&[Path::new("--inuse_spase"), &fixture.svc, &fixture.dump], "inuse_space");

    let named = scratch.file("named.heap");
    let run = Run::new(&fixture.svc).args(["--cache=10", "--requests=10", "--dump"]).arg(&named);
    run.conf("prof:true,lg_prof_sample:0").outcome().ok();
    let packed = scratch.file("packed.pb.gz");
    let run = Run::new(&fixture.svc).args(["--cache=10", "--requests=10", "--dump"]).arg(&packed);
    run.conf("prof:true,lg_prof_sample:0").outcome().ok();
    for whole in [&fixture.dump, &named, &packed] {
        let bytes = std::fs::read(whole).unwrap();
        let name = format!("cut-{}", whole.file_name().unwrap().to_string_lossy());
        let cut = scratch.file(&name);
        // In the middle of the stacks: the maps are the longer half of a small dump.
        std::fs::write(&cut, &bytes[..bytes.len() / 5]).unwrap();
        refused(&[text, &fixture.svc, &cut], &name);
    }
}

#[test]
fn a_program_that_did_not_make_the_dump_is_told_by_its_build_id() {
    let fixture = fixture();
    let packed = fixture.scratch.file("packed.pb");
    let run = Run::new(&fixture.svc).args(["--cache=10", "--requests=10", "--dump"]).arg(&packed);
    run.conf("prof:true,lg_prof_sample:0").outcome().ok();
    let other = suite::fixture::compiled_with("work.c", &["-Wl,--build-id"]);
    let outcome = Run::new(build::viewer(Profile::own())).arg("--text").arg(&other).arg(&packed).outcome();
    let told = outcome.stderr.to_lowercase();
    assert!(told.contains("build id") || told.contains("build-id"), "{outcome}");
}
