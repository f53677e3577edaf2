//! Flags that choose stacks and frames.

use super::{Flag, Takes, pattern};
use crate::plan::choice::{Frames, Negative};

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "focus",
        takes: Takes::One("REGEX", |plan, value| {
            plan.selection.focus = Some(pattern(value)?);
            Ok(())
        }),
        help: "Only stacks in which a frame's function, file:line or address matches",
        ..Flag::BASE
    },
    Flag {
        name: "ignore",
        takes: Takes::One("REGEX", |plan, value| {
            plan.selection.ignore = Some(pattern(value)?);
            Ok(())
        }),
        help: "Only stacks in which no frame's function, file:line or address matches",
        ..Flag::BASE
    },
    Flag {
        name: "all_frames",
        takes: Takes::Switch(|plan| plan.selection.frames = Frames::All),
        help: "Keep the allocator's own frames and Rust's allocation shims, which are left out otherwise",
        ..Flag::BASE
    },
    Flag {
        name: "hide_std",
        takes: Takes::Switch(|plan| plan.selection.frames = Frames::Own),
        help: "Also leave out the standard library's containers at the leaf end, Rust's and C++'s, so that memory \
               counts for the program's own functions",
        ..Flag::BASE
    },
    Flag {
        name: "drop_negative",
        takes: Takes::Switch(|plan| plan.selection.negative = Negative::Drop),
        help: "With --base: count stacks that shrank as zero",
        ..Flag::BASE
    },
];
