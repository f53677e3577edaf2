//! Facts about the terminal that standard output may be: its width, and whether to colour.

pub mod names;
pub mod style;

use std::io::IsTerminal;

use names::columns;

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless the environment says otherwise.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// What a report is printed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// Columns of the terminal; none when it is no terminal.
    pub width: Option<usize>,
    /// Whether to colour.
    pub color: bool,
}

/// Where the width cannot be found out.
const WIDTH: usize = 80;

/// Standard output, or a file instead of it.
pub fn screen(color: Color, to_file: bool) -> Screen {
    let on_terminal = !to_file && std::io::stdout().is_terminal();
    let variable = |name: &str| std::env::var(name).ok();
    let size = || terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0));
    Screen {
        width: on_terminal.then(|| width(variable("COLUMNS").as_deref(), size())),
        color: colored(color, on_terminal, to_file, variable),
    }
}

/// `COLUMNS` counts before what the terminal says; 0 is what a terminal says that does not know.
fn width(columns: Option<&str>, size: Option<usize>) -> usize {
    let set = columns.and_then(|columns| columns.parse().ok());
    set.or(size).filter(|width| *width > 0).unwrap_or(WIDTH)
}

/// The option, then `NO_COLOR` (no-color.org), then `CLICOLOR_FORCE` and `TERM` (bixense.com/clicolors).
fn colored(
    color: Color,
    on_terminal: bool,
    to_file: bool,
    variable: impl Fn(&str) -> Option<String>,
) -> bool {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if is_set("NO_COLOR") || to_file => false,
        Color::Auto if variable("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0") => {
            true
        }
        Color::Auto => on_terminal && variable("TERM").is_none_or(|term| term != "dumb"),
    }
}

/// `text` in an SGR style (`1` bold, `2` faint, `31` red), if colours are on.
pub fn paint(text: &str, style: &str, screen: Screen) -> String {
    if screen.color && !style.is_empty() { format!("\x1b[{style}m{text}\x1b[0m") } else { text.into() }
}

/// `text` without what a terminal obeys, when it is for one: names come from files that others wrote.
pub fn harmless(text: &str, screen: Screen) -> String {
    let obeyed = |c: char| c.is_control() && c != '\t';
    if screen.width.is_some() { text.replace(obeyed, "?") } else { text.into() }
}

/// Words behind `taken` columns, on a terminal in as many lines as its width asks for, all of them as far in.
pub fn folded(words: &str, taken: usize, screen: Screen) -> String {
    let Some(width) = screen.width else { return words.into() };
    let left = width.saturating_sub(taken).max(WORDS_MIN);
    let mut lines = vec![String::new()];
    for word in words.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if columns(line) + 1 + columns(word) <= left {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.into());
        }
    }
    lines.join(&format!("\n{:taken$}", ""))
}

/// Narrower than this, words are not folded.
const WORDS_MIN: usize = 24;

/// A line of source code in at most `width` columns: tabs as blanks, so that it looks as in an editor wherever it
/// begins, and `…` for what has no room.
pub fn source_line(text: &str, width: usize) -> String {
    let mut line = String::new();
    for letter in text.chars() {
        match letter {
            '\t' => line.push_str(&" ".repeat(TAB - columns(&line) % TAB)),
            _ => line.push(letter),
        }
    }
    if columns(&line) <= width {
        return line;
    }
    while columns(&line) + 1 > width && line.pop().is_some() {}
    line.push('…');
    line
}

const TAB: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_the_option_then_the_environment_then_the_terminal() {
        let decide = |color, terminal, set: &[(&str, &str)]| {
            colored(color, terminal, false, |name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
            })
        };
        assert!(decide(Color::Auto, true, &[]));
        assert!(!decide(Color::Auto, false, &[]));
        assert!(!decide(Color::Auto, true, &[("NO_COLOR", "1")]));
        assert!(decide(Color::Auto, true, &[("NO_COLOR", "")]));
        assert!(decide(Color::Auto, false, &[("CLICOLOR_FORCE", "1")]));
        assert!(!decide(Color::Auto, false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!decide(Color::Auto, true, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
        assert!(!decide(Color::Auto, true, &[("TERM", "dumb")]));
        assert!(decide(Color::Always, false, &[("NO_COLOR", "1")]));
        assert!(!decide(Color::Never, true, &[("CLICOLOR_FORCE", "1")]));
        assert!(!colored(Color::Auto, false, true, |_| Some("1".into())));
    }

    #[test]
    fn words_are_folded_on_a_terminal_alone() {
        let words = "objects that were handed out (stats.allocated)";
        let on = |width| folded(words, 10, Screen { width, color: false });
        assert_eq!(on(None), words);
        assert_eq!(on(Some(80)), words);
        assert_eq!(on(Some(40)), "objects that were handed out\n          (stats.allocated)");
        assert_eq!(on(Some(12)).lines().map(str::len).max(), Some(10 + "out (stats.allocated)".len()));
    }

    #[test]
    fn source_lines_are_cut_and_their_tabs_are_blanks() {
        assert_eq!(source_line("\tif (x)\treturn;", 80), "        if (x)  return;");
        assert_eq!(source_line("\tif (x)\treturn;", 12), "        if …");
        assert_eq!(source_line("f();", 4), "f();");
        assert_eq!(source_line("漢字漢字", 6), "漢字…");
    }

    #[test]
    fn what_a_terminal_obeys_does_not_reach_it() {
        let text = "a\u{1b}[2Jb\tc";
        assert_eq!(harmless(text, Screen { width: Some(80), color: true }), "a?[2Jb\tc");
        assert_eq!(harmless(text, Screen { width: None, color: true }), text);
    }

    #[test]
    fn the_width_is_never_zero() {
        assert_eq!(width(Some("120"), Some(80)), 120);
        assert_eq!(width(Some("x"), Some(100)), 100);
        assert_eq!(width(None, Some(0)), 80);
        assert_eq!(width(Some("0"), None), 80);
    }
}
