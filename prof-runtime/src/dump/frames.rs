//! A dump on its way to another process, in the frames of `prof_format::wire`.

use prof_format::{snapshot::Snapshot, wire::FRAME_MAX};
use rustix::{fd::BorrowedFd, io::Errno};

use super::{
    file::{Content, Failure, FileSink, Target, write_all},
    quiet::Quiet,
};
use crate::memory::Rows;

/// Sends all of a dump, and that it is whole.
///
/// # Errors
/// See [`Failure`].
pub fn send<N: Snapshot>(socket: BorrowedFd<'_>, content: &Content<N>) -> Result<(), Failure> {
    let _quiet = Quiet::start();
    let mut frame = Rows::<u8>::zeroed(FRAME_MAX).ok_or(Failure::OutOfMemory)?;
    let mut sink = FileSink::new(Target::Frames(socket), &mut frame);
    content.write_to(&mut sink)?;
    end(socket, &mut sink).map_err(|_| Failure::Write)
}

/// Sends what is left, and the frame that ends a dump.
fn end(socket: BorrowedFd<'_>, sink: &mut FileSink<'_>) -> Result<(), Errno> {
    sink.flush()?;
    write_all(socket, &0u32.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use prof_format::{snapshot::Sink, wire::LENGTH};
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
        let mut frame = std::vec![0; FRAME_MAX];
        // SAFETY: `here` is open until after the last use.
        let socket = unsafe { BorrowedFd::borrow_raw(here.as_raw_fd()) };
        let mut sink = FileSink::new(Target::Frames(socket), &mut frame);
        for (piece, length) in pieces.iter().enumerate() {
            let bytes = std::vec![piece as u8; *length];
            sent.write_all(&bytes).unwrap();
            sink.write(&bytes).unwrap();
        }
        end(socket, &mut sink).unwrap();
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
