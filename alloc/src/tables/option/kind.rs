//! Types of options: which texts are values, and what they mean. Pure, but for the room of texts.

use core::ffi::CStr;
use core::sync::atomic::*;

use prof_options::{BadValue, Range, fixed, switch};

use super::Opt;
use crate::relaxed::Relaxed;
use crate::tables::value::Type;

/// Longest text value, `PATH_MAX` with its NUL.
pub const TEXT_MAX: usize = 4096;

/// Type and range of an option.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// An integer.
    Number {
        /// Least value.
        min: i128,
        /// Greatest value.
        max: i128,
        /// Whether a number outside is moved to the nearest bound, instead of refused.
        clip: bool,
        /// C type of the `opt.*` leaf.
        ctype: CType,
    },
    /// A number that sets another option.
    Alias {
        /// The option that it sets.
        target: &'static Opt,
        /// What it sets it to.
        of: fn(i64) -> i64,
        /// What values it takes itself.
        source: &'static Kind,
    },
    /// A decimal fraction, kept in 16.16 bits; `-1` where `min` is negative.
    Fixed {
        /// Least value, in 16.16 bits.
        min: i128,
        /// Greatest value, in 16.16 bits.
        max: i128,
    },
    /// One of a few words.
    Choice(&'static [&'static CStr]),
    /// Any text without a comma.
    Text(&'static Text),
    /// Letters out of a set, each once; others are ignored.
    Letters(Letters),
}

/// A set of letters.
#[derive(Clone, Copy)]
pub struct Letters {
    /// Those that count.
    pub known: &'static [u8],
    /// Where the value is kept.
    pub text: &'static Text,
}

/// C type of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CType {
    /// `unsigned`
    Unsigned,
    /// `size_t`
    Size,
    /// `ssize_t`
    SSize,
    /// `int64_t`
    I64,
    /// `uint64_t`
    U64,
}

impl CType {
    /// As a value of a leaf.
    pub fn value_type(self) -> Type {
        match self {
            CType::Unsigned => Type::Unsigned,
            CType::Size => Type::Size,
            CType::SSize => Type::SSize,
            CType::I64 => Type::I64,
            CType::U64 => Type::U64,
        }
    }
}

/// Room for a text value.
pub struct Text(pub(super) [AtomicU8; TEXT_MAX]);

impl Text {
    /// With a value.
    pub const fn holding(default: &str) -> Text {
        let mut text = [const { AtomicU8::new(0) }; TEXT_MAX];
        let mut i = 0;
        while i < default.len() {
            text[i] = AtomicU8::new(default.as_bytes()[i]);
            i += 1;
        }
        Text(text)
    }

    /// Replaces the value; what does not fit is cut.
    pub(super) fn write(&self, bytes: impl Iterator<Item = u8>) {
        let mut bytes = bytes.fuse();
        self.0[..TEXT_MAX - 1].iter().for_each(|byte| byte.set(bytes.next().unwrap_or(0)));
    }

    /// Adds settings to a list with `|` between them. `false`: there is no room, and nothing was added.
    pub(super) fn add(&self, settings: &[u8]) -> bool {
        let settings = settings.strip_suffix(b"|").unwrap_or(settings);
        let len = self.0.iter().take_while(|byte| byte.get() != 0).count();
        let separator = if len == 0 || settings.is_empty() { &b""[..] } else { b"|" };
        let fits = len + separator.len() + settings.len() < TEXT_MAX;
        if fits {
            let added = separator.iter().chain(settings);
            self.0[len..].iter().zip(added).for_each(|(at, &byte)| at.set(byte));
        }
        fits
    }
}

impl Letters {
    pub(super) fn write(self, value: &[u8]) {
        let first =
            |&(at, letter): &(usize, &u8)| self.known.contains(letter) && !value[..at].contains(letter);
        self.text.write(value.iter().enumerate().filter(first).map(|(_, &letter)| letter));
    }
}

impl Kind {
    /// The number that stands for a value of a kind that is no text.
    pub fn number(self, value: &[u8]) -> Result<i64, BadValue> {
        match self {
            Kind::Bool => switch(value).map(i64::from),
            Kind::Choice(words) => {
                let at = words.iter().position(|word| word.to_bytes() == value);
                Ok(at.ok_or(BadValue::Invalid)? as i64)
            }
            Kind::Alias { source, .. } => source.number(value),
            Kind::Number { min, max, clip, .. } => Range { min, max, clip }.number(value),
            Kind::Fixed { min, max } => {
                if min < 0 && value == b"-1" {
                    return Ok(-1);
                }
                let number = fixed(value).ok_or(BadValue::Invalid)?;
                if (0..=max).contains(&number) { Ok(number as i64) } else { Err(BadValue::Invalid) }
            }
            Kind::Text(_) | Kind::Letters(_) => Err(BadValue::Invalid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_count_once_and_unknown_ones_not_at_all() {
        static TEXT: Text = Text::holding("");
        Letters { known: b"Jgm", text: &TEXT }.write(b"JxgJ?m");
        let kept = TEXT.0.iter().map(|byte| byte.get()).take_while(|&byte| byte != 0);
        assert!(kept.eq(*b"Jgm"));
    }
}
