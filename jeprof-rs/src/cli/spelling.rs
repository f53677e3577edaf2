//! Turns every spelling that people use into the one that the parser knows.
//!
//! jeprof takes `--show_bytes`, `-show_bytes`, `--Show_Bytes` and `--show_b`, in any place, also behind file
//! names; people write `--show-bytes`. Here all of them become `--show_bytes`, options move in front of the files,
//! and a `--` is put between. What is not known stays as it is, so that the parser can suggest the nearest.

use super::flags::{COMMANDS, FLAGS};
use crate::error::{Error, Result};

/// Long options that the parser brings along, without value.
const BUILT_IN: [&str; 2] = ["help", "version"];

/// A command line in the parser's spelling: command, options, files.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Spelled {
    /// Index in [`COMMANDS`], `None` for the command without a name.
    pub command: Option<usize>,
    /// Options, and values of options.
    pub options: Vec<String>,
    /// Everything else.
    pub files: Vec<String>,
}

/// Rewrites the arguments (without the tool's own name).
///
/// # Errors
/// A beginning that fits several options.
pub fn spell(args: impl IntoIterator<Item = String>) -> Result<Spelled> {
    let mut spelled = Spelled::default();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            spelled.files.extend(args);
            break;
        }
        let Some(word) = arg.strip_prefix('-').filter(|word| !word.is_empty()) else {
            let command = COMMANDS.iter().position(|command| command.name == arg);
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
        let short =
            FLAGS.iter().find(|flag| dashes == "-" && flag.short.is_some_and(|s| name.starts_with(s)));
        let takes_value = match long_name(dashes, name)? {
            Some((long, takes_value)) => {
                spelled.options.push(match value {
                    Some(value) => format!("--{long}={value}"),
                    None => format!("--{long}"),
                });
                takes_value
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
        if takes_value
            && value.is_none()
            && let Some(value) = args.next()
        {
            spelled.options.push(value);
        }
    }
    Ok(spelled)
}

/// The flag that `name` spells or abbreviates, and whether it has a value.
fn long_name(dashes: &str, name: &str) -> Result<Option<(&'static str, bool)>> {
    let wanted = name.to_ascii_lowercase().replace('-', "_");
    // One letter behind one dash is a short option, never an abbreviation.
    if wanted.is_empty() || (dashes == "-" && wanted.len() == 1) {
        return Ok(None);
    }
    let known = FLAGS
        .iter()
        .map(|flag| (flag.name, flag.takes.a_value()))
        .chain(BUILT_IN.iter().map(|name| (*name, false)));
    let fitting: Vec<_> = known.filter(|(known, _)| known.starts_with(&wanted)).collect();
    if let Some(exact) = fitting.iter().find(|(known, _)| *known == wanted) {
        return Ok(Some(*exact));
    }
    match fitting.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        several => {
            let names: Vec<String> = several.iter().map(|(known, _)| format!("--{known}")).collect();
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
    fn dashes_underscores_case_and_one_dash_are_the_same_option() {
        for spelling in
            ["--show_bytes", "--show-bytes", "-show_bytes", "-show-bytes", "--Show-Bytes", "--show"]
        {
            assert_eq!(options(spelling), ["--show_bytes"], "{spelling}");
        }
    }

    #[test]
    fn every_flag_is_known_in_every_spelling_and_by_each_beginning_that_is_its_own() {
        for flag in FLAGS {
            for end in 2..=flag.name.len() {
                let start = &flag.name[..end];
                let fitting = FLAGS.iter().map(|flag| flag.name).chain(BUILT_IN);
                let others = fitting.filter(|name| name.starts_with(start)).count();
                for dashes in ["-", "--"] {
                    let spelling = format!("{dashes}{}=v", start.replace('_', "-"));
                    let answer = spell([spelling]);
                    if others == 1 || start == flag.name {
                        assert_eq!(answer.unwrap().options, [format!("--{}=v", flag.name)]);
                    } else {
                        assert!(answer.unwrap_err().to_string().contains(flag.name));
                    }
                }
            }
        }
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
        assert_eq!((spelled.command, spelled.files), (Some(0), vec!["x".to_string()]));
        let spelled = spell(["x", "flame"].map(String::from)).unwrap();
        assert_eq!((spelled.command, spelled.files.len()), (None, 2));
        let spelled = spell(["--", "flame", "--cum"].map(String::from)).unwrap();
        assert_eq!((spelled.command, spelled.files.len()), (None, 2));
    }

    #[test]
    fn what_is_not_known_is_left_to_the_parser() {
        assert_eq!(options("--inuse_spaces"), ["--inuse_spaces"]);
        assert_eq!(options("-focsu=x"), ["--focsu=x"]);
        assert_eq!(options("-ofile -z -"), ["-ofile", "-z"]);
    }
}
