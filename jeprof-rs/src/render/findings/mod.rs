//! Findings in every form: text for people, and what CI systems read. One file and one row per form.

mod bencher;
mod excerpt;
mod folded;
mod github;
mod gitlab;
mod html;
mod json;
mod junit;
mod pprof;
pub mod rows;
mod sarif;
mod text;
mod words;
mod xml;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::{Output, Request};
use crate::check::Sieve;
use crate::check::baseline::Baseline;
use crate::check::budgets::check;
use crate::check::config::Config;
use crate::check::finding::{Findings, Where};
use crate::check::leaks::leaks;
use crate::check::stacks::{self, Stacks};
use crate::check::suppressions::{self, Rule};
use crate::error::{Error, Result, read_text};
use crate::inference::interval::Verdict;
use crate::plan::Plan;
use crate::plan::check::{BaselineChange, CheckPlan, Undecided, Unused};
use crate::plan::choice::{Format, Frames, Threads};
use crate::session::{NO_SAMPLES, Session};
use crate::transform::View;
use crate::write_file;

/// A form of findings.
#[derive(Debug)]
pub struct Form {
    /// The word after `--format`.
    pub name: &'static str,
    /// What reads it, in one line.
    pub about: &'static str,
    /// Whether it is nothing for a terminal, nor for a stream with anything else in it.
    pub binary: bool,
    /// Makes the bytes.
    pub render: fn(&Shown<'_>) -> Result<Vec<u8>>,
}

/// Every form, in the order of the docs.
pub const FORMS: &[Form] = &[
    text::FORM,
    html::FORM,
    json::FORM,
    junit::FORM,
    sarif::FORM,
    github::FORM,
    gitlab::FORM,
    bencher::FORM,
    folded::FORM,
    pprof::FORM,
];

/// The row of a name.
fn form_of(name: &str) -> Option<&'static Form> {
    FORMS.iter().find(|form| form.name == name)
}

/// What a form is given.
pub struct Shown<'a> {
    /// Plan, session and screen.
    pub request: &'a Request<'a>,
    /// The command's name.
    pub command: &'static str,
    /// What it found.
    pub findings: &'a Findings,
    /// The exit status.
    pub status: u8,
    /// The words that the program was started with, as a shell reads them.
    pub command_line: String,
}

/// Refuses a binary form that has no file of its own, where `-o` names none and stdout is not for it.
///
/// # Errors
/// There is such a form.
pub fn check_places(plan: &Plan, stdout_takes_binary: bool) -> Result<()> {
    let unplaced = plan.findings.iter().filter(|wanted| wanted.file.is_none());
    let is_binary = |name: &str| form_of(name).is_some_and(|form| form.binary);
    let Some(binary) = unplaced.clone().find(|wanted| is_binary(wanted.form)) else { return Ok(()) };
    let why = if unplaced.count() > 1 {
        "goes into no file with another form"
    } else if plan.output_file.is_none() && !stdout_takes_binary {
        "is nothing for a terminal"
    } else {
        return Ok(());
    };
    Err(Error::new(format!("--format: {0} {why}: name a file ({0}=FILE)", binary.form)))
}

/// Where limits are looked for.
const CONFIG: &str = "jeprof.toml";

fn find_all(request: &Request<'_>) -> Result<Findings> {
    let given = request.plan.check.config.clone();
    let there = given.or_else(|| Path::new(CONFIG).exists().then(|| CONFIG.into()));
    let config = there.map_or(Ok(Config::default()), |path| Config::read(&path))?;
    let plan = config.applied(&request.plan.check);
    let stacks = stacks(request)?;
    let rules = rules(request.session, &plan)?;
    if stacks.is_empty() {
        let first = request.session.dumps.first().map_or("check", |taken| taken.name.as_str());
        return Err(Error::at(first, NO_SAMPLES));
    }
    let mut sieve = Sieve::new(&rules);
    let mut findings = match plan.baseline_change {
        BaselineChange::None => check(&stacks, &mut sieve, &config, &plan),
        BaselineChange::Update | BaselineChange::Prune => Findings::new(&plan),
    };
    if let Some(path) = &plan.baseline {
        hold_against(path, &stacks, (&mut sieve, &plan), &mut findings)?;
    } else if plan.baseline_change != BaselineChange::None {
        return Err(Error::new("--update_baseline and --prune_baseline want a file (--baseline=FILE)"));
    }
    sieve.tell(&mut findings);
    findings.sort();
    check_unused(plan.unused_suppressions, &findings)?;
    Ok(findings)
}

