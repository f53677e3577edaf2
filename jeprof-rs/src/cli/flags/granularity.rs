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
        name: "filefunctions",
        takes: Takes::Switch(|plan| plan.rows.granularity = Granularity::FileFunctions),
        one_of: Some("kind of row"),
        help: "A row is a function of a source file",
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
        // Such beginnings were jeprof's alone before there was `filefunctions`.
        aliases: &["fil", "file"],
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
        name: "modules",
        takes: Takes::Switch(|plan| plan.rows.granularity = Granularity::Modules),
        one_of: Some("kind of row"),
        help: "A row is a program or library; calls within one count as one",
        ..Flag::BASE
    },
    Flag {
        name: "showcolumns",
        takes: Takes::Switch(|plan| plan.rows.columns = true),
        help: "With --lines: tell the columns of a line apart, where the debug information has them",
        ..Flag::BASE
    },
];
