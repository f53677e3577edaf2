//! `jeprof-rs run -- COMMAND`: runs a program under the allocator and tells what it leaked.
//!
//! One call: `headers` (what files tell of themselves) - `library` (what is preloaded) - `program` (what is run, and whether
//! the library goes into it) - `conf` (the allocator's options) - `child` (runs it, passes signals on) - `collect` (its
//! dumps) - `report` (what leaked). Knows nothing of stacks.

mod child;
mod collect;
mod conf;
mod headers;
mod library;
mod program;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};

use crate::cli::arguments::{arguments_of, plan_of};
use crate::error::{Error, Result};
use crate::render::findings;
use crate::tell;
use crate::tool::Tool;
use child::How;
use collect::Folder;
use conf::{Asked, Sampling};
use library::Library;
use program::Program;

/// The command.
pub const TOOL: Tool = Tool { name: "run", about: ABOUT, parser, run };

const ABOUT: &str = "Run a program under the allocator and report what it leaked";

const MORE: &str = "\
The program needs no rebuild: libjemalloc.so is preloaded, unless the program has this project's allocator already. It is
found by --library, by $JEPROF_RS_LIBRARY, beside jeprof-rs, in ../lib from there, and where libraries are. Every process
that the program starts is profiled as well, and each that ends by exit or by returning from main has a dump; one that ends
by _exit or by a signal has none, unless --every or --signal made it write one. Options in MALLOC_CONF go to the program,
too, and win.

A leak is what nothing points to any more when the process ends; --reachable shows what is still held, too. With --sample
that is not known, and all counts that is still held.

The report is on stderr; the program keeps stdin, stdout and stderr.

Examples:
  jeprof-rs run -- ./server --self-test            every allocation is recorded
  jeprof-rs run --sample 19 --keep dumps -- ./server
  jeprof-rs run --signal USR2 --keep dumps -- ./server     kill -USR2 PID writes a dump, PID being jeprof-rs's

Exit status: the program's own when that is not 0 (128+n for signal n); else 0 when nothing leaked, 1 or that of
--error_exitcode when something did, 3 when that is undecided and --undecided=fail, 4 when there is no dump; 2 with a message when the command cannot be carried out.";

/// The exit status when there is no dump to look at.
const NO_DUMP: u8 = 4;

const LIBRARY: &str = "library";
const SAMPLE: &str = "sample";
const EVERY: &str = "every";
const KEEP: &str = "keep";
const NO_PRELOAD: &str = "no-preload";
const SIGNAL: &str = "signal";
const LEAKS_WIN: &str = "leaks-win";
const COMMAND: &str = "COMMAND";

/// Flags of `leaks` that are taken here, too.
const OF_LEAKS: &[&str] = &[
    "output",
    "format",
    "confidence",
    "min_leak",
    "reachable",
    "suppressions",
    "no_builtin_suppressions",
    "print_suppressions",
    "unused_suppressions",
    "undecided",
    "error_exitcode",
    "all_frames",
];

fn parser() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    Command::new(TOOL.name)
        .about(ABOUT)
        .override_usage("jeprof-rs run [OPTIONS] -- COMMAND [ARGUMENT...]")
        .after_help(MORE)
        .arg(
            option(SAMPLE, "N", "Mean distance of samples: log2 of bytes, or 'exact' for every allocation")
                .default_value("exact")
                .value_parser(Sampling::parse),
        )
        .arg(
            option(
                EVERY,
                "BYTES",
                "Also dump after so many allocated bytes (100MiB), rounded down to a power of two",
            )
            .value_parser(conf::bytes),
        )
        .arg(
            option(SIGNAL, "NAME", "Also dump upon this signal (USR2), which may be sent to jeprof-rs")
                .value_parser(conf::signal),
        )
        .arg(
            option(KEEP, "DIR", "Keep the dumps in this folder, which is made")
                .visible_alias("out")
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::DirPath),
        )
        .arg(
            option(LIBRARY, "FILE", "The library to preload")
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::FilePath),
        )
        .arg(switch(NO_PRELOAD, "Preload nothing: the program has the allocator").conflicts_with(LIBRARY))
        .arg(switch(LEAKS_WIN, "A leak's exit status goes before the program's own"))
        .args(arguments_of(OF_LEAKS))
        .arg(
            Arg::new(COMMAND)
                .help("Program and arguments")
                .required(true)
                .num_args(1..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .value_hint(ValueHint::CommandWithArguments),
        )
}

fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let words: Vec<&String> = matches.get_many(COMMAND).into_iter().flatten().collect();
    let Some((name, arguments)) = words.split_first() else {
        return Err(Error::at(TOOL.name, "wants a COMMAND"));
    };
    let plan = plan_of(OF_LEAKS, matches)?;
    // The report is text on stderr, unless it is told where else to go.
    findings::check_places(&plan, false)?;
    let program = Program::find(name)?;
    let library = match (matches.get_flag(NO_PRELOAD), program.has_allocator()) {
        (true, _) | (_, true) => None,
        _ => Some(Library::find(matches.get_one::<PathBuf>(LIBRARY).map(PathBuf::as_path))?),
    };
    if let Some(library) = &library {
        program.check_preload(library)?;
    }
    let folder = match matches.get_one::<PathBuf>(KEEP) {
        Some(path) => Folder::kept(path, program.name())?,
        None => Folder::temporary(program.name())?,
    };
    let asked = Asked {
        sampling: *matches.get_one::<Sampling>(SAMPLE).unwrap_or(&Sampling::Exact),
        sampling_is_given: matches.value_source(SAMPLE) == Some(clap::parser::ValueSource::CommandLine),
        every: matches.get_one::<u64>(EVERY).copied(),
        signal: matches.get_one::<String>(SIGNAL).cloned(),
        prefix: folder.prefix()?,
    };
    let conf = conf::string(&asked, std::env::var("MALLOC_CONF").ok().as_deref())?;
    let mut command = std::process::Command::new(program.path());
    command.args(arguments).env("MALLOC_CONF", conf);
    if let Some(library) = &library {
        command.env("LD_PRELOAD", library.before(std::env::var_os("LD_PRELOAD")));
    }
    let ended = child::run(command, name)?;
    if let How::BySignal(_) = ended.how {
        tell(&format_args!("{name} {}", ended.how));
    }
    let dumps = folder.dumps()?;
    if let Some(why) = ended.missing(&dumps) {
        tell(&format_args!("process {}, {name}, has no dump: {why}", ended.pid));
    }
    let mut last = collect::last_of_each(&dumps);
    // What lives in the middle of a process is no leak: of one that was killed nothing is known.
    if last.iter().any(|dump| dump.is_final) {
        last.retain(|dump| dump.is_final);
    }
    if last.is_empty() {
        return Ok(ExitCode::from(ended.how.status().or(NO_DUMP)));
    }
    let found = report::leaks(&last, plan)?;
    if folder.is_kept() {
        tell(&format_args!("{} dumps are in {}", dumps.len(), folder.path().display()));
    }
    let own = ended.how.status();
    let leaks_win = matches.get_flag(LEAKS_WIN);
    Ok(ExitCode::from(if leaks_win { found.or(own) } else { own.or(found) }))
}

/// An exit status, 0 for nothing to tell.
trait Status {
    /// It, unless it is 0: then the other.
    fn or(self, other: u8) -> u8;
}

impl Status for u8 {
    fn or(self, other: u8) -> u8 {
        if self == 0 { other } else { self }
    }
}
