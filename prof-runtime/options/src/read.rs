//! Goes through a configuration string, and tells the user what cannot be used.
//!
//! Messages are jemalloc's, except that a malformed element does not drop those behind it, and that a misspelt key is told
//! its neighbour.

use core::fmt;

use crate::element::{Element, elements};
use crate::nearest::nearest;
use crate::value::BadValue;

/// Whose options are read.
pub trait Host {
    /// Sets an option.
    ///
    /// # Errors
    /// See [`BadValue`]; the option stays as it was, but for [`BadValue::Settings`].
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), BadValue>;

    /// Keys that can be written.
    fn names(&self) -> impl Iterator<Item = &'static str>;

    /// Whether the user wants to be told of pairs that are accepted (`confirm_conf`).
    fn confirms(&self) -> bool;

    /// Shows a line, without its end, to the user.
    fn tell(&self, text: fmt::Arguments);
}

/// Sets what a text says; whether all of it was good. Of an experimental option anything is.
pub fn read(host: &mut impl Host, text: &[u8]) -> bool {
    let mut good = true;
    for element in elements(text) {
        let complaint = match element {
            Element::Pair(key, value) => {
                good &= pair(host, key, value) || key.starts_with(b"experimental_");
                continue;
            }
            Element::EndsWithKey(rest) => ("Conf string ends with key", rest),
            Element::EndsWithComma => ("Conf string ends with comma", &b""[..]),
            Element::Malformed(rest) => ("Malformed conf string", rest),
        };
        host.tell(format_args!("{} -- {}", complaint.0, Show(complaint.1)));
        good = false;
    }
    good
}

fn pair(host: &mut impl Host, key: &[u8], value: &[u8]) -> bool {
    let (shown, set) = (Show(value), host.set(key, value));
    let key_shown = Show(key);
    match set {
        Ok(()) if host.confirms() => host.tell(format_args!("-- Set conf value: {key_shown}:{shown}")),
        Ok(()) => {}
        Err(BadValue::Unknown) => {
            host.tell(format_args!("Invalid conf pair: {key_shown}:{shown}"));
            if let Some(near) = nearest(key, host.names()) {
                host.tell(format_args!("Did you mean {near}?"));
            }
        }
        Err(BadValue::Invalid) => host.tell(format_args!("Invalid conf value: {key_shown}:{shown}")),
        Err(BadValue::OutOfRange) => host.tell(format_args!("Out-of-range conf value: {key_shown}:{shown}")),
        Err(BadValue::Settings) => {
            host.tell(format_args!("Invalid settings for {key_shown}: {key_shown}:{shown}"));
        }
    }
    set.is_ok()
}

/// Bytes as text, whatever they are.
pub struct Show<'a>(pub &'a [u8]);

impl fmt::Display for Show<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.utf8_chunks().try_for_each(|chunk| {
            f.write_str(chunk.valid())?;
            if chunk.invalid().is_empty() { Ok(()) } else { f.write_str("?") }
        })
    }
}

#[cfg(test)]
mod tests {
    use core::cell::RefCell;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    use super::*;

    struct One {
        value: Vec<u8>,
        confirms: bool,
        told: RefCell<Vec<String>>,
    }

    impl Host for One {
        fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), BadValue> {
            match (key, value) {
                (b"one", b"bad") => Err(BadValue::Invalid),
                (b"one", b"99") => Err(BadValue::OutOfRange),
                (b"one", b"a|b") => Err(BadValue::Settings),
                (b"one", _) => {
                    self.value = value.into();
                    Ok(())
                }
                _ => Err(BadValue::Unknown),
            }
        }

        fn names(&self) -> impl Iterator<Item = &'static str> {
            ["one"].into_iter()
        }

        fn confirms(&self) -> bool {
            self.confirms
        }

        fn tell(&self, text: fmt::Arguments) {
            self.told.borrow_mut().push(format!("{text}"));
        }
    }

    fn check(text: &str, confirms: bool, good: bool, told: &[&str]) -> String {
        let mut host = One { value: Vec::new(), confirms, told: RefCell::default() };
        assert_eq!(read(&mut host, text.as_bytes()), good, "{text}");
        assert_eq!(host.told.take(), told, "{text}");
        String::from_utf8(host.value).unwrap()
    }

    #[test]
    fn what_is_good_is_set_and_told_to_whoever_wants_to_know() {
        assert_eq!(check("one:1,one:2", false, true, &[]), "2");
        assert_eq!(check("one:1", true, true, &["-- Set conf value: one:1"]), "1");
    }

    #[test]
    fn what_is_not_good_is_told_and_keeps_nothing_from_being_set() {
        let told = ["Invalid conf pair: onee:3", "Did you mean one?", "Invalid conf value: one:bad"];
        assert_eq!(check("onee:3,one:bad,one:4", false, false, &told), "4");
        assert_eq!(check("one:99", false, false, &["Out-of-range conf value: one:99"]), "");
        assert_eq!(check("one:a|b", false, false, &["Invalid settings for one: one:a|b"]), "");
        assert_eq!(check("one:5,", false, false, &["Conf string ends with comma -- "]), "5");
        assert_eq!(check("o e:5,one:6", false, false, &["Malformed conf string -- o e:5"]), "6");
        assert_eq!(check("one", false, false, &["Conf string ends with key -- one"]), "");
        assert_eq!(check("experimental_x:1", false, true, &["Invalid conf pair: experimental_x:1"]), "");
    }
}
