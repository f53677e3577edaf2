//! One gzip member out of pieces that are compressed side by side, while the next ones are still being made.
//!
//! Each piece is deflated by itself and ends at a byte, so that the results stand behind one another as one stream of
//! deflate blocks: any reader takes it, also one that stops after the first member. What is in a piece decides what it
//! becomes, not which thread had it: the same input gives the same bytes.
//!
//! Source: RFC 1951 (deflate), RFC 1952 (gzip).

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress};

use crate::error::{Error, Result};

/// Pieces should have so many bytes: enough that starting anew costs one in a hundred at most, few enough that the last
/// one is not waited for.
pub const PIECE: usize = 128 << 10;

/// Magic, deflate, no flags, no time (the same profile gives the same bytes), fastest, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// A last deflate block without content: the pieces before do not know that they are the last.
const END: [u8; 2] = [3, 0];

/// Packs the pieces that `produce` hands over, in their order, with so many threads.
///
/// # Errors
/// Deflate refused a piece, which would be a mistake of the library's or of ours. There is no file then, rather than one
/// that nobody can unpack.
pub fn pack(threads: usize, produce: impl FnOnce(&mut dyn FnMut(Vec<u8>))) -> Result<Vec<u8>> {
    let queue = Queue::default();
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| queue.work());
        }
        produce(&mut |piece| queue.add(piece));
        queue.close();
        // Nothing else is left to do here.
        queue.work();
    });
    queue.finish()
}

/// Pieces on their way.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(usize, Vec<u8>)>,
    /// By number; empty until it is done.
    packed: Vec<Packed>,
    closed: bool,
    failure: Option<Error>,
}

#[derive(Default)]
struct Packed {
    bytes: Vec<u8>,
    crc: Hasher,
    /// Bytes before packing.
    length: usize,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        // No thread panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, piece: Vec<u8>) {
        let mut state = self.state();
        let number = state.packed.len();
        state.packed.push(Packed::default());
        state.waiting.push_back((number, piece));
        self.changed.notify_one();
    }

    fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Packs pieces until there are none and none will come.
    fn work(&self) {
        let mut packer = Packer::new();
        let mut state = self.state();
        loop {
            if let Some((number, piece)) = state.waiting.pop_front() {
                drop(state);
                let packed = packer.pack(&piece);
                state = self.state();
                match packed {
                    Ok(packed) => state.packed[number] = packed,
                    Err(error) => state.failure = Some(error),
                }
            } else if state.closed {
                return;
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn finish(self) -> Result<Vec<u8>> {
        let State { packed, failure, .. } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = failure {
            return Err(failure);
        }
        let length: usize = packed.iter().map(|packed| packed.bytes.len()).sum();
        let mut out = Vec::with_capacity(HEADER.len() + length + END.len() + 8);
        out.extend_from_slice(&HEADER);
        let (mut crc, mut plain_length) = (Hasher::new(), 0);
        for piece in packed {
            out.extend_from_slice(&piece.bytes);
            crc.combine(&piece.crc);
            plain_length += piece.length;
        }
        out.extend_from_slice(&END);
        out.extend_from_slice(&crc.finalize().to_le_bytes());
        // The format wants it modulo 2^32.
        out.extend_from_slice(&(plain_length as u32).to_le_bytes());
        Ok(out)
    }
}

/// One thread's part.
struct Packer {
    compress: Compress,
    /// Where a piece goes before it is known how long it becomes.
    room: Vec<u8>,
}

impl Packer {
    fn new() -> Packer {
        Packer { compress: Compress::new(Compression::fast(), false), room: Vec::new() }
    }

    fn pack(&mut self, piece: &[u8]) -> Result<Packed> {
        let Packer { compress, room } = self;
        compress.reset();
        room.clear();
        // For the worst case, in which a byte takes nine bits: everything is taken and flushed in one call. To go on with
        // a flush that ran out of room is not the same with all libraries: miniz_oxide gives up what it has taken in.
        room.reserve(piece.len() + piece.len() / 4 + 1024);
        let failed =
            |what: &dyn std::fmt::Display| Error::new(format!("gzip: a piece cannot be packed: {what}"));
        compress.compress_vec(piece, room, FlushCompress::Full).map_err(|error| failed(&error))?;
        if compress.total_in() != piece.len() as u64 || room.len() == room.capacity() {
            let (taken, length) = (compress.total_in(), piece.len());
            return Err(failed(&format_args!(
                "{taken} of its {length} bytes became {} and more",
                room.len()
            )));
        }
        let mut crc = Hasher::new();
        crc.update(piece);
        Ok(Packed { bytes: room.as_slice().into(), crc, length: piece.len() })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn unpacked(bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        // Reads one member and no more, and compares the sum.
        let mut decoder = flate2::bufread::GzDecoder::new(bytes);
        decoder.read_to_end(&mut plain).unwrap();
        assert!(decoder.into_inner().is_empty());
        plain
    }

    /// Nothing compresses it.
    fn noise(length: usize) -> Vec<u8> {
        let mut number = length as u64 + 7;
        let mut byte = || {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (number >> 33) as u8
        };
        (0..length).map(|_| byte()).collect()
    }

    fn packed(threads: usize, pieces: &[Vec<u8>]) -> Vec<u8> {
        pack(threads, |each| pieces.iter().cloned().for_each(each)).unwrap()
    }

    #[test]
    fn pieces_come_back_in_order_whoever_packed_them() {
        let pieces =
            [noise(300_000), b"text ".repeat(40_000), Vec::new(), noise(1), noise(1024), vec![0; 2_000_000]];
        let plain = pieces.concat();
        for threads in [1, 2, 5] {
            let packed = packed(threads, &pieces);
            assert_eq!(packed, self::packed(1, &pieces));
            assert!(unpacked(&packed) == plain);
            assert!(packed.len() < 350_000, "{}", packed.len());
        }
        assert!(unpacked(&packed(2, &[])).is_empty());
    }

    #[test]
    fn pieces_of_every_kind_and_size_come_back() {
        // Around the sizes of the library's windows, buffers and stored blocks, and of our own pieces.
        let borders = [1 << 8, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16, PIECE];
        let sizes = (0..40).chain(borders.iter().flat_map(|border| border - 3..border + 4));
        // Nine bits for each byte in fixed codes, which is the worst case.
        let high = |length: usize| noise(length).iter().map(|byte| byte | 0x90).collect::<Vec<u8>>();
        for size in sizes {
            let mixed = [noise(size / 3), vec![b'm'; size / 3], noise(size / 4)].concat();
            // One thread, whose state goes from piece to piece.
            let pieces = [noise(size), vec![b'z'; size], high(size), mixed, b"0123".repeat(size / 4)];
            assert!(unpacked(&packed(1, &pieces)) == pieces.concat(), "{size}");
        }
    }
}
