//! Comparing with a file of expected text; `UPDATE_GOLDEN=1` rewrites the file instead.

use crate::build::workspace;

/// Asserts that `text` equals `fixtures/<name>`.
///
/// # Panics
/// With the first line that differs and the switch that rewrites the file.
#[track_caller]
pub fn assert_golden(name: &str, text: &str) {
    let path = workspace().join("fixtures").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let expected = golden(name);
    if let Some((line, want, got)) = first_difference(&expected, text) {
        panic!(
            "fixtures/{name} line {line}:\n  expected: {want}\n  got:      {got}\nUPDATE_GOLDEN=1 cargo test rewrites it"
        );
    }
}

/// The text of `fixtures/<name>`.
///
/// # Panics
/// When it cannot be read.
#[track_caller]
pub fn golden(name: &str) -> String {
    let path = workspace().join("fixtures").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first line (from 1) that differs, with both sides.
fn first_difference<'a>(expected: &'a str, got: &'a str) -> Option<(usize, &'a str, &'a str)> {
    let (mut left, mut right) = (expected.lines(), got.lines());
    (1..)
        .map(|line| (line, left.next(), right.next()))
        .take_while(|(_, left, right)| left.is_some() || right.is_some())
        .find(|(_, left, right)| left != right)
        .map(|(line, left, right)| (line, left.unwrap_or("<end>"), right.unwrap_or("<end>")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_told() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some((2, "b", "c")));
        assert_eq!(first_difference("a\n", "a\nc\n"), Some((2, "<end>", "c")));
        assert_eq!(first_difference("a\nb\n", "a\n"), Some((2, "b", "<end>")));
    }
}
