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
    let (mut number, mut length) = match text.first_chunk().and_then(|eight| hex_of_eight(*eight)) {
        Some(number) => (u64::from(number), 8),
        None => (0, 0),
    };
    for byte in &text[length..] {
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

/// Eight hex digits at once: addresses are most of a dump. `None` when one of the bytes is no digit.
fn hex_of_eight(text: [u8; 8]) -> Option<u32> {
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    let bytes = u64::from_be_bytes(text);
    // Of the bytes that can be digits, letters alone have bit 6; bit 5 makes them lower case.
    let letters = (bytes >> 6) & each(1);
    let values = (bytes & each(0x0f)) + letters * 9;
    // A byte was a digit if writing its value gives it back.
    let over_nine = ((values + each(6)) >> 4) & each(1);
    let written = values + each(b'0') + over_nine * u64::from(b'a' - b'0' - 10);
    if values & each(0xf0) != 0 || written != bytes | (letters << 5) {
        return None;
    }
    let pairs = (values | (values >> 4)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
    Some((fours | (fours >> 16)) as u32)
}

/// Readable text of bytes from the file.
pub(crate) fn string(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_hex_digits_are_read_as_one_by_one() {
        let one_by_one = |text: [u8; 8]| {
            text.iter().try_fold(0u32, |number, byte| Some(number << 4 | char::from(*byte).to_digit(16)?))
        };
        for byte in 0..=255 {
            for at in 0..8 {
                let mut text = *b"09afAF5d";
                text[at] = byte;
                assert_eq!(hex_of_eight(text), one_by_one(text), "{text:?}");
            }
        }
    }

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
