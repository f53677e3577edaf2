//! Turns every spelling that people use into the one that the parser knows.
//!
//! jeprof takes `--show_bytes`, `-show_bytes`, `--Show_Bytes` and `--show_b`, in any place, also behind file
//! names; people write `--show-bytes`. Here all of them become `--show_bytes`, options move in front of the files,
//! and a `--` is put between. What is not known stays as it is, so that the parser can suggest the nearest.

use super::flags::{self, Takes};
use crate::error::{Error, Result};
use crate::render::{OUTPUTS, Output};

/// Long options that the parser brings along, without value.
const BUILT_IN: [&str; 2] = ["help", "version"];

/// How help is asked for, also in the place of a command's REGEX.
const HELP: [&str; 2] = ["--help", "-h"];

/// jeprof's word for the prompt.
pub const INTERACTIVE: &str = "interactive";

/// jeprof's word for naming addresses.
pub const SYMBOLS: &str = "symbols";

/// Switches that ask for something else than a report, with what they do.
pub const MODES: [(&str, &str); 2] = [
    (INTERACTIVE, "Ask for reports at a prompt ('help' there lists them); profiles are read once"),
    (
        SYMBOLS,
        "Name the addresses on stdin, one line each; lines of a memory map there say what was loaded where",
    ),
];

/// The option that carries the first word behind a command such as `list REGEX`. No user has to know it.
pub const COMMAND_ARGUMENT: &str = "argument";

/// A command line in the parser's spelling: command, options, files.
#[derive(Default)]
pub struct Spelled {
    /// `None` for the command without a name.
    pub command: Option<&'static Output>,
    /// The command's REGEX, if it was given with it, as in `-peek=REGEX`.
    pub argument: Option<String>,
    /// Options, and values of options.
    pub options: Vec<String>,
    /// Everything else.
    pub files: Vec<String>,
}

impl Spelled {
    /// Whether help is wanted, which needs no argument.
    pub fn asks_for_help(&self) -> bool {
        self.options.iter().any(|option| HELP.contains(&option.as_str()))
    }
}

/// Rewrites the arguments (without the tool's own name).
///
/// # Errors
/// A beginning that fits several options, an option without its value, two commands.
pub fn spell(args: impl IntoIterator<Item = String>) -> Result<Spelled> {
    let mut spelled = Spelled::default();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            spelled.files.extend(args);
            break;
        }
        let Some(word) = arg.strip_prefix('-').filter(|word| !word.is_empty()) else {
            let command = OUTPUTS.iter().find(|output| output.command && output.name == arg);
            if command.is_some() && spelled.command.is_none() && spelled.files.is_empty() {
                spelled.command = command;
            } else {
                spelled.files.push(arg);
            }
            continue;
        };
        let (dashes, word) = match word.strip_prefix('-') {
            Some(word) => ("--", word),
            None => ("-", word),
        };
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let command = command_spelled(dashes, name).filter(|command| {
            // `--diff=old` is short for `--diff_base=old`.
            command.argument.is_some() || matches!(value, None | Some("true" | "1" | "false" | "0"))
        });
        if let Some(command) = command {
            if command.argument.is_none() && matches!(value, Some("false" | "0")) {
                continue;
            }
            if let Some(first) = spelled.command.filter(|first| first.name != command.name) {
                return Err(Error::new(format!("{dashes}{name} cannot be used with {}", first.name)));
            }
            spelled.command = Some(command);
            if command.argument.is_some() {
                let value = value.map(String::from).or_else(|| args.next());
                if let Some(help) = value.as_ref().filter(|value| HELP.contains(&value.as_str())) {
                    spelled.options.push(help.clone());
                    continue;
                }
                let value = value.ok_or_else(|| lacks_value(command.name, command.argument))?;
                spelled.argument = Some(value);
            }
            continue;
        }
        let short = flags::all()
            .map(|(_, flag)| flag)
            .find(|flag| dashes == "-" && flag.short.is_some_and(|short| name.starts_with(short)));
        let mut long = long_name(dashes, name)?;
        if let (Some(known), None, None) = (long, value, spelled.command)
            && let Some(bare) =
                flags::all().find(|(_, flag)| flag.name == known.name).and_then(|(_, flag)| flag.bare)
        {
            long = long_name("--", bare)?;
        }
        let takes_value = match long {
            Some(long) if !long.takes_value => {
                let on = match value {
                    None | Some("true" | "1") => !long.negated,
                    Some("false" | "0") => long.negated,
                    Some(_) => {
                        return Err(Error::at(
                            format_args!("--{}", long.name),
                            "is on or off, and has no value",
                        ));
                    }
                };
                // The last one counts: what takes a switch back takes all before it back.
                let option = format!("--{}", long.name);
                spelled.options.retain(|known| *known != option);
                if on {
                    spelled.options.push(option);
                }
                false
            }
            Some(long) => {
                spelled.options.push(match value {
                    Some(value) => format!("--{}={value}", long.name),
                    None => format!("--{}", long.name),
                });
                true
            }
            None => {
                // `-o` and `-oFILE` are for the parser; so is everything unknown, as a long option, because the
                // parser suggests the nearest long option only for those.
                let keep = dashes == "--" || name.chars().count() == 1 || short.is_some();
                spelled.options.push(if keep { arg.clone() } else { format!("-{arg}") });
                match short {
                    Some(flag) if name.chars().count() == 1 => flag.takes.a_value(),
                    _ => false,
                }
            }
        };
        if takes_value && value.is_none() {
            let value = args.next().ok_or_else(|| match long {
                Some(long) => lacks_value(&format!("--{}", long.name), value_name(long.name)),
                None => lacks_value(&arg, None),
            })?;
            spelled.options.push(value);
        }
    }
    Ok(spelled)
}

