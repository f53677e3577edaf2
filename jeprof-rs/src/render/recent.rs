//! The newest samples one by one, or put together: a table that only files of `prof_recent` make.

use std::fmt::Write;

use prof_format::dump::Label;
use serde_json::{Map, Value, json};

use super::stack_rows::{self, Lead, Row};
use super::{Output, Request};
use crate::aggregate::groups::{Common, Group, groups};
use crate::aggregate::keys::Keys;
use crate::error::Result;
use crate::load::recent::Facts;
use crate::model::labels::{number_of, text_of};
use crate::plan::Part;
use crate::terminal::{harmless, paint, style};
use crate::units::{bytes_for_people, time_for_people};

/// The row of this output.
pub const ROW: Output = Output {
    name: "recent",
    command: true,
    about: "The newest samples (prof_recent): chosen by --where, put together, with ages and lifetimes",
    examples: "\
DUMP is a file that mallctl(\"prof.recent_alloc_dump\") or experimental.prof_recent.alloc_dump wrote (JSON), here or
under jemalloc; MALLOC_CONF=prof:true,prof_recent_alloc_max:1000 keeps the newest 1000. It has bare addresses: they are
named by a heap profile of the same process, a copy of its /proc/PID/maps, or the process itself. Name one beside it,
or leave that to the tool, which looks for <prefix>.<pid>.*.heap in the same folder and for the pid.
Ages are those at the newest event of the file. All other reports read such files, too.

Examples:
  jeprof-rs recent svc.1234.0.r0.json
  jeprof-rs recent --where='size>1MiB and age>10m and stack~\"Cache::\"' svc.1234.0.r0.json
  jeprof-rs recent --where='released and lifetime<1ms' --group_by=leaf --sort=samples svc.1234.0.r0.json
  jeprof-rs flame --where='not released' svc svc.1234.0.r0.json > heap.svg",
    parts: &[
        Part::Output,
        Part::Terminal,
        Part::Granularity,
        Part::Groups,
        Part::Rows,
        Part::Selection,
        Part::Input,
        Part::Naming,
    ],
    keeps_labels: true,
    json: Some(json),
    render,
    ..Output::BASE
};

/// Columns in front of what the samples of a group have in common.
const TAKEN: usize = 61;

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let facts = request.session.recent.clone().unwrap_or_default();
    let (view, plan) = (request.view, request.plan);
    let keys = Keys::new(view, plan.rows.granularity);
    let groups = groups(view, &keys, plan.groups.by, plan.groups.order);
    if groups.is_empty() {
        request.warn(match &plan.selection.condition {
            Some(query) => format!("no sample is left where {}", query.text),
            None => request.explain_nothing(),
        });
    }
    let mut out = head(request, &facts, &groups);
    let total: f64 = groups.iter().map(|group| group.bytes).sum();
    let row = |group: &Group| Row {
        figures: figures(group),
        share: group.bytes / total,
        lines: what(request, group, &keys),
    };
    stack_rows::put(request, &groups, (TAKEN, Lead::Marked), row, &mut out);
    Ok(out.into_bytes())
}

fn head(request: &Request<'_>, facts: &Facts, groups: &[Group]) -> String {
    let most = if facts.max < 0 { "of all".into() } else { format!("of at most {}", facts.max) };
    let apart = match facts.interval {
        0 | 1 => "every allocation".into(),
        interval => format!("one each {}", bytes_for_people(interval as f64)),
    };
    let shown: u64 = groups.iter().map(|group| group.samples).sum();
    let mut out = format!("File: {}\n", harmless(&request.session.program_name, request.screen));
    // Writing to a String cannot fail.
    let _ = writeln!(out, "Samples: {} {most}, {apart}", facts.count);
    if let Some(query) = &request.plan.selection.condition {
        let text = harmless(&query.text, request.screen);
        let _ = writeln!(out, "Showing: {shown} where {text}");
    }
    let names = format!(
        "{:>10} {:>10} {:>8} {:>8} {:>9} {:>9}  {}",
        "live", "all", "samples", "living", "oldest", "life", "what"
    );
    out + &paint(&names, style::HEAD, request.screen) + "\n"
}

fn figures(group: &Group) -> String {
    let time = |nanos: Option<i64>| nanos.map_or("-".into(), |nanos| time_for_people(nanos as f64));
    format!(
        "{:>10} {:>10} {:>8} {:>8} {:>9} {:>9}",
        bytes_for_people(group.live_bytes),
        bytes_for_people(group.bytes),
        group.samples,
        group.live_samples,
        time(group.age_max),
        time(group.lifetime_median),
    )
}

/// What the samples of a group have in common, in lines.
fn what(request: &Request<'_>, group: &Group, keys: &Keys) -> Vec<String> {
    match &group.common {
        Common::Stack(stack, sample) => {
            let mut lines = stack_rows::names(request, keys, stack);
            lines.extend(sample.map(|_| sentence(&group.labels)));
            lines
        }
        Common::Leaf(key) => vec![keys.name(request.view, *key)],
        Common::Thread(name) => vec![name.clone()],
        Common::Size(bytes) => vec![format!("{bytes} B")],
    }
}

/// The labels of one sample that have no column.
fn sentence(labels: &[Label]) -> String {
    let thread = |before: &str, key: &str| text_of(labels, key).map(|name| format!("{before}{name}"));
    let size = number_of(labels, "size").map(|bytes| format!("{bytes} B asked for"));
    let parts = [size, thread("by ", "thread"), thread("freed by ", "freed_by")];
    format!("({})", parts.into_iter().flatten().collect::<Vec<String>>().join(", "))
}

fn json(request: &Request<'_>) -> Map<String, Value> {
    let plan = request.plan;
    let keys = Keys::new(request.view, plan.rows.granularity);
    let groups = groups(request.view, &keys, plan.groups.by, plan.groups.order);
    let group = |group: &Group| {
        let figures = json!({
            "live_bytes": group.live_bytes,
            "bytes": group.bytes,
            "objects": group.objects,
            "samples": group.samples,
            "live_samples": group.live_samples,
            "age_max_nanos": group.age_max,
            "lifetime_median_nanos": group.lifetime_median,
        });
        let (key, value) = match &group.common {
            Common::Stack(stack, _) => return stack_rows::json_row(request, &keys, stack, figures),
            Common::Leaf(key) => ("leaf", keys.name(request.view, *key).into()),
            Common::Thread(name) => ("thread", name.as_str().into()),
            Common::Size(bytes) => ("usize", Value::from(*bytes)),
        };
        stack_rows::with(Map::from_iter([(key.to_string(), value)]), figures)
    };
    let facts = request.session.recent.clone().unwrap_or_default();
    Map::from_iter([
        ("samples".to_string(), facts.count.into()),
        ("samples_max".to_string(), facts.max.into()),
        ("group_count".to_string(), groups.len().into()),
        ("groups".to_string(), stack_rows::json_rows(request, &groups, group)),
    ])
}
