//! From the words of a command line to a [`plan::Plan`]. Opens nothing.

mod flags;
pub mod plan;
mod spelling;

use clap::builder::Styles;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};

use crate::error::{Error, Result};
use flags::{COMMANDS, FLAGS, Flag, Scope, Takes};
use plan::{Output, Plan};

const ABOUT: &str = "\
Shows where a program's heap comes from: reads heap profiles of jemalloc, of jeprof-rs's own allocator, of \
gperftools and of anything that writes profile.proto, and prints a table, collapsed stacks or a flame graph.";

const USAGE: &str = "\
jeprof-rs [OPTIONS] [PROGRAM] DUMP...
       jeprof-rs flame [OPTIONS] [PROGRAM] [DUMP...]";

const EXAMPLES: &str = "\
PROGRAM and DUMPs are told apart by their content. PROGRAM may be left out: it is then found through the dump.
Several dumps are added up. '-' is the standard input. Without a dump, the newest one of this directory is taken
(*.heap, *.pb, *.pb.gz), or the profile on stdin when stdin is a pipe or a file.

Every option is understood with '-' for '_', with one dash in front, and by each unambiguous beginning.

Columns of the table: own figure, its share, running sum of the shares, own figure with everything called, its
share, name.

Examples:
  jeprof-rs svc.1234.0.f.heap                        table of what is live, in megabytes
  jeprof-rs --show_bytes --lines ./svc svc.*.heap    whole bytes, per source line, several dumps added up
  jeprof-rs --cum --focus=parse svc.1234.0.f.heap    what 'parse' and its callees hold
  jeprof-rs --base=svc.1.i1.heap svc.1.i9.heap       what was added between two dumps
  jeprof-rs --collapsed svc.1.f.heap > heap.folded   for other flame graph tools
  jeprof-rs flame > heap.svg                         flame graph of the newest dump

Exit status: 0, or 2 with a message on stderr.";

const INPUTS: &str = "program and dumps";

/// Reads the command line. Prints help, version and the parser's own errors, and ends the process for those.
///
/// # Errors
/// An ambiguous option, or a value that does not fit its option.
pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Plan> {
    let spelled = spelling::spell(args)?;
    let mut words: Vec<String> = vec!["jeprof-rs".into()];
    words.extend(spelled.command.map(|index| COMMANDS[index].name.into()));
    words.extend(spelled.options);
    words.push("--".into());
    words.extend(spelled.files);
    let matches = parser().try_get_matches_from(words).unwrap_or_else(|error| error.exit());
    match matches.subcommand() {
        Some((name, matches)) => {
            let command = COMMANDS.iter().find(|command| command.name == name);
            fill(Plan::new(command.map_or(Output::Text, |command| command.output)), Scope::Every, matches)
        }
        None => fill(Plan::new(Output::Text), Scope::Report, &matches),
    }
}

/// The parser, built from the rows.
fn parser() -> Command {
    let root = Command::new("jeprof-rs")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .override_usage(USAGE)
        .after_help(EXAMPLES)
        .disable_help_subcommand(true)
        .max_term_width(100)
        .styles(Styles::plain());
    let root = with_flags(root, Scope::Report);
    COMMANDS.iter().fold(root, |root, command| {
        root.subcommand(with_flags(
            Command::new(command.name)
                .about(command.about)
                .override_usage(format!("jeprof-rs {} [OPTIONS] [PROGRAM] [DUMP...]", command.name))
                .after_help(command.examples),
            Scope::Every,
        ))
    })
}

/// The rows that a command of this scope has.
fn rows(scope: Scope) -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter().filter(move |flag| flag.scope == Scope::Every || scope == Scope::Report)
}

