//! Flags about what is printed, and where to. The flags of the outputs themselves come from their rows in `render`.

use super::{Flag, Takes};
use crate::plan::choice::{Compat, Format};

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "output",
        short: Some('o'),
        takes: Takes::One("FILE", |plan, value| {
            plan.output_file = Some(value.into());
            Ok(())
        }),
        help: "Write to FILE instead of stdout",
        ..Flag::BASE
    },
    Flag {
        name: "format",
        words: &["json", "native"],
        takes: Takes::One("FORMAT", |plan, value| {
            plan.format = match value {
                "json" => Format::Json,
                "native" => Format::Native,
                _ => return Err(format!("'{value}' is neither 'json' nor 'native'")),
            };
            Ok(())
        }),
        help: "'json': the report as one JSON object, described in docs/json.md [default: native]",
        ..Flag::BASE
    },
    Flag {
        name: "compat",
        words: &["jeprof", "none"],
        takes: Takes::One("WHOSE", |plan, value| {
            plan.compat = match value {
                "jeprof" => Compat::Jeprof,
                "none" => Compat::None,
                _ => return Err(format!("'{value}' is neither 'jeprof' nor 'none'")),
            };
            Ok(())
        }),
        help: "Keep the quirks of 'jeprof' (5.3.1), to the byte; docs/compat.md lists them [default: none]",
        ..Flag::BASE
    },
];