/// Looks at the baseline, or changes it.
fn hold_against(
    path: &Path,
    stacks: &Stacks,
    (sieve, plan): (&mut Sieve<'_>, &CheckPlan),
    findings: &mut Findings,
) -> Result<()> {
    let change = plan.baseline_change;
    let is_new = change == BaselineChange::Update && !path.exists();
    let mut baseline = if is_new { Baseline::default() } else { Baseline::read(path)? };
    let name = path.display();
    let note = match change {
        BaselineChange::None => return baseline.check(path, stacks, (sieve, plan), findings),
        BaselineChange::Update => {
            baseline.take(stacks, sieve, plan);
            format!("{name}: {} stacks", baseline.rows.len())
        }
        BaselineChange::Prune => format!("{name}: {} rows forgotten", baseline.prune(stacks)),
    };
    write_file(path, baseline.text().as_bytes())?;
    findings.notes.push(note);
    Ok(())
}

fn find_leaks(request: &Request<'_>) -> Result<Findings> {
    let plan = &request.plan.check;
    let stacks = stacks(request)?;
    let rules = rules(request.session, plan)?;
    let findings = leaks(&stacks, &rules, plan);
    check_unused(plan.unused_suppressions, &findings)?;
    Ok(findings)
}

/// What the session has read, by key.
///
/// # Errors
/// As [`Stacks::new`]; or one thread is asked for, of which no dump tells what there was of each stack.
pub fn stacks(request: &Request<'_>) -> Result<Stacks> {
    if request.plan.selection.threads != Threads::Process {
        return Err(Error::new(
            "--thread: findings are about the whole process, whose threads are not told apart",
        ));
    }
    let keys = request.plan.check.keys;
    if request.plan.selection.frames == Frames::Program {
        return Stacks::new(request.session, request.view, keys);
    }
    // Keys are the same whatever is shown.
    let mut plan = request.plan.clone();
    plan.selection.frames = Frames::Program;
    let view = View::new(request.view.profile(), request.view.symbols(), &plan);
    Stacks::new(request.session, &view, keys)
}

/// The rules of files and of the dumps, and those that need no file.
///
/// # Errors
/// A file that cannot be read, or has a mistake.
pub fn rules(session: &Session, plan: &CheckPlan) -> Result<Vec<Rule>> {
    let today = crate::check::date::Date::today();
    let mut rules = Vec::new();
    for path in &plan.suppressions {
        let (name, text) = (path.display().to_string(), read_text(path)?);
        rules.extend(suppressions::parse(&text, &name, today).map_err(|mistake| Error::at(&name, mistake))?);
    }
    for text in &session.suppressions {
        let name = suppressions::OF_PROGRAM;
        rules.extend(suppressions::parse(text, name, today).map_err(|mistake| Error::at(name, mistake))?);
    }
    if plan.builtin_suppressions {
        rules.extend(suppressions::builtin());
    }
    Ok(rules)
}

/// # Errors
/// A rule left nothing out, and that is to be an error.
pub fn check_unused(what: Unused, findings: &Findings) -> Result<()> {
    match (what, findings.unused_rules.first()) {
        (Unused::Error, Some(first)) => Err(Error::new(format!("{first}: the rule leaves nothing out"))),
        _ => Ok(()),
    }
}

/// The exit status of findings of an output.
pub fn status(output: &Output, plan: &Plan, findings: &Findings) -> u8 {
    let counts = !output.compares || plan.check.exit_code;
    if counts { findings.status(plan.check.error_exitcode) } else { 0 }
}

/// The innermost frame of the program's own with a source line, or else the innermost.
fn source_frame(place: &Where) -> Option<&stacks::Shown> {
    let own = place.own_frames();
    let is_own = |frame: &&stacks::Shown| source_path(&frame.file).is_some_and(|path| !path.starts_with('/'));
    own.iter().find(is_own).or(own.iter().find(|frame| !frame.file.is_empty())).or(own.first())
}

/// The path of a source file, relative to the current folder where it lies in it; none when it is unknown.
fn source_path(file: &str) -> Option<&str> {
    if file.is_empty() {
        return None;
    }
    static HERE: LazyLock<Option<String>> = LazyLock::new(|| {
        let here = std::env::current_dir().ok()?;
        Some(format!("{}/", here.to_str()?))
    });
    let inside = HERE.as_ref().and_then(|here| file.strip_prefix(here.as_str()));
    Some(inside.unwrap_or(file).trim_start_matches("./"))
}

/// The command line of this process, as it could be given again. The program is called by its name alone, so that it does
/// not matter where it lies.
fn command_line() -> String {
    let words = std::env::args_os().skip(1).map(|word| shell_word(&word.to_string_lossy()));
    std::iter::once("jeprof-rs".to_string()).chain(words).collect::<Vec<_>>().join(" ")
}

/// A word as a shell reads it.
fn shell_word(word: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "_@%+=:,./-^".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Findings, written.
pub struct Written {
    /// For stdout, or the file of `-o`.
    pub output: Vec<u8>,
    /// Other files.
    pub files: Vec<(PathBuf, Vec<u8>)>,
}

/// Writes findings in the forms that the plan asks for.
///
/// # Errors
/// Those of a form.
pub fn write(request: &Request<'_>, output: &Output, findings: &Findings) -> Result<Written> {
    let plan = request.plan;
    let status = status(output, plan, findings);
    let command_line = command_line();
    let shown = Shown { request, command: output.name, findings, status, command_line };
    let mut written = Written { output: Vec::new(), files: Vec::new() };
    if plan.findings.is_empty() {
        let form = if plan.format == Format::Json { &json::FORM } else { &text::FORM };
        written.output = (form.render)(&shown)?;
    }
    for wanted in &plan.findings {
        // Names were looked up when the command line was read.
        let Some(form) = form_of(wanted.form) else { continue };
        let bytes = (form.render)(&shown)?;
        match &wanted.file {
            Some(path) => written.files.push((path.clone(), bytes)),
            None => written.output.extend(bytes),
        }
    }
    if plan.check.unused_suppressions == Unused::Warn {
        findings
            .unused_rules
            .iter()
            .for_each(|rule| request.warn(format!("{rule}: the rule leaves nothing out")));
    }
    if findings.undecided == Undecided::Warn && findings.count(Verdict::Unsure) > 0 {
        request.warn("some limits are not decided: --undecided=fail makes them fail");
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::FindingsOutput;

    #[test]
    fn forms_are_named_once() {
        for (index, form) in FORMS.iter().enumerate() {
            assert!(FORMS[index + 1..].iter().all(|other| other.name != form.name), "{}", form.name);
            assert!(!form.about.is_empty() && !form.about.ends_with('.'), "{}", form.name);
        }
    }

    #[test]
    fn a_binary_form_is_alone_where_it_goes() {
        let refused = |forms: &[(&'static str, Option<&str>)], to_file: bool, takes_binary: bool| {
            let plan = Plan {
                findings: forms
                    .iter()
                    .map(|(form, file)| FindingsOutput { form, file: file.map(Into::into) })
                    .collect(),
                output_file: to_file.then(|| "out".into()),
                ..Plan::default()
            };
            check_places(&plan, takes_binary).err().map(|error| error.to_string())
        };
        let alone = [("text", Some("t")), ("pprof", None)];
        assert_eq!(refused(&[("text", None), ("pprof", Some("p"))], false, false), None);
        assert_eq!(refused(&alone, false, true), None);
        assert_eq!(refused(&alone, true, false), None);
        let told = refused(&alone, false, false).unwrap();
        assert!(told.contains("pprof is nothing for a terminal: name a file (pprof=FILE)"), "{told}");
        let told = refused(&[("text", None), ("pprof", None)], true, true).unwrap();
        assert!(told.contains("pprof goes into no file with another form"), "{told}");
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_read_something_else() {
        for (word, quoted) in [
            ("a/b-c_1.heap", "a/b-c_1.heap"),
            ("--format=text,html=a.html", "--format=text,html=a.html"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("$x", "'$x'"),
        ] {
            assert_eq!(shell_word(word), quoted);
        }
    }
}
