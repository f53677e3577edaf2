//! `jeprof-rs conf 'STRING'`: checks a `MALLOC_CONF` string, explains each pair, and corrects what is wrong.
//!
//! Knows nothing of profiles. One call: `articles` (is the text a statement, is a string within it) - `element` (cuts
//! it) - `check` (judges by the rows of `jemalloc` or `ours`, of `mistakes` and of `rules`; `repair` finds what was
//! meant) - `answer` (all allocators, as text or JSON).

mod answer;
mod articles;
mod check;
mod element;
mod jemalloc;
mod mistakes;
mod option;
mod ours;
mod readable;
mod repair;
mod rules;
mod settings;
mod target;
mod value;

use std::io::Read;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::error::{Error, Result, plain};
#[cfg(feature = "fuzzing")]
use crate::terminal::Screen;
use crate::terminal::{self, Color};
use crate::tool::{self, Tool};
use answer::Answer;
use target::Target;

/// The command.
pub const TOOL: Tool = Tool { name: "conf", about: ABOUT, parser, run };

const ABOUT: &str = "Check a MALLOC_CONF string: explain each pair, and correct what is wrong";

const MORE: &str = "\
STRING may also be a command line or a piece of source code with a string in it, or a statement of an article about
jemalloc. '-' reads it from stdin; without STRING the environment variable MALLOC_CONF is checked.

A pair is ok, or there is something to note, or it is wrong: refused, not read because of one in front of it, or
without effect. A string is judged by itself: what the program or /etc/malloc.conf set besides is not known here.

Examples:
  jeprof-rs conf 'prof:true,lg_prof_sample:19,prof_final:true'
  jeprof-rs conf --for=jemalloc-5.3.0 'background_thread:true,dirty_decay_ms:5s'
  MALLOC_CONF=... jeprof-rs conf --format=json

Exit status: 0 when nothing is wrong for any of the allocators asked about, 1 when something is, 2 with a message on
stderr when the command cannot be carried out.";

/// Longer than any string; the kernel allows 128 KiB for a variable of the environment.
const STRING_MAX: u64 = 1 << 20;

const STRING: &str = "STRING";
const FOR: &str = "for";
const FORMAT: &str = "format";

fn parser() -> Command {
    Command::new(TOOL.name)
        .about(ABOUT)
        .override_usage("jeprof-rs conf [OPTIONS] [STRING]")
        .after_help(MORE)
        .arg(Arg::new(STRING).help("What to check [default: $MALLOC_CONF]").allow_hyphen_values(true))
        .arg(
            Arg::new(FOR)
                .long(FOR)
                .value_name("ALLOCATOR")
                .help("Check for this allocator only; may be repeated [default: all]")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .value_parser(["jemalloc", "jemalloc-5.3.0", "jemalloc-5.3.1", "jeprof-rs"]),
        )
        .arg(
            Arg::new(FORMAT)
                .long(FORMAT)
                .value_name("FORMAT")
                .help("How to print")
                .value_parser(["text", "json"])
                .default_value("text"),
        )
}

fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let text = text(matches)?;
    let answer = answer(&text, &targets(matches));
    let json = matches.get_one::<String>(FORMAT).is_some_and(|format| format == "json");
    let output = if json { answer.json() } else { answer.text(terminal::screen(Color::Auto, false)) };
    tool::print(output.as_bytes())?;
    Ok(if answer.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn targets(matches: &ArgMatches) -> Vec<Target> {
    let asked: Vec<&String> = matches.get_many(FOR).into_iter().flatten().collect();
    let is_meant = |target: &Target| {
        asked.iter().any(|name| *name == target.name() || (*name == "jemalloc" && target.is_jemalloc()))
    };
    Target::ALL.into_iter().filter(|target| asked.is_empty() || is_meant(target)).collect()
}

fn text(matches: &ArgMatches) -> Result<String> {
    match matches.get_one::<String>(STRING).map(String::as_str) {
        Some("-") => {
            let mut text = String::new();
            let read = std::io::stdin().lock().take(STRING_MAX + 1).read_to_string(&mut text);
            read.map_err(|error| Error::at("standard input", plain(&error)))?;
            if text.len() as u64 > STRING_MAX {
                return Err(Error::at("standard input", "longer than 1 MiB, which no string of options is"));
            }
            Ok(text.trim_end_matches(['\n', '\r']).into())
        }
        Some(text) => Ok(text.into()),
        None => match std::env::var("MALLOC_CONF") {
            Ok(text) => Ok(text),
            Err(std::env::VarError::NotPresent) => Err(Error::new(
                "conf: no STRING is given, and the environment variable MALLOC_CONF is not set",
            )),
            Err(std::env::VarError::NotUnicode(_)) => Err(Error::at("MALLOC_CONF", "not valid UTF-8")),
        },
    }
}

fn answer<'a>(text: &'a str, targets: &[Target]) -> Answer<'a> {
    let articles = articles::found(text);
    let within = articles::string_within(text);
    let string = within.or_else(|| articles.is_empty().then_some(text));
    let checked = string.iter().flat_map(|string| targets.iter().map(|target| check::check(string, *target)));
    Answer { string, found_within: within.is_some(), checked: checked.collect(), articles }
}

/// Judges a text for all allocators and prints the answer in both forms.
#[cfg(feature = "fuzzing")]
pub fn answer_in_both_forms(text: &str) -> (String, String) {
    let answer = answer(text, &Target::ALL);
    (answer.text(Screen::default()), answer.json())
}

#[cfg(test)]
mod tests;
