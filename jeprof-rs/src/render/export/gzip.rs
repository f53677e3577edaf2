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

/// Pieces should have so many bytes: enough that starting anew costs one in a hundred at most, few enough that the last
/// one is not waited for.
pub const PIECE: usize = 128 << 10;

/// Magic, deflate, no flags, no time (the same profile gives the same bytes), fastest, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// A last deflate block without content: the pieces before do not know that they are the last.
const END: [u8; 2] = [3, 0];

/// Packs the pieces that `produce` hands over, in their order, with so many threads.
pub fn pack(threads: usize, produce: impl FnOnce(&mut dyn FnMut(Vec<u8>))) -> Vec<u8> {
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
        let mut compress = Compress::new(Compression::fast(), false);
        let mut state = self.state();
        loop {
            if let Some((number, piece)) = state.waiting.pop_front() {
                drop(state);
                let packed = packed(&mut compress, &piece);
                state = self.state();
                state.packed[number] = packed;
            } else if state.closed {
                return;
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn finish(self) -> Vec<u8> {
        let State { packed, .. } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
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
        out
    }
}

fn packed(compress: &mut Compress, piece: &[u8]) -> Packed {
    let mut crc = Hasher::new();
    crc.update(piece);
    compress.reset();
    // Mostly a third; what cannot be compressed grows a little.
    let mut bytes = Vec::with_capacity(piece.len() / 2 + 1024);
    loop {
        let taken = compress.total_in() as usize;
        // Into a vector, with nothing but deflate to set up, it cannot fail.
        let _ = compress.compress_vec(&piece[taken..], &mut bytes, FlushCompress::Full);
        // Space left means that all is taken and flushed.
        if bytes.len() < bytes.capacity() {
            return Packed { bytes, crc, length: piece.len() };
        }
        bytes.reserve(piece.len() / 2 + 1024);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn unpacked(bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        // Reads one member and no more.
        let mut decoder = flate2::bufread::GzDecoder::new(bytes);
        decoder.read_to_end(&mut plain).unwrap();
        assert!(decoder.into_inner().is_empty());
        plain
    }

    #[test]
    fn pieces_come_back_in_order_whoever_packed_them() {
        let mut number = 7_u64;
        let mut noise = |length: usize| -> Vec<u8> {
            (0..length)
                .map(|_| {
                    number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (number >> 33) as u8
                })
                .collect()
        };
        // Nothing compresses noise: it is what fills the output's space to the brim.
        let pieces =
            [noise(300_000), b"text ".repeat(40_000), Vec::new(), noise(1), noise(1024), vec![0; 2_000_000]];
        let plain = pieces.concat();
        let packed = |threads| pack(threads, |each| pieces.iter().cloned().for_each(each));
        for threads in [1, 2, 5] {
            let packed = packed(threads);
            assert_eq!(packed, super::pack(1, |each| pieces.iter().cloned().for_each(each)));
            assert!(unpacked(&packed) == plain);
            assert!(packed.len() < 350_000, "{}", packed.len());
        }
        assert!(unpacked(&pack(2, |_| {})).is_empty());
    }
}