/// The command that is spelled as an option, as in pprof: `-top`, `-peek=REGEX`. Whole names only, because what is
/// shorter may be jeprof's.
fn command_spelled(dashes: &str, name: &str) -> Option<&'static Output> {
    let wanted = name.to_ascii_lowercase().replace('-', "_");
    let is_flag = OUTPUTS.iter().any(|output| output.flag && output.name == wanted);
    if is_flag || (dashes == "-" && wanted.len() == 1) {
        return None;
    }
    OUTPUTS.iter().find(|output| output.command && output.name == wanted)
}

/// What the help calls an option's value.
fn value_name(name: &str) -> Option<&'static str> {
    let of_flag = flags::all().find(|(_, flag)| flag.name == name).and_then(|(_, flag)| match flag.takes {
        Takes::One(value, _) | Takes::Many(value, _) => Some(value),
        Takes::Switch(_) => None,
    });
    of_flag.or_else(|| OUTPUTS.iter().find(|output| output.flag && output.name == name)?.argument)
}

fn lacks_value(option: &str, value: Option<&str>) -> Error {
    Error::at(option, format_args!("wants a value behind it: {option} {}", value.unwrap_or("VALUE")))
}

/// An option that is known, under the name that the parser knows.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Long {
    name: &'static str,
    takes_value: bool,
    negated: bool,
}

/// Every name of every option.
fn names() -> impl Iterator<Item = (&'static str, Long)> {
    let flags = flags::all().flat_map(|(_, flag)| {
        let long = Long { name: flag.name, takes_value: flag.takes.a_value(), negated: false };
        [flag.name].into_iter().chain(flag.aliases.iter().copied()).map(move |name| (name, long))
    });
    let outputs = OUTPUTS.iter().filter(|output| output.flag).map(|output| {
        (output.name, Long { name: output.name, takes_value: output.argument.is_some(), negated: false })
    });
    let built_in = BUILT_IN.into_iter().chain(MODES.map(|(name, _)| name));
    let built_in = built_in.map(|name| (name, Long { name, takes_value: false, negated: false }));
    flags.chain(outputs).chain(built_in)
}

