//! A dump on its way to another process, in the frames of `prof_format::wire`.

use prof_format::{
    snapshot::{Sink, Snapshot},
    wire::{FRAME_MAX, LENGTH},
};
use rustix::{fd::BorrowedFd, io::Errno};

use super::{
    file::{Content, Failure, write_all},
    quiet::Quiet,
};
use crate::memory::Rows;

/// Collects pieces into frames, each with room for its length in front.
struct FrameSink<'a> {
    socket: BorrowedFd<'a>,
    frame: &'a mut [u8],
    filled: usize,
}

impl FrameSink<'_> {
    /// Sends what was collected: without anything that is the frame that ends a dump.
    fn send(&mut self) -> Result<(), Errno> {
        let (length, rest) = self.frame.split_at_mut(LENGTH);
        length.copy_from_slice(&(self.filled as u32).to_le_bytes());
        let end = self.filled.min(rest.len());
        self.filled = 0;
        write_all(self.socket, &self.frame[..LENGTH + end])
    }
}

impl Sink for FrameSink<'_> {
    type Error = Errno;

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            let room = &mut self.frame[LENGTH + self.filled..];
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            self.filled += count;
            bytes = &bytes[count..];
            if count == room.len() {
                self.send()?;
            }
        }
        Ok(())
    }
}

/// Sends all of a dump, and that it is whole.
///
/// # Errors
/// See [`Failure`].
pub fn send<N: Snapshot>(socket: BorrowedFd<'_>, content: &Content<N>) -> Result<(), Failure> {
    let _quiet = Quiet::start();
    let mut frame = Rows::<u8>::zeroed(LENGTH + FRAME_MAX).ok_or(Failure::OutOfMemory)?;
    let mut sink = FrameSink { socket, frame: &mut frame, filled: 0 };
    content.write_to(&mut sink)?;
    if sink.filled != 0 {
        sink.send().map_err(|_| Failure::Write)?;
    }
    sink.send().map_err(|_| Failure::Write)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write as _},
        os::{fd::AsRawFd, unix::net::UnixStream},
        thread,
        vec::Vec,
    };

    /// What arrives when pieces of these lengths are written.
    fn arrived(pieces: &[usize]) -> (Vec<u8>, Vec<u8>) {
        let (here, mut there) = UnixStream::pair().unwrap();
        let receiver = thread::spawn(move || {
            let mut all = Vec::new();
            there.read_to_end(&mut all).map(|_| all).unwrap()
        });
        let mut sent = Vec::new();
        let mut frame = std::vec![0; LENGTH + FRAME_MAX];
        // SAFETY: `here` is open until after the last use.
        let socket = unsafe { BorrowedFd::borrow_raw(here.as_raw_fd()) };
        let mut sink = FrameSink { socket, frame: &mut frame, filled: 0 };
        for (piece, length) in pieces.iter().enumerate() {
            let bytes = std::vec![piece as u8; *length];
            sent.write_all(&bytes).unwrap();
            sink.write(&bytes).unwrap();
        }
        if sink.filled != 0 {
            sink.send().unwrap();
        }
        sink.send().unwrap();
        drop(here);
        (sent, receiver.join().unwrap())
    }

    #[test]
    fn frames_hold_what_was_written_and_an_empty_one_ends_them() {
        for pieces in
            [&[][..], &[1], &[FRAME_MAX], &[FRAME_MAX, 1], &[7; 30_000], &[1, 3 * FRAME_MAX + 5, 0, 2]]
        {
            let (sent, stream) = arrived(pieces);
            let (mut joined, mut rest, mut ended) = (Vec::new(), &stream[..], false);
            while let Some((length, more)) = rest.split_first_chunk::<LENGTH>() {
                let length = u32::from_le_bytes(*length) as usize;
                assert!(length <= FRAME_MAX && !ended);
                ended = length == 0;
                let (frame, more) = more.split_at(length);
                joined.extend_from_slice(frame);
                rest = more;
            }
            assert!(ended && rest.is_empty() && joined == sent, "{pieces:?}");
        }
    }
}