fn with_flags(mut command: Command, scope: Scope) -> Command {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for flag in rows(scope) {
        let arg = Arg::new(flag.name).long(flag.name).help(flag.help).help_heading(flag.heading.title());
        let arg = match flag.takes {
            Takes::Switch(_) => arg.action(ArgAction::SetTrue).overrides_with(flag.name),
            Takes::One(value, _) => arg.action(ArgAction::Set).value_name(value).overrides_with(flag.name),
            Takes::Many(value, _) => arg.action(ArgAction::Append).value_name(value),
        };
        command = command.arg(match flag.short {
            Some(short) => arg.short(short),
            None => arg.allow_hyphen_values(flag.takes.a_value()),
        });
        if let Some(word) = flag.one_of {
            match groups.iter_mut().find(|(known, _)| *known == word) {
                Some((_, names)) => names.push(flag.name),
                None => groups.push((word, vec![flag.name])),
            }
        }
    }
    for (word, names) in groups {
        command = command.group(ArgGroup::new(word).args(names).multiple(false));
    }
    command.arg(
        Arg::new(INPUTS)
            .value_name("FILE")
            .help("PROGRAM, which may be left out, and DUMPs; gzip is unpacked")
            .num_args(0..),
    )
}

fn fill(mut plan: Plan, scope: Scope, matches: &ArgMatches) -> Result<Plan> {
    for flag in rows(scope) {
        let outcome = match flag.takes {
            Takes::Switch(set) => {
                if matches.get_flag(flag.name) {
                    set(&mut plan);
                }
                Ok(())
            }
            Takes::One(_, set) | Takes::Many(_, set) => matches
                .get_many::<String>(flag.name)
                .into_iter()
                .flatten()
                .try_for_each(|value| set(&mut plan, value)),
        };
        outcome.map_err(|what| Error::at(format_args!("--{}", flag.name), what))?;
    }
    plan.inputs = matches.get_many::<String>(INPUTS).into_iter().flatten().cloned().collect();
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::{Granularity, Metric, Rows};

    fn plan(args: &str) -> Plan {
        parse(args.split_whitespace().map(String::from)).unwrap()
    }

    #[test]
    fn the_parser_is_well_formed() {
        parser().debug_assert();
    }

    #[test]
    fn an_empty_line_asks_for_live_megabytes_per_function() {
        let plan = plan("");
        assert_eq!((plan.output, plan.metric), (Output::Text, Metric::InuseSpace));
        assert_eq!((plan.granularity, plan.rows), (Granularity::Functions, Rows::Fitting));
        assert!(plan.inputs.is_empty() && !plan.show_bytes);
    }

    #[test]
    fn flags_values_and_files_reach_the_plan() {
        let plan =
            plan("./svc -alloc-space --lines a.heap --nodecount 7 --base x --base=y --collapsed b.heap");
        assert_eq!((plan.output, plan.metric), (Output::Collapsed, Metric::AllocSpace));
        assert_eq!((plan.granularity, plan.rows), (Granularity::Lines, Rows::AtMost(7)));
        assert_eq!(
            (plan.base, plan.inputs),
            (vec!["x".into(), "y".into()], vec!["./svc".to_string(), "a.heap".into(), "b.heap".into()])
        );
    }

    #[test]
    fn the_last_of_a_repeated_option_wins() {
        assert_eq!(plan("--nodecount 3 --nodecount=0 --cum --cum").rows, Rows::All);
    }

    #[test]
    fn a_command_has_its_own_output() {
        let plan = plan("--inuse_objects flame x.heap");
        assert_eq!((plan.output, plan.metric), (Output::Flame, Metric::InuseObjects));
        assert_eq!(plan.inputs, ["x.heap"]);
    }

    #[test]
    fn a_bad_value_names_its_option() {
        let error = parse(["--nodecount=-1".to_string()]).unwrap_err().to_string();
        assert!(error.starts_with("--nodecount: '-1'"), "{error}");
        let error = parse(["--focus".to_string(), "(".to_string()]).unwrap_err().to_string();
        assert!(error.starts_with("--focus: "), "{error}");
    }
}
