//! Values: their kinds, and how the allocators read them.

use super::target::Target;

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// An integer as C writes it. What lies outside is moved to the nearest bound (`clip`) or refused.
    Number { min: i128, max: i128, clip: bool },
    /// One of the words, which are separated by `|`. jemalloc takes the first that begins with the value if
    /// `beginnings` is set.
    Words { words: &'static str, beginnings: bool },
    /// A decimal number below 65536, kept in 16 and 16 bits; `-1` too where `minus_one` is set.
    Fraction { max: Option<u32>, minus_one: bool },
    /// `FROM-TO:N`, with `|` between several; N from `min` to `max`. `default` too where `word` is set.
    Ranges { min: u32, max: u32, word: bool },
    /// Anything without a comma.
    Text,
}

/// A value that was understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A switch.
    Bool(bool),
    /// A number, after it was moved into its range.
    Number(i128),
    /// A word.
    Word(&'static str),
    /// Anything else.
    Text(String),
}

/// A value that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// As it counts.
    pub value: Value,
    /// As it was written, if it lay outside of its range.
    pub outside: Option<i128>,
    /// Whether only the beginning of the word was written.
    pub beginning: bool,
}

/// Why a value is refused: the allocator's own words, and ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What the allocator prints in front of the pair.
    pub says: &'static str,
    /// What is wrong with it.
    pub why: String,
}

const INVALID: &str = "Invalid conf value";
const OUT_OF_RANGE: &str = "Out-of-range conf value";

/// Reads a value the way `target` does.
///
/// # Errors
/// Where the allocator refuses it. `key` is for its message.
pub fn read(key: &str, kind: Kind, text: &str, target: Target) -> Result<Taken, Refused> {
    let plain = |value| Ok(Taken { value, outside: None, beginning: false });
    let invalid = |why: String| Err(Refused { says: INVALID, why });
    match kind {
        Kind::Bool => match text {
            "true" => plain(Value::Bool(true)),
            "false" => plain(Value::Bool(false)),
            _ => invalid(format!("'{text}' is neither true nor false")),
        },
        Kind::Text => plain(Value::Text(text.into())),
        Kind::Number { .. } if key == "narenas" && text == "default" => plain(Value::Word("default")),
        Kind::Number { min, max, clip } => {
            let Some(number) = integer(text) else {
                return invalid(format!("'{text}' is not a whole number"));
            };
            let number = if target.is_jemalloc() { wrapped(number, min < 0) } else { number };
            if (min..=max).contains(&number) {
                return plain(Value::Number(number));
            }
            // jemalloc keeps an unsigned in 32 bits without looking at the rest.
            if target.is_jemalloc() && max == i128::from(u32::MAX) && number > max {
                let value = Value::Number(i128::from(number as u32));
                return Ok(Taken { value, outside: Some(number), beginning: false });
            }
            if clip {
                let value = Value::Number(number.clamp(min, max));
                return Ok(Taken { value, outside: Some(number), beginning: false });
            }
            Err(Refused { says: OUT_OF_RANGE, why: format!("{number} is not from {min} to {max}") })
        }
        Kind::Words { words, beginnings } => {
            if let Some(word) = words.split('|').find(|word| *word == text) {
                return plain(Value::Word(word));
            }
            match words.split('|').find(|word| word.starts_with(text)) {
                Some(word) if beginnings && target.is_jemalloc() => {
                    Ok(Taken { value: Value::Word(word), outside: None, beginning: true })
                }
                _ => invalid(format!("'{text}' is none of {}", words.replace('|', ", "))),
            }
        }
        Kind::Fraction { max, minus_one } => {
            let fits = (minus_one && text == "-1")
                || fraction(text).is_some_and(|value| max.is_none_or(|max| value <= f64::from(max)));
            if fits {
                return plain(Value::Text(text.into()));
            }
            let most = max.map_or(String::new(), |max| format!(" up to {max}"));
            invalid(format!("'{text}' is not a decimal number{most}"))
        }
        Kind::Ranges { min, max, word } => {
            if (word && text == "default") || ranges(text, min, max) {
                return plain(Value::Text(text.into()));
            }
            let says = match key {
                "bin_shards" => "Invalid settings for bin_shards",
                "slab_sizes" => "Invalid settings for slab_sizes",
                _ => "Invalid settings for tcache_ncached_max",
            };
            Err(Refused { says, why: format!("'{text}' is not of the form FROM-TO:N|FROM-TO:N|...") })
        }
    }
}

