//! Regular expressions that people give.

use regex::Regex;

/// A regular expression, or why it is none.
pub fn pattern(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| {
        let text = error.to_string();
        // The last line of the regex crate's message says what is wrong, the ones before draw where.
        let reason = text.lines().last().unwrap_or("not a regular expression").trim();
        format!("'{pattern}' is no regular expression: {}", reason.strip_prefix("error: ").unwrap_or(reason))
    })
}
