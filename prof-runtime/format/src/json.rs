//! JSON in one line, without allocation: what recent samples and logs of samples are made of.

use crate::out::Out;
use crate::snapshot::Sink;

/// Writes fields and elements, with commas between them.
pub(crate) struct Json<'s, S: Sink> {
    out: Out<'s, S>,
    /// Whether something stands before the next field or element, so that a comma is due.
    comma: bool,
}

impl<'s, S: Sink> Json<'s, S> {
    /// At the start of a text, or behind the opening bracket of a list that `elements` were written to.
    pub(crate) fn new(sink: &'s mut S, elements: bool) -> Json<'s, S> {
        Json { out: Out(sink), comma: elements }
    }

    fn before(&mut self) -> Result<(), S::Error> {
        if core::mem::replace(&mut self.comma, true) { self.out.text(",") } else { Ok(()) }
    }

    /// `"key":`; a value follows.
    fn key(&mut self, key: &str) -> Result<(), S::Error> {
        self.before()?;
        self.out.text("\"")?;
        self.out.text(key)?;
        self.out.text("\":")
    }

    /// Opens a value that ends in [`Json::close`].
    fn opened(&mut self, bracket: &str) -> Result<(), S::Error> {
        self.comma = false;
        self.out.text(bracket)
    }

    /// `{` or `[` as an element or the whole.
    pub(crate) fn open(&mut self, bracket: &str) -> Result<(), S::Error> {
        self.before()?;
        self.opened(bracket)
    }

    /// `"key":{` or `"key":[`.
    pub(crate) fn open_at(&mut self, key: &str, bracket: &str) -> Result<(), S::Error> {
        self.key(key)?;
        self.opened(bracket)
    }

    /// `}` or `]`.
    pub(crate) fn close(&mut self, bracket: &str) -> Result<(), S::Error> {
        self.comma = true;
        self.out.text(bracket)
    }

    pub(crate) fn number(&mut self, key: &str, number: u64) -> Result<(), S::Error> {
        self.key(key)?;
        self.out.number(number)
    }

    pub(crate) fn signed(&mut self, key: &str, number: i64) -> Result<(), S::Error> {
        self.key(key)?;
        if number < 0 {
            self.out.text("-")?;
        }
        self.out.number(number.unsigned_abs())
    }

    pub(crate) fn truth(&mut self, key: &str, value: bool) -> Result<(), S::Error> {
        self.key(key)?;
        self.out.text(if value { "true" } else { "false" })
    }

    pub(crate) fn text(&mut self, key: &str, text: &[u8]) -> Result<(), S::Error> {
        self.key(key)?;
        self.out.text("\"")?;
        for chunk in text.utf8_chunks() {
            self.escaped(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                self.out.text("\u{fffd}")?;
            }
        }
        self.out.text("\"")
    }

    fn escaped(&mut self, text: &str) -> Result<(), S::Error> {
        let special = |byte: u8| byte < b' ' || byte == 0x7f || byte == b'"' || byte == b'\\';
        let mut rest = text;
        while let Some(at) = rest.bytes().position(special) {
            self.out.text(&rest[..at])?;
            match rest.as_bytes()[at] {
                quoted @ (b'"' | b'\\') => self.out.bytes(&[b'\\', quoted])?,
                control => {
                    let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit & 15)];
                    self.out.text("\\u00")?;
                    self.out.bytes(&[hex(control >> 4), hex(control)])?;
                }
            }
            rest = &rest[at + 1..];
        }
        self.out.text(rest)
    }

    /// Elements `"0x.."` of the list that is open.
    pub(crate) fn addresses(&mut self, addresses: &[u64]) -> Result<(), S::Error> {
        addresses.iter().try_for_each(|address| {
            self.before()?;
            self.out.text("\"")?;
            self.out.address(*address)?;
            self.out.text("\"")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::String, vec::Vec};

    #[test]
    fn any_bytes_become_a_string_that_json_allows() {
        let mut bytes = Vec::new();
        let mut json = Json::new(&mut bytes, false);
        let Ok(()) = json.open("{");
        let Ok(()) = json.text("a", b"q\" b\\ \n\t\x01\x7f \xc3\xa4 \xff\xfe z");
        let Ok(()) = json.signed("b", i64::MIN);
        let Ok(()) = json.close("}");
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(
            text,
            "{\"a\":\"q\\\" b\\\\ \\u000a\\u0009\\u0001\\u007f \u{e4} \u{fffd}\u{fffd} z\",\"b\":-9223372036854775808}"
        );
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["a"], "q\" b\\ \n\t\u{1}\u{7f} \u{e4} \u{fffd}\u{fffd} z");
    }
}
