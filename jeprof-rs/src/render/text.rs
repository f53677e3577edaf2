//! The table, in jeprof's layout.

use std::fmt::Write;

use super::{Output, Request, rows_max};
use crate::aggregate::table::{Row, Table, table};
use crate::error::Result;
use crate::plan::Part;
use crate::plan::choice::Rows;
use crate::terminal::names::shortened;
use crate::terminal::{Screen, harmless, paint, style};
use crate::units::{BYTE_UNITS, Unit, put_percent};

/// The row of this output.
pub const ROW: Output = Output {
    name: "text",
    flag: true,
    about: "Table, one row per function (the default)",
    json: Some(super::json::rows),
    repeats: true,
    parts: PARTS,
    render,
    ..Output::BASE
};

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let plan = request.plan;
    let mut table = table(request.view, plan.rows.granularity, plan.rows.order);
    if table.rows.is_empty() {
        request.warn(request.explain_nothing());
    }
    // compat: jeprof's table has all rows, whatever --nodecount says, on a terminal too.
    let jeprof = request.view.jeprof().is_some();
    let rows = if jeprof && !plan.rows.at_prompt { Rows::All } else { plan.rows.count };
    let screen = if jeprof { Screen::default() } else { request.screen };
    let total = request.view.total();
    let mut unit = plan.unit();
    if screen.width.is_some() {
        table.sort_equals_by_cum(plan.rows.order);
        // Tables of threads are for comparing, and keep the unit that all have in common.
        if request.thread.is_none() {
            unit = telling(unit, total);
        }
    }
    let layout = Layout { unit, rows, screen, full_names: plan.screen.full_names };
    let mut out = head(request.thread, total, layout.unit);
    out.push_str(&lay_out(&table, layout));
    Ok(out.into_bytes())
}

/// jeprof's megabytes have one decimal. Of a total that is so small that most rows would be zero, the unit in which
/// they are not.
fn telling(unit: Unit, total: f64) -> Unit {
    let digits = 10.0;
    match unit {
        Unit::Megabytes if total.abs() < digits * BYTE_UNITS[1].bytes => Unit::Bytes,
        Unit::Megabytes if total.abs() < digits * BYTE_UNITS[2].bytes => Unit::Chosen(&BYTE_UNITS[1]),
        unit => unit,
    }
}

/// How a table is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Unit of the figures.
    pub unit: Unit,
    /// Number of rows.
    pub rows: Rows,
    /// What it is printed on.
    pub screen: Screen,
    /// Whether names are never cut.
    pub full_names: bool,
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

/// Those of a table, and its look on a terminal.
const PARTS: &[Part] = &[
    Part::Output,
    Part::Terminal,
    Part::Figure,
    Part::Granularity,
    Part::Rows,
    Part::Selection,
    Part::Input,
    Part::Naming,
];

const HEAD: [&str; 5] = ["own", "own%", "sum%", "total", "total%"];
/// jeprof's columns. On a terminal they grow with their figures.
const WIDTHS: [usize; 5] = [8, 6, 6, 8, 6];
/// Names are not cut shorter than this; a narrower terminal has to wrap.
const NAME_MIN: usize = 16;

/// One row each: flat, its share, running sum of the shares, cumulative, its share, name.
///
/// On a terminal columns have heads and fit their figures, names fit the line, and a table that is cut
/// short says so; anywhere else the layout is jeprof's to the byte.
pub fn lay_out(table: &Table, layout: Layout) -> String {
    let (unit, screen) = (layout.unit, layout.screen);
    let mut out = String::new();
    // Writing to a String cannot fail.
    let rows_max = rows_max(layout.rows, screen);
    let mut running = 0.0;
    // jeprof counts rows of zero, and does not show them.
    let is_shown = |row: &&Row| row.flat != 0.0 || row.cum != 0.0;
    let shown: Vec<&Row> = table.rows.iter().take(rows_max).filter(is_shown).collect();
    let mut cells = Cells { text: String::new(), ends: Vec::new() };
    for row in &shown {
        running += row.flat;
        cells.put(|text| unit.put_figure(row.flat, text));
        cells.put(|text| put_percent(row.flat, table.shown_total, text));
        cells.put(|text| put_percent(running, table.shown_total, text));
        cells.put(|text| unit.put_figure(row.cum, text));
        cells.put(|text| put_percent(row.cum, table.shown_total, text));
    }
    let mut widths = WIDTHS;
    if screen.width.is_some() {
        for (at, cell) in cells.iter().enumerate() {
            let width = &mut widths[at % WIDTHS.len()];
            *width = cell.len().max(*width);
        }
        if !shown.is_empty() {
            let heads: Vec<String> =
                HEAD.iter().zip(widths).map(|(head, width)| format!("{head:>width$}")).collect();
            let _ = writeln!(out, "{}", paint(&format!("{} name", heads.join(" ")), style::HEAD, screen));
        }
    }
    let left = screen.width.map(|width| width.saturating_sub(widths.iter().sum::<usize>() + 5).max(NAME_MIN));
    let mut cells = cells.iter();
    for row in shown {
        let own = style::of_share(row.flat, table.shown_total);
        // Roots hold nearly everything: only what a function allocates itself is worth a colour.
        let called = style::of_share(row.cum, table.shown_total);
        let called = if called == style::FAINT { called } else { "" };
        for (at, (width, cell)) in widths.into_iter().zip(cells.by_ref()).enumerate() {
            pad(&mut out, width.saturating_sub(cell.len()));
            painted(&mut out, cell, [own, own, "", called, called][at], screen);
            out.push(' ');
        }
        let name = match left {
            Some(left) if !layout.full_names => shortened(&row.label(), left).into(),
            _ => row.label(),
        };
        let name = if left.is_some() { harmless(&name, screen).into() } else { name };
        painted(&mut out, &name, if own == style::HEAVY { style::NAME } else { "" }, screen);
        out.push('\n');
    }
    if screen.width.is_some() && table.rows.len() > rows_max {
        let left_out = table.rows.len() - rows_max;
        let _ = writeln!(out, "({left_out} more rows: --nodecount=0 shows all)");
    }
    out
}

