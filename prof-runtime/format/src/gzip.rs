//! A gzip stream on its way to a [`Sink`], compressed without allocation.
//!
//! Matches are found through a hash of the next four bytes with two candidates each, over a window of 32 KiB, and
//! everything is coded with deflate's fixed Huffman codes: no statistics pass, no tables to build, so the state has a
//! known size and the first byte can leave early. Dumps are repetitive enough for that: jemalloc's own of 20 to 400 KB
//! shrink to 16 to 4 %, as with `gzip -1` (`gzip -6`: 14 to 3 %), at about 200 MB/s.
//!
//! Source: RFC 1951 (deflate), RFC 1952 (gzip).

use crate::snapshot::Sink;

/// Farthest that a match may reach back.
const WINDOW: usize = 32 << 10;
/// What the input buffer holds: a window of history and as much to be compressed.
const BUFFER: usize = 2 * WINDOW;
const MATCH_MIN: usize = 4;
const MATCH_MAX: usize = 258;
const HASH_BITS: u32 = 13;
const OUT: usize = 512;

/// Buffers of one stream, about 97 KiB. Plain numbers: zeroed memory is a valid state, and so is a used one.
pub struct GzipState {
    input: [u8; BUFFER],
    /// Two latest positions in `input` for each hash, plus one; 0 is none.
    heads: [[u16; 2]; 1 << HASH_BITS],
    out: [u8; OUT],
}

const _: () = assert!(size_of::<GzipState>() <= 100 << 10);
// Positions plus one have to fit the 16 bits of `heads`; the last position never starts a match.
const _: () = assert!(BUFFER <= 1 << 16);

impl GzipState {
    /// Fresh buffers.
    pub const fn new() -> GzipState {
        GzipState { input: [0; BUFFER], heads: [[0; 2]; 1 << HASH_BITS], out: [0; OUT] }
    }
}

impl Default for GzipState {
    fn default() -> Self {
        Self::new()
    }
}

/// Compresses what is written to it into `sink`. [`Gzip::finish`] has to be called for a complete stream.
pub struct Gzip<'b, S: Sink> {
    sink: S,
    state: &'b mut GzipState,
    /// Bytes of `state.input` in use, and how many of them are compressed.
    filled: usize,
    done: usize,
    out_filled: usize,
    /// Bits that do not make a byte yet, lowest first.
    bits: u64,
    bit_count: u32,
    crc: u32,
    length: u32,
}

