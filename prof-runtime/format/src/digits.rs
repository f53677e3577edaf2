//! Numbers and text as they stand in a file.

use alloc::string::String;

/// What a hex digit stands for; 255 for other bytes.
const HEX: [u8; 256] = {
    let mut values = [255; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        values[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// All digits, at least one, at most 64 bits.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    match leading_decimal(digits) {
        Some((number, b"")) => Some(number),
        _ => None,
    }
}

/// The digits that `text` starts with, at least one, at most 64 bits, and what follows them.
pub(crate) fn leading_decimal(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0u64;
    let mut length = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        // Nineteen digits always fit.
        number = if length < 19 {
            number * 10 + u64::from(digit)
        } else {
            number.checked_mul(10)?.checked_add(digit.into())?
        };
        length += 1;
    }
    if length == 0 { None } else { Some((number, &text[length..])) }
}

/// Hex digits, at least one, at most 64 bits.
pub(crate) fn hex(digits: &[u8]) -> Option<u64> {
    match leading_hex(digits) {
        Some((number, b"")) => Some(number),
        _ => None,
    }
}

/// The hex digits that `text` starts with, at least one, at most 64 bits, and what follows them.
pub(crate) fn leading_hex(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0u64;
    let mut length = 0;
    for byte in text {
        let digit = HEX[usize::from(*byte)];
        if digit > 15 {
            break;
        }
        if number >> 60 != 0 {
            return None;
        }
        number = number << 4 | u64::from(digit);
        length += 1;
    }
    if length == 0 { None } else { Some((number, &text[length..])) }
}

/// Readable text of bytes from the file.
pub(crate) fn string(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_up_to_64_bits_and_no_further() {
        for (digits, expected) in [
            ("0", Some(0)),
            ("00000000000000000000000007", Some(7)),
            ("9999999999999999999", Some(9_999_999_999_999_999_999)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("99999999999999999999", None),
            ("", None),
            ("-1", None),
            ("1e3", None),
            ("1 ", None),
        ] {
            assert_eq!(decimal(digits.as_bytes()), expected, "{digits}");
        }
        for (digits, expected) in [
            ("0", Some(0)),
            ("00000000000000000000ff", Some(0xff)),
            ("ffffffffffffffff", Some(u64::MAX)),
            ("FfffffffffffffFF", Some(u64::MAX)),
            ("10000000000000000", None),
            ("", None),
            ("0x1", None),
            ("fg", None),
        ] {
            assert_eq!(hex(digits.as_bytes()), expected, "{digits}");
        }
        assert_eq!(leading_hex(b"12 34"), Some((0x12, &b" 34"[..])));
        assert_eq!(leading_decimal(b"12: 34"), Some((12, &b": 34"[..])));
    }
}
