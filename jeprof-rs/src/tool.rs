//! Commands that make no report of a profile: each is one row, `pub const TOOL`, in the module that does the work.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use crate::error::{Error, Result, plain};

/// One such command.
pub struct Tool {
    /// The word.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// Its options, for its own help, for completions and for the man page.
    pub parser: fn() -> clap::Command,
    /// Runs it with the words behind its name. An error ends with exit status 2.
    pub run: fn(Vec<String>) -> Result<ExitCode>,
}

/// Writes what a command answers to stdout. A reader that has seen enough (`| head`) is no failure.
///
/// # Errors
/// Anything else that keeps stdout from being written.
pub fn print(bytes: &[u8]) -> Result<ExitCode> {
    match std::io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::at("standard output", plain(&error)))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
