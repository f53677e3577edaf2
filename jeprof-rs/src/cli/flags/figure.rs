//! Flags about the figure: which of the four, and its unit.

use super::{Flag, Takes};
use crate::plan::choice::Metric;
use crate::units::BYTE_UNITS;

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
        name: "sample_index",
        words: &[
            "alloc_objects",
            "alloc_space",
            "inuse_objects",
            "inuse_space",
            "peak_objects",
            "peak_space",
            "inuse_requested_space",
        ],
        takes: Takes::One("NAME", |plan, value| {
            plan.figure.metric = metric(value)?;
            Ok(())
        }),
        one_of: Some("kind of figure"),
        help: "The figure by its name or number: alloc_objects (0), alloc_space (1), inuse_objects (2), inuse_space (3); of our own allocator's profiles also peak_objects, peak_space, inuse_requested_space",
        ..Flag::BASE
    },
    Flag {
        name: "show_bytes",
        takes: Takes::Switch(|plan| plan.figure.show_bytes = true),
        help: "Print whole bytes instead of megabytes",
        ..Flag::BASE
    },
    Flag {
        name: "unit",
        words: &["B", "kB", "MB", "GB", "TB", "PB", "auto"],
        takes: Takes::One("UNIT", |plan, value| {
            let wanted = value.to_lowercase();
            plan.figure.unit = match wanted.as_str() {
                // Objects are counted whatever the unit of bytes is.
                "auto" | "minimum" | "count" => None,
                _ => Some(
                    BYTE_UNITS
                        .iter()
                        .find(|unit| unit.spellings.contains(&wanted.as_str()))
                        .ok_or_else(|| format!("'{value}' is none of B, kB, MB, GB, TB, PB, auto"))?,
                ),
            };
            Ok(())
        }),
        help: "Unit of byte figures: B, kB, MB, GB, TB, PB or auto [default: MB in jeprof's table, or on a terminal what suits a small total; auto in pprof's]",
        ..Flag::BASE
    },
    Flag {
        name: "divide_by",
        takes: Takes::One("NUMBER", |plan, value| {
            plan.figure.divide_by = value
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite() && *number != 0.0)
                .ok_or_else(|| format!("'{value}' is not a number other than zero"))?;
            Ok(())
        }),
        help: "Divide every figure by this number",
        ..Flag::BASE
    },
    Flag {
        name: "mean",
        takes: Takes::Switch(|plan| plan.figure.mean = true),
        help: "Show the average size of an object in each row instead of the sum (top, tree, peek)",
        ..Flag::BASE
    },
    Flag {
        name: "normalize",
        takes: Takes::Switch(|plan| plan.figure.normalize = true),
        help: "With a base: scale the dumps to the base's total first, so that only the shape counts",
        ..Flag::BASE
    },
    Flag {
        name: "relative_percentages",
        takes: Takes::Switch(|plan| plan.figure.relative_percentages = true),
        help: "Shares of what the filters leave, instead of the whole profile (top, tree, peek)",
        ..Flag::BASE
    },
    Flag {
        name: "total_delay",
        aliases: &["contentions", "mean_delay"],
        takes: Takes::Switch(|plan| {
            plan.remarks.push(
                "--total_delay, --contentions and --mean_delay are about lock profiles, which are not read",
            );
        }),
        help: "For scripts written for jeprof: the figures of lock profiles, which are not read",
        ..Flag::BASE
    },
];

fn metric(value: &str) -> Result<Metric, String> {
    let by_name = Metric::ALL.iter().chain(&Metric::OURS).find(|metric| metric.name() == value);
    let by_number = || Metric::ALL.get(value.parse::<usize>().ok()?);
    // pprof lets `inuse_` be left out.
    let by_end = || Metric::ALL.iter().find(|metric| metric.name() == format!("inuse_{value}"));
    let found = by_name.or_else(by_number).or_else(by_end).copied();
    found
        .ok_or_else(|| format!("'{value}' is none of alloc_objects, alloc_space, inuse_objects, inuse_space"))
}
