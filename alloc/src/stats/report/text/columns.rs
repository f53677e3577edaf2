//! Cells of the tables of the text, by the widths and headings of the rows.

use core::fmt::Display;

use crate::stats::report::out::{Out, put};
use crate::stats::report::rate;
use crate::tables::metric::Metric;

/// Stands for a run of classes that nothing has used.
pub const GAP: &str = "                     ---\n";

/// One cell, with the blank in front of it.
pub fn cell(out: &mut Out, width: usize, value: impl Display) {
    put!(out, "{value:>width$}");
}

/// The headings of metrics.
pub fn titles<'a>(out: &mut Out, metrics: impl IntoIterator<Item = &'a Metric>) {
    for metric in metrics {
        cell(out, metric.column.width, metric.column.title);
        if metric.column.rate != 0 {
            cell(out, metric.column.rate, "(#/sec)");
        }
    }
}

/// The value of a metric, and how often a second.
pub fn number(out: &mut Out, metric: &Metric, value: u64, uptime: u64) {
    cell(out, metric.column.width, value);
    if metric.column.rate != 0 {
        cell(out, metric.column.rate, rate(value, uptime));
    }
}
