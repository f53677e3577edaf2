//! `jeprof-rs man`: the manual page, from the same rows as the parser and its help.

use std::fmt::Write;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::error::Result;
use crate::render::OUTPUTS;
use crate::tool::{self, Tool};

/// The command.
pub const TOOL: Tool = Tool { name: "man", about: ABOUT, parser, run };

const ABOUT: &str = "Print the manual page (roff)";

const MORE: &str = "\
Read it:    jeprof-rs man | man -l -
Install it: jeprof-rs man > ~/.local/share/man/man1/jeprof-rs.1";

/// What other places of the program read from the environment.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("CLICOLOR_FORCE", "With another value than 0: colours even if standard output is no terminal."),
    ("COLUMNS", "Width of tables on a terminal, instead of the terminal's own."),
    ("DEBUGINFOD_URLS", "Servers that are asked for debug files. None is asked unless this is set."),
    ("JEPROF_TMPDIR, PPROF_TMPDIR", "Where copies of profiles from servers are kept, instead of ~/jeprof."),
    ("MALLOC_CONF", "What the command conf checks when it is given no string."),
    ("NO_COLOR", "With any value but the empty one: no colours."),
    ("PPROF_BINARY_PATH", "Folders in which programs are looked for."),
    ("XDG_CACHE_HOME", "Where caches are kept, instead of ~/.cache."),
];

const STATUS: &[(&str, &str)] = &[
    ("0", "The report was made; for conf, nothing is wrong."),
    ("1", "For conf: something of the string is refused, not read, or without effect."),
    (
        "2",
        "Nothing was made: bad usage, or input that cannot be read. The message on standard error names the file and place.",
    ),
];

fn parser() -> Command {
    Command::new(TOOL.name).about(ABOUT).after_help(MORE)
}

fn run(_: &ArgMatches) -> Result<ExitCode> {
    tool::print(page(&super::parser()).as_bytes())
}

