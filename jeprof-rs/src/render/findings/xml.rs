//! Text as XML may have it, and HTML.

use std::borrow::Cow;

use quick_xml::escape::escape;

/// Text between tags or in an attribute's quotes.
pub fn text(raw: &str) -> String {
    escape(legal(raw)).into_owned()
}

/// What is no character in XML becomes one that says so.
pub fn legal(raw: &str) -> Cow<'_, str> {
    let is_none = |letter: char| {
        letter.is_control() && !"\t\n\r".contains(letter) || matches!(letter, '\u{fffe}' | '\u{ffff}')
    };
    if raw.contains(is_none) { raw.replace(is_none, "\u{fffd}").into() } else { raw.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_markup_is_made_of_is_escaped_and_what_is_no_character_replaced() {
        assert_eq!(
            text("operator<< <a&b> \"'\u{1}\u{ffff}\t"),
            "operator&lt;&lt; &lt;a&amp;b&gt; &quot;&apos;\u{fffd}\u{fffd}\t"
        );
        assert!(matches!(legal("plain"), Cow::Borrowed(_)));
    }
}
