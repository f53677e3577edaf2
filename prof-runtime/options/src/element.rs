//! Cuts a source into its elements. Pure.

/// A piece of a source between two commas.
#[derive(Debug, PartialEq, Eq)]
pub enum Element<'a> {
    /// Key and value.
    Pair(&'a [u8], &'a [u8]),
    /// The last element has no colon.
    EndsWithKey(&'a [u8]),
    /// A comma is the last character.
    EndsWithComma,
    /// An element whose key has a character that no key has, or no colon.
    Malformed(&'a [u8]),
}

/// The elements of a source.
pub fn elements(source: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let mut pieces = source.split(|&byte| byte == b',').peekable();
    let mut first = true;
    core::iter::from_fn(move || {
        let piece = pieces.next()?;
        let (is_first, is_last) = (core::mem::take(&mut first), pieces.peek().is_none());
        if piece.is_empty() && is_last {
            return (!is_first).then_some(Element::EndsWithComma);
        }
        let key_end = piece.iter().position(|&b| !(b.is_ascii_alphanumeric() || b == b'_' || b == b'.'));
        Some(match key_end {
            Some(at) if piece[at] == b':' => Element::Pair(&piece[..at], &piece[at + 1..]),
            None if is_last => Element::EndsWithKey(piece),
            _ => Element::Malformed(piece),
        })
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_malformed_element_does_not_drop_those_behind_it() {
        use Element::*;
        let got: Vec<_> = elements(b"a:1,b c:2,d:,e,f.0.g:x:y").collect();
        assert_eq!(
            got,
            [Pair(b"a", b"1"), Malformed(b"b c:2"), Pair(b"d", b""), Malformed(b"e"), Pair(b"f.0.g", b"x:y")]
        );
    }

    #[test]
    fn the_end_of_a_source_is_told_apart() {
        use Element::*;
        assert_eq!(elements(b"").collect::<Vec<_>>(), []);
        assert_eq!(elements(b"a:1,").collect::<Vec<_>>(), [Pair(b"a", b"1"), EndsWithComma]);
        assert_eq!(elements(b"prof").collect::<Vec<_>>(), [EndsWithKey(b"prof")]);
    }
}
