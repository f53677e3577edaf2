//! Bencher's metrics: totals and what was found, with their bounds.

use serde_json::{Map, Value, json};

use super::{Form, Shown};
use crate::check::finding::Measured;
use crate::error::Result;

/// The row of this form.
pub const FORM: Form =
    Form { name: "bencher", about: "Bencher: metrics with lower and upper values", binary: false, render };

fn render(shown: &Shown<'_>) -> Result<Vec<u8>> {
    let program = &shown.request.session.program_name;
    let mut metrics = Map::new();
    if let Some(total) = shown.findings.totals.last() {
        metrics.insert(format!("{program}/total"), metric("heap", total));
    }
    for finding in &shown.findings.all {
        let name = format!("{program}/{}", finding.name());
        metrics.insert(name, metric(finding.unit, &finding.figure));
    }
    let mut text = serde_json::to_vec_pretty(&Value::Object(metrics)).unwrap_or_default();
    text.push(b'\n');
    Ok(text)
}

fn metric(measure: &str, figure: &Measured) -> Value {
    json!({ measure: { "value": figure.value, "lower_value": figure.low, "upper_value": figure.high } })
}
