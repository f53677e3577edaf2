//! Two dumps side by side: before, after, and the change, the largest first.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::findings::{check_unused, rules, stacks};
use super::pprof_head::{Figures, filters, name_behind};
use super::{Output, Request, rows_max};
use crate::aggregate::comparison::{Change, Compared, Verdict, comparison};
use crate::check::Sieve;
use crate::check::finding::Findings;
use crate::check::growth::{Sides, changes};
use crate::check::programs::check_sides;
use crate::error::{Error, Result};
use crate::plan::choice::{Metric, Order, Rows, Threads};
use crate::plan::{Part, Plan};
use crate::session::Taken;
use crate::terminal::{harmless, paint, style};

/// The row of this output.
pub const ROW: Output = Output {
    name: "diff",
    command: true,
    about: "What changed from one dump to another, beyond what chance explains: by stack, or by function, line, file",
    examples: "\
Stacks that grew or shrank by more than sampling may have made them, with bounds, and how likely a false alarm is among
them (q). --exit_code ends with status 1 when something grew. OLD and NEW may come from different runs; several dumps:
--base=OLD1 --base=OLD2 NEW1 NEW2. With --functions, --lines, --files, --modules, -cum or another figure than what is
live: before, after and change of each, without bounds.

Examples:
  jeprof-rs diff svc.1.i1.heap svc.1.i9.heap           what grew between two dumps of one run
  jeprof-rs diff --functions before.heap after.heap    by function
  jeprof-rs diff -cum ./svc before.heap after.heap     with everything called
  jeprof-rs diff --format=json old.heap new.heap       for scripts: every row, no limit",
    parts: DIFF_PARTS,
    keeps_labels: true,
    keeps_parts: true,
    compares: true,
    wants: |request| match request.plan.check.any_program {
        true => Ok(()),
        false => check_sides(&request.session.base, &request.session.dumps),
    },
    finds: Some(|request| compares_stacks(request.plan).then(|| find_changes(request))),
    json: Some(json_body),
    render,
    ..Output::BASE
};

/// Parts of the plan that it looks at.
const DIFF_PARTS: &[Part] = &[
    Part::Output,
    Part::Terminal,
    Part::Figure,
    Part::Check,
    Part::Granularity,
    Part::Rows,
    Part::Selection,
    Part::Input,
    Part::Naming,
];

/// Whether stacks are asked for: nothing says that rows are anything else, or of another figure.
fn compares_stacks(plan: &Plan) -> bool {
    let figure = &plan.figure;
    !plan.rows.is_chosen
        && plan.rows.order == Order::Flat
        && figure.metric == Metric::InuseSpace
        && !figure.normalize
        && plan.selection.threads == Threads::Process
}

fn find_changes(request: &Request<'_>) -> Result<Findings> {
    let plan = &request.plan.check;
    let stacks = stacks(request)?;
    if stacks.base == 0 {
        return Err(Error::new(WANTS_TWO));
    }
    let sides = Sides { before: (0..stacks.base).collect(), after: stacks.looked_at().collect() };
    let rules = rules(request.session, plan)?;
    let mut sieve = Sieve::new(&rules);
    let mut findings = changes(&stacks, &sides, &mut sieve, plan);
    sieve.tell(&mut findings);
    check_unused(plan.unused_suppressions, &findings)?;
    Ok(findings)
}

const WANTS_TWO: &str = "diff wants two dumps, OLD and NEW (or --base=OLD NEW)";

