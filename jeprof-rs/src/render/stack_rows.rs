//! Tables in which a row is a stack: its figures, and its frames below each other.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::pprof_head::name_behind;
use super::{Request, rows_max};
use crate::aggregate::keys::Keys;
use crate::plan::Part;
use crate::terminal::{paint, style};

/// Parts of the plan that such a table looks at.
pub const PARTS: &[Part] = &[
    Part::Output,
    Part::Terminal,
    Part::Granularity,
    Part::Rows,
    Part::Selection,
    Part::Input,
    Part::Naming,
];

/// A row.
pub struct Row {
    /// Painted by its share.
    pub figures: String,
    /// Its part of the whole, from 0 to 1.
    pub share: f64,
    /// What stands behind the figures, the first line beside them.
    pub lines: Vec<String>,
}

/// Whether the first line of a heavy row stands out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    /// Yes.
    Marked,
    /// No.
    Plain,
}

/// Appends the rows that the plan has room for, the lines of each behind `taken` columns, and on a terminal how many are
/// left out.
pub fn put<T>(
    request: &Request<'_>,
    all: &[T],
    (taken, lead): (usize, Lead),
    row: impl Fn(&T) -> Row,
    out: &mut String,
) {
    let count = rows_max(request.plan.rows.count, request.screen);
    let indent = format!("\n{:taken$}", "");
    for Row { figures, share, lines } in all.iter().take(count).map(row) {
        let weight = style::of_share(share, 1.0);
        let line = |(at, text): (usize, &String)| {
            let is_marked = lead == Lead::Marked && at == 0 && weight == style::HEAVY;
            let named = if is_marked { style::NAME } else { "" };
            paint(&name_behind(request, text, taken), named, request.screen)
        };
        let lines: Vec<String> = lines.iter().enumerate().map(line).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}  {}", paint(&figures, weight, request.screen), lines.join(&indent));
    }
    let left_out = all.len().saturating_sub(count);
    if request.screen.width.is_some() && left_out > 0 {
        let _ = writeln!(out, "({left_out} more: --nodecount=0 shows all)");
    }
}

/// Names of the frames of a stack of keys, leaf first.
pub fn names(request: &Request<'_>, keys: &Keys, stack: &[usize]) -> Vec<String> {
    stack.iter().map(|key| keys.name(request.view, *key)).collect()
}

/// The same as JSON, root first, with further fields behind it.
pub fn json_row(request: &Request<'_>, keys: &Keys, stack: &[usize], figures: Value) -> Value {
    let mut frames = names(request, keys, stack);
    frames.reverse();
    with(Map::from_iter([("frames".to_string(), frames.into())]), figures)
}

/// An object with the fields of another.
pub fn with(mut object: Map<String, Value>, more: Value) -> Value {
    if let Value::Object(more) = more {
        object.extend(more);
    }
    Value::Object(object)
}

/// The rows that the plan asks for, as JSON.
pub fn json_rows<T>(request: &Request<'_>, all: &[T], row: impl Fn(&T) -> Value) -> Value {
    let count = rows_max(request.plan.rows.count, Default::default());
    all.iter().take(count).map(row).collect()
}
