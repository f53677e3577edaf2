//! Commands that make no report of a profile: each is one row, `pub const TOOL`, in the module that does the work.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::ArgMatches;

use crate::error::{Error, Result, plain};

/// One such command.
pub struct Tool {
    /// The word.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// Its options, for its own help, for completions and for the man page.
    pub parser: fn() -> clap::Command,
    /// Runs it as it was asked. An error ends with exit status 2.
    pub run: fn(&ArgMatches) -> Result<ExitCode>,
}

impl Tool {
    /// Runs it with the words behind its name. Prints help, and what is wrong with the words, and ends the process for those.
    ///
    /// # Errors
    /// Those of the command.
    pub fn call(&self, args: Vec<String>) -> Result<ExitCode> {
        let words = std::iter::once(self.name.into()).chain(args);
        (self.run)(&(self.parser)().try_get_matches_from(words).unwrap_or_else(|error| error.exit()))
    }
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
