//! Numbers and bytes into a [`Sink`], without allocation and without the formatting machinery.

use crate::snapshot::Sink;
use crate::totals::{self, Totals};
use crate::vocab::BuildId;

/// A sink with the few verbs that the text writers need.
pub(crate) struct Out<'s, S: Sink>(pub(crate) &'s mut S);

impl<S: Sink> Out<'_, S> {
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), S::Error> {
        self.0.write(bytes)
    }

    pub(crate) fn text(&mut self, text: &str) -> Result<(), S::Error> {
        self.0.write(text.as_bytes())
    }

    /// Decimal.
    pub(crate) fn number(&mut self, number: u64) -> Result<(), S::Error> {
        let mut digits = [0; 20];
        let start = digits_into::<10>(&mut digits, number);
        self.0.write(&digits[start..])
    }

    /// `0x` and lower-case hex without padding.
    pub(crate) fn address(&mut self, address: u64) -> Result<(), S::Error> {
        let mut digits = [0; 20];
        let start = digits_into::<16>(&mut digits, address) - 2;
        digits[start..start + 2].copy_from_slice(b"0x");
        self.0.write(&digits[start..])
    }

    /// One line for each total that is known.
    pub(crate) fn totals(&mut self, totals: &Totals) -> Result<(), S::Error> {
        totals.known().try_for_each(|(name, bytes)| {
            self.text(totals::PREFIX)?;
            self.text(name)?;
            self.text(" ")?;
            self.number(bytes)?;
            self.text("\n")
        })
    }

    /// Lower-case hex of an id.
    pub(crate) fn build_id(&mut self, id: &BuildId) -> Result<(), S::Error> {
        let mut hex = [0; 64];
        self.0.write(hex_of(id, &mut hex))
    }

    /// Text from outside on a line of its own kind: control characters, which could end the line, become `?`.
    pub(crate) fn one_line(&mut self, text: &[u8]) -> Result<(), S::Error> {
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| *byte < b' ' || *byte == 0x7f) {
            self.0.write(&rest[..at])?;
            self.0.write(b"?")?;
            rest = &rest[at + 1..];
        }
        self.0.write(rest)
    }
}

/// Lower-case hex of an id in `hex`.
pub(crate) fn hex_of<'h>(id: &BuildId, hex: &'h mut [u8; 64]) -> &'h [u8] {
    let bytes = id.as_bytes();
    for (pair, byte) in hex.chunks_exact_mut(2).zip(bytes) {
        pair[0] = digit(byte >> 4);
        pair[1] = digit(byte & 15);
    }
    &hex[..2 * bytes.len()]
}

fn digit(value: u8) -> u8 {
    b"0123456789abcdef"[usize::from(value & 15)]
}

/// Writes the digits at the end of `digits` and returns where they start. The base is known when this is compiled: a
/// division for each digit took two fifths of the time of a dump.
pub(crate) fn digits_into<const BASE: u64>(digits: &mut [u8; 20], mut number: u64) -> usize {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = digit((number % BASE) as u8);
        number /= BASE;
        if number == 0 {
            return start;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::String, vec::Vec};

    fn check(write: impl Fn(&mut Out<'_, Vec<u8>>), expected: &str) {
        let mut bytes = Vec::new();
        write(&mut Out(&mut bytes));
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
    }

    #[test]
    fn numbers_are_decimal_and_addresses_hex() {
        check(|out| out.number(0).unwrap(), "0");
        check(|out| out.number(u64::MAX).unwrap(), "18446744073709551615");
        check(|out| out.address(0).unwrap(), "0x0");
        check(|out| out.address(u64::MAX).unwrap(), "0xffffffffffffffff");
        check(|out| out.build_id(&BuildId::new(&[0xab, 0x01])).unwrap(), "ab01");
    }

    #[test]
    fn control_characters_cannot_end_a_line() {
        check(|out| out.one_line(b"a\nb\r\0\xc3\xa4").unwrap(), "a?b??\u{e4}");
    }
}
