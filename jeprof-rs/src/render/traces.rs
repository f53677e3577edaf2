//! Every stack with its figure and its labels: pprof's `traces`.

use std::fmt::Write;

use prof_format::dump::{Label, LabelValue};

use super::pprof_head::{Figures, name_behind};
use super::{Output, Request};
use crate::aggregate::keys::Keys;
use crate::error::Result;
use crate::model::labels::value_text;
use crate::plan::Part;
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
            .map(|label| format!("{:>10}:  {}\n", label.key, value_text(&label.value)))
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
    let mut out =
        format!("File: {}\nType: {}\n", request.session.program_name, request.plan.figure.metric.name());
    for trace in &traces {
        out.push_str(RULE);
        out.push('\n');
        // Writing to a String cannot fail.
        out.push_str(&trace.labels);
        for (depth, &(key, inlined)) in trace.names.iter().enumerate() {
            let figure = if depth == 0 { figures.label(trace.figure) } else { String::new() };
            let mark = if inlined { " (inline)" } else { "" };
            let name = name_behind(request, &format!("{}{mark}", names[key]), TAKEN);
            let _ = writeln!(out, "{figure:>10}   {name}");
        }
    }
    out.push_str(RULE);
    out.push('\n');
    Ok(out.into_bytes())
}
