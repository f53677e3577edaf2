//! One report: a pure function of what was read and what is asked for.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::model::Thread;
use crate::plan::choice::{Compat, Format, Threads};
use crate::plan::{Part, Plan};
use crate::render::{Output, Request, findings, json};
use crate::session::Session;
use crate::terminal::Screen;
use crate::transform::View;
use crate::unnamed::explain_unnamed;

/// What a report answers with.
#[derive(Debug)]
pub struct Report {
    /// The bytes for stdout or the file.
    pub output: Vec<u8>,
    /// Other files, with what is to be written into them.
    pub files: Vec<(PathBuf, Vec<u8>)>,
    /// The exit status.
    pub status: u8,
    /// What makes the answer less than it could be.
    pub warnings: Vec<String>,
}

/// Chooses, adds up and writes piece by piece, if the output can and the plan asks for one report in its own form.
/// `None` when it does not; then [`make`] does it.
///
/// # Errors
/// As [`make`], and those of `out`, as they are.
pub fn stream(
    session: &Session,
    output: &Output,
    plan: &Plan,
    out: &mut dyn std::io::Write,
) -> Option<Result<std::io::Result<Vec<String>>>> {
    let stream = output.stream?;
    if plan.format != Format::Native || plan.selection.threads != Threads::Process {
        return None;
    }
    Some(prepare(session, output, plan).map(|(views, mut warnings)| {
        for (_, view) in &views {
            let request = Request::new(session, view, plan, Screen::default());
            stream(&request, out)?;
            warnings.extend(request.into_warnings());
        }
        out.flush()?;
        Ok(warnings)
    }))
}

/// Chooses, adds up and prints.
///
/// # Errors
/// The dumps do not have the figure or the thread, or the output has nothing to show.
pub fn make(session: &Session, output: &Output, plan: &Plan, screen: Screen) -> Result<Report> {
    let (views, mut warnings) = prepare(session, output, plan)?;
    let mut bytes = Vec::new();
    let (mut files, mut status) = (Vec::new(), 0);
    for (thread, view) in &views {
        let mut request = Request::new(session, view, plan, screen);
        request.thread = thread.as_deref();
        (output.wants)(&request)?;
        if let Some(found) = output.finds.and_then(|finds| finds(&request)) {
            let found = found?;
            let written = findings::write(&request, output, &found)?;
            bytes.extend(written.output);
            files.extend(written.files);
            status = status.max(findings::status(output, plan, &found));
            warnings.extend(request.into_warnings());
            continue;
        }
        if !plan.findings.is_empty() {
            return Err(Error::new(format!(
                "--format: {} has no other forms than native and json",
                output.name
            )));
        }
        match (plan.format, output.json) {
            (Format::Native, _) => {
                bytes.extend((output.render)(&request)?);
                warnings.extend(request.into_warnings());
            }
            (Format::Json, Some(body)) => {
                let known: Vec<String> = session.warnings.iter().chain(&warnings).cloned().collect();
                bytes.extend(json::object(&request, output.name, body, &known));
            }
            (Format::Json, None) => {
                return Err(Error::new(format!("{} has no JSON form (--format=json)", output.name)));
            }
        }
    }
    Ok(Report { output: bytes, files, status, warnings })
}

/// Views, by thread where asked, with what is to be told about all of them.
type Prepared<'a> = (Vec<(Option<String>, View<'a>)>, Vec<String>);

fn prepare<'a>(session: &'a Session, output: &Output, plan: &'a Plan) -> Result<Prepared<'a>> {
    // compat: to jeprof figures that a dump has not are zero.
    if plan.compat != Compat::Jeprof {
        session.check_metric(plan.figure.metric)?;
    }
    if output.parts.contains(&Part::Groups) && session.recent.is_none() {
        return Err(Error::at(
            output.name,
            "wants the newest samples one by one (the JSON of prof.recent_alloc_dump), and this is a heap profile",
        ));
    }
    let mut warnings: Vec<String> =
        plan.unused.iter().map(|flag| format!("--{flag} has no effect on {}", output.name)).collect();
    let views = views(session, output, plan)?;
    if let [(_, view), ..] = views.as_slice() {
        warnings.extend(view.warnings.iter().cloned());
        warnings.extend(explain_unnamed(&session.profile, &session.outcome, view));
    }
    Ok((views, warnings))
}

/// One view for each report: of the whole process, or of threads.
fn views<'a>(
    session: &'a Session,
    output: &Output,
    plan: &'a Plan,
) -> Result<Vec<(Option<String>, View<'a>)>> {
    let profile = &session.profile;
    let view = || View::new(profile, &session.outcome.symbols, plan);
    let of_thread = |thread: &Thread| (Some(format!("t{}", thread.uid)), view().of_threads(&[thread.uid]));
    let one = match &plan.selection.threads {
        Threads::Process => return Ok(vec![(None, view())]),
        Threads::Each => None,
        Threads::Named(name) => Some(name),
    };
    let is_jeprof = plan.compat == Compat::Jeprof;
    if profile.threads.is_empty() && !is_jeprof {
        return Err(Error::new("--thread: the dumps do not tell threads apart; those of format heap_v2 do"));
    }
    let Some(name) = one else {
        if !output.repeats && profile.threads.len() > 1 {
            return Err(Error::new(format!(
                "--thread='*' makes one report per thread, and {} can hold only one",
                output.name
            )));
        }
        return Ok(profile.threads.iter().map(of_thread).collect());
    };
    // A number is one, even when a thread is called like that.
    if let Some(thread) = profile.threads.iter().find(|thread| name.parse() == Ok(thread.uid)) {
        return Ok(vec![of_thread(thread)]);
    }
    let named: Vec<u64> =
        profile.threads.iter().filter(|thread| thread.name == *name).map(|thread| thread.uid).collect();
    match named.as_slice() {
        // compat: jeprof prints nothing for a thread that it does not know.
        [] if is_jeprof => Ok(Vec::new()),
        [] => Err(Error::new(format!(
            "--thread: there is no thread '{name}'; there are {}",
            list(&profile.threads)
        ))),
        uids => Ok(vec![(Some(name.clone()), view().of_threads(uids))]),
    }
}

/// Threads listed in a message at most.
const THREADS_LISTED_MAX: usize = 20;

fn list(threads: &[Thread]) -> String {
    let one = |thread: &Thread| match thread.name.as_str() {
        "" => thread.uid.to_string(),
        name => format!("{} ({name})", thread.uid),
    };
    let mut listed: Vec<String> = threads.iter().take(THREADS_LISTED_MAX).map(one).collect();
    if threads.len() > THREADS_LISTED_MAX {
        listed.push(format!("{} more", threads.len() - THREADS_LISTED_MAX));
    }
    listed.join(", ")
}
