//! One JSON object, for scripts. `docs/json.md` describes the fields.

use serde_json::{Value, json};

use super::{Form, Shown};
use crate::check::finding::{Finding, Measured, Suppressed, Where, word};
use crate::check::stacks;
use crate::error::Result;
use crate::session::Taken;

/// The row of this form.
pub const FORM: Form = Form { name: "json", about: "scripts", binary: false, render };

/// The version of the fields. A field that goes or changes its meaning makes a new one; new fields do not.
const SCHEMA: &str = "jeprof-rs.check/1";

fn render(shown: &Shown<'_>) -> Result<Vec<u8>> {
    let (session, findings) = (shown.request.session, shown.findings);
    let names = |dumps: &[Taken]| dumps.iter().map(|dump| dump.name.clone()).collect::<Vec<String>>();
    let object = json!({
        "schema": SCHEMA,
        "report": shown.command,
        "program": session.program_name,
        "dumps": names(&session.dumps),
        "base": names(&session.base),
        "sampling_distance_bytes": findings.period,
        "exact": findings.is_exact(),
        "confidence": findings.confidence,
        "fdr": findings.fdr,
        "status": shown.status,
        "stacks": findings.stacks,
        "totals": findings.totals.iter().map(measured).collect::<Vec<Value>>(),
        "reachable": findings.reachable.map(|(stacks, bytes, objects)| json!({
            "stacks": stacks,
            "bytes": bytes,
            "objects": objects,
        })),
        "findings": findings.all.iter().map(finding).collect::<Vec<Value>>(),
        "noise": findings.noise,
        "suppressed": findings.suppressed.iter().map(suppressed).collect::<Vec<Value>>(),
        "unused_suppressions": findings.unused_rules,
        "notes": findings.notes,
    });
    let mut text = serde_json::to_vec_pretty(&object).unwrap_or_default();
    text.push(b'\n');
    Ok(text)
}

fn measured(figure: &Measured) -> Value {
    json!({ "value": figure.value, "lo": figure.low, "hi": figure.high, "samples": figure.samples })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "kind": finding.kind.word(),
        "verdict": word(finding.verdict).to_lowercase(),
        "subject": finding.subject,
        "figure": measured(&finding.figure),
        "unit": finding.unit,
        "before": finding.sides.as_ref().map(|(before, _)| measured(before)),
        "after": finding.sides.as_ref().map(|(_, after)| measured(after)),
        "objects": finding.objects,
        "limit": finding.limit,
        "q": finding.q,
        "key": finding.key(),
        "stack": finding.place.as_ref().map(|place| place.texts.clone()),
        "frames": finding.place.as_ref().map(frames),
        "owner": finding.owner,
        "notes": finding.notes,
    })
}

/// Leaf first.
fn frames(place: &Where) -> Vec<Value> {
    let own = |index: usize| place.own.contains(&index);
    let frame = |(index, frame): (usize, &stacks::Shown)| {
        json!({
            "function": frame.function,
            "file": frame.file,
            "line": frame.line,
            "module": frame.module,
            "build_id": frame.build_id,
            "inlined": frame.inlined,
            "own": own(index),
        })
    };
    place.frames.iter().enumerate().map(frame).collect()
}

fn suppressed(rule: &Suppressed) -> Value {
    json!({
        "template": rule.template,
        "origin": rule.origin,
        "why": rule.why,
        "stacks": rule.stacks,
        "bytes": rule.bytes,
        "objects": rule.objects,
    })
}
