//! `jeprof-rs stats [FILE]`: the allocator's statistics as JSON, stock jemalloc's or ours, to OpenMetrics text or a report.
//!
//! Knows nothing of profiles. One call: `document` (bytes to fields) - `openmetrics` or `text`.

pub mod document;
mod openmetrics;
mod text;

use std::io::Read;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};

use crate::error::{Error, Result, plain};
use crate::tool::{self, Tool};
use document::Document;

/// The command.
pub const TOOL: Tool = Tool { name: "stats", about: ABOUT, parser, run };

const ABOUT: &str = "Show the allocator's statistics (JSON) as a report or as OpenMetrics text";

const MORE: &str = "\
FILE is what malloc_stats_print writes with the letter J, here or under stock jemalloc; '-' or none reads stdin. Of
several documents one after the other, as stats_interval writes them, the last one counts.

Examples:
  MALLOC_CONF=stats_print:true,stats_print_opts:J ./svc 2>&1 >/dev/null | jeprof-rs stats
  jeprof-rs stats --format=openmetrics svc.json > svc.prom

Exit status: 0, or 2 with a message on stderr.";

/// More than any process writes: arenas are at most 4,095, each a quarter of a megabyte.
const DOCUMENT_MAX: u64 = 2 << 30;

const FILE: &str = "FILE";
const FORMAT: &str = "format";

fn parser() -> Command {
    Command::new(TOOL.name)
        .about(ABOUT)
        .override_usage("jeprof-rs stats [OPTIONS] [FILE]")
        .after_help(MORE)
        .arg(Arg::new(FILE).help("Statistics as JSON [default: stdin]"))
        .arg(
            Arg::new(FORMAT)
                .long(FORMAT)
                .value_name("FORMAT")
                .help("How to print")
                .value_parser(["text", "openmetrics"])
                .default_value("text"),
        )
}

fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let (place, bytes) = read(matches)?;
    let document = Document::read(&bytes).map_err(|what| Error::at(&place, what))?;
    let open = matches.get_one::<String>(FORMAT).is_some_and(|format| format == "openmetrics");
    tool::print(if open { openmetrics::write(&document) } else { text::write(&document) }.as_bytes())
}

/// What to read from, in words, and what was read.
fn read(matches: &ArgMatches) -> Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let (place, read) = match matches.get_one::<String>(FILE).map(String::as_str) {
        None | Some("-") => {
            let read = std::io::stdin().lock().take(DOCUMENT_MAX + 1).read_to_end(&mut bytes);
            ("standard input".to_owned(), read)
        }
        Some(path) => {
            let read = std::fs::File::open(path)
                .and_then(|file| file.take(DOCUMENT_MAX + 1).read_to_end(&mut bytes));
            (path.to_owned(), read)
        }
    };
    read.map_err(|error| Error::at(&place, plain(&error)))?;
    if bytes.len() as u64 > DOCUMENT_MAX {
        return Err(Error::at(place, "longer than 2 GiB, which no statistics are"));
    }
    Ok((place, bytes))
}