/// An integer as `strtoumax` with base 0 reads it: blanks, a sign, `0x` or a leading zero for octal; none if anything
/// is left over or it has more than 64 bits.
pub fn integer(text: &str) -> Option<i128> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        None => (digits, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(digits, radix).ok()?);
    Some(if negative { -magnitude } else { magnitude })
}

/// jemalloc reads 64 bits without a sign first: -1 is the greatest number of an unsigned option, and the greatest
/// number is -1 of a signed one.
fn wrapped(number: i128, signed: bool) -> i128 {
    let bits = number as u64;
    if signed { i128::from(bits as i64) } else { i128::from(bits) }
}

/// `12`, `12.5`, `.5`; a whole part below 65536.
pub fn fraction(text: &str) -> Option<f64> {
    let (whole, behind) = match text.split_once('.') {
        Some((whole, behind)) => (whole, Some(behind)),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let fits = digits(whole)
        && behind.map_or(!whole.is_empty(), |behind| !behind.is_empty() && digits(behind))
        && (whole.is_empty() || whole.parse::<u16>().is_ok());
    if fits { format!("0{text}").parse().ok() } else { None }
}

/// A bar behind the last range is overlooked, as jemalloc does.
fn ranges(text: &str, min: u32, max: u32) -> bool {
    let text = text.strip_suffix('|').unwrap_or(text);
    text.split('|').all(|range| {
        let Some((from, rest)) = range.split_once('-') else { return false };
        let Some((to, n)) = rest.split_once(':') else { return false };
        let digits =
            |part: &str| part.starts_with(|c: char| c.is_ascii_digit()).then(|| integer(part)).flatten();
        matches!((digits(from), digits(to)), (Some(_), Some(_)))
            && digits(n).is_some_and(|n| (i128::from(min)..=i128::from(max)).contains(&n))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Kind = Kind::Number { min: 0, max: 63, clip: true };
    const SIGNED: Kind = Kind::Number { min: -1, max: 63, clip: false };

    fn number(kind: Kind, text: &str, target: Target) -> Option<i128> {
        match read("k", kind, text, target).ok()?.value {
            Value::Number(number) => Some(number),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn integers_are_read_as_c_reads_them() {
        for (text, want) in
            [("10", 10), ("0x10", 16), ("010", 8), (" -3", -3), ("+7", 7), ("0", 0), ("00", 0)]
        {
            assert_eq!(integer(text), Some(want), "{text}");
        }
        for text in ["", "x", "64k", "2 ", "--1", "0x", "0x+1", "09", "18446744073709551616", "-"] {
            assert_eq!(integer(text), None, "{text}");
        }
    }

    #[test]
    fn jemalloc_reads_minus_one_as_the_greatest_number_and_ours_does_not() {
        assert_eq!(number(SIZE, "-1", Target::Jemalloc530), Some(63));
        assert_eq!(number(SIZE, "-1", Target::Ours), Some(0));
        assert_eq!(number(SIGNED, "18446744073709551615", Target::Jemalloc531), Some(-1));
        assert_eq!(number(SIGNED, "18446744073709551615", Target::Ours), None);
        assert_eq!(number(SIGNED, "64", Target::Jemalloc531), None);
    }

    #[test]
    fn words_may_be_beginnings_where_jemalloc_lets_them() {
        let kind = Kind::Words { words: "disabled|auto|always", beginnings: true };
        let taken = read("k", kind, "a", Target::Jemalloc530).unwrap();
        assert_eq!((taken.value, taken.beginning), (Value::Word("auto"), true));
        assert!(read("k", kind, "a", Target::Ours).is_err());
        assert!(read("k", kind, "autox", Target::Jemalloc530).is_err());
    }

    #[test]
    fn fractions_and_ranges_have_jemalloc_s_forms() {
        for text in ["4", "0.25", ".5", "65535.9"] {
            assert!(fraction(text).is_some(), "{text}");
        }
        for text in ["", ".", "5.", "x", "-1", "99999", "1.5x", "1e3"] {
            assert!(fraction(text).is_none(), "{text}");
        }
        for text in ["1-64:4", "8-16:1|32-64:2", "8-16:1|"] {
            assert!(ranges(text, 1, 64), "{text}");
        }
        for text in ["", "foo", "1-8", "1-8:65", "1-8:0", "8-8:2x", "1:2"] {
            assert!(!ranges(text, 1, 64), "{text}");
        }
    }
}
