//! Asking a library: `fixtures/programs/probe.c` under it.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::cases::Case;
use crate::fixture::compiled;
use crate::run::Run;
use crate::scratch::Scratch;

/// What a library said to the commands of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// One answer per command; `(ended)` from where the process died.
    pub answers: Vec<String>,
    /// Lines on standard error.
    pub stderr: Vec<String>,
    /// Whether the process ended by itself, with status 0.
    pub whole: bool,
}

/// Runs one process. Files that the commands make are thrown away.
pub fn ask(library: &Path, conf: &str, commands: &[String]) -> Said {
    let folder = Scratch::new("probe");
    let mut input = commands.join("\n");
    input.push('\n');
    let run = Run::new(compiled("probe.c")).preload(library).folder(folder.path()).input(&input);
    let run = if conf.is_empty() { run } else { run.conf(conf) };
    let outcome = run.outcome();
    let mut answers: Vec<String> = outcome.stdout.lines().map(|line| line.trim_end().to_owned()).collect();
    answers.resize(commands.len(), "(ended)".to_owned());
    let stderr = outcome.stderr.lines().map(str::to_owned).collect();
    Said { answers, stderr, whole: outcome.status.success() }
}

/// Runs every case, two processes at a time; answers are in the order of the cases.
pub fn ask_all(library: &Path, cases: &[Case]) -> Vec<Said> {
    // Compiled before threads need it.
    compiled("probe.c");
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(at) else { return done };
            done.push((at, ask(library, &case.conf, &case.commands)));
        }
    };
    let mut all: Vec<(usize, Said)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker does not panic")).collect()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, said)| said).collect()
}
