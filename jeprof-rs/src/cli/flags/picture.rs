//! Flags about flame graphs, by the names of flamegraph.pl.

use super::{Flag, Takes};
use crate::render::flame::PALETTES;

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "title",
        takes: Takes::One("TEXT", |plan, value| {
            plan.picture.title = Some(value.into());
            Ok(())
        }),
        help: "Title of the flame graph [default: program, figure, total]",
        ..Flag::BASE
    },
    Flag {
        name: "subtitle",
        takes: Takes::One("TEXT", |plan, value| {
            plan.picture.subtitle = Some(value.into());
            Ok(())
        }),
        help: "Second line of the title [default: sampling distance, dumps]",
        ..Flag::BASE
    },
    Flag {
        name: "notes",
        takes: Takes::One("TEXT", |plan, value| {
            plan.picture.notes = Some(value.into());
            Ok(())
        }),
        help: "Remark inside the SVG file, not shown",
        ..Flag::BASE
    },
    Flag {
        name: "countname",
        takes: Takes::One("TEXT", |plan, value| {
            plan.picture.count_name = Some(value.into());
            Ok(())
        }),
        help: "What widths count [default: bytes or objects]",
        ..Flag::BASE
    },
    Flag {
        name: "width",
        takes: Takes::One("PIXELS", |plan, value| {
            plan.picture.width = if value == "auto" { None } else { Some(pixels(value, 100..=100_000)?) };
            Ok(())
        }),
        help: "Width of the picture [default: auto, as wide as the window]",
        ..Flag::BASE
    },
    Flag {
        name: "height",
        takes: Takes::One("PIXELS", |plan, value| {
            plan.picture.box_height = Some(pixels(value, 8..=200)?);
            Ok(())
        }),
        help: "Height of a box [default: 16]",
        ..Flag::BASE
    },
    Flag {
        name: "minwidth",
        takes: Takes::One("PERCENT", |plan, value| {
            let percent: f64 = value
                .trim_end_matches('%')
                .parse()
                .ok()
                .filter(|percent| (0.0..100.0).contains(percent))
                .ok_or_else(|| format!("'{value}' is not a percentage from 0 to below 100"))?;
            plan.picture.width_percent_min = Some(percent);
            Ok(())
        }),
        help: "Leave out boxes narrower than this share of the picture [default: 0.01]",
        ..Flag::BASE
    },
    Flag {
        name: "colors",
        words: &[
            "mem", "hot", "red", "green", "blue", "aqua", "yellow", "purple", "orange", "rust", "java", "js",
            "perl", "python", "wakeup",
        ],
        takes: Takes::One("PALETTE", |plan, value| {
            let known = PALETTES.iter().find(|(name, _)| *name == value);
            let names = || PALETTES.map(|(name, _)| name).join(", ");
            plan.picture.colors = Some(
                known.map(|(name, _)| *name).ok_or_else(|| format!("'{value}' is none of {}", names()))?,
            );
            Ok(())
        }),
        help: "Palette: mem, hot, red, green, blue, aqua, yellow, purple, orange, rust, java, js, perl, python, wakeup \
               [default: mem]",
        ..Flag::BASE
    },
    Flag {
        name: "inverted",
        aliases: &["icicle"],
        takes: Takes::Switch(|plan| plan.picture.inverted = true),
        help: "Root at the top (an icicle graph)",
        ..Flag::BASE
    },
    Flag {
        name: "reverse",
        takes: Takes::Switch(|plan| plan.picture.reverse = true),
        help: "Begin with the allocating functions; their callers lie on them",
        ..Flag::BASE
    },
    Flag {
        name: "negate",
        takes: Takes::Switch(|plan| plan.picture.negate = true),
        help: "With --diff_base: swap the colours of more (orange) and less (blue)",
        ..Flag::BASE
    },
];

fn pixels(value: &str, range: std::ops::RangeInclusive<usize>) -> Result<usize, String> {
    let outside = || format!("'{value}' is not a number of pixels from {} to {}", range.start(), range.end());
    value.parse().ok().filter(|pixels| range.contains(pixels)).ok_or_else(outside)
}
