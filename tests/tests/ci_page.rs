//! `docs/ci.md` keeps its word: its script is red for programs that leak or grow and green for one that does neither, and the
//! commands of its jobs are understood.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use suite::build::{Profile, preload, viewer, workspace};
use suite::fixture::compiled;
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;
use suite::zoo::{self, ZOO};

fn page() -> String {
    std::fs::read_to_string(workspace().join("docs/ci.md")).unwrap()
}

/// The text of the blocks of a language.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let begin = format!("```{language}\n");
    page.split(begin.as_str()).skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

/// Runs a script in the folder, with the tool in the path.
fn script(folder: &Scratch, text: &str, words: &[&Path]) -> Outcome {
    let file = folder.file("memory.sh");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let tools = viewer(Profile::own());
    let path = format!("{}:{}", tools.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let run = Run::new(&file).env("PATH", path).env("JEPROF_RS_LIBRARY", preload().display().to_string());
    run.folder(folder.path()).args(words).outcome()
}

fn of_page(words: &[&Path]) -> (Outcome, Scratch) {
    let folder = Scratch::new("ci-page");
    let page = page();
    let [text] = blocks(&page, "sh")[..] else { panic!("the page has one script") };
    (script(&folder, text, words), folder)
}

fn animal(file: &str) -> (PathBuf, String) {
    let animal = ZOO.iter().find(|animal| animal.file == file).unwrap();
    (zoo::program(animal), animal.iterations.to_string())
}

#[test]
fn the_script_is_red_for_a_leak_and_says_where() {
    let (outcome, folder) = of_page(&[&compiled("leaker.c"), Path::new("leak=100")]);
    assert_eq!(outcome.status.code(), Some(1), "{outcome}");
    assert!(outcome.stderr.contains("leak_block"), "{outcome}");
    for name in ["leaks.xml", "leaks.sarif", "leaks.html", "growth.xml", "growth.html"] {
        let text = std::fs::read_to_string(folder.path().join("memory").join(name)).unwrap();
        assert_eq!(text.contains("leak_block"), name.starts_with("leaks"), "{name}: {text}");
    }
}

#[test]
fn the_script_is_red_for_growth_that_is_still_pointed_to() {
    let (program, iterations) = animal("singleton.cc");
    let (outcome, _) = of_page(&[&program, Path::new(&iterations)]);
    assert_eq!(outcome.status.code(), Some(1), "{outcome}");
    assert!(outcome.stdout.contains("FAIL   trend") && outcome.stdout.contains("record_event"), "{outcome}");
}

#[test]
fn the_script_is_green_for_what_does_neither() {
    let (program, iterations) = animal("lru.rs");
    let (outcome, _) = of_page(&[&program, Path::new(&iterations)]);
    assert_eq!(outcome.status.code(), Some(0), "{outcome}");
}

/// The command lines of the jobs, with a program that is here instead of theirs.
#[test]
fn commands_of_the_jobs_are_understood() {
    let page = page();
    let jobs = blocks(&page, "yaml");
    assert_eq!(jobs.len(), 2);
    for job in jobs {
        let line = job.lines().find(|line| line.contains("jeprof-rs run ")).unwrap();
        let command = line.trim().trim_start_matches("- ").trim_start_matches("run: ");
        let folder = Scratch::new("ci-job");
        let text =
            format!("#!/bin/sh\n{}\n", command.replace("./target/release/server --self-test", "\"$@\""));
        let outcome = script(&folder, &text, &[&compiled("leaker.c"), Path::new("leak=100")]);
        assert_eq!(outcome.status.code(), Some(1), "{outcome}");
        let reports: Vec<PathBuf> = std::fs::read_dir(folder.path().join("memory"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(reports.len(), 3, "{reports:?}");
        for report in reports {
            assert!(std::fs::read_to_string(&report).unwrap().contains("leak_block"), "{}", report.display());
        }
    }
}
