//! From the words of a command line to what is to be done. Opens nothing.

pub mod arguments;
mod completions;
mod flags;
mod man;
pub mod settings;
mod spelling;

use clap::builder::{PossibleValuesParser, Styles};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};

use crate::ask;
use crate::check::command as baseline;
use crate::conf;
use crate::error::{Error, Result};
use crate::plan::query::FIELDS;
use crate::plan::{Part, Plan};
use crate::render::{OUTPUTS, Output, text};
use crate::run;
use crate::sampling_plan;
use crate::statistics;
use crate::tool::Tool;
use arguments::{argument, given, hint, settings};
use flags::Takes;
pub use flags::pattern;
use settings::Settings;
use spelling::{INTERACTIVE, MODES, SYMBOLS};

const ABOUT: &str = "\
Shows where a program's heap comes from: reads heap profiles of jemalloc, of jeprof-rs's own allocator, of \
gperftools and of anything that writes profile.proto, and prints tables, collapsed stacks, call graphs and flame \
graphs.";

const USAGE: &str = "\
jeprof-rs [OPTIONS] [PROGRAM] DUMP...
       jeprof-rs COMMAND [OPTIONS] [PROGRAM] [DUMP...]";

const EXAMPLES: &str = "\
PROGRAM and DUMPs are told apart by their content. PROGRAM may be left out: it is then found through the dump.
Several dumps are added up. '-' is the standard input. Without a dump, the newest one of this directory is taken
(*.heap, *.pb, *.pb.gz), or the profile on stdin when stdin is a pipe or a file. A folder stands for every dump in it,
HOST:PORT and http://HOST/PATH for the profile of a running service, of which a copy is kept in $JEPROF_TMPDIR
(~/jeprof without it).

Every option is understood with '-' for '_', with one dash in front, and by each unambiguous beginning. A command may
also be given as an option, as in pprof: -top, -peek=REGEX.

Columns of the table: own figure, its share, running sum of the shares, own figure with everything called, its
share, name.

Examples:
  jeprof-rs svc.1234.0.f.heap                        table of what is live, in megabytes
  jeprof-rs --show_bytes --lines ./svc svc.*.heap    whole bytes, per source line, several dumps added up
  jeprof-rs --cum --focus=parse svc.1234.0.f.heap    what 'parse' and its callees hold
  jeprof-rs --base=svc.1.i1.heap svc.1.i9.heap       what was added between two dumps
  jeprof-rs --collapsed svc.1.f.heap > heap.folded   for other flame graph tools
  jeprof-rs localhost:6060                           what a running service holds
  jeprof-rs flame > heap.svg                         flame graph of the newest dump

Exit status: 0, or 2 with a message on stderr; conf has 1 for a string with something wrong in it, leaks and check for
what they found.";

const INPUTS: &str = "program and dumps";
const ARGUMENT: &str = "argument of the command";
const KIND_OF_OUTPUT: &str = "kind of output";

/// Commands that make no report.
pub const TOOLS: &[Tool] = &[
    ask::TOOL,
    run::TOOL,
    baseline::TOOL,
    conf::TOOL,
    sampling_plan::TOOL,
    statistics::TOOL,
    completions::TOOL,
    man::TOOL,
];

