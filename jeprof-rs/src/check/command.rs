//! `jeprof-rs baseline`: writes, shows and tidies the file that `check --baseline` looks at.

use std::path::Path;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};

use super::baseline::Baseline;
use crate::error::{Error, Result};
use crate::tool::{Tool, print};
use crate::units::{bytes_for_people, count_for_people};

/// The row of this command.
pub const TOOL: Tool = Tool { name: "baseline", about: ABOUT, parser, run };

const ABOUT: &str = "Write, show or tidy the file of what stacks are known to hold (check --baseline)";

const EXAMPLES: &str = "\
update  takes the dumps of a run in: of each stack the most of all runs stays
show    prints the file, the largest first
prune   forgets the stacks that the dumps do not have

Options of check are understood behind FILE (--suppressions, --key, ...).

Examples:
  jeprof-rs baseline update .jeprof/server.base ./server dumps/*.heap
  jeprof-rs baseline show .jeprof/server.base
  jeprof-rs check --baseline=.jeprof/server.base ./server dumps/*.heap";

const ACTION: &str = "ACTION";
const FILE: &str = "FILE";
const WORDS: &str = "program and dumps";

fn parser() -> Command {
    Command::new("baseline")
        .bin_name("jeprof-rs baseline")
        .about(ABOUT)
        .after_help(EXAMPLES)
        .arg(
            Arg::new(ACTION)
                .required(true)
                .value_parser(PossibleValuesParser::new(["update", "show", "prune"]))
                .help("What to do"),
        )
        .arg(Arg::new(FILE).required(true).value_hint(ValueHint::FilePath).help("The baseline"))
        .arg(
            Arg::new(WORDS)
                .action(ArgAction::Append)
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .value_hint(ValueHint::FilePath)
                .help("Program and dumps, and options of check"),
        )
}

fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let (action, file) = (text(ACTION), text(FILE));
    let words: Vec<String> = matches.get_many::<String>(WORDS).into_iter().flatten().cloned().collect();
    if action == "show" {
        return match words.first() {
            Some(word) => Err(Error::at(word, "baseline show looks at the file alone")),
            None => show(Path::new(&file)),
        };
    }
    let change = format!("--{action}_baseline");
    let check = ["check".to_string(), format!("--baseline={file}"), change];
    crate::answer(check.into_iter().chain(words).collect())
}

fn show(file: &Path) -> Result<ExitCode> {
    let baseline = Baseline::read(file)?;
    let mut rows: Vec<_> = baseline.rows.iter().collect();
    rows.sort_by(|(_, a), (_, b)| b.bytes.total_cmp(&a.bytes));
    let total: f64 = rows.iter().map(|(_, row)| row.bytes).sum();
    let mut out =
        format!("{} in {} stacks (sampling: {})\n", bytes_for_people(total), rows.len(), baseline.rate);
    for (key, row) in rows {
        let objects = count_for_people(row.objects.round() as i64);
        out +=
            &format!("{:>12} {objects:>12}  {key}  {}\n", bytes_for_people(row.bytes), row.texts.join(" < "));
    }
    print(out.as_bytes())
}
