//! Dumps of the profiler around the system's allocator in the tools that people have: perl jeprof, and Go's pprof.
#![cfg(feature = "outside")]

use std::path::{Path, PathBuf};

use suite::build::{self, Profile, viewer};
use suite::heap::{self, Symbols};
use suite::run::Run;
use suite::scratch::Scratch;

const FUNCTIONS: [&str; 5] =
    ["small_objects", "large_buffers", "aligned_objects", "resized_objects", "by_sleeper"];

/// The program and its final dump in a format.
fn dumped(folder: &Scratch, format: &str) -> (PathBuf, PathBuf) {
    let program = build::package("profiled-programs", Profile::own()).join("profiled-system");
    let program = program.canonicalize().unwrap();
    let conf = format!(
        "prof:true,prof_final:true,lg_prof_sample:12,prof_dump_format:{format},prof_prefix:{}/p",
        folder.path().display()
    );
    Run::new(&program).args(["truth", "3"]).conf(conf).outcome().ok();
    let dump = folder.files(".f.").pop().expect("a final dump");
    (program, dump)
}

/// The cumulative figure of a function in a table as jeprof and pprof print it.
fn cumulative(table: &str, function: &str) -> Option<f64> {
    let row = table.lines().find(|line| line.contains(function))?;
    row.split_whitespace().nth(3)?.trim_end_matches('B').parse().ok()
}

#[track_caller]
fn agrees(table: &str, program: &Path, dump: &Path) {
    let ours = heap::by_function(&heap::read(dump), program, &Symbols::of(program));
    for function in FUNCTIONS {
        let theirs = cumulative(table, function).unwrap_or_else(|| panic!("no {function} in\n{table}"));
        // Both round each stack.
        let difference = (theirs - ours[function].bytes).abs() / ours[function].bytes;
        assert!(difference < 1e-3, "{function}: {theirs}, ours {}\n{table}", ours[function].bytes);
    }
}

#[test]
fn perl_jeprof_shows_the_bytes_of_each_function() {
    for format in ["text", "heap_v2"] {
        let folder = Scratch::new("profiled-jeprof");
        let (program, dump) = dumped(&folder, format);
        let run = Run::new("jeprof").args(["--text", "--show_bytes", "--cum"]).arg(&program).arg(&dump);
        agrees(&run.outcome().ok().stdout, &program, &dump);
    }
}

#[test]
fn go_pprof_shows_the_bytes_of_each_function() {
    for format in ["text", "pprof"] {
        let folder = Scratch::new("profiled-pprof");
        let (program, dump) = dumped(&folder, format);
        // With names: this Go's looks up wrong ones in what rust-lld linked (docs/compat.md).
        let named = folder.file("named.pb.gz");
        let tool = Run::new(viewer(Profile::own())).arg("proto").arg("-o").arg(&named);
        tool.arg(&program).arg(&dump).outcome().ok();
        let run = Run::new("go").folder(folder.path()).args([
            "tool",
            "pprof",
            "-top",
            "-cum",
            "-unit=B",
            "-nodefraction=0",
            "-sample_index=inuse_space",
        ]);
        agrees(&run.arg(&named).outcome().ok().stdout, &program, &dump);
    }
}
