//! The text of `tcache_ncached_max`: `<least>-<greatest>:<n>`, with `|` between. Pure.

use super::geometry::CAPACITY_MAX;
use crate::size_class::{TCACHE_LIMIT, index_of};
use crate::units::SzInd;

/// Tells `set` each class of each range with its number of objects. Answers whether the text could be read to its end;
/// ranges before an error count, as in the reference.
///
/// Ranges that begin behind the largest class that can be cached, or whose ends are in the wrong order, set nothing.
pub fn read(text: &[u8], mut set: impl FnMut(SzInd, u16)) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let Some((range, behind)) = range(rest) else { return false };
        rest = behind;
        let greatest = range.greatest.min(TCACHE_LIMIT);
        if range.least > greatest {
            continue;
        }
        for class in index_of(range.least).0..=index_of(greatest).0 {
            set(SzInd(class), range.n.min(CAPACITY_MAX) as u16);
        }
    }
    true
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
    let behind = match text {
        [] => text,
        [b'|', behind @ ..] => behind,
        _ => return None,
    };
    Some((Range { least, greatest, n }, behind))
}

/// A decimal number; saturates.
fn number(text: &[u8]) -> Option<(usize, &[u8])> {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let digits = text[..len].iter().map(|&byte| (byte - b'0') as usize);
    let value = digits.fold(0usize, |sum, digit| sum.saturating_mul(10).saturating_add(digit));
    (len != 0).then_some((value, &text[len..]))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn told(text: &str) -> (bool, Vec<(u8, u16)>) {
        let mut told = Vec::new();
        let good = read(text.as_bytes(), |class, n| told.push((class.0, n)));
        (good, told)
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
    fn what_cannot_be_read_is_told_and_what_came_before_counts() {
        for text in ["8", "8-", "8-16", "8-16:", "a-b:c", "8-16:1,", "-", "8-16:1 "] {
            assert!(!told(text).0, "{text}");
        }
        assert_eq!(told("8-8:3|x"), (false, [(0, 3)].into()));
        assert_eq!(told("8-8:3|"), (true, [(0, 3)].into()));
    }
}
