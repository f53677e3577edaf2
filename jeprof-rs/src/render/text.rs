//! The table, in jeprof's layout.

use std::fmt::Write;

use super::{Output, Request};
use crate::aggregate::table::{Table, table};
use crate::error::Result;
use crate::plan::choice::Rows;
use crate::units::{Unit, percent};

/// The row of this output.
pub const ROW: Output = Output {
    name: "text",
    flag: true,
    about: "Table, one row per function (the default)",
    json: Some(super::json::rows),
    repeats: true,
    render,
    ..Output::BASE
};

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let plan = request.plan;
    let table = table(request.view, plan.rows.granularity, plan.rows.order);
    if table.rows.is_empty() {
        request.warn(request.explain_nothing());
    }
    // compat: jeprof's table has all rows, whatever --nodecount says.
    let rows = if request.view.jeprof().is_some() { Rows::All } else { plan.rows.count };
    let layout = Layout { unit: plan.unit(), rows, on_terminal: request.on_terminal };
    let total = request.view.total();
    let mut out = head(request.thread, total, layout.unit);
    out.push_str(&lay_out(&table, layout));
    Ok(out.into_bytes())
}

/// Rows that fit a screen with some context, when the table goes to a terminal and no number was asked for.
const TERMINAL_ROWS: usize = 40;

/// How a table is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Unit of the figures.
    pub unit: Unit,
    /// Number of rows.
    pub rows: Rows,
    /// Whether the reader is a person at a terminal.
    pub on_terminal: bool,
}

/// `Total: V U`, where `total` is what the profile, or a thread, holds before frames and stacks were selected. Without
/// any there is no such line, as in jeprof.
fn head(thread: Option<&str>, total: f64, unit: Unit) -> String {
    if total == 0.0 {
        return String::new();
    }
    let thread = thread.map_or(String::new(), |thread| format!(" ({thread})"));
    format!("Total{thread}: {} {}\n", unit.figure(total), unit.word())
}

/// One row each: flat, its share, running sum of the shares, cumulative, its share, name. On a terminal a table that
/// is cut short says so.
pub fn lay_out(table: &Table, layout: Layout) -> String {
    let unit = layout.unit;
    let mut out = String::new();
    let rows_max = match (layout.rows, layout.on_terminal) {
        (Rows::AtMost(rows), _) => rows,
        (Rows::Fitting, true) => TERMINAL_ROWS,
        (Rows::Fitting, false) | (Rows::All, _) => usize::MAX,
    };
    let mut running = 0.0;
    for row in table.rows.iter().take(rows_max) {
        running += row.flat;
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{:>8} {:>6} {:>6} {:>8} {:>6} {}",
            unit.figure(row.flat),
            percent(row.flat, table.shown_total),
            percent(running, table.shown_total),
            unit.figure(row.cum),
            percent(row.cum, table.shown_total),
            row.label(),
        );
    }
    if layout.on_terminal && table.rows.len() > rows_max {
        let left_out = table.rows.len() - rows_max;
        let _ = writeln!(out, "({left_out} more rows: --nodecount=0 shows all)");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::table::{Inlined, Row};

    fn row(name: &str, flat: f64, cum: f64) -> Row {
        Row { name: name.into(), flat, cum, mean_flat: 0.0, mean_cum: 0.0, inlined: Inlined::Never }
    }

    fn layout(unit: Unit, rows: Rows, on_terminal: bool) -> Layout {
        Layout { unit, rows, on_terminal }
    }

    #[test]
    fn rows_have_jeprof_s_columns() {
        let table = Table {
            shown_total: 5_163_432.0,
            rows: vec![row("grab", 3_305_424.0, 3_305_424.0), row("A::go", 0.0, 200_248.9)],
        };
        assert_eq!(
            head(None, 5_163_432.4, Unit::Bytes)
                + &lay_out(&table, layout(Unit::Bytes, Rows::Fitting, false)),
            "Total: 5163432 B\n \
             3305424  64.0%  64.0%  3305424  64.0% grab\n       \
             0   0.0%  64.0%   200248   3.9% A::go\n"
        );
    }

    #[test]
    fn megabytes_have_one_decimal_and_objects_none() {
        let table = Table { shown_total: 1_310_720.0, rows: vec![row("f", 1_310_720.0, 1_310_720.0)] };
        let text =
            |unit| head(Some("t1"), 1_310_720.0, unit) + &lay_out(&table, layout(unit, Rows::All, false));
        assert_eq!(text(Unit::Megabytes), "Total (t1): 1.2 MB\n     1.2 100.0% 100.0%      1.2 100.0% f\n");
        assert_eq!(
            text(Unit::Objects),
            "Total (t1): 1310720 objects\n 1310720 100.0% 100.0%  1310720 100.0% f\n"
        );
    }

    #[test]
    fn a_zero_total_has_no_head_line_and_a_negative_one_has_signs() {
        let table = Table { shown_total: 0.0, rows: vec![row("f", 5.0, 5.0), row("g", -5.0, -5.0)] };
        let text = head(None, 0.0, Unit::Bytes) + &lay_out(&table, layout(Unit::Bytes, Rows::All, false));
        assert_eq!(
            text,
            "       5   +inf   +inf        5   +inf f\n      -5   -inf    nan       -5   -inf g\n"
        );
        let table = Table { shown_total: -8.0, rows: vec![row("f", -8.0, -8.0), row("main", 0.0, -8.0)] };
        let text = head(None, -8.0, Unit::Bytes) + &lay_out(&table, layout(Unit::Bytes, Rows::All, false));
        assert!(
            text.starts_with("Total: -8 B\n") && text.contains("  -0.0% 100.0%       -8 100.0% main"),
            "{text}"
        );
    }

    #[test]
    fn rows_of_inlined_functions_say_so() {
        let of = |inlined| Row { inlined, ..row("f", 1.0, 1.0) }.label().into_owned();
        assert_eq!(
            [Inlined::Never, Inlined::Sometimes, Inlined::Always].map(of),
            ["f", "f (partial-inline)", "f (inline)"]
        );
    }

    #[test]
    fn only_a_terminal_is_told_that_rows_are_missing() {
        let rows: Vec<Row> = (0..45).map(|i| row(&format!("f{i:02}"), 1.0, 1.0)).collect();
        let table = Table { shown_total: 45.0, rows };
        let lines = |rows, on_terminal| {
            let text = lay_out(&table, layout(Unit::Bytes, rows, on_terminal));
            (text.lines().count(), text.contains("more rows"))
        };
        assert_eq!(lines(Rows::Fitting, false), (45, false));
        assert_eq!(lines(Rows::Fitting, true), (41, true));
        assert_eq!(lines(Rows::AtMost(3), false), (3, false));
        assert_eq!(lines(Rows::All, true), (45, false));
    }
}
