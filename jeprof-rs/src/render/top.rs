//! pprof's table.

use std::fmt::Write;

use super::pprof_head::{Figures, PARTS, cells, head, name_behind, name_style, row_limit};
use super::{Output, Request, rows_max};
use crate::aggregate::table::{Row, Table, table};
use crate::error::Result;
use crate::plan::choice::{Order, Rows};
use crate::terminal::{Screen, harmless, paint, style};

/// The row of this output.
pub const ROW: Output = Output {
    name: "top",
    command: true,
    about: "Table in pprof's layout: the functions that hold most",
    examples: "\
Examples:
  jeprof-rs top svc.1234.0.f.heap                 what is live, by function
  jeprof-rs top -cum -nodecount=20 svc.*.heap     with everything called, 20 rows
  jeprof-rs top -mean svc.1234.0.f.heap           average size of an object by function
  jeprof-rs top -diff_base=a.heap b.heap          change, in shares of what was there",
    parts: PARTS,
    json: Some(super::json::rows_by_size),
    render,
    ..Output::BASE
};

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let rows = &request.plan.rows;
    let mut table = table(request.view, rows.granularity, rows.order);
    table.sort_by_size(rows.order);
    if request.screen.width.is_some() {
        table.sort_equals_by_cum(rows.order);
    }
    if table.rows.is_empty() {
        request.warn(request.explain_nothing());
    }
    let out = if request.plan.figure.mean && request.plan.figure.metric.is_bytes() {
        means(request, table)
    } else {
        sums(request, &table)
    };
    Ok(out.into_bytes())
}

fn sums(request: &Request<'_>, table: &Table) -> String {
    let figures = Figures::new(request, table.shown_total);
    let limit = row_limit(request, table.shown_total);
    let kept: Vec<&Row> = table.rows.iter().filter(|row| row.cum.abs() >= limit).collect();
    let dropped = table.rows.len() - kept.len();
    let shown = at_most(request.plan.rows.count, request.screen, &kept);
    let accounted: f64 = shown.iter().map(|row| row.flat).sum();
    let mut out = head(request, &figures, accounted, Some((dropped, limit)));
    if shown.len() < kept.len() {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "Showing top {} nodes out of {}", shown.len(), kept.len());
    }
    let _ =
        writeln!(out, "{}", paint("      flat  flat%   sum%        cum   cum%", style::HEAD, request.screen));
    let mut running = 0.0;
    for row in shown {
        running += row.flat;
        let (cells, width) = cells(request, &figures, row.flat, running, row.cum);
        let name = name_behind(request, &row.label(), width + 2);
        let _ = writeln!(out, "{cells}  {}", paint(&name, name_style(&figures, row.flat), request.screen));
    }
    out
}

/// Average sizes instead of sums: shares of averages say nothing, so there are none.
fn means(request: &Request<'_>, mut table: Table) -> String {
    let order = request.plan.rows.order;
    let by = |row: &Row| if order == Order::Flat { row.mean_flat } else { row.mean_cum };
    table.rows.sort_by(|a, b| by(b).total_cmp(&by(a)).then_with(|| a.name.cmp(&b.name)));
    let largest = table.rows.iter().map(|row| row.mean_flat.max(row.mean_cum)).fold(0.0, f64::max);
    let figures = Figures::of_means(request, largest);
    let mut out = format!(
        "File: {}\nType: {}, average size of an object\n",
        harmless(&request.session.program_name, request.screen),
        request.plan.figure.metric.name()
    );
    let rows: Vec<&Row> = table.rows.iter().collect();
    let shown = at_most(request.plan.rows.count, request.screen, &rows);
    // Writing to a String cannot fail.
    if request.screen.width.is_some() && shown.len() < rows.len() {
        let _ = writeln!(out, "Showing top {} nodes out of {}", shown.len(), rows.len());
    }
    let _ = writeln!(out, "{}", paint("      flat        cum", style::HEAD, request.screen));
    for row in shown {
        let cells = format!("{:>10} {:>10}  ", figures.label(row.mean_flat), figures.label(row.mean_cum));
        let _ = writeln!(out, "{cells}{}", name_behind(request, &row.name, cells.len()));
    }
    out
}

fn at_most<'r, 't>(count: Rows, screen: Screen, rows: &'r [&'t Row]) -> &'r [&'t Row] {
    &rows[..rows.len().min(rows_max(count, screen))]
}
