//! Flags about what a row, a node or a box stands for.

use super::{Flag, Takes};
use crate::plan::choice::Granularity;

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "functions",
        takes: Takes::Switch(|plan| plan.rows.choose(Granularity::Functions)),
        one_of: Some("kind of row"),
        help: "A row is a function (the default)",
        ..Flag::BASE
    },
    Flag {
        name: "filefunctions",
        takes: Takes::Switch(|plan| plan.rows.choose(Granularity::FileFunctions)),
        one_of: Some("kind of row"),
        help: "A row is a function of a source file",
        ..Flag::BASE
    },
    Flag {
        name: "lines",
        takes: Takes::Switch(|plan| plan.rows.choose(Granularity::Lines)),
        one_of: Some("kind of row"),
        help: "A row is a source line of a function",
        ..Flag::BASE
    },
    Flag {
        name: "files",
        // Such beginnings were jeprof's alone before there was `filefunctions`.
        aliases: &["fil", "file"],
        takes: Takes::Switch(|plan| plan.rows.choose(Granularity::Files)),
        one_of: Some("kind of row"),
        help: "A row is a source file",
        ..Flag::BASE
    },
    Flag {
        name: "addresses",
        takes: Takes::Switch(|plan| plan.rows.choose(Granularity::Addresses)),
        one_of: Some("kind of row"),
        help: "A row is a code address",
        ..Flag::BASE
    },
    Flag {
        name: "modules",
        takes: Takes::Switch(|plan| plan.rows.choose(Granularity::Modules)),
        one_of: Some("kind of row"),
        help: "A row is a program or library; calls within one count as one",
        ..Flag::BASE
    },
    Flag {
        name: "granularity",
        words: &["functions", "filefunctions", "lines", "files", "addresses", "modules"],
        takes: Takes::One("WHAT", |plan, value| {
            match ROWS.iter().find(|row| row.one_of.is_some() && row.name == value).map(|row| row.takes) {
                Some(Takes::Switch(set)) => {
                    set(plan);
                    Ok(())
                }
                _ => Err(format!("'{value}' is none of {}", kinds().collect::<Vec<_>>().join(", "))),
            }
        }),
        one_of: Some("kind of row"),
        help: "The same as a value: functions, filefunctions, lines, files, addresses or modules",
        ..Flag::BASE
    },
    Flag {
        name: "showcolumns",
        takes: Takes::Switch(|plan| plan.rows.columns = true),
        help: "With --lines: tell the columns of a line apart, where the debug information has them",
        ..Flag::BASE
    },
];

/// The kinds of rows.
fn kinds() -> impl Iterator<Item = &'static str> {
    ROWS.iter().filter(|row| row.one_of.is_some() && !row.takes.a_value()).map(|row| row.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    #[test]
    fn every_kind_of_row_is_also_a_value() {
        let flag = ROWS.iter().find(|row| row.name == "granularity").unwrap();
        let Takes::One(_, set) = flag.takes else { panic!("it has a value") };
        for kind in kinds() {
            let (mut by_value, mut by_switch) = (Plan::default(), Plan::default());
            set(&mut by_value, kind).unwrap();
            let Takes::Switch(switch) = ROWS.iter().find(|row| row.name == kind).unwrap().takes else {
                panic!("{kind} is a switch")
            };
            switch(&mut by_switch);
            assert_eq!(by_value.rows.granularity, by_switch.rows.granularity, "{kind}");
            assert!(flag.help.contains(kind), "{kind}");
        }
        assert!(set(&mut Plan::default(), "granularity").unwrap_err().contains("none of functions, file"));
    }
}
