//! Flags about how dumps are read.

use super::{Flag, Takes};

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "base",
        takes: Takes::Many("DUMP", |plan, value| {
            plan.input.base.push(value.into());
            Ok(())
        }),
        help: "Subtract this dump, stack by stack; it may come from another run of the program",
        ..Flag::BASE
    },
    Flag {
        name: "diff_base",
        takes: Takes::Many("DUMP", |plan, value| {
            plan.input.base.push(value.into());
            plan.input.base_is_reference = true;
            Ok(())
        }),
        help: "As --base, for comparing: shares relate to the base's total, and flame graphs show what is there now, \
               coloured by the change",
        ..Flag::BASE
    },
    Flag {
        name: "unpack_max",
        takes: Takes::One("MIB", |plan, value| {
            let mebibytes: u64 = value
                .parse()
                .ok()
                .filter(|mebibytes| (1..1 << 40).contains(mebibytes))
                .ok_or_else(|| format!("'{value}' is not a number of MiB from 1"))?;
            plan.input.unpack_bytes_max = mebibytes << 20;
            Ok(())
        }),
        help: "Refuse compressed dumps that unpack to more than this many MiB [default: 1024]",
        ..Flag::BASE
    },
];
