//! `--format=json`: every report as one JSON object. `docs/json.md` describes the fields.
//!
//! The head is the same for all of them; [`Body`] tells what a report adds.

use serde_json::{Map, Value, json};

use super::Request;
use crate::aggregate::graph::{Counting, Graph};
use crate::aggregate::keys::Keys;
use crate::aggregate::table::{Row, Table, table};
use crate::model::Image;
use crate::plan::choice::{Contexts, Rows};
use crate::session::Taken;
use crate::transform::tags::labels_of;
use prof_format::dump::{Label, LabelValue};

/// The version of the fields. A field that goes or changes its meaning makes a new one; new fields do not.
const SCHEMA: &str = "jeprof-rs/1";

/// The fields of a report beside the head.
pub type Body = fn(&Request<'_>) -> Map<String, Value>;

/// The whole object, as text with a line end.
pub fn object(request: &Request<'_>, report: &str, body: Body, warnings: &[String]) -> Vec<u8> {
    let (session, plan) = (request.session, request.plan);
    let profile = &session.profile;
    let program = profile.program.map(|image| &profile.images[image.index()]);
    let unit = if plan.figure.metric.is_bytes() { "bytes" } else { "objects" };
    let head = json!({
        "schema": SCHEMA,
        "report": report,
        "program": session.program_name,
        "build_id": program.map(|image| image.build_id.to_string()).filter(|id| !id.is_empty()),
        "dumps": names(&session.dumps),
        "base": names(&session.base),
        "sampling_distance_bytes": profile.periods,
        "time_nanos": profile.time_nanos,
        "duration_nanos": profile.duration_nanos,
        "totals": totals(request),
        "figure": { "name": plan.figure.metric.name(), "unit": unit },
        "total": request.view.total(),
        "reference_total": request.view.reference_total(),
        "images": profile.images.iter().map(image).collect::<Vec<Value>>(),
        "warnings": warnings,
    });
    let mut fields = match head {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    fields.extend(body(request));
    let mut text = serde_json::to_vec_pretty(&Value::Object(fields)).unwrap_or_default();
    text.push(b'\n');
    text
}

fn names(dumps: &[Taken]) -> Vec<&str> {
    dumps.iter().map(|dump| dump.name.as_str()).collect()
}

fn image(image: &Image) -> Value {
    json!({ "path": image.path, "build_id": image.build_id.to_string(), "deleted": image.deleted })
}

fn totals(request: &Request<'_>) -> Option<Map<String, Value>> {
    let totals = request.session.profile.totals?;
    Some(totals.known().map(|(name, bytes)| (name.to_string(), bytes.into())).collect())
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => Map::from_iter([("value".to_string(), other)]),
    }
}

/// Rows of a table, those that shrank last.
pub fn rows(request: &Request<'_>) -> Map<String, Value> {
    let plan = &request.plan.rows;
    table_fields(request, table(request.view, plan.granularity, plan.order))
}

/// Rows of a table by figure without its sign.
pub fn rows_by_size(request: &Request<'_>) -> Map<String, Value> {
    let plan = &request.plan.rows;
    let mut table = table(request.view, plan.granularity, plan.order);
    table.sort_by_size(plan.order);
    table_fields(request, table)
}

fn table_fields(request: &Request<'_>, table: Table) -> Map<String, Value> {
    let plan = &request.plan.rows;
    let count = match plan.count {
        Rows::AtMost(count) => count,
        _ => usize::MAX,
    };
    let row = |row: &Row| {
        json!({
            "name": row.name,
            "flat": row.flat,
            "cum": row.cum,
            "mean_flat": row.mean_flat,
            "mean_cum": row.mean_cum,
        })
    };
    fields(json!({
        "shown_total": table.shown_total,
        "row_count": table.rows.len(),
        "rows": table.rows.iter().take(count).map(row).collect::<Vec<Value>>(),
    }))
}

/// Nodes and edges of the whole call graph; edges count once per stack.
pub fn graph(request: &Request<'_>) -> Map<String, Value> {
    let granularity = request.plan.rows.granularity;
    let graph = Graph::new(request.view, granularity, Contexts::Merged, Counting::OncePerStack);
    let shown = |name: &str| request.plan.argument.as_ref().is_none_or(|pattern| pattern.is_match(name));
    let is_near = |from: usize, to: usize| shown(&graph.nodes[from].name) || shown(&graph.nodes[to].name);
    let nodes: Vec<Value> = graph
        .nodes
        .iter()
        .enumerate()
        .map(|(id, node)| {
            json!({ "id": id, "name": node.name, "flat": node.flat, "cum": node.cum, "matches": shown(&node.name) })
        })
        .collect();
    let edges: Vec<Value> = graph
        .edges
        .iter()
        .filter(|edge| is_near(edge.from, edge.to))
        .map(|edge| {
            json!({ "from": edge.from, "to": edge.to, "weight": edge.weight, "inlined": edge.inlined })
        })
        .collect();
    fields(json!({ "nodes": nodes, "edges": edges }))
}

/// Every stack, root first, with names, labels and both figures.
pub fn stacks(request: &Request<'_>) -> Map<String, Value> {
    let view = request.view;
    let keys = Keys::new(view, request.plan.rows.granularity);
    let names: Vec<String> = (0..keys.len()).map(|key| keys.name(view, key)).collect();
    let mut stacks: Vec<Value> = Vec::new();
    view.walk(|seen| {
        let frames: Vec<&str> =
            keys.of_stack(view, seen.lines).rev().map(|(_, key)| names[key].as_str()).collect();
        let labels: Vec<Value> = labels_of(view.profile(), seen.stack).iter().map(label).collect();
        stacks.push(json!({
            "frames": frames,
            "figure": seen.figure,
            "before": seen.before,
            "objects": seen.stack.figures.get(view.object_metric()),
            "labels": labels,
        }));
    });
    fields(json!({ "stacks": stacks }))
}

/// A label: key, and text or number with unit.
pub fn label(label: &Label) -> Value {
    match &label.value {
        LabelValue::Text(text) => json!({ "key": label.key, "text": text }),
        LabelValue::Number { value, unit } => json!({ "key": label.key, "number": value, "unit": unit }),
    }
}
