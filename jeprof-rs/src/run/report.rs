//! What is told of the dumps: what leaked, as `leaks` tells it.

use super::collect::Dump;
use crate::error::Result;
use crate::plan::Plan;
use crate::render::findings::rows::LEAKS;
use crate::report;
use crate::session::Session;
use crate::terminal::Screen;
use crate::{tell, write_file, write_reports};

/// Tells what leaked in the dumps, on stderr or where the plan says; answers with the exit status, 0 for nothing.
///
/// # Errors
/// A dump or a file of rules cannot be read, or a report not be written.
pub fn leaks(dumps: &[&Dump], mut plan: Plan) -> Result<u8> {
    plan.input.words.extend(dumps.iter().map(|dump| dump.path.display().to_string()));
    plan.input.keep_labels |= LEAKS.keeps_labels;
    plan.input.keep_parts |= LEAKS.keeps_parts;
    let session = Session::load(&plan)?;
    let made = report::make(&session, &LEAKS, &plan, Screen::default())?;
    match &plan.output_file {
        Some(path) => write_file(path, &made.output)?,
        // The program has stdout for itself.
        None => eprint!("{}", String::from_utf8_lossy(&made.output)),
    }
    write_reports(&made.files)?;
    for warning in session.warnings.iter().chain(&made.warnings) {
        tell(&format_args!("warning: {warning}"));
    }
    Ok(made.status)
}
