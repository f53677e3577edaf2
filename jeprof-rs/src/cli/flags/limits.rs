//! Flags about limits and series, at which the gate alone looks.

use super::{Flag, Takes};
use crate::plan::check::BaselineChange;

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "config",
        takes: Takes::One("FILE", |plan, value| {
            plan.check.config = Some(value.into());
            Ok(())
        }),
        help: "Limits, and what the command line does not say [default: jeprof.toml, if there is one]",
        ..Flag::BASE
    },
    Flag {
        name: "baseline",
        takes: Takes::One("FILE", |plan, value| {
            plan.check.baseline = Some(value.into());
            Ok(())
        }),
        help: "What stacks are known to hold; only what is new or more fails ('jeprof-rs baseline' writes it)",
        ..Flag::BASE
    },
    Flag {
        name: "update_baseline",
        takes: Takes::Switch(|plan| plan.check.baseline_change = BaselineChange::Update),
        help: "Take what is live into the file of --baseline, instead of failing for it",
        ..Flag::BASE
    },
    Flag {
        name: "prune_baseline",
        takes: Takes::Switch(|plan| plan.check.baseline_change = BaselineChange::Prune),
        help: "Forget the rows of the file of --baseline that no stack has any more",
        ..Flag::BASE
    },
    Flag {
        name: "skip_first",
        takes: Takes::One("N", |plan, value| {
            let count = value.parse().ok();
            plan.check.skip_first = Some(count.ok_or_else(|| format!("'{value}' is no number of dumps"))?);
            Ok(())
        }),
        help: "Leave N dumps at the beginning out of trends [default: those of the warm-up]",
        ..Flag::BASE
    },
    Flag {
        name: "iterations",
        takes: Takes::One("N", |plan, value| {
            let count = value.parse().ok().filter(|count: &f64| count.is_finite() && *count > 0.0);
            plan.check.iterations =
                Some(count.ok_or_else(|| format!("'{value}' is no number of iterations"))?);
            Ok(())
        }),
        help: "N iterations lie between one dump and the next, for limits per iteration [default: 1]",
        ..Flag::BASE
    },
];
