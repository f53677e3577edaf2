//! SARIF 2.1.0, which GitHub's code scanning and editors show at the source line. Alerts keep their identity by the key of
//! the stack (`primaryLocationLineHash`), so that they survive a line that moves.
//!
//! Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".

use serde_json::{Value, json};

use super::words::plain_line;
use super::{Form, Shown, source_frame, source_path};
use crate::check::finding::{Finding, KINDS};
use crate::check::stacks;
use crate::error::Result;
use crate::inference::interval::Verdict;

/// The row of this form.
pub const FORM: Form =
    Form { name: "sarif", about: "GitHub's code scanning and editors: SARIF 2.1.0", binary: false, render };

/// GitHub takes no more results of a run.
const RESULTS_MAX: usize = 25_000;

fn render(shown: &Shown<'_>) -> Result<Vec<u8>> {
    let rules: Vec<Value> = KINDS
        .iter()
        .map(|(_, word, about)| {
            json!({ "id": word, "name": word, "shortDescription": { "text": about }, "properties": { "tags": ["memory"] } })
        })
        .collect();
    let told = shown.findings.all.iter().filter(|finding| finding.verdict != Verdict::Pass);
    let object = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "jeprof-rs",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            }},
            "results": told.take(RESULTS_MAX).map(result).collect::<Vec<Value>>(),
        }],
    });
    let mut text = serde_json::to_vec_pretty(&object).unwrap_or_default();
    text.push(b'\n');
    Ok(text)
}

fn result(finding: &Finding) -> Value {
    let mut result = json!({
        "ruleId": finding.kind.word(),
        "level": if finding.verdict == Verdict::Fail { "error" } else { "warning" },
        "message": { "text": plain_line(finding) },
        "properties": { "bytes": finding.figure.value, "lo": finding.figure.low, "hi": finding.figure.high },
    });
    result["partialFingerprints"] = json!({ "primaryLocationLineHash": finding.name() });
    // GitHub takes no file in which a result has no place: what has none in the source is put where limits are.
    let at = finding.place.as_ref().and_then(source_frame).filter(|frame| !frame.file.is_empty());
    result["locations"] = json!([at.map_or_else(nowhere, location)]);
    let Some(place) = &finding.place else { return result };
    let frames: Vec<Value> =
        place.own_frames().iter().map(|frame| json!({ "location": location(frame) })).collect();
    if !frames.is_empty() {
        result["codeFlows"] = json!([{ "threadFlows": [{ "locations": frames }] }]);
    }
    result
}

/// The place of what has none.
fn nowhere() -> Value {
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": "jeprof.toml", "uriBaseId": "%SRCROOT%" },
        "region": { "startLine": 1 },
    }})
}

/// A path as a URI has it.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~+@".contains(&byte);
    path.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Where a frame is, with its function.
fn location(frame: &stacks::Shown) -> Value {
    let mut location = json!({ "message": { "text": frame.function } });
    if let Some(path) = source_path(&frame.file) {
        location["physicalLocation"] = json!({
            "artifactLocation": if path.starts_with('/') {
                json!({ "uri": format!("file://{}", uri(path)) })
            } else {
                json!({ "uri": uri(path), "uriBaseId": "%SRCROOT%" })
            },
        });
        if frame.line > 0 {
            location["physicalLocation"]["region"] = json!({ "startLine": frame.line });
        }
    }
    location
}
