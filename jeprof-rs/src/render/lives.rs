//! How old the living are and how long the others lived, by stack: what only profiles of our own allocator tell.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::stack_rows::{self, Lead, Row};
use super::{Output, Request};
use crate::aggregate::keys::Keys;
use crate::aggregate::lives::{Lives, lives};
use crate::error::{Error, Result};
use crate::plan::Part;
use crate::terminal::{harmless, paint, style};
use crate::units::{bytes_for_people, time_for_people};

/// The row of the living.
pub const OLD: Output = Output {
    name: "old",
    command: true,
    about: "Stacks by the bytes that are alive and older than --min_age",
    examples: "\
DUMP is a profile in pprof's format that this project's allocator wrote (prof_dump_format:pprof, or a name that ends in
.pb.gz). Ages are known to a factor of two: what may be younger than --min_age is left out.

Examples:
  jeprof-rs old --min_age=10m heap.pb.gz
  jeprof-rs flame --where='age>=1h' svc heap.pb.gz > old.svg",
    parts: &[
        Part::Output,
        Part::Terminal,
        Part::Granularity,
        Part::Ages,
        Part::Rows,
        Part::Selection,
        Part::Input,
        Part::Naming,
    ],
    keeps_labels: true,
    json: Some(old_json),
    wants: |request| wants(request, "old", "age", OF_AGES),
    render: old,
    ..Output::BASE
};

/// The row of lifetimes.
pub const LIFETIMES: Output = Output {
    name: "lifetimes",
    command: true,
    about: "How long the objects of each stack lived, how many live, who freed them",
    examples: "\
DUMP is a profile in pprof's format that this project's allocator wrote with prof_accum:true. Lifetimes are known to a
factor of two: the figures are the least. The living count as objects that were never freed: where more than half of a
stack's objects live, there is no median.

Examples:
  jeprof-rs lifetimes heap.pb.gz
  jeprof-rs lifetimes --nodecount=10 --where='thread=worker' svc heap.pb.gz",
    parts: stack_rows::PARTS,
    keeps_labels: true,
    json: Some(lifetimes_json),
    wants: |request| wants(request, "lifetimes", "lifetime", OF_LIFETIMES),
    render: lifetimes,
    ..Output::BASE
};

/// The stacks that an output shows, the first first.
type Chosen = (Keys, Vec<Lives>);

/// Stacks with something old, most bytes first.
fn chosen_old(request: &Request<'_>) -> Chosen {
    let keys = Keys::new(request.view, request.plan.rows.granularity);
    let mut all = lives(request.view, &keys);
    let old = |lives: &Lives| lives.older(request.plan.min_age).0;
    all.retain(|lives| old(lives) > 0.0);
    all.sort_by(|a, b| old(b).total_cmp(&old(a)));
    (keys, all)
}

/// All stacks, most objects first.
fn chosen_lifetimes(request: &Request<'_>) -> Chosen {
    let keys = Keys::new(request.view, request.plan.rows.granularity);
    let mut all = lives(request.view, &keys);
    all.retain(|lives| lives.objects() > 0.0);
    all.sort_by(|a, b| b.objects().total_cmp(&a.objects()));
    (keys, all)
}

/// Refuses a profile without that label.
fn wants(request: &Request<'_>, command: &str, key: &str, how: &str) -> Result<()> {
    let profile = &request.session.profile;
    let has = |labels| profile.labels.get(labels).iter().any(|label| label.key == key);
    match profile.stacks.iter().any(|stack| has(stack.labels)) {
        true => Ok(()),
        false => Err(Error::at(command, format!("no sample has a label '{key}': {how}"))),
    }
}

const OF_AGES: &str = "it is in profiles in pprof's format (.pb.gz) that this project's allocator wrote";
const OF_LIFETIMES: &str =
    "it is in profiles in pprof's format (.pb.gz) that this project's allocator wrote with prof_accum:true";

/// Columns in front of a stack.
const TAKEN: usize = 52;

