//! What can stand at the end of a line.

use std::collections::BTreeSet;

use super::command::{WORDS, words};
use crate::cli::settings;
use crate::session::Session;

/// More names than this are no help on a screen.
const NAMES_MAX: usize = 200;

/// Words to complete with.
pub struct Completion {
    /// Function names as they match themselves in a regular expression.
    functions: BTreeSet<String>,
}

impl Completion {
    /// Words of a session.
    pub fn new(session: &Session) -> Completion {
        let symbols = &session.outcome.symbols;
        let names = symbols.functions.iter().map(|function| symbols.names.text(function.name));
        // The line is cut at spaces, so that a name with one needs something else in its place.
        Completion { functions: names.map(|name| regex::escape(name).replace(' ', ".")).collect() }
    }

    /// Where the word at the end of the line begins, and what it can become.
    pub fn complete(&self, line: &str) -> (usize, Vec<String>) {
        let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = &line[start..];
        if line[..start].trim().is_empty() {
            if let Some((_, begun)) = word.split_once('=') {
                return (line.len() - begun.len(), self.functions_with(begun));
            }
            let names = words().into_iter().map(String::from);
            let options = settings::changeable().map(|setting| match setting.value {
                Some(_) => format!("{}=", setting.name),
                None => setting.name.to_string(),
            });
            return (start, sorted(names.chain(options).filter(|name| name.starts_with(word))));
        }
        let first = line.split_whitespace().next().unwrap_or("");
        if WORDS.iter().any(|known| known.names.contains(&first)) {
            return (
                start,
                sorted(words().into_iter().map(String::from).filter(|name| name.starts_with(word))),
            );
        }
        if let Some(begun) = word.strip_prefix("--") {
            let switches = settings::changeable().filter(|setting| setting.value.is_none());
            let fitting = switches.filter(|setting| setting.name.starts_with(begun));
            return (start, sorted(fitting.map(|setting| format!("--{}", setting.name))));
        }
        // A dash in front ignores what follows.
        let begun = word.strip_prefix('-').unwrap_or(word);
        (line.len() - begun.len(), self.functions_with(begun))
    }

    /// Names that begin so; when there are none, those in which it begins a part.
    fn functions_with(&self, begun: &str) -> Vec<String> {
        let at_start = self.functions.iter().filter(|name| name.starts_with(begun));
        let found: Vec<String> = at_start.take(NAMES_MAX).cloned().collect();
        if !found.is_empty() || begun.is_empty() {
            return found;
        }
        let part = format!("::{begun}");
        self.functions.iter().filter(|name| name.contains(&part)).take(NAMES_MAX).cloned().collect()
    }
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(line: &str) -> (usize, Vec<String>) {
        let functions = ["parse", "parse_all", "svc::load", "<A\\.as\\.B>::x"].map(String::from).into();
        Completion { functions }.complete(line)
    }

    #[test]
    fn the_first_word_is_a_command_or_an_option() {
        assert_eq!(complete("colla"), (0, vec!["collapsed".to_string()]));
        assert_eq!(complete("foc"), (0, vec!["focus=".to_string()]));
        assert!(complete("").1.contains(&"quit".to_string()));
        assert!(!complete("base").1.contains(&"base=".to_string()), "counts when profiles are read");
    }

    #[test]
    fn further_words_are_functions_switches_or_commands() {
        assert_eq!(complete("top par"), (4, vec!["parse".into(), "parse_all".into()]));
        assert_eq!(complete("top -parse_"), (5, vec!["parse_all".into()]));
        assert_eq!(complete("focus=svc"), (6, vec!["svc::load".into()]));
        assert_eq!(complete("top loa"), (4, vec!["svc::load".into()]));
        assert_eq!(complete("top --cu"), (4, vec!["--cum".into()]));
        assert_eq!(complete("help qu"), (5, vec!["quit".into()]));
    }
}
