//! Flags about what a row, a node or a box stands for.

use super::{Flag, Takes};
use crate::plan::choice::Granularity;

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
];
