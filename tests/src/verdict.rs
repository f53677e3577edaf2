//! What `jeprof-rs check` says of a program of the zoo.

use crate::build::{Profile, preload, viewer};
use crate::run::Run;
use crate::scratch::Scratch;
use crate::zoo::{self, Animal};

/// An answer.
#[derive(Debug)]
pub struct Told {
    /// The exit status, `None` after a signal.
    pub status: Option<i32>,
    /// The report.
    pub text: String,
    planted: &'static str,
}

impl Told {
    /// Whether it alarms, and the first stack of what fails has the planted function.
    pub fn names_first(&self) -> bool {
        let mut lines = self.text.lines();
        let is_alarm = lines.next().is_some_and(|line| line.starts_with("FAIL"));
        let of_first = lines.take_while(|line| line.starts_with(' '));
        self.status == Some(1)
            && is_alarm
            && (self.first_line().contains(self.planted)
                || of_first.into_iter().any(|line| line.contains(self.planted)))
    }

    fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// Whether it does not alarm.
    pub fn passes(&self) -> bool {
        self.status == Some(0)
    }
}

/// Runs a program under our allocator with options, and the gate on its nine dumps.
///
/// # Panics
/// As [`zoo::run`].
#[track_caller]
pub fn gate(animal: &Animal, options: &str, seed: u64) -> Told {
    let folder = Scratch::new("verdicts");
    let (dumps, _) = zoo::run(animal, &preload(), options, seed, &folder);
    let tool = Run::new(viewer(Profile::own())).arg("check").arg(zoo::program(animal));
    let outcome = tool.args(dumps).outcome();
    Told { status: outcome.status.code(), text: outcome.stdout, planted: animal.planted }
}