/// Appends blanks, most of which fit in one piece.
fn pad(out: &mut String, mut count: usize) {
    const BLANKS: &str = "                ";
    while count > BLANKS.len() {
        out.push_str(BLANKS);
        count -= BLANKS.len();
    }
    out.push_str(&BLANKS[..count]);
}

/// The cells of a table, row after row.
struct Cells {
    text: String,
    ends: Vec<usize>,
}

impl Cells {
    fn put(&mut self, put: impl FnOnce(&mut String)) {
        put(&mut self.text);
        self.ends.push(self.text.len());
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(&start, &end)| &self.text[start..end])
    }
}

/// Appends [`paint`]ed text. A long table has hundreds of thousands of cells, and most are without a colour.
fn painted(out: &mut String, text: &str, style: &str, screen: Screen) {
    if screen.color { out.push_str(&paint(text, style, screen)) } else { out.push_str(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::table::Inlined;

    fn row(name: &str, flat: f64, cum: f64) -> Row {
        Row { name: name.into(), flat, cum, mean_flat: 0.0, mean_cum: 0.0, inlined: Inlined::Never }
    }

    fn layout(unit: Unit, rows: Rows, on_terminal: bool) -> Layout {
        Layout {
            unit,
            rows,
            screen: Screen { width: on_terminal.then_some(80), color: false },
            full_names: false,
        }
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
    fn a_small_total_has_a_unit_in_which_its_rows_are_not_zero() {
        let of = |unit, total| telling(unit, total).word();
        assert_eq!(of(Unit::Megabytes, 2e7), "MB");
        assert_eq!(of(Unit::Megabytes, -2e6), "kB");
        assert_eq!(of(Unit::Megabytes, 5e3), "B");
        assert_eq!(of(Unit::Objects, 5.0), "objects");
        assert_eq!(of(Unit::Chosen(&BYTE_UNITS[3]), 5.0), "GB");
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
        assert_eq!(lines(Rows::Fitting, true), (42, true));
        assert_eq!(lines(Rows::AtMost(3), false), (3, false));
        assert_eq!(lines(Rows::All, true), (46, false));
    }

    #[test]
    fn a_terminal_has_aligned_columns_short_names_and_colours() {
        let long =
            "core::ops::function::FnOnce<alloc::vec::Vec<u8>>::call_once::a_very_long_name_of_a_function";
        let rows = vec![row(long, 123_456_789_012.0, 123_456_789_012.0), row("g\u{1b}[2J", 1.0, 2.0)];
        let table = Table { shown_total: 123_456_789_014.0, rows };
        let screen = Screen { width: Some(80), color: false };
        let mut layout = Layout { unit: Unit::Bytes, rows: Rows::All, screen, full_names: false };
        assert_eq!(
            lay_out(&table, layout),
            "         own   own%   sum%        total total% name\n\
             123456789012 100.0% 100.0% 123456789012 100.0% core::ops…me_of_a_function\n           \
             1   0.0% 100.0%            2   0.0% g?[2J\n"
                .replace("core::ops…me_of_a_function", &shortened(long, 80 - 47))
        );
        assert!(lay_out(&table, layout).lines().all(|line| line.chars().count() <= 80));
        layout.full_names = true;
        assert!(lay_out(&table, layout).contains(long));
        layout.screen = Screen { width: None, color: true };
        let colored = lay_out(&table, layout);
        assert!(
            colored.starts_with("\x1b[1;31m123456789012\x1b[0m \x1b[1;31m100.0%\x1b[0m 100.0% "),
            "{colored:?}"
        );
    }
}
