//! Flags about ages.

use super::{Flag, Takes};
use crate::plan::query::value::nanoseconds;

/// In the order of the help.
pub const ROWS: &[Flag] = &[Flag {
    name: "min_age",
    takes: Takes::One("TIME", |plan, value| {
        plan.min_age = nanoseconds(value)
            .map(|nanos| nanos as i64)
            .ok_or_else(|| format!("'{value}' is no time such as 10m, 1.5h or 30s"))?;
        Ok(())
    }),
    help: "Objects that are at least so old: 30s, 10m, 1.5h, 2d [default: 1m]",
    ..Flag::BASE
}];
