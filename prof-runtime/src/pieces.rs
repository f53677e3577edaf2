//! Text handed to a function of the program's in pieces, each a C string of at most 64 KiB.

use core::{convert::Infallible, ffi::CStr};

use prof_format::snapshot::Sink;

use crate::memory::Rows;

const PIECE: usize = 64 << 10;

/// Collects text without zero bytes.
pub struct Pieces<'a> {
    buffer: Rows<u8>,
    filled: usize,
    receive: &'a mut dyn FnMut(&CStr),
}

impl<'a> Pieces<'a> {
    /// For this receiver; `None` when memory is out.
    pub fn new(receive: &'a mut dyn FnMut(&CStr)) -> Option<Pieces<'a>> {
        Some(Pieces { buffer: Rows::zeroed(PIECE)?, filled: 0, receive })
    }

    /// Hands over what there is.
    pub fn flush(&mut self) {
        self.buffer[self.filled] = 0;
        if let Ok(piece) = CStr::from_bytes_with_nul(&self.buffer[..=self.filled]) {
            (self.receive)(piece);
        }
        self.filled = 0;
    }
}

impl Sink for Pieces<'_> {
    type Error = Infallible;

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Infallible> {
        while !bytes.is_empty() {
            // One byte is left for the terminating zero.
            let room = &mut self.buffer[self.filled..PIECE - 1];
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            self.filled += count;
            bytes = &bytes[count..];
            if self.filled == PIECE - 1 {
                self.flush();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn pieces_are_full_but_the_last_and_add_up_to_the_text() {
        let text: Vec<u8> = (0..200_000).map(|n| b'a' + (n % 26) as u8).collect();
        let mut got: Vec<Vec<u8>> = Vec::new();
        let mut receive = |piece: &CStr| got.push(piece.to_bytes().to_vec());
        let mut pieces = Pieces::new(&mut receive).unwrap();
        text.chunks(777).for_each(|chunk| {
            let Ok(()) = pieces.write(chunk);
        });
        pieces.flush();
        let lengths: Vec<_> = got.iter().map(Vec::len).collect();
        assert_eq!(lengths, [PIECE - 1, PIECE - 1, PIECE - 1, 200_000 - 3 * (PIECE - 1)]);
        assert_eq!(got.concat(), text);
    }
}
