//! The labels of the stacks and what goes with each of their values: pprof's `tags`.

use std::collections::BTreeMap;
use std::fmt::Write;

use prof_format::dump::LabelValue;
use serde_json::{Map, Value, json};

use super::pprof_head::Figures;
use super::{Output, Request};
use crate::error::Result;
use crate::model::labels::value_text;
use crate::plan::Part;
use crate::transform::tags;

/// The row of this output.
pub const ROW: Output = Output {
    name: "tags",
    command: true,
    about: "Figures by label: threads, object sizes, and what a profile.proto has",
    parts: &[Part::Output, Part::Figure, Part::Selection, Part::Input, Part::Naming, Part::Rows],
    keeps_labels: true,
    json: Some(json),
    render,
    ..Output::BASE
};

/// Figures by key, then by value; numbers sort by size, which their text would not.
type ByKey = BTreeMap<String, BTreeMap<(i64, String), f64>>;

fn add_up(request: &Request<'_>) -> (ByKey, f64) {
    let view = request.view;
    let mut by_key = ByKey::new();
    let mut shown = 0.0;
    view.walk(|seen| {
        shown += seen.figure;
        for label in tags::labels_of(view.profile(), seen.stack) {
            let rank = match label.value {
                LabelValue::Number { value, .. } => value,
                LabelValue::Text(_) => 0,
            };
            let values = by_key.entry(label.key).or_default();
            *values.entry((rank, value_text(&label.value))).or_default() += seen.figure;
        }
    });
    (by_key, shown)
}

fn json(request: &Request<'_>) -> Map<String, Value> {
    let (by_key, _) = add_up(request);
    let tag = |(key, values): (&String, &BTreeMap<(i64, String), f64>)| {
        let values: Vec<Value> =
            values.iter().map(|((_, value), figure)| json!({ "value": value, "figure": figure })).collect();
        json!({ "key": key, "values": values })
    };
    Map::from_iter([("tags".to_string(), by_key.iter().map(tag).collect())])
}

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let (by_key, shown) = add_up(request);
    if by_key.is_empty() {
        request.warn("no stack has a label");
    }
    let figures = Figures::new(request, shown);
    let mut out = String::new();
    for (key, values) in &by_key {
        let total: f64 = values.values().sum();
        // Writing to a String cannot fail.
        let _ = writeln!(out, " {key}: Total {}", figures.label(total));
        let indent = key.len() + 3;
        let mut rows: Vec<(&(i64, String), f64)> =
            values.iter().map(|(value, figure)| (value, *figure)).collect();
        rows.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let count = match request.plan.rows.count {
            crate::plan::choice::Rows::AtMost(count) => count,
            _ => usize::MAX,
        };
        let cells: Vec<(String, &str)> = rows
            .into_iter()
            .take(count)
            .map(|((_, value), figure)| {
                let share = crate::units::pprof_percent(figure, total);
                (format!("{} ({share}):", figures.label(figure)), value.as_str())
            })
            .collect();
        let width = cells.iter().map(|(figure, _)| figure.len()).max().unwrap_or(0);
        for (figure, value) in cells {
            let _ = writeln!(out, "{:indent$}{figure:>width$} {value}", "");
        }
        out.push('\n');
    }
    Ok(out.into_bytes())
}