/// The option that `name` spells or abbreviates.
fn long_name(dashes: &str, name: &str) -> Result<Option<Long>> {
    let wanted = name.to_ascii_lowercase().replace('-', "_");
    // One letter behind one dash is a short option, never an abbreviation.
    if wanted.is_empty() || (dashes == "-" && wanted.len() == 1) {
        return Ok(None);
    }
    if let Some((_, exact)) = names().find(|(known, _)| *known == wanted) {
        return Ok(Some(exact));
    }
    if let Some(rest) = wanted.strip_prefix("no") {
        let rest = rest.trim_start_matches('_');
        if let Some((_, long)) = names().find(|(known, long)| *known == rest && !long.takes_value) {
            return Ok(Some(Long { negated: true, ..long }));
        }
    }
    let mut fitting: Vec<Long> = Vec::new();
    for (_, long) in names().filter(|(known, _)| known.starts_with(&wanted)) {
        if !fitting.contains(&long) {
            fitting.push(long);
        }
    }
    match fitting.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        several => {
            let names: Vec<String> = several.iter().map(|long| format!("--{}", long.name)).collect();
            Err(Error::new(format!("option '{dashes}{name}' could be {}", names.join(" or "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &str) -> Vec<String> {
        spell(args.split_whitespace().map(String::from)).unwrap().options
    }

    #[test]
    fn help_in_the_place_of_a_pattern_is_help() {
        for line in ["-peek --help", "--list -h"] {
            let spelled = spell(line.split(' ').map(String::from)).unwrap();
            assert!(spelled.asks_for_help() && spelled.argument.is_none(), "{line}");
        }
    }

    #[test]
    fn dashes_underscores_case_and_one_dash_are_the_same_option() {
        for spelling in
            ["--show_bytes", "--show-bytes", "-show_bytes", "-show-bytes", "--Show-Bytes", "--show"]
        {
            assert_eq!(options(spelling), ["--show_bytes"], "{spelling}");
        }
    }

    #[test]
    fn every_flag_is_known_in_every_spelling_and_by_each_beginning_that_is_its_own() {
        for (_, flag) in flags::all() {
            for end in 2..=flag.name.len() {
                let start = &flag.name[..end];
                let fitting: std::collections::BTreeSet<&str> = names()
                    .filter(|(known, _)| known.starts_with(start))
                    .map(|(_, long)| long.name)
                    .collect();
                let whole = names().find(|(known, _)| *known == start);
                for dashes in ["-", "--"] {
                    let value = if flag.takes.a_value() { "=v" } else { "" };
                    let spelling = format!("{dashes}{}", start.replace('_', "-"));
                    let answer = spell([format!("{spelling}{value}")]);
                    match whole {
                        Some((_, long)) if long.name != flag.name => {}
                        Some(_) if flag.bare.is_some() => {}
                        None if start.starts_with("no") && fitting.len() > 1 => {}
                        None if fitting.len() > 1 => {
                            let error = answer.err().unwrap().to_string();
                            assert!(error.contains(flag.name), "{spelling}: {error}");
                        }
                        _ => assert_eq!(answer.unwrap().options, [format!("--{}{value}", flag.name)]),
                    }
                }
            }
        }
    }

    #[test]
    fn a_switch_is_taken_back_in_every_spelling() {
        for off in
            ["--noshow_bytes", "-no-show-bytes", "--no_Show_Bytes", "--show_bytes=false", "-show-bytes=0"]
        {
            assert_eq!(options(&format!("--show_bytes {off} --cum")), ["--cum"], "{off}");
            assert_eq!(options(&format!("{off} --show_b=true")), ["--show_bytes"], "{off}");
        }
        assert!(spell(["--cum=3".to_string()]).is_err());
    }

    #[test]
    fn a_name_that_is_jeprof_s_abbreviation_and_pprof_s_flag_is_told_by_its_value() {
        assert_eq!(options("--show x"), ["--show_bytes"]);
        assert_eq!(options("-show=x y"), ["--show=x"]);
        assert_eq!(options("flame -show x y"), ["--show", "x"]);
    }

    #[test]
    fn values_stay_with_their_option_wherever_it_stands() {
        let spelled =
            spell(["a.heap", "-focus", "-x-", "--nodecount=3", "b.heap", "-o", "f"].map(String::from));
        let spelled = spelled.unwrap();
        assert_eq!(spelled.options, ["--focus", "-x-", "--nodecount=3", "-o", "f"]);
        assert_eq!(spelled.files, ["a.heap", "b.heap"]);
    }

    #[test]
    fn a_command_is_found_behind_options_but_not_behind_files() {
        let spelled = spell(["--cum", "flame", "x"].map(String::from)).unwrap();
        assert_eq!(spelled.command.map(|output| output.name), Some("flame"));
        assert_eq!(spelled.files, ["x"]);
        let spelled = spell(["x", "flame"].map(String::from)).unwrap();
        assert!(spelled.command.is_none() && spelled.files.len() == 2);
        let spelled = spell(["--", "flame", "--cum"].map(String::from)).unwrap();
        assert!(spelled.command.is_none() && spelled.files.len() == 2);
    }

    #[test]
    fn a_command_may_be_spelled_as_an_option_with_its_argument() {
        let spell = |args: &str| spell(args.split_whitespace().map(String::from));
        for args in ["-top x --cum", "x --top --cum", "--cum --top=true x"] {
            let spelled = spell(args).unwrap();
            assert_eq!(spelled.command.map(|output| output.name), Some("top"), "{args}");
            assert_eq!((spelled.options, spelled.files), (vec!["--cum".into()], vec!["x".into()]));
        }
        for args in ["-peek=f x", "x -peek f", "--peek=f x"] {
            let spelled = spell(args).unwrap();
            assert_eq!(spelled.command.map(|output| output.name), Some("peek"), "{args}");
            assert_eq!((spelled.argument.as_deref(), spelled.files), (Some("f"), vec!["x".into()]));
        }
        assert_eq!(spell("-top -tree x").err().unwrap().to_string(), "-tree cannot be used with top");
        assert!(spell("-top=false x").unwrap().command.is_none());
        assert_eq!(spell("--diff=old new").unwrap().options, ["--diff_base=old"]);
        assert_eq!(spell("--diff old new").unwrap().command.map(|output| output.name), Some("diff"));
    }

    #[test]
    fn an_option_without_its_value_is_told_what_it_wants() {
        let error = |args: &str| spell(args.split_whitespace().map(String::from)).err().unwrap().to_string();
        assert_eq!(error("x --focus"), "--focus: wants a value behind it: --focus REGEX");
        assert_eq!(error("x --list"), "--list: wants a value behind it: --list REGEX");
        assert_eq!(error("x -peek"), "peek: wants a value behind it: peek REGEX");
        assert_eq!(error("x -o"), "-o: wants a value behind it: -o VALUE");
    }

    #[test]
    fn what_is_not_known_is_left_to_the_parser() {
        assert_eq!(options("--inuse_spaces"), ["--inuse_spaces"]);
        assert_eq!(options("-focsu=x"), ["--focsu=x"]);
        assert_eq!(options("-ofile -z -"), ["-ofile", "-z"]);
    }
}