fn page(parser: &Command) -> String {
    let mut page = Page::default();
    let about = parser.get_about().map(ToString::to_string).unwrap_or_default();
    page.request(&format!(
        ".TH JEPROF-RS 1 \"\" \"jeprof-rs {}\" \"User Commands\"",
        env!("CARGO_PKG_VERSION")
    ));
    page.section("NAME");
    page.text("jeprof-rs - heap profiles as tables, stacks, call graphs and flame graphs");
    page.section("SYNOPSIS");
    page.request(".nf");
    page.text("jeprof-rs [OPTIONS] [PROGRAM] DUMP...");
    page.text("jeprof-rs COMMAND [OPTIONS] [PROGRAM] [DUMP...]");
    page.request(".fi");
    page.section("DESCRIPTION");
    page.text(&about);
    page.section("OPTIONS");
    page.arguments(parser);
    page.section("COMMANDS");
    for command in parser.get_subcommands() {
        page.command(command);
    }
    page.section("ENVIRONMENT");
    page.list(ENVIRONMENT);
    page.section("EXIT STATUS");
    page.list(STATUS);
    page.section("NOTES");
    page.as_it_is(&parser.get_after_help().map(ToString::to_string).unwrap_or_default());
    page.section("SEE ALSO");
    page.text("jeprof(1), pprof(1), jemalloc(3)");
    page.0
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn request(&mut self, line: &str) {
        self.0 += line;
        self.0.push('\n');
    }

    fn section(&mut self, name: &str) {
        self.request(&format!(".SH {name}"));
    }

    fn text(&mut self, text: &str) {
        for line in text.lines() {
            self.request(&escaped(line));
        }
    }

    fn as_it_is(&mut self, text: &str) {
        self.request(".nf");
        self.text(text.trim());
        self.request(".fi");
    }

    fn list(&mut self, rows: &[(&str, &str)]) {
        for (name, text) in rows {
            self.item(name, text);
        }
    }

    fn item(&mut self, name: &str, text: &str) {
        self.request(".TP");
        self.request(&format!("\\fB{}\\fR", escaped(name).trim_start_matches("\\&")));
        self.text(text);
    }

    /// Options by heading, in the order of the help.
    fn arguments(&mut self, command: &Command) {
        let shown = || command.get_arguments().filter(|arg| !arg.is_hide_set());
        let mut headings: Vec<Option<&str>> = Vec::new();
        for arg in shown() {
            if !headings.contains(&arg.get_help_heading()) {
                headings.push(arg.get_help_heading());
            }
        }
        for heading in headings {
            if let Some(heading) = heading {
                self.request(&format!(".SS {}", escaped(heading)));
            }
            for arg in shown().filter(|arg| arg.get_help_heading() == heading) {
                self.argument(arg);
            }
        }
    }

    fn argument(&mut self, arg: &Arg) {
        let mut words = Vec::new();
        words.extend(arg.get_short().map(|short| format!("-{short}")));
        words.extend(arg.get_long().map(|long| format!("--{long}")));
        let mut name = format!("\\fB{}\\fR", escaped(&words.join(", ")).trim_start_matches("\\&"));
        if matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) {
            let value = arg
                .get_value_names()
                .map(|names| names.join(" "))
                .unwrap_or_else(|| arg.get_id().to_string());
            let equals = if words.is_empty() { "" } else { "=" };
            let _ = write!(name, "{equals}\\fI{}\\fR", escaped(&value));
        }
        self.request(".TP");
        self.request(&name);
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let possible: Vec<_> =
            arg.get_possible_values().iter().map(|value| value.get_name().to_string()).collect();
        let takes_one_of = arg.get_action().takes_values() && !possible.is_empty();
        self.text(&if takes_one_of { format!("{help}: {}", possible.join(", ")) } else { help });
    }

    /// A report has the options above; another command has its own.
    fn command(&mut self, command: &Command) {
        let name = command.get_name();
        let output = OUTPUTS.iter().find(|output| output.command && output.name == name);
        let argument = output.and_then(|output| output.argument);
        let title = argument.map_or(name.to_string(), |argument| format!("{name} {argument}"));
        self.request(&format!(".SS {}", escaped(&title)));
        self.text(&command.get_about().map(ToString::to_string).unwrap_or_default());
        if output.is_none() {
            self.arguments(command);
        }
        if let Some(more) = command.get_after_help().map(ToString::to_string).filter(|more| !more.is_empty())
        {
            self.request(".PP");
            self.as_it_is(&more);
        }
    }
}

/// Text that roff prints as it is.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    // A dot or quote in front would be a request.
    if text.starts_with(['.', '\'']) {
        out.push_str("\\&");
    }
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\(rs"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '`' => out.push_str("\\(ga"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            c if c.is_ascii() => out.push(c),
            c => {
                let _ = write!(out, "\\[u{:04X}]", u32::from(c));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_output_command_and_exit_status_is_on_the_page() {
        let parser = super::super::parser();
        let page = page(&parser);
        for arg in parser.get_arguments().filter(|arg| !arg.is_hide_set()) {
            if let Some(long) = arg.get_long() {
                assert!(page.contains(&format!("{}\\fR", escaped(&format!("--{long}")))), "--{long}");
            }
        }
        for output in OUTPUTS.iter().filter(|output| output.command) {
            assert!(page.contains(&format!(".SS {}", output.name)), "{}", output.name);
        }
        for tool in super::super::TOOLS {
            assert!(page.contains(&format!(".SS {}\n", tool.name)), "{}", tool.name);
            for arg in (tool.parser)().get_arguments().filter_map(|arg| arg.get_long()) {
                assert!(page.contains(&escaped(&format!("--{arg}"))), "{} --{arg}", tool.name);
            }
        }
        for status in ["0", "1", "2"] {
            assert!(page.contains(&format!("\\fB{status}\\fR")));
        }
    }

    #[test]
    fn text_cannot_become_a_request() {
        assert_eq!(escaped(".dwo"), "\\&.dwo");
        assert_eq!(escaped("'a' \\ -x"), "\\&\\(aqa\\(aq \\(rs \\-x");
        let page = page(&super::super::parser());
        let known = [".TH", ".SH", ".SS", ".TP", ".PP", ".nf", ".fi"];
        for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
            assert!(known.iter().any(|request| line.starts_with(request)), "{line}");
        }
    }
}
