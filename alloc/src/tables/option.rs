//! Options: one row each, with its value.

use core::ffi::{CStr, c_char};
use core::sync::atomic::*;

use crate::page::decay;
use crate::relaxed::Relaxed;

/// Longest text value, `PATH_MAX` with its NUL.
pub const TEXT_MAX: usize = 4096;

/// Type and range of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// An integer.
    Number {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
        /// Whether a number outside is moved to the nearest bound, instead of refused.
        clip: bool,
        /// C type of the `opt.*` leaf.
        ctype: CType,
    },
    /// One of a few words.
    Choice(&'static [&'static CStr]),
    /// Any text without a comma.
    Text,
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
}

/// An option.
pub struct Opt {
    /// Key in `MALLOC_CONF`; `opt.<name>` is its leaf.
    pub name: &'static str,
    /// What it does, one sentence.
    pub doc: &'static str,
    /// Type and range.
    pub kind: Kind,
    value: AtomicI64,
    text: Option<&'static Text>,
}

/// Room for a text value.
pub struct Text([AtomicU8; TEXT_MAX]);

impl Text {
    const fn holding(default: &str) -> Text {
        let mut text = [const { AtomicU8::new(0) }; TEXT_MAX];
        let mut i = 0;
        while i < default.len() {
            text[i] = AtomicU8::new(default.as_bytes()[i]);
            i += 1;
        }
        Text(text)
    }
}

/// Why a value was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadValue {
    /// Not of the option's type.
    Invalid,
    /// A number outside the option's range.
    OutOfRange,
}

impl Opt {
    const fn bool(name: &'static str, default: bool, doc: &'static str) -> Opt {
        Opt { name, doc, kind: Kind::Bool, value: AtomicI64::new(default as i64), text: None }
    }

    const fn number(name: &'static str, default: i64, kind: Kind, doc: &'static str) -> Opt {
        Opt { name, doc, kind, value: AtomicI64::new(default), text: None }
    }

    const fn choice(name: &'static str, words: &'static [&'static CStr], doc: &'static str) -> Opt {
        Opt { name, doc, kind: Kind::Choice(words), value: AtomicI64::new(0), text: None }
    }

    const fn text(name: &'static str, text: &'static Text, doc: &'static str) -> Opt {
        Opt { name, doc, kind: Kind::Text, value: AtomicI64::new(0), text: Some(text) }
    }

    /// Value of a switch.
    pub fn on(&self) -> bool {
        self.value.get() != 0
    }

    /// Value of a number, or the position of the chosen word.
    pub fn get(&self) -> i64 {
        self.value.get()
    }

    /// Sets a value that is computed at start.
    pub fn resolve(&self, value: i64) {
        self.value.set(value);
    }

    /// Value of a text or a choice.
    pub fn as_cstr(&self) -> &'static CStr {
        match (self.kind, self.text) {
            (Kind::Choice(words), _) => words[self.value.get() as usize],
            (_, Some(text)) => {
                // SAFETY: the last byte of a text is never written and is 0; texts are written at start only,
                // before any other thread can read them.
                unsafe { CStr::from_ptr(text.0.as_ptr().cast::<c_char>()) }
            }
            _ => c"",
        }
    }

    /// Sets the value from its text in a configuration string.
    pub fn parse(&self, value: &[u8]) -> Result<(), BadValue> {
        match self.kind {
            Kind::Bool => self.value.set(match value {
                b"true" => 1,
                b"false" => 0,
                _ => return Err(BadValue::Invalid),
            }),
            Kind::Choice(words) => {
                let at = words.iter().position(|word| word.to_bytes() == value);
                self.value.set(at.ok_or(BadValue::Invalid)? as i64);
            }
            Kind::Text => {
                for (i, byte) in self.text.iter().flat_map(|text| &text.0[..TEXT_MAX - 1]).enumerate() {
                    byte.set(value.get(i).copied().unwrap_or(0));
                }
            }
            Kind::Number { min, max, clip, .. } => {
                let number = integer(value).ok_or(BadValue::Invalid)?;
                let within = number.clamp(min as i128, max as i128);
                if within != number && !clip {
                    return Err(BadValue::OutOfRange);
                }
                self.value.set(within as i64);
            }
        }
        Ok(())
    }
}

/// An integer as C's `strtoumax` with base 0 reads it: blanks, a sign, `0x` or a leading zero for octal.
fn integer(text: &[u8]) -> Option<i128> {
    let text = core::str::from_utf8(text).ok()?.trim_start_matches([' ', '\t']);
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.starts_with(['-', '+']) {
        return None;
    }
    let magnitude = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => u64::from_str_radix(digits.get(2..).filter(|d| !d.starts_with('+'))?, 16),
        [b'0', _, ..] => u64::from_str_radix(&digits[1..], 8),
        _ => digits.parse(),
    }
    .ok()? as i128;
    Some(if negative { -magnitude } else { magnitude })
}

