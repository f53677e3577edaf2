//! Flags about groups of samples.

use super::{Flag, Takes};
use crate::plan::choice::{GroupBy, GroupOrder};

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "group_by",
        words: &["stack", "leaf", "thread", "size", "none"],
        takes: Takes::One("WHAT", |plan, value| {
            plan.groups.by = one_of(&GroupBy::ALL, value)?;
            Ok(())
        }),
        help: "Put samples together that have the same stack, leaf (innermost frame), thread or size; 'none' lists \
               them one by one [default: stack]",
        ..Flag::BASE
    },
    Flag {
        name: "sort",
        words: &["live", "bytes", "samples", "size", "age", "lifetime"],
        takes: Takes::One("WHAT", |plan, value| {
            plan.groups.order = one_of(&GroupOrder::ALL, value)?;
            Ok(())
        }),
        help: "Greatest first: live bytes, bytes with the freed ones, samples, size of an object, age of the oldest, or \
               median lifetime [default: live]",
        ..Flag::BASE
    },
];

fn one_of<T: Copy>(all: &[(&str, T)], value: &str) -> Result<T, String> {
    let found = all.iter().find(|(word, _)| *word == value);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let words: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
        format!("'{value}' is none of {}", words.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_offer_every_word() {
        let by: Vec<&str> = GroupBy::ALL.iter().map(|(word, _)| *word).collect();
        let order: Vec<&str> = GroupOrder::ALL.iter().map(|(word, _)| *word).collect();
        assert_eq!((ROWS[0].words, ROWS[1].words), (by.as_slice(), order.as_slice()));
    }
}