fn old(request: &Request<'_>) -> Result<Vec<u8>> {
    let least = request.plan.min_age;
    let (keys, all) = chosen_old(request);
    let total: f64 = all.iter().map(|lives| lives.older(least).0).sum();
    let live: f64 = request.session.profile.stacks.iter().map(|stack| stack.figures.live_bytes).sum();
    let mut out = format!("File: {}\n", harmless(&request.session.program_name, request.screen));
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "Alive for {} or longer: {} of {}. Ages are known to a factor of two; those shown are the least.",
        time_for_people(least as f64),
        bytes_for_people(total),
        bytes_for_people(live),
    );
    let names = format!("{:>10} {:>10} {:>8} {:>10} {:>8}", "old", "objects", "of live", "live", "oldest");
    out += &(paint(&format!("{names:<50}  stack"), style::HEAD, request.screen) + "\n");
    table(request, &keys, &all, &mut out, |lives| {
        let (bytes, objects) = lives.older(least);
        let figures = format!(
            "{:>10} {objects:>10.0} {:>8} {:>10} {:>8}",
            bytes_for_people(bytes),
            percent(bytes, lives.live_bytes),
            bytes_for_people(lives.live_bytes),
            time(lives.oldest()),
        );
        (figures, bytes / total)
    });
    Ok(out.into_bytes())
}

fn lifetimes(request: &Request<'_>) -> Result<Vec<u8>> {
    let (keys, all) = chosen_lifetimes(request);
    let total: f64 = all.iter().map(Lives::objects).sum();
    let mut out = format!("File: {}\n", harmless(&request.session.program_name, request.screen));
    out += "Lifetimes are known to a factor of two; those shown are the least. '-': so many have not been freed.\n";
    let names = format!("{:>11} {:>9} {:>9} {:>8} {:>9}", "objects", "median", "99 %", "alive", "elsewhere");
    out += &(paint(&format!("{names:<50}  stack"), style::HEAD, request.screen) + "\n");
    table(request, &keys, &all, &mut out, |lives| {
        let figures = format!(
            "{:>11.0} {:>9} {:>9} {:>8} {:>9}",
            lives.objects(),
            time(lives.lifetime(0.5)),
            time(lives.lifetime(0.99)),
            percent(lives.live_objects, lives.objects()),
            percent(lives.freed_elsewhere, lives.freed_objects),
        );
        (figures, lives.objects() / total)
    });
    Ok(out.into_bytes())
}

/// One row for each stack, its frames below each other.
fn table(
    request: &Request<'_>,
    keys: &Keys,
    all: &[Lives],
    out: &mut String,
    row: impl Fn(&Lives) -> (String, f64),
) {
    if all.is_empty() {
        request.warn("no object is left");
    }
    let row = |lives: &Lives| {
        let (figures, share) = row(lives);
        Row {
            figures: format!("{figures:<50}"),
            share,
            lines: stack_rows::names(request, keys, &lives.stack),
        }
    };
    stack_rows::put(request, all, (TAKEN, Lead::Plain), row, out);
}

/// What is shorter than a tick of the allocator's clock has the least value there is.
fn time(nanos: Option<i64>) -> String {
    match nanos {
        None => "-".into(),
        Some(..=1) => "<10 ms".into(),
        Some(nanos) => time_for_people(nanos as f64),
    }
}

fn percent(part: f64, total: f64) -> String {
    if total > 0.0 { format!("{:.1}%", part / total * 100.0) } else { "-".into() }
}

fn stacks(request: &Request<'_>, chosen: &Chosen, figures: impl Fn(&Lives) -> Value) -> Map<String, Value> {
    let (keys, all) = chosen;
    let stack = |lives: &Lives| stack_rows::json_row(request, keys, &lives.stack, figures(lives));
    Map::from_iter([
        ("stack_count".to_string(), all.len().into()),
        ("stacks".to_string(), stack_rows::json_rows(request, all, stack)),
    ])
}

fn old_json(request: &Request<'_>) -> Map<String, Value> {
    let least = request.plan.min_age;
    let mut map = stacks(request, &chosen_old(request), |lives| {
        let (bytes, objects) = lives.older(least);
        json!({
            "old_bytes": bytes,
            "old_objects": objects,
            "live_bytes": lives.live_bytes,
            "oldest_nanos": lives.oldest(),
        })
    });
    map.insert("min_age_nanos".into(), least.into());
    map
}

fn lifetimes_json(request: &Request<'_>) -> Map<String, Value> {
    stacks(request, &chosen_lifetimes(request), |lives| {
        let freed: Vec<Value> = lives
            .freed
            .iter()
            .map(|span| json!({ "nanos": span.nanos, "bytes": span.bytes, "objects": span.objects }))
            .collect();
        json!({
            "objects": lives.objects(),
            "live_objects": lives.live_objects,
            "median_nanos": lives.lifetime(0.5),
            "p99_nanos": lives.lifetime(0.99),
            "freed_objects": lives.freed_objects,
            "freed_elsewhere": lives.freed_elsewhere,
            "lifetimes": freed,
        })
    })
}