impl<'b, S: Sink> Gzip<'b, S> {
    /// Begins a stream. Nothing is written to `sink` yet.
    pub fn new(sink: S, state: &'b mut GzipState) -> Gzip<'b, S> {
        state.heads.fill([0; 2]);
        // Magic, deflate, no flags, no time (the same dump gives the same bytes), no hint, Unix.
        const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
        state.out[..HEADER.len()].copy_from_slice(&HEADER);
        // One deflate block, the last (1) and with fixed codes (01): bits 1, 1, 0 from the lowest.
        let (bits, bit_count) = (0b011, 3);
        Gzip {
            sink,
            state,
            filled: 0,
            done: 0,
            out_filled: HEADER.len(),
            bits,
            bit_count,
            crc: !0,
            length: 0,
        }
    }

    /// Compresses the rest, ends the stream and returns the sink.
    ///
    /// # Errors
    /// The first one of the sink.
    pub fn finish(mut self) -> Result<S, S::Error> {
        self.compress(true)?;
        self.symbol(END)?;
        // Whole bytes from here on.
        self.put(0, (8 - self.bit_count % 8) % 8)?;
        self.put(!self.crc, 32)?;
        self.put(self.length, 32)?;
        self.drain()?;
        self.sink.write(&self.state.out[..self.out_filled])?;
        Ok(self.sink)
    }

    /// Compresses what is in the buffer; unless it is the end, what could still become a longer match stays.
    fn compress(&mut self, end: bool) -> Result<(), S::Error> {
        let limit = if end { self.filled } else { self.filled - MATCH_MAX };
        while self.done < limit {
            match self.longest_match() {
                Some((length, distance)) => {
                    self.length_code(length)?;
                    self.distance_code(distance)?;
                    // Every position inside would cost time and gain 1 %: only some are noted.
                    for skipped in (1..length).step_by(4) {
                        self.candidates(self.done + skipped);
                    }
                    self.done += length;
                }
                None => {
                    self.symbol(self.state.input[self.done].into())?;
                    self.done += 1;
                }
            }
        }
        Ok(())
    }

    /// Notes `position` under its hash and returns who was there before.
    fn candidates(&mut self, position: usize) -> [u16; 2] {
        let Some(next) = self.state.input[..self.filled].get(position..position + MATCH_MIN) else {
            return [0; 2];
        };
        let word = u32::from_le_bytes([next[0], next[1], next[2], next[3]]);
        let hash = word.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
        let head = &mut self.state.heads[hash as usize];
        let before = *head;
        *head = [(position + 1) as u16, before[0]];
        before
    }

    /// Length and distance of the longer of the two candidates' matches.
    fn longest_match(&mut self) -> Option<(usize, usize)> {
        let here = self.done;
        let candidates = self.candidates(here);
        let input = &self.state.input[..self.filled];
        let matches = candidates.into_iter().filter(|noted| *noted != 0).map(|noted| {
            let there = usize::from(noted) - 1;
            let pairs = input[here..].iter().zip(&input[there..]).take(MATCH_MAX);
            (pairs.take_while(|(a, b)| a == b).count(), here - there)
        });
        matches
            .filter(|(length, distance)| *length >= MATCH_MIN && *distance <= WINDOW)
            .reduce(|nearer, farther| if farther.0 > nearer.0 { farther } else { nearer })
    }

    /// Moves the last window to the front to make room.
    fn slide(&mut self) {
        let by = self.done.saturating_sub(WINDOW);
        self.state.input.copy_within(by..self.filled, 0);
        self.filled -= by;
        self.done -= by;
        for noted in self.state.heads.as_flattened_mut() {
            *noted = noted.saturating_sub(by as u16);
        }
    }

    /// Code of a literal or length symbol.
    fn symbol(&mut self, symbol: u32) -> Result<(), S::Error> {
        // RFC 1951, 3.2.6. Huffman codes go from their highest bit.
        let (code, bits) = match symbol {
            0..144 => (0x30 + symbol, 8),
            144..256 => (0x190 + symbol - 144, 9),
            256..280 => (symbol - 256, 7),
            _ => (0xc0 + symbol - 280, 8),
        };
        self.put(code.reverse_bits() >> (32 - bits), bits)
    }

    fn length_code(&mut self, length: usize) -> Result<(), S::Error> {
        if length == MATCH_MAX {
            return self.symbol(LENGTH_258);
        }
        let (code, extra, rest) = split_code(length as u32 - 3, 4);
        self.symbol(END + 1 + code)?;
        self.put(rest, extra)
    }

    fn distance_code(&mut self, distance: usize) -> Result<(), S::Error> {
        let (code, extra, rest) = split_code(distance as u32 - 1, 2);
        self.put(code.reverse_bits() >> (32 - 5), 5)?;
        self.put(rest, extra)
    }

    /// Appends the `count` (at most 32) lowest bits of `bits`, the lowest first.
    fn put(&mut self, bits: u32, count: u32) -> Result<(), S::Error> {
        self.bits |= u64::from(bits) << self.bit_count;
        self.bit_count += count;
        if self.bit_count >= 32 { self.drain() } else { Ok(()) }
    }

    /// Moves whole bytes on.
    fn drain(&mut self) -> Result<(), S::Error> {
        while self.bit_count >= 8 {
            if self.out_filled == OUT {
                self.sink.write(&self.state.out)?;
                self.out_filled = 0;
            }
            self.state.out[self.out_filled] = self.bits as u8;
            self.out_filled += 1;
            self.bits >>= 8;
            self.bit_count -= 8;
        }
        Ok(())
    }
}

impl<S: Sink> Sink for Gzip<'_, S> {
    type Error = S::Error;

    fn write(&mut self, bytes: &[u8]) -> Result<(), S::Error> {
        self.crc =
            bytes.iter().fold(self.crc, |crc, byte| crc >> 8 ^ CRC_TABLE[usize::from(crc as u8 ^ byte)]);
        // The format wants it modulo 2^32.
        self.length = self.length.wrapping_add(bytes.len() as u32);
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.filled == BUFFER {
                self.compress(false)?;
                self.slide();
            }
            let (now, later) = rest.split_at(rest.len().min(BUFFER - self.filled));
            self.state.input[self.filled..][..now.len()].copy_from_slice(now);
            self.filled += now.len();
            rest = later;
        }
        Ok(())
    }
}

/// Symbol that ends a block.
const END: u32 = 256;
/// Symbol of the longest match, the only length that breaks the scheme of [`split_code`].
const LENGTH_258: u32 = 285;

