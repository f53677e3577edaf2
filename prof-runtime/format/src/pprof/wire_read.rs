//! Reads protocol buffers' wire format: tags, varints, lengths. Without trust.

use super::wire::{FIXED32, FIXED64, LENGTH, VARINT, VARINT_MAX};

/// The value of a field as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Varint, or a fixed-width number.
    Number(u64),
    /// String, bytes, message or packed numbers.
    Bytes(&'a [u8]),
}

/// What the wire format itself does not allow, at this offset of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) offset: usize,
    pub(super) what: &'static str,
}

/// Walks over the fields of a message. Ends after the first error.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Fields<'a> {
        Fields { bytes, offset: 0 }
    }

    /// Offset of the next field.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let rest = &self.bytes[self.offset..];
        let taken = rest.get(..length).ok_or(Malformed { offset: self.offset, what })?;
        self.offset += length;
        Ok(taken)
    }

    fn field(&mut self) -> Result<(u32, Value<'a>), Malformed> {
        let start = self.offset;
        let tag = varint(self.bytes, &mut self.offset)?;
        let field = u32::try_from(tag >> 3).ok().filter(|field| (1..1 << 29).contains(field));
        let field = field.ok_or(Malformed { offset: start, what: "field number out of range" })?;
        let value = match (tag & 7) as u32 {
            VARINT => Value::Number(varint(self.bytes, &mut self.offset)?),
            FIXED64 => Value::Number(little_endian(self.take(8, "number cut off")?)),
            FIXED32 => Value::Number(little_endian(self.take(4, "number cut off")?)),
            LENGTH => {
                let length = varint(self.bytes, &mut self.offset)?;
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                Value::Bytes(self.take(length, "length goes past the end")?)
            }
            _ => return Err(Malformed { offset: start, what: "unknown wire type" }),
        };
        Ok((field, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.offset >= self.bytes.len() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.offset = self.bytes.len();
        }
        Some(field)
    }
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Reads a varint at `offset` and moves past it. Bits past the 64th are dropped, as protobuf does.
fn varint(bytes: &[u8], offset: &mut usize) -> Result<u64, Malformed> {
    let mut value = 0;
    for (place, byte) in bytes[*offset..].iter().take(VARINT_MAX).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            *offset += place + 1;
            return Ok(value);
        }
    }
    let cut = bytes.len() - *offset < VARINT_MAX;
    let what = if cut { "number cut off" } else { "number longer than 64 bits" };
    Err(Malformed { offset: *offset, what })
}

/// A repeated number field: one number, or packed ones. `each` is given every number.
pub(super) fn numbers<E: From<Malformed>>(
    value: Value<'_>,
    mut each: impl FnMut(u64) -> Result<(), E>,
) -> Result<(), E> {
    match value {
        Value::Number(number) => each(number),
        Value::Bytes(bytes) => {
            let mut offset = 0;
            while offset < bytes.len() {
                each(varint(bytes, &mut offset)?)?;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire_write::Message;
    use super::*;
    use alloc::{vec, vec::Vec};

    fn written(write: impl Fn(&mut Message<'_, core::convert::Infallible>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut Message(&mut bytes));
        bytes
    }

    #[test]
    fn numbers_of_any_size_come_back() {
        for value in [1, 127, 128, 300, 1 << 35, u64::MAX] {
            let bytes = written(|message| message.number(3, value).unwrap());
            assert_eq!(Fields::new(&bytes).collect::<Vec<_>>(), [Ok((3, Value::Number(value)))]);
        }
    }

    #[test]
    fn nested_messages_carry_their_length() {
        let bytes = written(|message| {
            message
                .message(2, |sample| {
                    sample.packed(1, [0, 1, 1000].into_iter())?;
                    sample.message(3, |label| label.number(1, 5))
                })
                .unwrap();
        });
        assert_eq!(bytes, [0x12, 10, 0x0a, 4, 0, 1, 0xe8, 0x07, 0x1a, 2, 0x08, 5]);
        let mut all = Vec::new();
        let packed = Value::Bytes(&bytes[4..8]);
        numbers::<Malformed>(packed, |number| {
            all.push(number);
            Ok(())
        })
        .unwrap();
        assert_eq!(all, vec![0, 1, 1000]);
    }

    #[test]
    fn malformed_input_says_where_and_ends_the_walk() {
        for (bytes, offset, what) in [
            (&[0x08][..], 1, "number cut off"),
            (&[0x08, 0x80], 1, "number cut off"),
            (&[0x0a, 5, 1], 2, "length goes past the end"),
            (
                &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
                11,
                "length goes past the end",
            ),
            (&[0x0b], 0, "unknown wire type"),
            (&[0x00, 1], 0, "field number out of range"),
            (
                &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
                1,
                "number longer than 64 bits",
            ),
        ] {
            let fields: Vec<_> = Fields::new(bytes).collect();
            assert_eq!(fields, [Err(Malformed { offset, what })], "{bytes:x?}");
        }
    }
}
