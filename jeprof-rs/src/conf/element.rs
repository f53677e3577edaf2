//! A configuration string cut into its elements, by each allocator's rules.

use super::target::Target;

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `key:value`.
    Pair,
    /// The last element, without a colon.
    EndsWithKey,
    /// Nothing behind the last comma.
    EndsWithComma,
    /// A character that no key has stands before the colon, or there is no colon.
    Malformed,
}

/// A piece of the string between two commas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// All of it.
    pub text: &'a str,
    /// Where it begins, in bytes.
    pub offset: usize,
    /// What it is.
    pub form: Form,
    /// What stands before the first colon.
    pub key: &'a str,
    /// What stands behind it.
    pub value: &'a str,
}

/// Cuts `text`. A dot belongs to a key here and makes an element malformed in jemalloc.
///
/// jemalloc reads nothing behind a malformed element; all elements are returned nevertheless.
pub fn elements(text: &str, target: Target) -> Vec<Element<'_>> {
    if text.is_empty() {
        return Vec::new();
    }
    let of_key = |c: char| c.is_ascii_alphanumeric() || c == '_' || (c == '.' && target == Target::Ours);
    let last = text.split(',').count() - 1;
    let mut offset = 0;
    let cut = text.split(',').enumerate().map(|(index, piece)| {
        let start = offset;
        offset += piece.len() + 1;
        let form = match piece.find(|c| !of_key(c)) {
            _ if piece.is_empty() && index == last => Form::EndsWithComma,
            Some(at) if piece[at..].starts_with(':') => Form::Pair,
            None if index == last => Form::EndsWithKey,
            _ => Form::Malformed,
        };
        let (key, value) = piece.split_once(':').unwrap_or((piece, ""));
        Element { text: piece, offset: start, form, key, value }
    });
    cut.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(text: &str, target: Target) -> Vec<Form> {
        elements(text, target).iter().map(|element| element.form).collect()
    }

    #[test]
    fn elements_have_the_forms_that_the_allocators_tell_apart() {
        use Form::*;
        let jemalloc = Target::Jemalloc530;
        assert_eq!(forms("", jemalloc), []);
        assert_eq!(forms("a:1,b:", jemalloc), [Pair, Pair]);
        assert_eq!(forms("a:1,", jemalloc), [Pair, EndsWithComma]);
        assert_eq!(forms("a:1,b", jemalloc), [Pair, EndsWithKey]);
        assert_eq!(forms("a:1,b,c:2", jemalloc), [Pair, Malformed, Pair]);
        assert_eq!(forms(",", jemalloc), [Malformed, EndsWithComma]);
        assert_eq!(forms("a.0.b:1", jemalloc), [Malformed]);
        assert_eq!(forms("a.0.b:1", Target::Ours), [Pair]);
        assert_eq!(forms("a=1", jemalloc), [Malformed]);
    }

    #[test]
    fn a_value_may_have_colons_and_the_offset_counts_bytes() {
        let found = elements("ä:1,a:b:c", Target::Ours);
        assert_eq!((found[1].key, found[1].value, found[1].offset), ("a", "b:c", 5));
    }
}