/// What is to be done.
pub enum Request {
    /// Make a report.
    Report(&'static Output, Box<Plan>),
    /// Ask for reports, one after another.
    Prompt(Settings, Box<Plan>),
    /// Name the addresses on stdin.
    Addresses(Box<Plan>),
    /// Run a command with these words.
    Tool(&'static Tool, Vec<String>),
}

/// Reads the command line. Prints help and version, and ends the process for those.
///
/// # Errors
/// An unknown or ambiguous option, options that exclude each other, or a value that is missing or does not fit.
pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Request> {
    let mut args: Vec<String> = args.into_iter().collect();
    if let Some(tool) = TOOLS.iter().find(|tool| args.first().is_some_and(|first| first == tool.name)) {
        args.remove(0);
        return Ok(Request::Tool(tool, args));
    }
    let mut spelled = spelling::spell(args)?;
    let mut words: Vec<String> = vec!["jeprof-rs".into()];
    if let Some(command) = spelled.command {
        words.push(command.name.into());
        if let Some(value) = command.argument {
            let given = spelled
                .argument
                .take()
                .or_else(|| (!spelled.files.is_empty()).then(|| spelled.files.remove(0)));
            let given = given.or_else(|| spelled.asks_for_help().then(String::new)).ok_or_else(|| {
                Error::at(
                    command.name,
                    format_args!("wants a {value}: jeprof-rs {} {value} DUMP", command.name),
                )
            })?;
            words.push(format!("--{}={given}", spelling::COMMAND_ARGUMENT));
        }
    }
    words.extend(spelled.options);
    words.push("--".into());
    words.extend(spelled.files);
    let matches = match parser().try_get_matches_from(words) {
        Ok(matches) => matches,
        // Help and version.
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => return Err(refusal(&error)),
    };
    let is_on = |mode: &str| matches.try_get_one(mode).ok().flatten().is_some_and(|on| *on);
    if is_on(SYMBOLS) {
        let (_, plan) = fill(&text::ROW, &matches)?;
        return Ok(Request::Addresses(Box::new(plan)));
    }
    if is_on(INTERACTIVE) {
        let settings = settings(&matches);
        let (_, plan) = fill(&text::ROW, &matches)?;
        return Ok(Request::Prompt(settings, Box::new(plan)));
    }
    let (output, plan) = match matches.subcommand() {
        Some((name, matches)) => {
            let output = OUTPUTS.iter().find(|output| output.command && output.name == name);
            fill(output.unwrap_or(&text::ROW), matches)?
        }
        None => {
            let chosen = OUTPUTS
                .iter()
                .find(|output| output.flag && matches.value_source(output.name).is_some_and(given));
            fill(chosen.unwrap_or(&text::ROW), &matches)?
        }
    };
    Ok(Request::Report(output, Box::new(plan)))
}

/// What the parser objects to, in one sentence like all others.
fn refusal(error: &clap::Error) -> Error {
    let told = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(" or ")),
        _ => None,
    };
    // `--list <REGEX>`: what the value is called does not matter here.
    let bare = |option: String| option.split(' ').next().unwrap_or_default().to_string();
    let option = told(ContextKind::InvalidArg).map(bare);
    match (error.kind(), option) {
        (ErrorKind::UnknownArgument, Some(option)) => {
            let name = option.trim_start_matches('-');
            let alike = told(ContextKind::SuggestedArg).filter(|other| {
                strsim::normalized_damerau_levenshtein(name, other.trim_start_matches('-')) >= ALIKE_MIN
            });
            let meant = alike.map_or(String::new(), |other| format!(", did you mean {other}?"));
            Error::at(option, format_args!("is no option here{meant} (jeprof-rs --help lists them)"))
        }
        (ErrorKind::ArgumentConflict, Some(option)) => {
            let other = told(ContextKind::PriorArg).map_or("another option".into(), bare);
            Error::new(format!("{option} cannot be used with {other}: give one of them"))
        }
        _ => {
            let text = error.render().to_string();
            let first = text.lines().next().unwrap_or_default();
            Error::new(first.strip_prefix("error: ").unwrap_or(first))
        }
    }
}

/// From this likeness on, of at most 1, a known option is suggested for an unknown one.
const ALIKE_MIN: f64 = 0.6;

/// The parser, built from the rows.
pub fn parser() -> Command {
    command_line(Argument::Option)
}

/// How `list REGEX` and the like appear.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Argument {
    /// As `spelling` hands it on.
    Option,
    /// As people write it.
    Word,
}

fn command_line(style: Argument) -> Command {
    with_commands(with_inputs(root(style)), style)
}

/// The tool without its commands and files.
fn root(style: Argument) -> Command {
    let root = Command::new("jeprof-rs")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .override_usage(USAGE)
        .after_help(EXAMPLES)
        .disable_help_subcommand(true)
        .max_term_width(100)
        .styles(Styles::plain());
    let root = OUTPUTS.iter().filter(|output| output.flag).fold(root, |root, output| {
        let arg =
            Arg::new(output.name).long(output.name).help(output.about).help_heading(Part::Output.title());
        root.arg(match output.argument {
            Some(value) => arg.action(ArgAction::Set).value_name(value).allow_hyphen_values(true),
            None => arg.action(ArgAction::SetTrue).overrides_with(output.name),
        })
    });
    let root = MODES.iter().fold(root, |root, (name, help)| {
        let arg = Arg::new(*name).long(*name).action(ArgAction::SetTrue).overrides_with(*name);
        root.arg(arg.help(*help).help_heading(Part::Output.title()))
    });
    let flags = OUTPUTS
        .iter()
        .filter(|output| output.flag)
        .map(|output| output.name)
        .chain(MODES.map(|(name, _)| name));
    with_flags(root.group(ArgGroup::new(KIND_OF_OUTPUT).args(flags).multiple(false)), style)
}

