//! What pprof's text reports have in common: the lines above the table, units and shares.

use std::fmt::Write;

use regex::Regex;

use super::Request;
use crate::plan::Part;
use crate::plan::choice::Threads;
use crate::plan::selection::Selection;
use crate::plan::tag_filter::TagFilter;
use crate::terminal::names::{columns, shortened};
use crate::terminal::{harmless, paint, style};
use crate::units::{BYTE_UNITS, ByteUnit, Measure, pprof_percent};

/// Rows of at most this share of the total are left out, as in pprof.
const NODE_FRACTION: f64 = 0.005;

/// Parts of the plan that these tables look at.
pub const PARTS: &[Part] = &[
    Part::Output,
    Part::Terminal,
    Part::Figure,
    Part::Granularity,
    Part::Rows,
    Part::Selection,
    Part::Input,
    Part::Naming,
];

/// How figures of a report are written.
pub struct Figures {
    measure: Measure,
    /// What shares relate to.
    pub total: f64,
}

impl Figures {
    /// For a report whose shown stacks add up to `shown`.
    pub fn new(request: &Request<'_>, shown: f64) -> Figures {
        let plan = &request.plan.figure;
        let total = if plan.relative_percentages { shown.abs() } else { request.view.reference_total() };
        Figures::of(request, total)
    }

    /// For a report whose shares relate to `total`.
    pub fn of(request: &Request<'_>, total: f64) -> Figures {
        let plan = &request.plan.figure;
        let measure = match (plan.metric.is_bytes(), plan.unit) {
            (false, _) => Measure::objects(),
            (true, Some(unit)) => Measure::bytes(unit),
            (true, None) => Measure::bytes(unit_for(total)),
        };
        Figures { measure, total }
    }

    /// For average sizes, which are small.
    pub fn of_means(request: &Request<'_>, largest: f64) -> Figures {
        let unit = request.plan.figure.unit.unwrap_or_else(|| unit_for(largest));
        Figures { measure: Measure::bytes(unit), total: largest }
    }

    /// A figure with its unit.
    pub fn label(&self, value: f64) -> String {
        self.measure.label(value)
    }

    /// A share of the total.
    pub fn percent(&self, value: f64) -> String {
        pprof_percent(value, self.total)
    }
}

/// The unit in which a thousandth of the total still shows: all rows of a report have the same one.
fn unit_for(total: f64) -> &'static ByteUnit {
    let fitting = ByteUnit::fitting(total);
    let at = BYTE_UNITS.iter().position(|unit| std::ptr::eq(unit, fitting)).unwrap_or(0);
    if total.abs() < 8.0 * fitting.bytes { &BYTE_UNITS[at.saturating_sub(1)] } else { fitting }
}

/// A name behind `taken` columns: on a terminal cut to what is left of the line, and without what a terminal obeys.
pub fn name_behind(request: &Request<'_>, name: &str, taken: usize) -> String {
    let Some(width) = request.screen.width else { return name.into() };
    let left = width.saturating_sub(taken).max(NAME_MIN);
    let name = if request.plan.screen.full_names { name.into() } else { shortened(name, left) };
    harmless(&name, request.screen)
}

/// Names are not cut shorter than this; a narrower terminal has to wrap.
const NAME_MIN: usize = 16;

/// Own figure, its share, running sum of the shares, figure with everything called, its share: painted, and how many
/// columns that takes.
pub fn cells(request: &Request<'_>, figures: &Figures, flat: f64, running: f64, cum: f64) -> (String, usize) {
    let own = style::of_share(flat, figures.total);
    // Roots hold nearly everything: only what a function allocates itself is worth a colour.
    let called = Some(style::of_share(cum, figures.total)).filter(|style| *style == style::FAINT);
    let called = called.unwrap_or_default();
    let cells = [
        (format!("{:>10}", figures.label(flat)), own),
        (figures.percent(flat), own),
        (figures.percent(running), ""),
        (format!("{:>10}", figures.label(cum)), called),
        (figures.percent(cum), called),
    ];
    let width = cells.iter().map(|(cell, _)| columns(cell)).sum::<usize>() + cells.len() - 1;
    (cells.map(|(cell, style)| paint(&cell, style, request.screen)).join(" "), width)
}

/// How the name behind such cells is painted.
pub fn name_style(figures: &Figures, flat: f64) -> &'static str {
    if style::of_share(flat, figures.total) == style::HEAVY { style::NAME } else { "" }
}

/// The cumulative figure from which on rows are shown. As in pprof it is a share of what the filters leave, even where
/// shares are of the whole: a function that is focused on is not left out for being small.
pub fn row_limit(request: &Request<'_>, shown: f64) -> f64 {
    let rows = &request.plan.rows;
    if rows.trim { (rows.node_fraction.unwrap_or(NODE_FRACTION) * shown).trunc().abs() } else { 0.0 }
}

/// The same for calls.
pub fn edge_limit(request: &Request<'_>, shown: f64) -> f64 {
    let plan = request.plan;
    if plan.rows.trim { (plan.graph.edge_fraction * shown).trunc().abs() } else { 0.0 }
}

/// The filters that are on, as they were given.
pub fn filters(selection: &Selection) -> Vec<String> {
    let expression = |regex: &Option<Regex>| regex.as_ref().map(|regex| regex.as_str().to_string());
    let tag = |filter: &Option<TagFilter>| filter.as_ref().map(|filter| filter.text.clone());
    let thread = match &selection.threads {
        Threads::Named(name) => Some(name.clone()),
        Threads::Process | Threads::Each => None,
    };
    [
        ("focus", expression(&selection.focus)),
        ("ignore", expression(&selection.ignore)),
        ("retain", expression(&selection.retain)),
        ("exclude", expression(&selection.exclude)),
        ("hide", expression(&selection.hide)),
        ("show", expression(&selection.show)),
        ("show_from", expression(&selection.show_from)),
        ("prune_from", expression(&selection.prune_from)),
        ("tagfocus", tag(&selection.tag_focus)),
        ("tagignore", tag(&selection.tag_ignore)),
        ("where", selection.condition.as_ref().map(|query| query.text.clone())),
        ("thread", thread),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("{name}={}", value?)))
    .collect()
}

/// `File: ..`, `Build ID: ..`, `Type: ..`, the filters, `Showing nodes ..`.
pub fn head(request: &Request<'_>, figures: &Figures, shown: f64, dropped: Option<(usize, f64)>) -> String {
    let session = request.session;
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "File: {}", harmless(&session.program_name, request.screen));
    if let Some(image) = session.profile.program {
        let id = session.profile.images[image.index()].build_id;
        if !id.is_empty() {
            let _ = writeln!(out, "Build ID: {id}");
        }
    }
    let _ = writeln!(out, "Type: {}", request.plan.figure.metric.name());
    let filters = filters(&request.plan.selection);
    if !filters.is_empty() {
        let _ = writeln!(out, "Active filters:\n   {}", filters.join("\n   "));
    }
    let (shown_label, total_label) = (figures.label(shown), figures.label(figures.total));
    let percent = figures.percent(shown);
    let _ = writeln!(
        out,
        "Showing nodes accounting for {shown_label}, {} of {total_label} total",
        percent.trim()
    );
    if let Some((count @ 1.., limit)) = dropped {
        let nodes = if count == 1 { "node" } else { "nodes" };
        let _ = writeln!(out, "Dropped {count} {nodes} (cum < {})", figures.label(limit));
    }
    out
}
