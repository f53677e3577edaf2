//! Flags that choose stacks and frames.

use super::{Flag, Takes, pattern};
use crate::plan::choice::{Frames, Negative, Threads};
use crate::plan::query::Query;
use crate::plan::tag_filter::TagFilter;

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
        name: "retain",
        takes: Takes::One("REGEX", |plan, value| {
            plan.selection.retain = Some(pattern(value)?);
            Ok(())
        }),
        help: "Only frames whose function matches; stacks without any are left out",
        ..Flag::BASE
    },
    Flag {
        name: "exclude",
        takes: Takes::One("REGEX", |plan, value| {
            plan.selection.exclude = Some(pattern(value)?);
            Ok(())
        }),
        help: "Only frames whose function does not match; what they allocated counts for their callers",
        ..Flag::BASE
    },
    Flag {
        name: "thread",
        takes: Takes::One("ID|NAME|*", |plan, value| {
            plan.selection.threads = match value {
                "" => return Err("is neither a thread's number nor its name".into()),
                "*" => Threads::Each,
                named => Threads::Named(named.into()),
            };
            Ok(())
        }),
        help: "What one thread allocated, or all of that name; '*' makes a report for each",
        ..Flag::BASE
    },
    Flag {
        name: "hide",
        takes: Takes::One("REGEX", |plan, value| {
            plan.selection.hide = Some(pattern(value)?);
            Ok(())
        }),
        help: "Leave out frames whose function or file:line matches",
        ..Flag::BASE
    },
    Flag {
        name: "show",
        bare: Some("show_bytes"),
        takes: Takes::One("REGEX", |plan, value| {
            plan.selection.show = Some(pattern(value)?);
            Ok(())
        }),
        help: "Leave out frames whose function or file:line does not match",
        ..Flag::BASE
    },
    Flag {
        name: "show_from",
        takes: Takes::One("REGEX", |plan, value| {
            plan.selection.show_from = Some(pattern(value)?);
            Ok(())
        }),
        help: "Begin each stack with the first frame, from the root, that matches; leave out stacks without one",
        ..Flag::BASE
    },
    Flag {
        name: "prune_from",
        takes: Takes::One("REGEX", |plan, value| {
            plan.selection.prune_from = Some(pattern(value)?);
            Ok(())
        }),
        help: "End each stack with the last frame, from the root, whose function matches: what it called counts for it",
        ..Flag::BASE
    },
    Flag {
        name: "tagfocus",
        takes: Takes::One("FILTER", |plan, value| {
            plan.selection.tag_focus = Some(TagFilter::parse(value)?);
            plan.input.keep_labels = true;
            Ok(())
        }),
        help: "Only stacks with a label that fits: REGEX, KEY=REGEX, or a size such as 1mb:, 4kb:1mb, bytes=64",
        ..Flag::BASE
    },
    Flag {
        name: "tagignore",
        takes: Takes::One("FILTER", |plan, value| {
            plan.selection.tag_ignore = Some(TagFilter::parse(value)?);
            plan.input.keep_labels = true;
            Ok(())
        }),
        help: "Only stacks without a label that fits",
        ..Flag::BASE
    },
    Flag {
        name: "where",
        takes: Takes::One("CONDITION", |plan, value| {
            plan.selection.condition = Some(Query::parse(value)?);
            plan.input.keep_labels = true;
            Ok(())
        }),
        help: "Only stacks or samples of which it holds: size, usize, age, lifetime, released, thread, freed_by, label, \
               stack, leaf with < <= > >= = != ~ !~, and, or, not: 'size>1MiB and age>10m and stack~\"Cache::\"'",
        ..Flag::BASE
    },
    Flag {
        name: "tagroot",
        takes: Takes::One("KEYS", |plan, value| {
            plan.selection.tag_root = value.split(',').map(String::from).collect();
            plan.input.keep_labels = true;
            Ok(())
        }),
        help: "Show these labels as frames at the root: thread, bytes, size_class, or what a profile.proto has",
        ..Flag::BASE
    },
    Flag {
        name: "tagleaf",
        takes: Takes::One("KEYS", |plan, value| {
            plan.selection.tag_leaf = value.split(',').map(String::from).collect();
            plan.input.keep_labels = true;
            Ok(())
        }),
        help: "Show these labels as frames at the leaf: thread, bytes, size_class, or what a profile.proto has",
        ..Flag::BASE
    },
    Flag {
        name: "noinlines",
        takes: Takes::Switch(|plan| plan.selection.no_inlines = true),
        help: "Count inlined functions for the function that they are inlined into",
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
