//! Flags as arguments of a parser, and what it found of them as settings: for reports, and for commands that take some.

use clap::{Arg, ArgAction, ArgMatches, ValueHint};

use super::flags::{self, Flag, Takes};
use super::settings::Settings;
use crate::error::Result;
use crate::plan::{Part, Plan};

/// A flag under a heading of the help: its name, and what it takes.
pub(super) fn argument(flag: &'static Flag, heading: &'static str) -> Arg {
    let arg = Arg::new(flag.name).long(flag.name).help(flag.help).help_heading(heading);
    match flag.takes {
        Takes::Switch(_) => arg.action(ArgAction::SetTrue),
        Takes::One(value, _) => arg.action(ArgAction::Set).value_name(value).value_hint(hint(value)),
        Takes::Many(value, _) => arg.action(ArgAction::Append).value_name(value).value_hint(hint(value)),
    }
}

/// The flags of these names, for a command that makes no report of its own; dashes stand for underscores, too.
pub fn arguments_of(names: &[&'static str]) -> impl Iterator<Item = Arg> {
    let rows = flags::all().filter(|(_, flag)| names.contains(&flag.name));
    rows.map(|(_, flag)| {
        let arg = argument(flag, "Report");
        let dashed = flag.name.replace('_', "-");
        let arg = if dashed == flag.name { arg } else { arg.alias(dashed) };
        match flag.short {
            Some(short) => arg.short(short),
            None => arg,
        }
    })
}

/// The plan that they make.
///
/// # Errors
/// A value that does not fit.
pub fn plan_of(names: &[&'static str], matches: &ArgMatches) -> Result<Plan> {
    settings_of(flags::all().filter(|(_, flag)| names.contains(&flag.name)), matches).plan()
}

/// What a shell offers for a value, by what the value is called in the help.
pub(super) fn hint(value: &str) -> ValueHint {
    match value {
        "FILE" | "DUMP" => ValueHint::FilePath,
        "DIR" => ValueHint::DirPath,
        _ => ValueHint::Unknown,
    }
}

/// The flags that are given.
pub(super) fn settings(matches: &ArgMatches) -> Settings {
    settings_of(flags::all(), matches)
}

/// Those among these that are given.
fn settings_of(flags: impl Iterator<Item = (Part, &'static Flag)>, matches: &ArgMatches) -> Settings {
    let mut settings = Settings::default();
    for (_, flag) in flags.filter(|(_, flag)| matches.value_source(flag.name).is_some_and(given)) {
        settings.give(
            flag,
            match flag.takes {
                Takes::Switch(_) => Vec::new(),
                Takes::One(..) | Takes::Many(..) => {
                    matches.get_many::<String>(flag.name).into_iter().flatten().cloned().collect()
                }
            },
        );
    }
    settings
}

pub(super) fn given(source: clap::parser::ValueSource) -> bool {
    source == clap::parser::ValueSource::CommandLine
}
