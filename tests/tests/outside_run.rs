//! `jeprof-rs run` with programs from outside.
#![cfg(feature = "outside")]

use suite::build::{Profile, preload, viewer};
use suite::run::Run;

#[test]
fn git_and_python_do_not_leak() {
    for command in [&["git", "--version"][..], &["python3", "-c", "pass"]] {
        let outcome = Run::new(viewer(Profile::own())).arg("run").arg("--library").arg(preload());
        let outcome = outcome.arg("--").args(command).outcome().ok();
        assert!(outcome.stderr.starts_with("no leaks"), "{outcome}");
    }
}
