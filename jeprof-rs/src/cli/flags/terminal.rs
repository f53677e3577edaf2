//! Flags about the look of a table on a terminal.

use super::{Flag, Takes};
use crate::terminal::Color;

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "color",
        words: &["auto", "always", "never"],
        takes: Takes::One("WHEN", |plan, value| {
            plan.screen.color = match value {
                "auto" => Color::Auto,
                "always" => Color::Always,
                "never" => Color::Never,
                _ => return Err(format!("'{value}' is none of auto, always, never")),
            };
            Ok(())
        }),
        help: "Colour by share: auto, always or never; auto heeds NO_COLOR and CLICOLOR_FORCE [default: auto]",
        ..Flag::BASE
    },
    Flag {
        name: "full_names",
        takes: Takes::Switch(|plan| plan.screen.full_names = true),
        help: "Print names whole, even if they are wider than the terminal",
        ..Flag::BASE
    },
];
