//! GitLab's code quality report: a JSON array, with the key of the stack as fingerprint.

use serde_json::{Value, json};

use super::words::plain_line;
use super::{Form, Shown, source_frame, source_path};
use crate::check::finding::Finding;
use crate::error::Result;
use crate::inference::interval::Verdict;

/// The row of this form.
pub const FORM: Form = Form { name: "gitlab", about: "GitLab: a code quality report", binary: false, render };

fn render(shown: &Shown<'_>) -> Result<Vec<u8>> {
    let told = shown.findings.all.iter().filter(|finding| finding.verdict != Verdict::Pass);
    let mut text = serde_json::to_vec_pretty(&told.map(issue).collect::<Vec<Value>>()).unwrap_or_default();
    text.push(b'\n');
    Ok(text)
}

fn issue(finding: &Finding) -> Value {
    let frame = finding.place.as_ref().and_then(source_frame);
    let path = frame.and_then(|frame| source_path(&frame.file)).unwrap_or("unknown");
    json!({
        "description": plain_line(finding),
        "check_name": finding.kind.word(),
        "fingerprint": finding.name(),
        "severity": if finding.verdict == Verdict::Fail { "major" } else { "minor" },
        "location": { "path": path, "lines": { "begin": frame.map_or(1, |frame| frame.line.max(1)) } },
    })
}
