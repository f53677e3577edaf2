//! GitHub Actions: annotations on stdout, and a table that is appended to the file of `$GITHUB_STEP_SUMMARY`.

use std::fmt::Write;

use super::words::plain_line;
use super::{Form, Shown, source_frame, source_path};
use crate::check::finding::{Finding, word};
use crate::error::{Error, Result, plain};
use crate::inference::interval::Verdict;

/// The row of this form.
pub const FORM: Form = Form {
    name: "github",
    about: "GitHub Actions: annotations and the summary of the step",
    binary: false,
    render,
};

/// GitHub shows about so many annotations of a step.
const ANNOTATIONS_MAX: usize = 10;

/// Rows of the summary: what is larger than a mebibyte is not shown at all.
const ROWS_MAX: usize = 200;

fn render(shown: &Shown<'_>) -> Result<Vec<u8>> {
    let told: Vec<&Finding> =
        shown.findings.all.iter().filter(|finding| finding.verdict != Verdict::Pass).collect();
    if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
        let place = std::path::PathBuf::from(path);
        let appended = std::fs::OpenOptions::new().create(true).append(true).open(&place);
        appended
            .and_then(|mut file| std::io::Write::write_all(&mut file, summary(shown).as_bytes()))
            .map_err(|error| Error::at(place.display(), plain(&error)))?;
    }
    let mut out = String::new();
    for finding in told.iter().take(ANNOTATIONS_MAX) {
        out += &annotation(finding);
    }
    if told.len() > ANNOTATIONS_MAX {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "::notice title=jeprof-rs::and {} more", told.len() - ANNOTATIONS_MAX);
    }
    Ok(out.into_bytes())
}

fn annotation(finding: &Finding) -> String {
    let level = if finding.verdict == Verdict::Fail { "error" } else { "warning" };
    let frame = finding.place.as_ref().and_then(source_frame);
    let mut properties = Vec::new();
    if let Some((path, line)) = frame.and_then(|frame| Some((source_path(&frame.file)?, frame.line))) {
        properties.push(format!("file={}", property(path)));
        properties.extend((line > 0).then(|| format!("line={line}")));
    }
    properties.push(format!("title={}", property(&format!("Memory: {}", finding.kind.word()))));
    let stack = finding.place.as_ref().map_or(String::new(), |place| format!("\n{}", place.texts.join("\n")));
    format!("::{level} {}::{}\n", properties.join(","), data(&(plain_line(finding) + &stack)))
}

/// The text of a command, in which a line must not end.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command, which ends at a colon or a comma besides.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

fn summary(shown: &Shown<'_>) -> String {
    let findings = shown.findings;
    let mut out = format!(
        "### Memory of {}: {} failed, {} undecided\n\n",
        shown.request.session.program_name,
        findings.count(Verdict::Fail),
        findings.count(Verdict::Unsure)
    );
    if findings.all.is_empty() {
        return out + "Nothing found.\n";
    }
    out += "| verdict | what | where | key |\n|---|---|---|---|\n";
    let cell = |text: &str| text.replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ");
    for finding in findings.all.iter().take(ROWS_MAX) {
        let at = finding.place.as_ref().and_then(source_frame).map_or(String::new(), |frame| {
            source_path(&frame.file).map_or(String::new(), |path| format!("{path}:{}", frame.line))
        });
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            word(finding.verdict),
            cell(&plain_line(finding)),
            cell(&at),
            finding.key().unwrap_or("")
        );
    }
    out
}
