//! Writes protocol buffers' wire format into memory: each field once, where [`super::wire_write`], which may not keep
//! anything, writes what it has to measure twice.

use alloc::vec::Vec;

use super::wire::{LENGTH, VARINT};
use super::wire_write::varint;

/// The fields of a message, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffer(pub(super) Vec<u8>);

impl Buffer {
    fn varint(&mut self, mut value: u64) {
        // Most have one to three bytes, for which copying them from elsewhere would take longer than all else.
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn tag(&mut self, field: u32, wire_type: u32) {
        self.varint((field << 3 | wire_type).into());
    }

    /// A number field; 0 is the default and takes no space.
    pub(super) fn number(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.tag(field, VARINT);
            self.varint(value);
        }
    }

    /// A string field, also when empty.
    pub(super) fn text(&mut self, field: u32, value: &str) {
        self.tag(field, LENGTH);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value.as_bytes());
    }

    /// A message field whose fields `content` writes.
    pub(super) fn message(&mut self, field: u32, content: impl FnOnce(&mut Buffer)) {
        self.tag(field, LENGTH);
        let start = self.0.len();
        // Most messages are shorter than 128 bytes, whose length takes one.
        self.0.push(0);
        content(self);
        let (bytes, length) = varint((self.0.len() - start - 1) as u64);
        self.0[start] = bytes[0];
        if length > 1 {
            let end = self.0.len();
            self.0.extend_from_slice(&bytes[1..length]);
            self.0.copy_within(start + 1..end, start + length);
            self.0[start + 1..start + length].copy_from_slice(&bytes[1..length]);
        }
    }

    /// A repeated number field in packed form, zeros included; nothing when there are none.
    pub(super) fn packed(&mut self, field: u32, values: impl ExactSizeIterator<Item = u64>) {
        if values.len() != 0 {
            self.message(field, |message| values.for_each(|value| message.varint(value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire_write::Message;
    use super::*;
    use crate::testing::Random;

    #[test]
    fn both_writers_of_the_wire_format_write_the_same() {
        let mut random = Random::new(8);
        for _ in 0..200 {
            let numbers: Vec<u64> =
                (0..1 + random.below(300)).map(|_| random.next() >> random.below(64)).collect();
            let mut direct = Vec::new();
            let Ok(()) = Message(&mut direct).message(5, |message| {
                message.number(1, numbers[0])?;
                message.packed(2, numbers.iter().copied())?;
                message.message(3, |inner| inner.bytes(4, b"text"))
            }) as Result<(), core::convert::Infallible>;
            let mut buffer = Buffer::default();
            buffer.message(5, |message| {
                message.number(1, numbers[0]);
                message.packed(2, numbers.iter().copied());
                message.message(3, |inner| inner.text(4, "text"));
            });
            assert!(buffer.0 == direct, "{} numbers", numbers.len());
        }
    }
}
