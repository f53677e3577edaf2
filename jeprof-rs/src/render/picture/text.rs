//! How wide a text will be, and where it may be broken.
//!
//! The fonts are Helvetica and those made to its measures (Arial, Liberation Sans, Nimbus Sans), so that boxes made for one
//! fit the others; a reader with none of them is served by the writer of SVG, which fixes lengths.

/// Widths of the characters from blank to tilde, in thousandths of the font size (Adobe's metrics for Helvetica).
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278,
    500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469,
    556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500,
    278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// Width of a text in points.
pub fn width(text: &str, size: f64) -> f64 {
    let thousandths: f64 = text
        .chars()
        .map(|c| match (c as usize).checked_sub(0x20).and_then(|index| WIDTHS.get(index)) {
            Some(&width) => f64::from(width),
            // Scripts whose characters are square begin with Hangul; the rest are about as wide as a capital.
            None if c >= '\u{1100}' => 1000.0,
            None => 667.0,
        })
        .sum();
    thousandths * size / 1000.0
}

/// A text without control characters, which XML forbids and PDF's fonts do not have.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { ' ' } else { c })
        .collect()
}

/// Characters in a line of this font size: large fonts get short lines, or one hot function would be a metre wide.
pub fn widest(size: f64) -> usize {
    ((1100.0 / size) as usize).clamp(18, 48)
}

/// Breaks a text into lines of at most `limit` characters, preferably behind a separator.
pub fn wrap(text: &str, limit: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest: Vec<char> = text.chars().collect();
    while rest.len() > limit {
        // A separator in the second half of the line; else the line is cut where it ends.
        let cut = (limit / 2..limit)
            .rev()
            .find(|&index| {
                matches!(rest[index], ' ' | ',' | ':' | '<' | '>' | '(' | ')' | '_' | '.' | '/' | '-')
            })
            .map_or(limit, |index| index + 1);
        lines.push(rest.drain(..cut).collect());
    }
    if !rest.is_empty() || lines.is_empty() {
        lines.push(rest.into_iter().collect());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_helvetica() {
        assert_eq!(width("AVil", 1000.0), 667.0 + 667.0 + 222.0 + 222.0);
        assert_eq!(width("", 10.0), 0.0);
        assert_eq!(width("\u{e9}\u{4e2d}", 10.0), 16.67);
    }

    #[test]
    fn a_broken_text_keeps_every_character_and_no_line_is_too_long() {
        for text in [
            "",
            "short",
            "a::b::c<d, e>::f(g)",
            &"x".repeat(200),
            "ns::very_long_name<with, many, parts>::and_more::of_it()",
        ] {
            for limit in [1, 4, 18, 48] {
                let lines = wrap(text, limit);
                assert_eq!(lines.concat(), text);
                assert!(lines.iter().all(|line| line.chars().count() <= limit), "{lines:?}");
            }
        }
        assert_eq!(wrap("alpha::beta::gamma", 14), ["alpha::beta::", "gamma"]);
    }

    #[test]
    fn control_characters_become_blanks() {
        assert_eq!(printable("a\u{0}b\u{1b}\n\u{7f}\u{ffff}c"), "a b    c");
    }
}
