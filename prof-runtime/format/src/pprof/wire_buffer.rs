//! Writes protocol buffers' wire format into memory: each field once, where [`super::wire_write`], which may not keep
//! anything, writes what it has to measure twice.

use alloc::vec::Vec;

use super::wire::{LENGTH, VARINT};
use super::wire_write::varint;

/// The fields of a message, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffer(pub(super) Vec<u8>);

impl Buffer {
    /// What is written so far. What comes next most likely takes as much memory.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let next = Vec::with_capacity(self.0.len() + self.0.len() / 8);
        core::mem::replace(&mut self.0, next)
    }

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

    /// The same for numbers below 2^32, of which there are many: without a check for room at every byte.
    pub(super) fn packed_short(&mut self, field: u32, values: impl ExactSizeIterator<Item = u32>) {
        if values.len() == 0 {
            return;
        }
        self.message(field, |message| {
            let bytes = &mut message.0;
            let mut end = bytes.len();
            // Five bytes at most for each, and what the last one writes beyond its end.
            bytes.resize(end + values.len() * SHORT_MAX + size_of::<u64>(), 0);
            for value in values {
                let (word, length) = short_varint(value);
                bytes[end..end + size_of::<u64>()].copy_from_slice(&word.to_le_bytes());
                end += length;
            }
            bytes.truncate(end);
        });
    }

    /// A repeated number field in packed form, zeros included; nothing when there are none.
    pub(super) fn packed(&mut self, field: u32, values: impl ExactSizeIterator<Item = u64>) {
        if values.len() != 0 {
            self.message(field, |message| values.for_each(|value| message.varint(value)));
        }
    }
}

/// Bytes of the varint of a number below 2^32 at most.
const SHORT_MAX: usize = 5;

/// The bytes of a number's varint in a word, the first one lowest, and how many they are.
fn short_varint(value: u32) -> (u64, usize) {
    let value = u64::from(value);
    let group = |index: u32| (value >> (7 * index) & 0x7f) << (8 * index);
    match value {
        0..0x80 => (value, 1),
        0x80..0x4000 => (group(0) | 0x80 | group(1), 2),
        0x4000..0x20_0000 => (group(0) | group(1) | 0x8080 | group(2), 3),
        0x20_0000..0x1000_0000 => (group(0) | group(1) | group(2) | 0x80_8080 | group(3), 4),
        _ => (group(0) | group(1) | group(2) | group(3) | 0x8080_8080 | group(4), SHORT_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire_write::Message;
    use super::*;
    use crate::testing::Random;

    #[test]
    fn numbers_below_2_to_the_32_are_written_like_all_others() {
        let mut numbers: Vec<u32> = std::vec![0, u32::MAX];
        for bit in 0..32 {
            numbers.extend([(1 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        }
        for part in numbers.chunks(7).chain([&numbers[..], &[]]) {
            let (mut short, mut long) = (Buffer::default(), Buffer::default());
            short.packed_short(9, part.iter().copied());
            long.packed(9, part.iter().map(|number| (*number).into()));
            assert_eq!(short.0, long.0, "{part:?}");
        }
    }

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
