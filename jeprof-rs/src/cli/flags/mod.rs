//! The flags: one row each, in one file per part of the plan. Parser, help, spellings and the plan are derived from
//! the rows.

mod ages;
mod check;
mod figure;
mod granularity;
mod graph;
mod groups;
mod input;
mod limits;
mod listing;
mod output;
mod picture;
mod rows;
mod selection;
mod symbols;
mod terminal;

pub use crate::plan::pattern::pattern;
use crate::plan::{Part, Plan};

/// Puts a value into the plan; the error is about the value.
pub type SetValue = fn(&mut Plan, &str) -> Result<(), String>;

/// Whether a flag has a value, and what it does to the plan.
#[derive(Clone, Copy)]
pub enum Takes {
    /// A switch. `--noNAME` and `--NAME=false` behind it take it back.
    Switch(fn(&mut Plan)),
    /// One value, called this in the help. The last one given counts.
    One(&'static str, SetValue),
    /// One value each time; all of them count.
    Many(&'static str, SetValue),
}

impl Takes {
    /// Whether a value follows.
    pub fn a_value(self) -> bool {
        matches!(self, Takes::One(..) | Takes::Many(..))
    }
}

/// One flag.
pub struct Flag {
    /// jeprof's spelling where jeprof has the flag, otherwise pprof's. Dashes for underscores, one dash in front
    /// instead of two, and unambiguous beginnings are understood for every row.
    pub name: &'static str,
    /// Further names, understood and not shown in the help.
    pub aliases: &'static [&'static str],
    /// The flag that jeprof understands when the name stands without `=VALUE` and without a command: jeprof's users
    /// shorten, and pprof has flags that are spelled like the beginning of one of jeprof's.
    pub bare: Option<&'static str>,
    /// One letter form.
    pub short: Option<char>,
    /// Its value.
    pub takes: Takes,
    /// What the value may be, when that is one of a few words: shells offer them.
    pub words: &'static [&'static str],
    /// At most one flag with the same word here may be given.
    pub one_of: Option<&'static str>,
    /// What it does.
    pub help: &'static str,
}

impl Flag {
    /// What most rows have: no other name, no letter, no value.
    pub const BASE: Flag = Flag {
        name: "",
        aliases: &[],
        bare: None,
        short: None,
        takes: Takes::Switch(|_| {}),
        words: &[],
        one_of: None,
        help: "",
    };
}

/// Every flag, part by part in the order of the help.
pub const PARTS: &[(Part, &[Flag])] = &[
    (Part::Output, output::ROWS),
    (Part::Terminal, terminal::ROWS),
    (Part::Figure, figure::ROWS),
    (Part::Granularity, granularity::ROWS),
    (Part::Rows, rows::ROWS),
    (Part::Groups, groups::ROWS),
    (Part::Ages, ages::ROWS),
    (Part::Check, check::ROWS),
    (Part::Limits, limits::ROWS),
    (Part::Graph, graph::ROWS),
    (Part::Selection, selection::ROWS),
    (Part::Picture, picture::ROWS),
    (Part::Listing, listing::ROWS),
    (Part::Input, input::ROWS),
    (Part::Naming, symbols::ROWS),
];

/// Every flag with its part.
pub fn all() -> impl Iterator<Item = (Part, &'static Flag)> {
    PARTS.iter().flat_map(|(part, rows)| rows.iter().map(|flag| (*part, flag)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::OUTPUTS;

    #[test]
    fn names_are_unique_and_in_the_reference_s_spelling() {
        let mut names: Vec<&str> = Vec::new();
        for (_, flag) in all() {
            assert!(flag.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", flag.name);
            assert!(!flag.help.is_empty() && !flag.help.ends_with('.'), "{}", flag.name);
            names.push(flag.name);
            names.extend(flag.aliases);
        }
        names.extend(OUTPUTS.iter().filter(|output| output.flag).map(|output| output.name));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "{names:?}");
        let mut letters: Vec<char> = all().filter_map(|(_, flag)| flag.short).collect();
        letters.sort_unstable();
        let count = letters.len();
        letters.dedup();
        assert_eq!(letters.len(), count);
    }

    #[test]
    fn a_bad_expression_is_told_with_its_reason() {
        let mut plan = Plan::default();
        let (_, focus) = all().find(|(_, flag)| flag.name == "focus").unwrap();
        let Takes::One(_, set) = focus.takes else { panic!("--focus has a value") };
        assert!(set(&mut plan, "(").unwrap_err().contains("unclosed group"));
        assert!(set(&mut plan, "(?=x)").unwrap_err().contains("look-around"));
    }
}
