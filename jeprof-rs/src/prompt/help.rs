//! What the prompt says about itself, derived from the rows of outputs and flags.

use std::fmt::Write;

use super::command::WORDS;
use crate::cli::settings::{ONCE, Settings, changeable};
use crate::error::{Error, Result};
use crate::plan::Part;
use crate::render::{OUTPUTS, Output};

const FORMS: &str = "\
Behind a report: a number of rows (top20, top 20), words to focus on, words to ignore with a dash in front, --cum and
other switches, and at the end >FILE or |COMMAND. All words are regular expressions without spaces.
NAME=VALUE sets an option for all reports to come, NAME= takes it back, a switch is set by its name alone.";

/// The commands, or one of them.
///
/// # Errors
/// There is no such command or option.
pub fn help(about: Option<&str>) -> Result<String> {
    let Some(word) = about else { return Ok(all()) };
    let mut text = String::new();
    if let Some(output) = OUTPUTS.iter().find(|output| output.name == word) {
        let _ = writeln!(text, "{}\n\n{}", form(output), output.about);
        let parts = output.parts.iter().filter(|part| **part != Part::Output && !ONCE.contains(part));
        for part in parts {
            let _ = writeln!(text, "\n{}:", part.title());
            for setting in changeable().filter(|setting| setting.part == *part) {
                entry(&mut text, &left(setting.name, setting.value), setting.help);
            }
        }
    } else if let Some(known) = WORDS.iter().find(|known| known.names.contains(&word)) {
        let _ = writeln!(text, "{}: {}", known.names.join(", "), known.about);
    } else if let Some(setting) = changeable().find(|setting| setting.name == word) {
        let _ = writeln!(text, "{}\n\n{}", left(setting.name, setting.value), setting.help);
    } else {
        return Err(Error::new(format!("help: there is no command and no option {word}")));
    }
    Ok(text)
}

/// What can be set, and how it is set.
pub fn options(settings: &Settings) -> String {
    let mut text = String::new();
    for setting in changeable() {
        let value = match (settings.values(setting.name), setting.value) {
            (None, None) => "false".into(),
            (Some(_), None) => "true".into(),
            (values, Some(_)) => values.unwrap_or_default().join(" "),
        };
        entry(&mut text, &format!("{} = {value}", setting.name), setting.help);
    }
    text
}

fn all() -> String {
    let mut text = String::from("Reports:\n");
    for (at, output) in OUTPUTS.iter().enumerate() {
        // A command and a flag of the same name are one word here.
        if OUTPUTS[..at].iter().all(|other| other.name != output.name) {
            entry(&mut text, &form(output), output.about);
        }
    }
    text.push_str("\nOther commands:\n");
    for word in WORDS {
        entry(&mut text, &word.names.join(", "), word.about);
    }
    let _ = writeln!(text, "\n{FORMS}");
    text
}

fn form(output: &Output) -> String {
    left(output.name, output.argument).replace('=', " ")
}

fn left(name: &str, value: Option<&str>) -> String {
    value.map_or_else(|| name.to_string(), |value| format!("{name}={value}"))
}

/// Name and explanation side by side, the explanation broken into lines that fit most terminals; below the name when
/// that is long.
fn entry(text: &mut String, left: &str, right: &str) {
    const LEFT: usize = 28;
    const RIGHT: usize = 70;
    let mut line = String::new();
    let mut lines = Vec::new();
    for word in right.split_whitespace() {
        if !line.is_empty() && line.len() + 1 + word.len() > RIGHT {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    let mut left = left;
    // Writing to a String cannot fail.
    if left.len() >= LEFT {
        let _ = writeln!(text, "  {left}");
        left = "";
    }
    for line in lines {
        let _ = writeln!(text, "  {left:LEFT$}{line}");
        left = "";
    }
}