fn with_commands(root: Command, style: Argument) -> Command {
    let root = OUTPUTS.iter().filter(|output| output.command).fold(root, |root, output| {
        let argument = output.argument.map_or(String::new(), |value| format!(" {value}"));
        let command = Command::new(output.name)
            .about(output.about)
            .override_usage(format!("jeprof-rs {}{argument} [OPTIONS] [PROGRAM] [DUMP...]", output.name))
            .after_help(more_of(output));
        let command = match output.argument {
            Some(value) if style == Argument::Word => {
                command.arg(Arg::new(ARGUMENT).value_name(value).required(true))
            }
            Some(value) => command.arg(
                Arg::new(ARGUMENT)
                    .long(spelling::COMMAND_ARGUMENT)
                    .hide(true)
                    .value_name(value)
                    .required(true)
                    .allow_hyphen_values(true),
            ),
            None => command,
        };
        root.subcommand(with_inputs(with_flags(command, style)))
    });
    TOOLS.iter().fold(root, |root, tool| root.subcommand((tool.parser)().about(tool.about)))
}

/// What stands below the options of a command.
fn more_of(output: &Output) -> String {
    if !output.parts.contains(&Part::Groups) {
        return output.examples.into();
    }
    let fields = FIELDS.iter().map(|field| format!("\n  {:<9} {}", field.name, field.about));
    format!("{}\n\nWhat --where can be about:{}", output.examples, fields.collect::<String>())
}

