//! What `jeprof-rs check` and `jeprof-rs diff` say grew, read from their JSON.

use std::path::{Path, PathBuf};

use serde_json::Value;
use suite::build::{Profile, viewer};
use suite::run::Run;
use suite::scratch::Scratch;

/// A report.
#[derive(Debug)]
pub struct Report {
    /// The exit status, `None` after a signal.
    pub status: Option<i32>,
    /// What people see.
    pub text: String,
    /// What fails for having grown, in the report's order.
    pub grown: Vec<Grown>,
}

/// A stack that grew.
#[derive(Clone, Debug)]
pub struct Grown {
    /// By how many bytes.
    pub bytes: f64,
    /// Its functions, leaf first, but for those of the allocator and of the program's start.
    pub functions: Vec<String>,
}

impl Grown {
    /// Whether a function is on the stack.
    pub fn has(&self, function: &str) -> bool {
        self.functions.iter().any(|name| name == function)
    }
}

impl Report {
    /// Whether nothing grew.
    pub fn is_quiet(&self) -> bool {
        self.status == Some(0) && self.grown.is_empty()
    }
}

/// `jeprof-rs check WORDS PROGRAM DUMPS`.
///
/// # Panics
/// When the report is none.
#[track_caller]
pub fn check(words: &[&str], program: &Path, dumps: &[PathBuf]) -> Report {
    report(Run::new(viewer(Profile::own())).arg("check").args(words).arg(program).args(dumps))
}

/// `jeprof-rs diff --exit_code WORDS --base BEFORE PROGRAM AFTER`.
///
/// # Panics
/// When the report is none.
#[track_caller]
pub fn diff(words: &[&str], program: &Path, before: &Path, after: &Path) -> Report {
    let run = Run::new(viewer(Profile::own())).args(["diff", "--exit_code"]).args(words);
    report(run.arg("--base").arg(before).arg(program).arg(after))
}

#[track_caller]
fn report(run: Run) -> Report {
    let folder = Scratch::new("growth");
    let file = folder.file("report.json");
    let outcome = run.arg(format!("--format=text,json={}", file.display())).folder(folder.path()).outcome();
    let json = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}: {outcome}"));
    let report: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {outcome}"));
    let grown = report["findings"].as_array().unwrap().iter().filter(|finding| {
        finding["verdict"] == "fail"
            && (finding["kind"] == "growth" || finding["kind"] == "trend")
            && finding["frames"].is_array()
    });
    let grown = grown.map(|finding| Grown {
        bytes: finding["figure"]["value"].as_f64().unwrap(),
        functions: functions(finding["frames"].as_array().unwrap()),
    });
    Report { status: outcome.status.code(), grown: grown.collect(), text: outcome.to_string() }
}

fn functions(frames: &[Value]) -> Vec<String> {
    let own = frames.iter().filter(|frame| frame["own"] == true);
    own.map(|frame| frame["function"].as_str().unwrap().to_owned()).collect()
}
