//! What a line at the prompt means. jeprof's and pprof's habits go together: `top20 focus -ignore --cum`,
//! `top 20 >file`, `peek REGEX | less`, `nodecount=7`, `alloc_space`.

use std::path::PathBuf;

use crate::cli::settings::Settings;
use crate::error::{Error, Result};
use crate::plan::choice::Compat;
use crate::render::{OUTPUTS, Output, tags, text, top};

/// Where a report goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Wherever reports of this kind are seen: standard output, or a file of its own for pictures.
    Usual,
    /// This file.
    File(PathBuf),
    /// The shell's command.
    Pipe(String),
}

/// A command with a name of its own.
pub struct Word {
    /// Its names.
    pub names: &'static [&'static str],
    /// What it does, for the help.
    pub about: &'static str,
    meaning: fn(Option<&str>) -> Command,
}

/// The commands that print no report.
pub const WORDS: &[Word] = &[
    Word {
        names: &["options", "o"],
        about: "List what can be set, and how it is set now",
        meaning: |_| Command::Options,
    },
    Word {
        names: &["help", "h", "?"],
        about: "List the commands, or explain one: help [COMMAND]",
        meaning: |word| Command::Help(word.map(str::to_string)),
    },
    Word {
        names: &["quit", "exit", "q"],
        about: "Leave; so does the end of input",
        meaning: |_| Command::Quit,
    },
];

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// An empty line.
    Nothing,
    /// Leave.
    Quit,
    /// Print the commands, or explain one.
    Help(Option<String>),
    /// Print what can be set.
    Options,
    /// Set an option for all reports to come.
    Assign(String, String),
    /// Make a report.
    Report(Report),
}

/// One report, and what is different for it alone.
#[derive(Debug)]
pub struct Report {
    /// Which.
    pub output: &'static Output,
    /// The value of an output that has one.
    pub argument: Option<String>,
    /// Options for this report, with values as for an assignment.
    pub options: Vec<(String, String)>,
    /// Where it goes.
    pub target: Target,
}

/// How many rows a table has here when nobody says.
const ROWS: &str = "10";

/// The output that a word names.
fn output(word: &str) -> Option<&'static Output> {
    OUTPUTS.iter().find(|output| output.name == word)
}

/// Every word that a line can begin with, apart from options.
pub fn words() -> Vec<&'static str> {
    let mut words: Vec<&str> = OUTPUTS.iter().map(|output| output.name).collect();
    words.extend(WORDS.iter().map(|word| word.names[0]));
    words.sort_unstable();
    words.dedup();
    words
}

/// Reads a line.
///
/// # Errors
/// There is no such command, or something is missing behind it.
pub fn parse(line: &str, settings: &Settings) -> Result<Command> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(Command::Nothing);
    }
    if let Some((name, value)) = line.split_once('=')
        && name.trim().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    {
        return Ok(Command::Assign(name.trim().into(), value.trim().into()));
    }
    let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    if let Some(word) = WORDS.iter().find(|word| word.names.contains(&first)) {
        return Ok((word.meaning)(rest.split_whitespace().next()));
    }
    let (name, count) = match output(first) {
        Some(_) => (first, None),
        None => {
            let name = first.trim_end_matches(|c: char| c.is_ascii_digit());
            (name, Some(&first[name.len()..]).filter(|digits| !digits.is_empty()))
        }
    };
    let Some(output) = output(name) else {
        if rest.is_empty() && Settings::is_switch(first) {
            return Ok(Command::Assign(first.into(), "true".into()));
        }
        return Err(unknown(first));
    };
    let compat = settings.plan()?.compat;
    // compat: jeprof's own table is called so at its prompt; otherwise it is pprof's.
    let is_jeprof_s = output.name == top::ROW.name && compat == Compat::Jeprof;
    let output = if is_jeprof_s { &text::ROW } else { output };
    let mut report = report(output, count, rest, settings)?;
    if compat == Compat::Jeprof && output.name == text::ROW.name {
        // compat: jeprof reads words to focus on here and does nothing with them.
        report.options.retain(|(name, _)| name != "focus");
    }
    Ok(Command::Report(report))
}

