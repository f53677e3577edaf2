//! The labels of the stacks and what goes with each of their values: pprof's `tags`.

use std::collections::BTreeMap;
use std::fmt::Write;

use prof_format::dump::LabelValue;
use serde_json::{Map, Value, json};

use super::pprof_head::Figures;
use super::{Output, Request, rows_max};
use crate::error::Result;
use crate::model::labels::value_text;
use crate::plan::Part;
use crate::terminal::{harmless, paint, style};
use crate::transform::tags;

/// The row of this output.
pub const ROW: Output = Output {
    name: "tags",
    command: true,
    about: "Figures by label: threads, object sizes, and what a profile.proto has",
    parts: &[
        Part::Output,
        Part::Terminal,
        Part::Figure,
        Part::Selection,
        Part::Input,
        Part::Naming,
        Part::Rows,
    ],
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
        let title = paint(&harmless(key, request.screen), style::NAME, request.screen);
        let _ = writeln!(out, " {title}: Total {}", figures.label(total));
        let indent = key.len() + 3;
        let mut rows: Vec<(&(i64, String), f64)> =
            values.iter().map(|(value, figure)| (value, *figure)).collect();
        rows.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let count = rows_max(request.plan.rows.count, request.screen);
        let left_out = rows.len().saturating_sub(count);
        let cells: Vec<(String, &str, &str)> = rows
            .into_iter()
            .take(count)
            .map(|((_, value), figure)| {
                let share = crate::units::pprof_percent(figure, total);
                let colour = style::of_share(figure, total);
                (format!("{} ({share}):", figures.label(figure)), value.as_str(), colour)
            })
            .collect();
        let width = cells.iter().map(|(figure, ..)| figure.len()).max().unwrap_or(0);
        for (figure, value, colour) in cells {
            let figure = paint(&format!("{:indent$}{figure:>width$}", ""), colour, request.screen);
            let _ = writeln!(out, "{figure} {}", harmless(value, request.screen));
        }
        if request.screen.width.is_some() && left_out > 0 {
            let _ = writeln!(out, "{:indent$}({left_out} more rows: --nodecount=0 shows all)", "");
        }
        out.push('\n');
    }
    Ok(out.into_bytes())
}
