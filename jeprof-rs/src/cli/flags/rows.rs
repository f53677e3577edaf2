//! Flags about the number and the order of rows and nodes.

use super::{Flag, Takes};
use crate::plan::choice::{Order, Rows};

/// In the order of the help.
pub const ROWS: &[Flag] = &[
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