/// jeprof's sentence, and the nearest command.
fn unknown(word: &str) -> Error {
    let nearest =
        words().into_iter().map(|known| (strsim::normalized_damerau_levenshtein(word, known), known));
    let nearest = nearest.filter(|(alike, _)| *alike >= 0.6).max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = nearest.map_or(String::new(), |(_, known)| format!(" ({word}: did you mean {known}?)"));
    Error::new(format!("Unknown command: try 'help'.{hint}"))
}

/// Reads what stands behind the name of a report: a number of rows, words to focus on, words to ignore behind a dash,
/// `--cum` and other switches, `>FILE` or `|COMMAND` at the end.
fn report(output: &'static Output, count: Option<&str>, rest: &str, settings: &Settings) -> Result<Report> {
    let mut options: Vec<(String, String)> = Vec::new();
    let mut count = count.map(str::to_string);
    let mut target = Target::Usual;
    let (mut argument, mut focus, mut ignore) = (None, Vec::new(), Vec::new());
    // A file's name behind callgrind is jeprof's habit; it has no focus there.
    let names_a_file = output.name == "callgrind";
    let mut words = rest.split_whitespace();
    while let Some(word) = words.next() {
        if let Some(command) = word.strip_prefix('|') {
            let command: Vec<&str> = Some(command).into_iter().chain(words.by_ref()).collect();
            target = Target::Pipe(command.join(" ").trim().into());
            if target == Target::Pipe(String::new()) {
                return Err(Error::new("a command is missing behind |"));
            }
        } else if let Some(file) = word.strip_prefix('>') {
            let file = if file.is_empty() { words.next().unwrap_or("") } else { file };
            if file.is_empty() {
                return Err(Error::new("a file name is missing behind >"));
            }
            target = Target::File(file.into());
        } else if let Some(switch) = word.strip_prefix("--").filter(|switch| Settings::is_switch(switch)) {
            options.push((switch.into(), "true".into()));
        } else if let "-cum" | "-lines" = word {
            options.push((word[1..].into(), "true".into()));
        } else if let Some(pattern) = word.strip_prefix('-').filter(|pattern| !pattern.is_empty()) {
            ignore.push(pattern);
        } else if output.argument.is_some() && argument.is_none() {
            argument = Some(word.to_string());
        } else if names_a_file && target == Target::Usual {
            target = Target::File(word.into());
        } else if word.bytes().all(|byte| byte.is_ascii_digit()) {
            count = Some(word.into());
        } else {
            focus.push(word);
        }
    }
    if let (Some(value), None) = (output.argument, &argument) {
        return Err(Error::new(format!("{} wants a {value}", output.name)));
    }
    let is_table = output.name == text::ROW.name || output.name == top::ROW.name;
    if is_table && count.is_none() && settings.values("nodecount").is_none() {
        count = Some(ROWS.into());
    }
    options.extend(count.map(|count| ("nodecount".into(), count)));
    // As in pprof, where words behind `tags` are about labels.
    let names = if output.name == tags::ROW.name { ["tagfocus", "tagignore"] } else { ["focus", "ignore"] };
    for (name, patterns) in names.into_iter().zip([focus, ignore]) {
        if !patterns.is_empty() {
            options.push((name.into(), patterns.join("|")));
        }
    }
    Ok(Report { output, argument, options, target })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report_of(line: &str) -> Report {
        match parse(line, &Settings::default()).unwrap() {
            Command::Report(report) => report,
            other => panic!("{line}: {other:?}"),
        }
    }

    /// The options of a line as `name=value name=value`.
    fn options(line: &str) -> String {
        let options = report_of(line).options;
        let texts: Vec<String> = options.iter().map(|(name, value)| format!("{name}={value}")).collect();
        texts.join(" ")
    }

    #[test]
    fn tables_have_ten_rows_unless_a_number_stands_somewhere() {
        assert_eq!(options("top"), "nodecount=10");
        assert_eq!(options("text"), "nodecount=10");
        assert_eq!(options("top37"), "nodecount=37");
        assert_eq!(options(" top 5 "), "nodecount=5");
        let mut settings = Settings::default();
        settings.assign("nodecount", "4").unwrap();
        let Command::Report(report) = parse("top", &settings).unwrap() else { panic!() };
        assert!(report.options.is_empty());
    }

    #[test]
    fn words_focus_words_with_a_dash_ignore_and_switches_are_switches() {
        assert_eq!(
            options("top3 --cum one -two three -four -lines"),
            "cum=true lines=true nodecount=3 focus=one|three ignore=two|four"
        );
        assert_eq!(options("collapsed one"), "focus=one");
        assert_eq!(options("top -cum"), "cum=true nodecount=10");
        assert_eq!(options("tags thread -bytes"), "tagfocus=thread tagignore=bytes");
    }

    #[test]
    fn top_is_jeprof_s_table_only_where_its_quirks_are_asked_for() {
        assert_eq!(report_of("top").output.name, "top");
        let mut settings = Settings::default();
        settings.assign("compat", "jeprof").unwrap();
        let Command::Report(report) = parse("top3 focus -ignore", &settings).unwrap() else { panic!() };
        assert_eq!(report.output.name, "text");
        assert!(report.options.iter().all(|(name, _)| name != "focus"));
    }

    #[test]
    fn reports_go_to_files_and_commands() {
        let target = |line: &str| report_of(line).target;
        assert_eq!(target("top"), Target::Usual);
        assert_eq!(target("top >out.txt"), Target::File("out.txt".into()));
        assert_eq!(target("top 3 > out.txt x"), Target::File("out.txt".into()));
        assert_eq!(target("top x | sort -n | head"), Target::Pipe("sort -n | head".into()));
        assert_eq!(target("top x |less"), Target::Pipe("less".into()));
        assert_eq!(options("top 3 > out.txt x"), "nodecount=3 focus=x");
        for line in ["top >", "top |"] {
            assert!(parse(line, &Settings::default()).is_err(), "{line}");
        }
    }

    #[test]
    fn assignments_switches_and_words_of_the_prompt_are_told_apart() {
        let parse = |line: &str| parse(line, &Settings::default());
        let assigned = |line: &str| match parse(line) {
            Ok(Command::Assign(name, value)) => (name, value),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(assigned("focus = a|b c"), ("focus".into(), "a|b c".into()));
        assert_eq!(assigned("focus="), ("focus".into(), String::new()));
        assert_eq!(assigned("alloc_space"), ("alloc_space".into(), "true".into()));
        assert!(matches!(parse(""), Ok(Command::Nothing)));
        assert!(matches!(parse("quit now"), Ok(Command::Quit)));
        assert!(matches!(parse("o"), Ok(Command::Options)));
        assert!(matches!(parse("help top"), Ok(Command::Help(Some(_)))));
        assert_eq!(report_of("top a=b").options.len(), 2);
    }

    #[test]
    fn an_unknown_command_is_told_in_jeprof_s_words() {
        let error = |line: &str| parse(line, &Settings::default()).unwrap_err().to_string();
        assert_eq!(error("xyzzy"), "Unknown command: try 'help'.");
        assert!(error("colapsed").contains("did you mean collapsed?"));
        assert!(error("base_only").starts_with("Unknown command"));
    }

    #[test]
    fn words_of_the_prompt_name_no_output() {
        for word in WORDS.iter().flat_map(|word| word.names) {
            assert!(output(word).is_none(), "{word}");
        }
    }
}
