//! Flags about source code and instructions.

use super::{Flag, Takes};

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "source_path",
        takes: Takes::Many("FOLDERS", |plan, value| {
            plan.listing.source_path.extend(value.split([',', ':']).map(Into::into));
            Ok(())
        }),
        help: "Folders in which source files are looked for, separated by commas or colons",
        ..Flag::BASE
    },
    Flag {
        name: "trim_path",
        takes: Takes::Many("PREFIXES", |plan, value| {
            plan.listing.trim_path.extend(value.split([',', ':']).map(Into::into));
            Ok(())
        }),
        help: "Prefixes to cut off the paths of source files, separated by commas or colons",
        ..Flag::BASE
    },
    Flag {
        name: "intel_syntax",
        takes: Takes::Switch(|plan| plan.listing.intel_syntax = true),
        help: "Write instructions in Intel's syntax instead of AT&T's (disasm)",
        ..Flag::BASE
    },
];
