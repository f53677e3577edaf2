//! The prompt: many reports of one session, nothing is read or named twice.
//!
//! `lines` brings a line, `command` says what it means, `cli::settings` makes the plan, `report` the report; here they
//! are put together. A command that fails is told, and the next one is asked for.

mod command;
mod completion;
mod help;
mod lines;

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use crate::cli::settings::Settings;
use crate::error::{Error, Result, plain};
use crate::plan::Plan;
use crate::plan::choice::Compat;
use crate::report;
use crate::session::Session;
use crate::{images_table, tell, terminal, viewer};
use command::{Command, Target};
use completion::Completion;
use lines::Lines;

/// Runs the prompt until it is left. A script that had a failing command ends with `failure`.
///
/// # Errors
/// The profiles cannot be read, or no lines.
pub fn run(settings: Settings, plan: Plan, failure: ExitCode) -> Result<ExitCode> {
    let session = Session::load(&plan)?;
    for note in &session.notes {
        tell(note);
    }
    for warning in &session.warnings {
        tell(&format_args!("warning: {warning}"));
    }
    if plan.finding.show_table {
        let _ = std::io::stderr().write_all(images_table::render(&session, plan.figure.metric).as_bytes());
    }
    let mut lines = Lines::open(Completion::new(&session))?;
    let welcome = match plan.compat {
        Compat::Jeprof => "Welcome to jeprof!  For help, type 'help'.",
        Compat::None => "jeprof-rs: 'help' lists the commands, 'quit' leaves",
    };
    let _ = writeln!(std::io::stderr(), "{welcome}");
    // compat: a mistake does not count at jeprof's prompt.
    let forgives = plan.compat == Compat::Jeprof;
    let mut prompt = Prompt { session, plan, settings, told: HashSet::new() };
    let mut failed = false;
    while let Some(line) = lines.next()? {
        match prompt.obey(&line) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                failed = true;
                let _ = writeln!(std::io::stderr(), "{error}");
            }
        }
    }
    lines.keep_history().unwrap_or_else(|error| tell(&format_args!("warning: {error}")));
    Ok(if failed && !forgives && !lines.is_terminal() { failure } else { ExitCode::SUCCESS })
}

struct Prompt {
    session: Session,
    /// The plan of the command line, for what was read.
    plan: Plan,
    settings: Settings,
    /// Warnings that need no repetition.
    told: HashSet<String>,
}

impl Prompt {
    /// Does what a line says; `false` is the end.
    fn obey(&mut self, line: &str) -> Result<bool> {
        match command::parse(line, &self.settings)? {
            Command::Nothing => {}
            Command::Quit => return Ok(false),
            Command::Help(about) => show(help::help(about.as_deref())?.as_bytes())?,
            Command::Options => show(help::options(&self.settings).as_bytes())?,
            Command::Assign(name, value) => self.settings.assign(&name, &value)?,
            Command::Report(wanted) => self.report(&wanted)?,
        }
        Ok(true)
    }

    fn report(&mut self, wanted: &command::Report) -> Result<()> {
        let mut settings = self.settings.clone();
        for (name, value) in &wanted.options {
            settings.assign(name, value)?;
        }
        let mut plan = settings.plan()?;
        plan.input = self.plan.input.clone();
        plan.rows.at_prompt = true;
        if let Some(argument) = &wanted.argument {
            plan.argument =
                Some(crate::cli::pattern(argument).map_err(|what| Error::at(wanted.output.name, what))?);
        }
        let target = match (&wanted.target, plan.output_file.take()) {
            (Target::Usual, Some(path)) => &Target::File(path),
            (target, _) => target,
        };
        let screen = terminal::screen(plan.screen.color, *target != Target::Usual);
        let report = report::make(&self.session, wanted.output, &plan, screen)?;
        for remark in &plan.remarks {
            if self.told.insert(remark.to_string()) {
                tell(remark);
            }
        }
        match (target, &wanted.output.viewer) {
            (Target::Usual, Some(viewer)) => tell(&viewer::show(viewer, &report.output, &plan)?),
            (Target::Usual, None) => match file_ending(wanted.output.binary, &report.output) {
                Some(ending) => {
                    let path = keep(Path::new("."), ending, &report.output)?;
                    tell(&format_args!("written to {}", path.display()));
                }
                None => show(&report.output)?,
            },
            (Target::File(path), _) => std::fs::write(path, &report.output)
                .map_err(|error| Error::at(path.display(), plain(&error)))?,
            (Target::Pipe(shell), _) => pipe(shell, &report.output)?,
        }
        for warning in report.warnings {
            if self.told.insert(warning.clone()) {
                tell(&format_args!("warning: {warning}"));
            }
        }
        Ok(())
    }
}

fn show(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .map_err(|error| Error::at("standard output", plain(&error)))
}

/// What a report is called as a file; `None` for text, which is for the screen.
fn file_ending(binary: bool, report: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 7] = [
        (b"<?xml", "svg"),
        (b"<svg", "svg"),
        (b"<!DOCTYPE html", "html"),
        (b"%PDF", "pdf"),
        (b"%!PS", "ps"),
        (b"GIF8", "gif"),
        (&[0x1f, 0x8b], "pb.gz"),
    ];
    let kind = KINDS.iter().find(|(start, _)| report.starts_with(start)).map(|(_, ending)| *ending);
    kind.or(binary.then_some("out"))
}

/// Writes a report under the first number that is free.
fn keep(folder: &Path, ending: &str, report: &[u8]) -> Result<PathBuf> {
    for number in 1u32.. {
        let path = folder.join(format!("jeprof{number:03}.{ending}"));
        match std::fs::File::create_new(&path).and_then(|mut file| file.write_all(report)) {
            Ok(()) => return Ok(path.strip_prefix(".").map(PathBuf::from).unwrap_or(path)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::at(path.display(), plain(&error))),
        }
    }
    Err(Error::at(folder.display(), "has a report of every number"))
}

/// Hands a report to a command of the shell and waits for it.
fn pipe(shell: &str, report: &[u8]) -> Result<()> {
    let complain = |error: std::io::Error| Error::at(shell, plain(&error));
    let mut child = std::process::Command::new("sh")
        .args(["-c", shell])
        .stdin(Stdio::piped())
        .spawn()
        .map_err(complain)?;
    if let Some(mut input) = child.stdin.take() {
        match input.write_all(report) {
            // `top | head -1` does not read to the end.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            outcome => outcome.map_err(complain)?,
        }
    }
    let status = child.wait().map_err(complain)?;
    if status.success() { Ok(()) } else { Err(Error::at(shell, format!("ends with {status}"))) }
}