/// Declares the options and the sorted list of them.
///
/// `NAME = constructor(..);` becomes `pub static NAME: Opt = Opt::constructor(..);` and an entry of [`ALL`].
macro_rules! options {
    ($($(#[$meta:meta])* $name:ident = $make:ident($($argument:expr),* $(,)?);)*) => {
        $(#[doc = concat!("The option `", stringify!($name), "` in lower case.")] $(#[$meta])*
          pub static $name: Opt = Opt::$make($($argument),*);)*
        /// Every option, sorted by name.
        pub static ALL: &[&Opt] = &[$(&$name),*];
    };
}

const fn number(min: i64, max: i64, clip: bool, ctype: CType) -> Kind {
    Kind::Number { min, max, clip, ctype }
}

static PREFIX_TEXT: Text = Text::holding("jeprof");

options! {
    ABORT_CONF = bool("abort_conf", false, "Abort when an option is invalid.");
    CONFIRM_CONF = bool("confirm_conf", false, "Print every source of options and each accepted pair.");
    DIRTY_DECAY_MS = number("dirty_decay_ms", 10_000, number(-1, decay::MS_MAX, false, CType::SSize),
        "Milliseconds until unused dirty pages have been purged, along a smoothstep curve; -1 never, 0 at once.");
    LG_PROF_INTERVAL = number("lg_prof_interval", -1, number(-1, 63, false, CType::SSize),
        "Log2 of the bytes allocated between two dumps; -1 for none.");
    LG_PROF_SAMPLE = number("lg_prof_sample", 19, number(0, 63, true, CType::Size),
        "Log2 of the mean number of bytes allocated between two samples; 0 samples every allocation.");
    MUZZY_DECAY_MS = number("muzzy_decay_ms", 0, number(-1, decay::MS_MAX, false, CType::SSize),
        "Milliseconds until unused muzzy pages have been purged; -1 never, 0 skips the muzzy state.");
    NARENAS = number("narenas", 0, number(1, u32::MAX as i64, false, CType::Unsigned),
        "Number of automatic arenas; four per processor by default, one on a single processor.");
    PROF = bool("prof", false, "Profile the heap by sampling.");
    PROF_ACCUM = bool("prof_accum", false, "Keep what was freed in the figures, too.");
    PROF_ACTIVE = bool("prof_active", true, "Whether sampling is on at start.");
    PROF_DUMP_FORMAT = choice("prof_dump_format", &[c"text", c"heap_v2", c"pprof"],
        "Format of the dumps that the profiler names itself (an extension).");
    PROF_FINAL = bool("prof_final", false, "Dump at exit.");
    PROF_GDUMP = bool("prof_gdump", false, "Dump whenever active memory reaches a new maximum.");
    PROF_LEAK = bool("prof_leak", false, "Print a summary of what is still live at exit; turns prof on.");
    PROF_PREFIX = text("prof_prefix", &PREFIX_TEXT, "Start of the names of dumps; empty for no automatic dumps.");
    STATS_PRINT = bool("stats_print", false, "Print statistics at exit.");
    TCACHE = bool("tcache", true, "Whether threads cache objects.");
}

/// The option of a name.
pub fn find(name: &[u8]) -> Option<&'static Opt> {
    ALL.iter().copied().find(|opt| opt.name.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn rows_are_sorted_unique_and_documented_and_their_defaults_are_in_range() {
        assert!(ALL.windows(2).all(|w| w[0].name < w[1].name));
        for opt in ALL {
            assert!(opt.doc.ends_with('.') || opt.doc.ends_with(')'), "{}", opt.name);
            if let Kind::Number { min, max, .. } = opt.kind {
                // 0 arenas stands for a number that is computed at start.
                assert!((min..=max).contains(&opt.get()) || opt.name == "narenas", "{}", opt.name);
            }
        }
    }

    #[test]
    fn integers_are_read_as_c_reads_them() {
        for (text, want) in [
            ("10", 10),
            ("0x10", 16),
            ("010", 8),
            (" -3", -3),
            ("+7", 7),
            ("0", 0),
            ("18446744073709551615", u64::MAX as i128),
        ] {
            assert_eq!(integer(text.as_bytes()), Some(want), "{text}");
        }
        for text in ["", "x", "64k", "2 ", "--1", "0x", "0x+1", "09", "18446744073709551616"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn numbers_outside_their_range_are_clipped_or_refused() {
        let opt = Opt::number("n", 5, number(0, 9, true, CType::Size), "Doc.");
        assert_eq!((opt.parse(b"99"), opt.get()), (Ok(()), 9));
        let opt = Opt::number("n", 5, number(0, 9, false, CType::Size), "Doc.");
        assert_eq!((opt.parse(b"99"), opt.get()), (Err(BadValue::OutOfRange), 5));
        assert_eq!((opt.parse(b"x"), opt.get()), (Err(BadValue::Invalid), 5));
    }
}
