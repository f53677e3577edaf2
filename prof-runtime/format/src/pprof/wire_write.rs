//! Writes protocol buffers' wire format: tags, varints, lengths. Without a buffer.

use super::wire::{LENGTH, VARINT, VARINT_MAX};
use crate::out::digits_into;
use crate::snapshot::Sink;

/// Counts instead of writing: a message's length comes before its content and there is no buffer to keep it in, so
/// the content is produced twice.
struct Counter<E> {
    length: u64,
    error: core::marker::PhantomData<E>,
}

impl<E> Sink for Counter<E> {
    type Error = E;

    fn write(&mut self, bytes: &[u8]) -> Result<(), E> {
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// A varint and how many bytes of the array it takes.
pub(super) fn varint(mut value: u64) -> ([u8; VARINT_MAX], usize) {
    let mut bytes = [0; VARINT_MAX];
    let mut length = 0;
    loop {
        bytes[length] = value as u8 & 0x7f;
        value >>= 7;
        if value == 0 {
            return (bytes, length + 1);
        }
        bytes[length] |= 0x80;
        length += 1;
    }
}

/// How many bytes the varint of a number takes.
fn varint_length(value: u64) -> u64 {
    u64::from(64 - (value | 1).leading_zeros()).div_ceil(7)
}

/// Bytes that packed numbers are written in.
const PIECE: usize = 256;

/// Writes the fields of one message.
pub(super) struct Message<'s, E>(pub(super) &'s mut dyn Sink<Error = E>);

impl<E> Message<'_, E> {
    fn varint(&mut self, value: u64) -> Result<(), E> {
        let (bytes, length) = varint(value);
        self.0.write(&bytes[..length])
    }

    fn tag(&mut self, field: u32, wire_type: u32) -> Result<(), E> {
        self.varint((field << 3 | wire_type).into())
    }

    /// A number field; 0 is the default and takes no space.
    pub(super) fn number(&mut self, field: u32, value: u64) -> Result<(), E> {
        if value == 0 {
            return Ok(());
        }
        self.tag(field, VARINT)?;
        self.varint(value)
    }

    /// A string or bytes field, also when empty.
    pub(super) fn bytes(&mut self, field: u32, value: &[u8]) -> Result<(), E> {
        self.tag(field, LENGTH)?;
        self.varint(value.len() as u64)?;
        self.0.write(value)
    }

    /// Content of a string that [`Message::message`] measures.
    pub(super) fn raw(&mut self, text: &[u8]) -> Result<(), E> {
        self.0.write(text)
    }

    /// Content of a string, a number in decimal.
    pub(super) fn decimal(&mut self, number: u64) -> Result<(), E> {
        let mut digits = [0; 20];
        let start = digits_into::<10>(&mut digits, number);
        self.0.write(&digits[start..])
    }

    /// Content of a string from outside. Decoders refuse a file for one string that is not UTF-8, and paths and
    /// thread names may be any bytes: what is not UTF-8 becomes `?`.
    pub(super) fn utf8(&mut self, text: &[u8]) -> Result<(), E> {
        text.utf8_chunks().try_for_each(|chunk| {
            self.0.write(chunk.valid().as_bytes())?;
            if chunk.invalid().is_empty() { Ok(()) } else { self.0.write(b"?") }
        })
    }

    /// A message field whose fields `content` writes. It is called twice and has to do the same both times.
    pub(super) fn message(
        &mut self,
        field: u32,
        content: impl Fn(&mut Message<'_, E>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut counter = Counter { length: 0, error: core::marker::PhantomData };
        content(&mut Message(&mut counter))?;
        self.tag(field, LENGTH)?;
        self.varint(counter.length)?;
        content(&mut Message(self.0))
    }

    /// A repeated number field in packed form, zeros included.
    ///
    /// Most of a profile is such lists, so the length is added up without writing, and pieces of many numbers are written.
    pub(super) fn packed(&mut self, field: u32, values: impl Iterator<Item = u64> + Clone) -> Result<(), E> {
        self.tag(field, LENGTH)?;
        self.varint(values.clone().map(varint_length).sum())?;
        let (mut piece, mut used) = ([0; PIECE], 0);
        for value in values {
            if used + VARINT_MAX > PIECE {
                self.0.write(&piece[..used])?;
                used = 0;
            }
            let (bytes, length) = varint(value);
            piece[used..used + VARINT_MAX].copy_from_slice(&bytes);
            used += length;
        }
        self.0.write(&piece[..used])
    }
}
