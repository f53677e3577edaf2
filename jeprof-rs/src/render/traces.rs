//! Every stack with its figure and its labels: pprof's `traces`.

use std::fmt::Write;

use prof_format::dump::{Label, LabelValue};

use super::pprof_head::{Figures, name_behind};
use super::{Output, Request};
use crate::aggregate::keys::Keys;
use crate::error::Result;
use crate::model::labels::value_text;
use crate::plan::Part;
use crate::terminal::{harmless, paint, style};
use crate::transform::tags;

/// The row of this output.
pub const ROW: Output = Output {
    name: "traces",
    command: true,
    about: "Every stack with its figure and labels, the heaviest first",
    parts: PARTS,
    keeps_labels: true,
    json: Some(super::json::stacks),
    render,
    ..Output::BASE
};

const PARTS: &[Part] = &[
    Part::Output,
    Part::Terminal,
    Part::Figure,
    Part::Granularity,
    Part::Selection,
    Part::Input,
    Part::Naming,
];

const RULE: &str = "-----------+-------------------------------------------------------";

/// Columns in front of a name.
const TAKEN: usize = 13;

/// A stack to be printed.
struct Trace {
    figure: f64,
    /// Lines, texts before numbers.
    labels: String,
    /// Keys, leaf first, and whether each was inlined.
    names: Vec<(usize, bool)>,
}

fn is_number(label: &Label) -> bool {
    matches!(label.value, LabelValue::Number { .. })
}

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let view = request.view;
    let keys = Keys::new(view, request.plan.rows.granularity);
    let mut traces: Vec<Trace> = Vec::new();
    view.walk(|seen| {
        if seen.figure == 0.0 {
            return;
        }
        let mut labels = tags::labels_of(view.profile(), seen.stack);
        labels.sort_by(|a, b| (is_number(a), &a.key).cmp(&(is_number(b), &b.key)));
        let labels = labels
            .iter()
            .map(|label| {
                let text = format!("{:>10}:  {}", label.key, value_text(&label.value));
                paint(&harmless(&text, request.screen), style::LABEL, request.screen) + "\n"
            })
            .collect();
        let names = keys.of_stack(view, seen.lines).map(|(line, key)| (key, view.is_inlined(line))).collect();
        traces.push(Trace { figure: seen.figure, labels, names });
    });
    if traces.is_empty() {
        request.warn(request.explain_nothing());
    }
    // A stable sort: equal figures stay in the order of the dump.
    traces.sort_by(|a, b| b.figure.abs().total_cmp(&a.figure.abs()));
    let names: Vec<String> = (0..keys.len()).map(|key| keys.name(view, key)).collect();
    let figures = Figures::new(request, view.total());
    let program = harmless(&request.session.program_name, request.screen);
    let mut out = format!("File: {program}\nType: {}\n", request.plan.figure.metric.name());
    let rule = paint(RULE, style::HEAD, request.screen) + "\n";
    for trace in &traces {
        out.push_str(&rule);
        // Writing to a String cannot fail.
        out.push_str(&trace.labels);
        for (depth, &(key, inlined)) in trace.names.iter().enumerate() {
            let figure = if depth == 0 { figures.label(trace.figure) } else { String::new() };
            let mark = if inlined { " (inline)" } else { "" };
            let name = name_behind(request, &format!("{}{mark}", names[key]), TAKEN);
            let weight = if depth == 0 { style::of_share(trace.figure, figures.total) } else { "" };
            let named = if weight == style::HEAVY { style::NAME } else { "" };
            let (figure, name) = (
                paint(&format!("{figure:>10}"), weight, request.screen),
                paint(&name, named, request.screen),
            );
            let _ = writeln!(out, "{figure}   {name}");
        }
    }
    out.push_str(&rule);
    Ok(out.into_bytes())
}
