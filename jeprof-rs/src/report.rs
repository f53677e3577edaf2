//! One report: a pure function of what was read and what is asked for.

use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::plan::choice::Format;
use crate::render::{Output, Request, json};
use crate::session::Session;
use crate::transform::View;
use crate::unnamed::explain_unnamed;

/// What a report answers with.
#[derive(Debug)]
pub struct Report {
    /// The bytes for stdout or the file.
    pub output: Vec<u8>,
    /// What makes the answer less than it could be.
    pub warnings: Vec<String>,
}

/// Chooses, adds up and prints.
///
/// # Errors
/// The dumps do not have the figure, or the output has nothing to show.
pub fn make(session: &Session, output: &Output, plan: &Plan, on_terminal: bool) -> Result<Report> {
    session.check_metric(plan.figure.metric)?;
    let view = View::new(&session.profile, &session.outcome.symbols, plan);
    let mut warnings: Vec<String> =
        plan.unused.iter().map(|flag| format!("--{flag} has no effect on {}", output.name)).collect();
    warnings.extend(view.warnings.iter().cloned());
    warnings.extend(explain_unnamed(&session.profile, &session.outcome, &view));
    let request = Request::new(session, &view, plan, on_terminal);
    let bytes = match (plan.format, output.json) {
        (Format::Native, _) => {
            let bytes = (output.render)(&request)?;
            warnings.extend(request.into_warnings());
            bytes
        }
        (Format::Json, Some(body)) => {
            let known: Vec<String> = session.warnings.iter().chain(&warnings).cloned().collect();
            json::object(&request, output.name, body, &known)
        }
        (Format::Json, None) => {
            return Err(Error::new(format!("{} has no JSON form (--format=json)", output.name)));
        }
    };
    Ok(Report { output: bytes, warnings })
}