fn with_flags(mut command: Command, style: Argument) -> Command {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (part, flag) in flags::all() {
        let arg = argument(flag, part.title());
        let arg = match flag.takes {
            Takes::Switch(_) | Takes::One(..) => arg.overrides_with(flag.name),
            Takes::Many(..) => arg,
        };
        // The plan itself tells wrong values in better words than the parser.
        let offers_words = style == Argument::Word && !flag.words.is_empty();
        let arg = if offers_words { arg.value_parser(PossibleValuesParser::new(flag.words)) } else { arg };
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
    command
}

fn with_inputs(command: Command) -> Command {
    command.arg(
        Arg::new(INPUTS)
            .value_name("FILE")
            .value_hint(hint("FILE"))
            .help("PROGRAM, which may be left out, and DUMPs: files, folders, patterns, servers; what is packed is unpacked")
            .num_args(0..),
    )
}

/// The plan that the parser's findings make for this output.
fn fill(output: &'static Output, matches: &ArgMatches) -> Result<(&'static Output, Plan)> {
    let mut plan = settings(matches).plan()?;
    if output.argument.is_some() {
        // A command has it under the one name, the flag under the other; whether a name is known at all cannot be
        // asked, because without debug assertions the parser takes every name.
        let given = |id| matches.try_get_one::<String>(id).ok().flatten();
        if let Some(value) = given(ARGUMENT).or_else(|| given(output.name)) {
            plan.argument = Some(pattern(value).map_err(|what| Error::at(output.name, what))?);
        }
    }
    // In front of what --add has put there.
    plan.input.keep_labels |= output.keeps_labels;
    plan.input.keep_text |= output.keeps_text;
    plan.input.keep_parts |= output.keeps_parts;
    plan.input.first_is_base |= output.compares;
    plan.input.words.splice(..0, matches.get_many::<String>(INPUTS).into_iter().flatten().cloned());
    plan.input.first_word_meant = plan.input.words.first().and_then(|word| command_meant(word));
    plan.unused = flags::all()
        .filter(|(part, flag)| {
            !output.parts.contains(part) && matches.value_source(flag.name).is_some_and(given)
        })
        .map(|(_, flag)| flag.name)
        .collect();
    Ok((output, plan))
}

/// The command that a first word may have been meant to be. Files mostly have a dot or a slash in their names.
fn command_meant(word: &str) -> Option<String> {
    if word.contains(['.', '/', ':']) {
        return None;
    }
    if OUTPUTS.iter().any(|output| output.flag && output.name == word) {
        return Some(format!("--{word}"));
    }
    let commands = OUTPUTS.iter().filter(|output| output.command).map(|output| output.name);
    let commands = commands.chain(TOOLS.iter().map(|tool| tool.name));
    let alike = |name: &str| strsim::normalized_damerau_levenshtein(word, name);
    let nearest = commands.max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
    (alike(nearest) >= ALIKE_MIN).then(|| format!("the command {nearest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::choice::{Granularity, Metric, Rows};

    fn request(args: &str) -> (&'static str, Plan) {
        match parse(args.split_whitespace().map(String::from)).unwrap() {
            Request::Report(output, plan) => (output.name, *plan),
            Request::Tool(tool, _) => panic!("{} is no report", tool.name),
            Request::Prompt(..) | Request::Addresses(_) => panic!("{args} is no report"),
        }
    }

    #[test]
    fn the_parser_is_well_formed() {
        parser().debug_assert();
    }

    #[test]
    fn an_empty_line_asks_for_live_megabytes_per_function() {
        let (output, plan) = request("");
        assert_eq!((output, plan.figure.metric), ("text", Metric::InuseSpace));
        assert_eq!((plan.rows.granularity, plan.rows.count), (Granularity::Functions, Rows::Fitting));
        assert!(plan.input.words.is_empty() && !plan.figure.show_bytes);
    }

    #[test]
    fn flags_values_and_files_reach_the_plan() {
        let (output, plan) =
            request("./svc -alloc-space --lines a.heap --nodecount 7 --base x --base=y --collapsed b.heap");
        assert_eq!((output, plan.figure.metric), ("collapsed", Metric::AllocSpace));
        assert_eq!((plan.rows.granularity, plan.rows.count), (Granularity::Lines, Rows::AtMost(7)));
        assert_eq!(
            (plan.input.base, plan.input.words),
            (vec!["x".into(), "y".into()], vec!["./svc".to_string(), "a.heap".into(), "b.heap".into()])
        );
    }

    #[test]
    fn the_last_of_a_repeated_option_wins() {
        assert_eq!(request("--nodecount 3 --nodecount=0 --cum --cum").1.rows.count, Rows::All);
        assert!(!request("--show_bytes --noshow_bytes").1.figure.show_bytes);
        assert!(request("--no-show-bytes --show-bytes").1.figure.show_bytes);
    }

    #[test]
    fn a_command_has_its_own_output() {
        let (output, plan) = request("--inuse_objects flame x.heap");
        assert_eq!((output, plan.figure.metric), ("flame", Metric::InuseObjects));
        assert_eq!(plan.input.words, ["x.heap"]);
    }

    #[test]
    fn a_flag_that_an_output_does_not_look_at_is_noted() {
        assert_eq!(request("--collapsed --nodecount=3 x").1.unused, ["nodecount"]);
        assert!(request("--text --nodecount=3 x").1.unused.is_empty());
    }

    #[test]
    fn a_pattern_reaches_the_plan_from_the_flag_the_command_and_the_command_spelled_as_a_flag() {
        for args in ["--list=f x", "--list f x", "list f x", "x -peek=f", "peek f x"] {
            let (_, plan) = request(args);
            assert_eq!(plan.argument.map(|pattern| pattern.to_string()).as_deref(), Some("f"), "{args}");
            assert_eq!(plan.input.words, ["x"], "{args}");
        }
    }

    #[test]
    fn a_first_word_that_is_nearly_a_command_is_noted() {
        let meant = |args: &str| request(args).1.input.first_word_meant;
        assert_eq!(meant("topp x").as_deref(), Some("the command top"));
        assert_eq!(meant("text x").as_deref(), Some("--text"));
        assert_eq!(meant("top.heap x"), None);
        assert_eq!(meant("service x"), None);
        assert_eq!(meant("top topp x").as_deref(), Some("the command top"));
    }

    #[test]
    fn what_the_parser_refuses_is_one_sentence_with_the_option_in_it() {
        let error = |args: &str| parse(args.split_whitespace().map(String::from)).err().unwrap().to_string();
        let unknown = |option: &str, meant: &str| {
            format!("{option}: is no option here{meant} (jeprof-rs --help lists them)")
        };
        assert_eq!(error("--focsu=x y"), unknown("--focsu", ", did you mean --focus?"));
        assert_eq!(error("--nosuch y"), unknown("--nosuch", ""));
        assert_eq!(error("flame --text x"), unknown("--text", ""));
        assert_eq!(error("--svg --text x"), "--svg cannot be used with --text: give one of them");
        assert_eq!(error("--list=f --text x"), "--list cannot be used with --text: give one of them");
        assert!(
            error("--inuse_space --alloc_space x")
                .contains("--inuse_space cannot be used with --alloc_space")
        );
        assert_eq!(error("peek"), "peek: wants a REGEX: jeprof-rs peek REGEX DUMP");
    }

    #[test]
    fn the_words_that_shells_offer_are_taken_and_no_palette_is_forgotten() {
        for (_, flag) in flags::all() {
            for word in flag.words {
                let (Takes::One(_, set) | Takes::Many(_, set)) = flag.takes else { panic!("{}", flag.name) };
                assert_eq!(set(&mut Plan::default(), word), Ok(()), "--{}={word}", flag.name);
            }
        }
        let (_, colors) = flags::all().find(|(_, flag)| flag.name == "colors").unwrap();
        assert_eq!(colors.words, crate::render::flame::PALETTES.map(|(name, _)| name));
    }

    #[test]
    fn a_bad_value_names_its_option() {
        let error = |arg: &str| parse([arg.to_string()]).err().unwrap().to_string();
        assert!(error("--nodecount=-1").starts_with("--nodecount: '-1'"), "{}", error("--nodecount=-1"));
        assert!(error("--focus=(").starts_with("--focus: "));
    }
}
