//! Flags about the figure: which of the four, and its unit.

use super::{Flag, Takes};
use crate::plan::choice::Metric;

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "inuse_space",
        takes: Takes::Switch(|plan| plan.figure.metric = Metric::InuseSpace),
        one_of: Some("kind of figure"),
        help: "Bytes that are live (the default)",
        ..Flag::BASE
    },
    Flag {
        name: "inuse_objects",
        takes: Takes::Switch(|plan| plan.figure.metric = Metric::InuseObjects),
        one_of: Some("kind of figure"),
        help: "Objects that are live",
        ..Flag::BASE
    },
    Flag {
        name: "alloc_space",
        takes: Takes::Switch(|plan| plan.figure.metric = Metric::AllocSpace),
        one_of: Some("kind of figure"),
        help: "Bytes allocated so far, freed or not (dumps made with prof_accum:true)",
        ..Flag::BASE
    },
    Flag {
        name: "alloc_objects",
        takes: Takes::Switch(|plan| plan.figure.metric = Metric::AllocObjects),
        one_of: Some("kind of figure"),
        help: "Objects allocated so far, freed or not (dumps made with prof_accum:true)",
        ..Flag::BASE
    },
    Flag {
        name: "show_bytes",
        takes: Takes::Switch(|plan| plan.figure.show_bytes = true),
        help: "Print whole bytes instead of megabytes",
        ..Flag::BASE
    },
];
