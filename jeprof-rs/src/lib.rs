//! jeprof-rs: from a heap profile to a table, collapsed stacks or a flame graph.
//!
//! Data flows one way: `cli` (words to a `plan`) - `load` (files to bytes) - `formats` (bytes to dumps) - `model`
//! (dumps to one profile) - `symbolize` (frames to names) - `session` (all of that, once) - `transform` (which stacks
//! and frames) - `aggregate` (sums) or `check` (verdicts, with the statistics of `inference`) - `render` (text).
//! `report` makes one report of a session,
//! `prompt` any number.
// Allowed in one place: symbolize/mapped.rs.
#![deny(unsafe_code)]

mod address_list;
mod aggregate;
mod ask;
mod check;
mod cli;
mod compat;
mod conf;
mod error;
mod formats;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod images_table;
mod inference;
mod load;
mod model;
mod output_file;
mod plan;
mod progress;
mod prompt;
mod recent_samples;
mod render;
mod report;
mod run;
mod sampling_plan;
mod session;
mod statistics;
mod symbolize;
mod terminal;
mod tool;
mod transform;
mod units;
mod unnamed;
mod viewer;

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cli::Request;
use error::{Error, Result, plain};
use output_file::OutputFile;
use plan::Plan;
use plan::choice::Format;
use render::{Output, findings};
use session::Session;

const FAILURE: u8 = 2;

/// Variables by which jeprof and its ancestor find object tools.
const UNNEEDED: [&str; 2] = ["JEPROF_TOOLS", "PPROF_TOOLS"];

/// The program: reads its arguments, answers with its exit status.
pub fn main() -> ExitCode {
    let args = std::env::args_os().skip(1).map(|arg| {
        arg.into_string().map_err(|arg| Error::at(arg.display(), "the argument is not valid UTF-8"))
    });
    for name in UNNEEDED.iter().filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
        tell(&format_args!("{name} is not needed: no other programs are called for names"));
    }
    match args.collect::<Result<Vec<String>>>().and_then(answer) {
        Ok(status) => status,
        Err(error) => {
            tell(&error);
            ExitCode::from(FAILURE)
        }
    }
}

/// Does what the words of a command line ask for.
pub(crate) fn answer(args: Vec<String>) -> Result<ExitCode> {
    match cli::parse(args)? {
        Request::Tool(tool, args) => tool.call(args),
        Request::Addresses(plan) => {
            let named = address_list::name(&plan)?;
            write(&plan, &named.output)?;
            named.warnings.iter().for_each(|warning| tell(&format_args!("warning: {warning}")));
            Ok(ExitCode::SUCCESS)
        }
        Request::Prompt(settings, plan) => prompt::run(settings, *plan, ExitCode::from(FAILURE)),
        Request::Report(output, plan) => print(output, &plan).map(ExitCode::from),
    }
}

/// Makes a report; answers with the exit status.
fn print(output: &Output, plan: &Plan) -> Result<u8> {
    let screen = terminal::screen(plan.screen.color, plan.output_file.is_some());
    if output.binary && screen.width.is_some() && plan.format == Format::Native {
        return Err(Error::new(format!(
            "{} is nothing for a terminal: redirect it (> FILE) or use -o FILE",
            output.name
        )));
    }
    findings::check_places(plan, screen.width.is_none())?;
    // Kept until the process ends: to give back piece by piece what a large profile takes would be a twentieth of its time.
    let session: &Session = Box::leak(Box::new(Session::load(plan)?));
    let (warnings, status) = match streamed(session, output, plan) {
        Some(warnings) => (warnings?, 0),
        None => {
            let report = report::make(session, output, plan, screen)?;
            match &output.viewer {
                Some(viewer) => tell(&viewer::show(viewer, &report.output, plan)?),
                None => write(plan, &report.output)?,
            }
            write_reports(&report.files)?;
            (report.warnings, report.status)
        }
    };
    for note in &session.notes {
        tell(note);
    }
    for remark in &plan.remarks {
        tell(remark);
    }
    if plan.finding.show_table {
        // Nobody is left to tell if stderr is closed.
        let _ = std::io::stderr().write_all(images_table::render(session, plan.figure.metric).as_bytes());
    }
    // Behind the table, where a person at a terminal still sees them.
    for warning in session.warnings.iter().chain(&warnings) {
        tell(&format_args!("warning: {warning}"));
    }
    Ok(status)
}

/// Writes a report that may be large piece by piece; `None` for one that is made whole.
fn streamed(session: &Session, output: &Output, plan: &Plan) -> Option<Result<Vec<String>>> {
    output.stream?;
    let place: &dyn std::fmt::Display;
    let (path, outcome);
    match &plan.output_file {
        Some(file) => {
            path = file.display();
            place = &path;
            outcome = match OutputFile::create(file) {
                Ok(file) => {
                    let mut out = BufWriter::with_capacity(1 << 18, file);
                    let written = report::stream(session, output, plan, &mut out)?;
                    written.map(|written| {
                        let warnings = written?;
                        out.into_inner().map_err(|error| error.into_error())?.finish()?;
                        Ok(warnings)
                    })
                }
                Err(error) => Ok(Err(error)),
            };
        }
        None => {
            place = &"standard output";
            let mut out = BufWriter::with_capacity(1 << 18, std::io::stdout().lock());
            outcome = report::stream(session, output, plan, &mut out)?;
        }
    }
    Some(outcome.and_then(|written| match written {
        // `jeprof-rs x | head` is not a failure.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Vec::new()),
        written => written.map_err(|error| unwritable(place, &error)),
    }))
}

/// Writes where the plan says: into a file or to stdout.
fn write(plan: &Plan, bytes: &[u8]) -> Result<()> {
    match &plan.output_file {
        Some(path) => write_file(path, bytes),
        None => match std::io::stdout().lock().write_all(bytes) {
            // `jeprof-rs x | head` is not a failure.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            outcome => outcome.map_err(|error| unwritable(&"standard output", &error)),
        },
    }
}

/// Writes reports that go into files of their own. Folders are made: a CI job begins without any.
fn write_reports(reports: &[(PathBuf, Vec<u8>)]) -> Result<()> {
    for (path, bytes) in reports {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| Error::at(folder.display(), plain(&error)))?;
        }
        write_file(path, bytes)?;
    }
    Ok(())
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    OutputFile::create(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.finish()))
        .map_err(|error| unwritable(&path.display(), &error))
}

/// Why a report could not be written. What is not found there is never the file, which is made.
fn unwritable(place: &dyn std::fmt::Display, error: &std::io::Error) -> Error {
    let why = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such folder".into(),
        _ => plain(error),
    };
    Error::at(place, format_args!("cannot be written: {why}"))
}

/// Says something on stderr.
pub fn tell(what: &dyn std::fmt::Display) {
    // There is nobody left to tell if stderr is closed.
    let _ = writeln!(std::io::stderr(), "jeprof-rs: {what}");
}
