//! The text of `tcache_ncached_max`: `<least>-<greatest>:<n>`, with `|` between, which may be left out. Pure.

use super::geometry::CAPACITY_MAX;
use crate::size_class::{TCACHE_LIMIT, index_of};
use crate::units::SzInd;

/// Tells `set` each class of each range with its number of objects. Answers how many bytes could be read; ranges before
/// an error count, as in the reference.
///
/// Ranges that begin behind the largest class that can be cached, or whose ends are in the wrong order, set nothing.
pub fn read(text: &[u8], mut set: impl FnMut(SzInd, u16)) -> usize {
    let mut rest = text;
    while !rest.is_empty() {
        let Some((range, behind)) = range(rest) else { break };
        rest = behind;
        let greatest = range.greatest.min(TCACHE_LIMIT);
        if range.least > greatest {
            continue;
        }
        for class in index_of(range.least).0..=index_of(greatest).0 {
            set(SzInd(class), range.n.min(CAPACITY_MAX) as u16);
        }
    }
    text.len() - rest.len()
}

/// How much of a text [`read`] reads.
pub fn readable(text: &[u8]) -> usize {
    read(text, |_, _| ())
}

struct Range {
    least: usize,
    greatest: usize,
    n: usize,
}

fn range(text: &[u8]) -> Option<(Range, &[u8])> {
    let (least, text) = number(text)?;
    let (greatest, text) = number(text.strip_prefix(b"-")?)?;
    let (n, text) = number(text.strip_prefix(b":")?)?;
    Some((Range { least, greatest, n }, text.strip_prefix(b"|").unwrap_or(text)))
}

/// A number as C's `strtoumax` with base 0 reads it; one that does not fit is none.
fn number(text: &[u8]) -> Option<(usize, &[u8])> {
    let text = text.trim_ascii_start();
    let (negative, text) = match text {
        [b'-', text @ ..] => (true, text),
        [b'+', text @ ..] => (false, text),
        _ => (false, text),
    };
    let (radix, text) = match text {
        [b'0', b'x' | b'X', digits @ ..] if digits.first().is_some_and(u8::is_ascii_hexdigit) => (16, digits),
        [b'0', b'0'..=b'9', ..] => (8, text),
        _ => (10, text),
    };
    let mut digits = text.iter().map_while(|&byte| (byte as char).to_digit(radix));
    let first = digits.next()? as usize;
    let mut len = 1;
    let value = digits.try_fold(first, |value, digit| {
        len += 1;
        value.checked_mul(radix as usize)?.checked_add(digit as usize)
    })?;
    Some((if negative { value.wrapping_neg() } else { value }, &text[len..]))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// Whether a text can be read to its end, and what it says.
    fn told(text: &str) -> (bool, Vec<(u8, u16)>) {
        let mut told = Vec::new();
        let good = read(text.as_bytes(), |class, n| told.push((class.0, n)));
        (good == text.len(), told)
    }

    #[test]
    fn each_class_of_a_range_is_told_with_its_number() {
        assert_eq!(told("8-32:5"), (true, [(0, 5), (1, 5), (2, 5)].into()));
        assert_eq!(told("64-64:0|32768-99999999:99999").1.len(), 34);
        assert_eq!(told("64-64:0|8388608-99999999:99999"), (true, [(4, 0), (72, 8191)].into()));
    }

    #[test]
    fn ranges_that_cannot_be_set_nothing() {
        assert_eq!(told("64-32:5|8388609-9999999:1"), (true, [].into()));
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, n) in [("0x8-8:010", 8), (" 8-\t8:+07", 7), ("8-8:0", 0), ("8-8:-1", 8191)] {
            assert_eq!(told(text), (true, [(0, n)].into()), "{text}");
        }
        assert_eq!(told("8-8:3 16-16:4"), (true, [(0, 3), (1, 4)].into()));
        assert_eq!(told("-8-16:1"), (true, [].into()));
    }

    #[test]
    fn what_cannot_be_read_is_told_and_what_came_before_counts() {
        for text in
            ["8", "8-", "8-16", "8-16:", "a-b:c", "8-16:1,", "-", "8-16:1 ", "8-18446744073709551616:1"]
        {
            assert!(!told(text).0, "{text}");
        }
        assert_eq!(readable(b"8-8:3|16:4"), 6);
        assert_eq!(told("8-8:3|x"), (false, [(0, 3)].into()));
        assert_eq!(told("8-8:3|"), (true, [(0, 3)].into()));
    }
}
