//! jeprof-rs: from a heap profile to a table, collapsed stacks or a flame graph.
//!
//! Data flows one way: `cli` (words to a plan) - `load` (files to bytes) - `formats` (bytes to dumps) - `model`
//! (dumps to one profile) - `symbolize` (frames to names) - `transform` (which stacks and frames) - `aggregate`
//! (sums) - `render` (text). `report` calls them in that order.
#![forbid(unsafe_code)]

mod aggregate;
mod cli;
mod error;
mod formats;
mod load;
mod model;
mod progress;
mod render;
mod report;
mod symbolize;
mod transform;
mod units;

use std::io::Write;
use std::process::ExitCode;

use error::{Error, Result, plain};

const FAILURE: u8 = 2;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell if stderr is closed.
            let _ = writeln!(std::io::stderr(), "jeprof-rs: {error}");
            ExitCode::from(FAILURE)
        }
    }
}

fn run() -> Result<()> {
    let args = std::env::args_os().skip(1).map(|arg| {
        arg.into_string().map_err(|arg| Error::at(arg.display(), "the argument is not valid UTF-8"))
    });
    let plan = cli::parse(args.collect::<Result<Vec<String>>>()?)?;
    let report = report::make(&plan)?;
    if let Some(note) = &report.note {
        let _ = writeln!(std::io::stderr(), "jeprof-rs: {note}");
    }
    match &plan.output_file {
        Some(path) => {
            std::fs::write(path, &report.output).map_err(|e| Error::at(path.display(), plain(&e)))?
        }
        None => match std::io::stdout().lock().write_all(&report.output) {
            // `jeprof-rs x | head` is not a failure.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            outcome => outcome.map_err(|error| Error::at("standard output", plain(&error)))?,
        },
    }
    // Behind the table, where a person at a terminal still sees them.
    for warning in &report.warnings {
        let _ = writeln!(std::io::stderr(), "jeprof-rs: warning: {warning}");
    }
    Ok(())
}
