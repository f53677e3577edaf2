//! Flags about the rows of tables and the nodes of graphs.

use super::{Flag, Takes};
use crate::plan::choice::{Granularity, Order, Rows};

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "functions",
        takes: Takes::Switch(|plan| plan.rows.granularity = Granularity::Functions),
        one_of: Some("kind of row"),
        help: "A row is a function (the default)",
        ..Flag::BASE
    },
    Flag {
        name: "lines",
        takes: Takes::Switch(|plan| plan.rows.granularity = Granularity::Lines),
        one_of: Some("kind of row"),
        help: "A row is a source line of a function",
        ..Flag::BASE
    },
    Flag {
        name: "files",
        takes: Takes::Switch(|plan| plan.rows.granularity = Granularity::Files),
        one_of: Some("kind of row"),
        help: "A row is a source file",
        ..Flag::BASE
    },
    Flag {
        name: "addresses",
        takes: Takes::Switch(|plan| plan.rows.granularity = Granularity::Addresses),
        one_of: Some("kind of row"),
        help: "A row is a code address",
        ..Flag::BASE
    },
    Flag {
        name: "cum",
        takes: Takes::Switch(|plan| plan.rows.order = Order::Cumulative),
        help: "Sort by the cumulative figure: what a row and everything it called allocated",
        ..Flag::BASE
    },
    Flag {
        name: "nodecount",
        takes: Takes::One("N", |plan, value| {
            let rows: usize =
                value.parse().map_err(|_| format!("'{value}' is not a number of rows (0, 1, 2, ...)"))?;
            plan.rows.count = if rows == 0 { Rows::All } else { Rows::AtMost(rows) };
            Ok(())
        }),
        help: "At most N rows, 0 for all [default: all in a pipe, 40 on a terminal]",
        ..Flag::BASE
    },
];
