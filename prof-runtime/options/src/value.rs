//! Which texts are values. Pure.

/// Why a pair was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadValue {
    /// There is no such option.
    Unknown,
    /// Not of the option's type.
    Invalid,
    /// A number outside the option's range.
    OutOfRange,
    /// A text of several settings, not all of which can be read.
    Settings,
}

/// Which numbers an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Least value.
    pub min: i128,
    /// Greatest value.
    pub max: i128,
    /// Whether a number outside is moved to the nearest bound, instead of refused.
    pub clip: bool,
}

impl Range {
    /// The number of a text; one above `i64::MAX` as the negative number of the same bits.
    ///
    /// # Errors
    /// [`BadValue::Invalid`] or [`BadValue::OutOfRange`].
    pub fn number(self, text: &[u8]) -> Result<i64, BadValue> {
        let number = integer(text).ok_or(BadValue::Invalid)?;
        let within = number.clamp(self.min, self.max);
        if within != number && !self.clip { Err(BadValue::OutOfRange) } else { Ok(within as i64) }
    }
}

/// `true` or `false`.
///
/// # Errors
/// [`BadValue::Invalid`].
pub fn switch(text: &[u8]) -> Result<bool, BadValue> {
    match text {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(BadValue::Invalid),
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

/// A decimal fraction in 16.16 bits, rounded down: `1`, `.5`, `0.25`. `None` when it is none.
pub fn fixed(text: &[u8]) -> Option<i128> {
    let text = core::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse::<u16>().ok()?.into() };
    // More decimals than these are below what 16 bits can tell apart.
    let fraction = &fraction[..fraction.len().min(14)];
    let scale = 10i128.pow(fraction.len() as u32);
    let fraction: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    Some((whole << 16) + (fraction << 16) / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn fractions_are_read_in_sixteen_bits() {
        for (text, want) in
            [("1", 1 << 16), ("0.25", 1 << 14), (".5", 1 << 15), ("3.", 3 << 16), ("0.95", 62259)]
        {
            assert_eq!(fixed(text.as_bytes()), Some(want), "{text}");
        }
        for text in ["", ".", "-1", "1.x", "65536", "1e3"] {
            assert_eq!(fixed(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn numbers_outside_their_range_are_clipped_or_refused() {
        let range = |clip| Range { min: 0, max: 9, clip };
        assert_eq!(range(true).number(b"99"), Ok(9));
        assert_eq!(range(false).number(b"99"), Err(BadValue::OutOfRange));
        assert_eq!(range(false).number(b"-1"), Err(BadValue::OutOfRange));
        assert_eq!(range(true).number(b"x"), Err(BadValue::Invalid));
    }
}