/// Rows that changed by less than this share of all changes are left out.
const CHANGE_FRACTION: f64 = 0.005;

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let session = request.session;
    if session.base.is_empty() {
        return Err(Error::new(WANTS_TWO));
    }
    let rows = &request.plan.rows;
    let order = rows.order;
    let (total, compared) = comparison(request.view, rows.granularity, order);
    let changed: Vec<&Compared> =
        compared.iter().filter(|row| row.of(order).verdict() != Verdict::Same).collect();
    // Of own figures, which add up, whatever the rows are ordered by.
    let moved: f64 = compared.iter().map(|row| row.flat.by().abs()).sum();
    let fraction = if rows.trim { rows.node_fraction.unwrap_or(CHANGE_FRACTION) } else { 0.0 };
    let limit = fraction * moved;
    let kept: Vec<&Compared> =
        changed.iter().copied().filter(|row| row.of(order).by().abs() >= limit).collect();
    let shown = kept.len().min(rows_max(rows.count, request.screen));

    let figures = Figures::of(request, total.before.abs().max(total.after.abs()));
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "File: {}", harmless(&session.program_name, request.screen));
    let _ = writeln!(out, "Type: {}", request.plan.figure.metric.name());
    let _ = writeln!(out, "Before: {}  {}", figures.label(total.before), names(&session.base));
    let _ = writeln!(out, "After:  {}  {}", figures.label(total.after), names(&session.dumps));
    let _ = writeln!(out, "Change: {}", amount(&figures, total));
    let active = filters(&request.plan.selection);
    if !active.is_empty() {
        let _ = writeln!(out, "Active filters:\n   {}", active.join("\n   "));
    }
    if kept.len() < changed.len() {
        let rows = if changed.len() - kept.len() == 1 { "row" } else { "rows" };
        let dropped = changed.len() - kept.len();
        let _ = writeln!(out, "Dropped {dropped} {rows} (change < {})", figures.label(limit));
    }
    if shown < kept.len() {
        let _ = writeln!(out, "Showing top {shown} of {} rows", kept.len());
    }
    let heads = ["before", "after", "change", "change%", "what"];
    let heads =
        format!("{:>10} {:>10} {:>11} {:>8}  {:<6}  name", heads[0], heads[1], heads[2], heads[3], heads[4]);
    let _ = writeln!(out, "{}", paint(&heads, style::HEAD, request.screen));
    for row in &kept[..shown] {
        let change = row.of(order);
        let verdict = change.verdict();
        let cells = format!(
            "{:>10} {:>10} {:>11} {:>8}  {:<6}  ",
            figures.label(change.before),
            figures.label(change.after),
            signed(&figures, change.by()),
            share(change),
            verdict.word()
        );
        let colour = match verdict {
            Verdict::New | Verdict::Grown => style::MORE,
            Verdict::Gone | Verdict::Shrunk => style::LESS,
            Verdict::Same => "",
        };
        let name = name_behind(request, &row.name, cells.len());
        let _ = writeln!(out, "{}{name}", paint(&cells, colour, request.screen));
    }
    if changed.is_empty() {
        request.warn("nothing differs");
    }
    Ok(out.into_bytes())
}

fn names(dumps: &[Taken]) -> String {
    let names: Vec<&str> = dumps.iter().map(|dump| dump.name.as_str()).collect();
    names.join(" ")
}

fn signed(figures: &Figures, value: f64) -> String {
    let label = figures.label(value);
    if value > 0.0 && label != "0" { format!("+{label}") } else { label }
}

fn share(change: Change) -> String {
    match change.share() {
        Some(share) if share.abs() >= 10.0 => format!("{:+.0}%", share * 100.0),
        Some(share) => format!("{:+.1}%", share * 100.0),
        None => "-".into(),
    }
}

fn amount(figures: &Figures, total: Change) -> String {
    match total.share() {
        Some(_) => format!("{} ({})", signed(figures, total.by()), share(total)),
        None => signed(figures, total.by()),
    }
}

fn json_body(request: &Request<'_>) -> Map<String, Value> {
    let rows = &request.plan.rows;
    let (total, compared) = comparison(request.view, rows.granularity, rows.order);
    let change = |change: Change| {
        json!({
            "before": change.before,
            "after": change.after,
            "change": change.by(),
            "share": change.share(),
            "verdict": change.verdict().word(),
        })
    };
    let count = match rows.count {
        Rows::AtMost(count) => count,
        Rows::Fitting | Rows::All => usize::MAX,
    };
    let row = |row: &Compared| {
        let mut fields = json!({ "name": row.name, "flat": change(row.flat), "cum": change(row.cum) });
        fields["verdict"] = row.of(rows.order).verdict().word().into();
        fields
    };
    Map::from_iter([
        ("change".to_string(), change(total)),
        ("ordered_by".to_string(), if rows.order == Order::Flat { "flat" } else { "cum" }.into()),
        ("row_count".to_string(), compared.len().into()),
        ("rows".to_string(), compared.iter().take(count).map(row).collect()),
    ])
}
