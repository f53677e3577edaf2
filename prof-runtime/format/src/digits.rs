//! Numbers and text as they stand in a file.

use alloc::string::String;

/// All digits, at least one, at most 64 bits.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    number_in(digits, 10)
}

/// Hex digits, at least one, at most 64 bits.
pub(crate) fn hex(digits: &[u8]) -> Option<u64> {
    number_in(digits, 16)
}

fn number_in(digits: &[u8], base: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = char::from(*digit).to_digit(base)?;
        number.checked_mul(base.into())?.checked_add(digit.into())
    })
}

/// Readable text of bytes from the file.
pub(crate) fn string(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
