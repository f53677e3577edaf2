//! Flags about the number and the order of rows and nodes.

use super::{Flag, Takes};
use crate::plan::choice::{Order, Rows};

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "cum",
        takes: Takes::Switch(|plan| plan.rows.order = Order::Cumulative),
        one_of: Some("order"),
        help: "Sort by the cumulative figure: what a row and everything it called allocated",
        ..Flag::BASE
    },
    Flag {
        name: "flat",
        takes: Takes::Switch(|plan| plan.rows.order = Order::Flat),
        one_of: Some("order"),
        help: "Sort by the own figure (the default)",
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
        help: "At most N rows or nodes, 0 for all [default: graphs 80; tables all in a pipe, 40 on a terminal]",
        ..Flag::BASE
    },
    Flag {
        name: "nodefraction",
        takes: Takes::One("F", |plan, value| {
            plan.rows.node_fraction = Some(fraction(value)?);
            Ok(())
        }),
        help: "Leave out rows and nodes of at most this share of the total, graphs and pprof's tables \
               [default: 0.005]",
        ..Flag::BASE
    },
    Flag {
        name: "edgefraction",
        takes: Takes::One("F", |plan, value| {
            plan.graph.edge_fraction = fraction(value)?;
            Ok(())
        }),
        help: "Leave out edges of at most this share of the total, graphs (never a node's last caller) and tree \
               [default: 0.001]",
        ..Flag::BASE
    },
    Flag {
        name: "trim",
        words: &["true", "false"],
        takes: Takes::One("BOOL", |plan, value| {
            plan.rows.trim = match value {
                "true" | "1" => true,
                "false" | "0" => false,
                _ => return Err(format!("'{value}' is neither true nor false")),
            };
            Ok(())
        }),
        help: "Whether rows, nodes and edges that hardly count are left out [default: true]",
        ..Flag::BASE
    },
];

/// A share of the total.
fn fraction(value: &str) -> Result<f64, String> {
    let number = value.parse().ok().filter(|number: &f64| (0.0..=1.0).contains(number));
    number.ok_or_else(|| format!("'{value}' is not a share from 0 to 1"))
}
