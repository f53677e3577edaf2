//! Commands that make no report of a profile: each is one row, `pub const TOOL`, in the module that does the work.

use std::process::ExitCode;

use crate::error::Result;

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