/// Code, number of extra bits and their value for a length less 3 (`per_step` 4) or a distance less 1 (`per_step` 2).
///
/// In both tables of RFC 1951, 3.2.5, the first `2 * per_step` values have a code each; after that every doubling of
/// the value has `per_step` codes, so a code is the value's top bits and the extra bits are the others.
fn split_code(value: u32, per_step: u32) -> (u32, u32, u32) {
    if value < 2 * per_step {
        return (value, 0, 0);
    }
    let extra = value.ilog2() - per_step.ilog2();
    let top = value >> extra;
    (extra * per_step + top, extra, value - (top << extra))
}

/// CRC-32 of each byte, polynomial 0xEDB88320 (RFC 1952, section 8).
const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Random, VecSnapshot};
    use crate::vocab::Format;
    use alloc::{boxed::Box, vec, vec::Vec};
    use std::io::Read;

    /// Compresses in pieces of the given sizes, in turn, and inflates with another implementation.
    fn check(input: &[u8], pieces: &[usize]) -> usize {
        let mut state = Box::new(GzipState::new());
        // A used state has to do as well as a fresh one.
        for _ in 0..2 {
            let mut gzip = Gzip::new(Vec::new(), &mut state);
            let (mut rest, mut turn) = (input, 0);
            while !rest.is_empty() {
                let (now, later) = rest.split_at(pieces[turn % pieces.len()].min(rest.len()));
                gzip.write(now).unwrap();
                (rest, turn) = (later, turn + 1);
            }
            let packed = gzip.finish().unwrap();
            let mut unpacked = Vec::new();
            flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
            assert!(unpacked == input, "{} bytes came back as {}", input.len(), unpacked.len());
            if input.len() < 2 {
                return packed.len();
            }
        }
        let mut gzip = Gzip::new(Vec::new(), &mut state);
        gzip.write(input).unwrap();
        gzip.finish().unwrap().len()
    }

    #[test]
    fn another_inflate_gives_back_every_kind_of_content() {
        let mut random = Random::new(3);
        check(b"", &[1]);
        check(b"a", &[1]);
        check(&vec![b'x'; 200_000], &[1000]);
        let noise: Vec<u8> = (0..150_000).map(|_| random.next() as u8).collect();
        check(&noise, &[1, 70_000, 13]);
        // Repeats at every distance up to past the window.
        let mut mixed = Vec::new();
        while mixed.len() < 400_000 {
            let back = 1 + random.below(40_000) as usize;
            let length = 3 + random.below(400) as usize;
            match mixed.len().checked_sub(back) {
                Some(start) => (0..length).for_each(|i| mixed.push(mixed[start + i])),
                None => mixed.extend_from_slice(&noise[..length]),
            }
            mixed.push(random.next() as u8);
        }
        check(&mixed, &[500, 1, 65_536]);
    }

    #[test]
    fn every_length_and_distance_has_the_code_of_the_rfc() {
        // A few rows of the tables in RFC 1951: value, code, extra bits, rest.
        for (length, code, extra, rest) in [
            (3, 257, 0, 0),
            (10, 264, 0, 0),
            (11, 265, 1, 0),
            (12, 265, 1, 1),
            (19, 269, 2, 0),
            (227, 284, 5, 0),
        ] {
            let (found, bits, value) = split_code(length - 3, 4);
            assert_eq!((found + 257, bits, value), (code, extra, rest), "length {length}");
        }
        for (distance, code, extra, rest) in [
            (1, 0, 0, 0),
            (4, 3, 0, 0),
            (5, 4, 1, 0),
            (24577, 29, 13, 0),
            (32768, 29, 13, 8191),
            (193, 15, 6, 0),
        ] {
            assert_eq!(split_code(distance - 1, 2), (code, extra, rest), "distance {distance}");
        }
    }

    #[test]
    fn dumps_get_a_good_deal_smaller() {
        let snapshot = VecSnapshot::random(&mut Random::new(11), 1 << 19, true, 400);
        for (format, at_most) in [(Format::Text, 0.55), (Format::HeapV2, 0.55), (Format::Pprof, 0.9)] {
            let mut plain = Vec::new();
            crate::any::write(format, &snapshot, &mut plain).unwrap();
            let share = check(&plain, &[64]) as f64 / plain.len() as f64;
            // Random stacks of twenty frames out of 600 compress far worse than those of a program.
            assert!(share < at_most, "{} to {share:.2}", format.name());
        }
    }

    #[test]
    fn an_error_of_the_sink_comes_through() {
        struct Full;
        impl Sink for Full {
            type Error = &'static str;
            fn write(&mut self, _: &[u8]) -> Result<(), &'static str> {
                Err("full")
            }
        }
        let mut state = Box::new(GzipState::new());
        assert_eq!(Gzip::new(Full, &mut state).finish().err(), Some("full"));
    }
}
