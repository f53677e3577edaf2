//! Small files of the kernel's, read whole into a buffer of the caller's.

use core::ffi::CStr;

use rustix::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

/// Longest path, with its NUL.
const PATH_MAX: usize = 1024;

/// The path that `parts` make up one after the other, which need not be UTF-8; `None` when it is too long.
fn joined<'a>(parts: &[&[u8]], buffer: &'a mut [u8; PATH_MAX]) -> Option<&'a CStr> {
    let mut len = 0;
    for part in parts {
        buffer.get_mut(len..len + part.len())?.copy_from_slice(part);
        len += part.len();
    }
    *buffer.get_mut(len)? = 0;
    CStr::from_bytes_with_nul(&buffer[..=len]).ok()
}

/// What `read` makes of a file; `None` when it cannot be opened.
///
/// The program may have closed it meanwhile, among all numbers that it finds. That is no mistake of ours, as closing it
/// in the usual way takes it for, which panics with debug assertions.
pub fn with<R>(path: &CStr, read: impl FnOnce(BorrowedFd<'_>) -> R) -> Option<R> {
    openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok().map(|file| used(file, read))
}

fn used<R>(file: OwnedFd, read: impl FnOnce(BorrowedFd<'_>) -> R) -> R {
    let result = read(file.as_fd());
    // SAFETY: ours, and not used after this.
    let _ = unsafe { rustix::io::try_close(file.into_raw_fd()) };
    result
}

/// Reads the file whose path `parts` make up, up to the length of `buffer`; `None` when it cannot be read. Never
/// allocates. Cost: three or four system calls.
pub fn read<'a>(parts: &[&[u8]], buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut path = [0; PATH_MAX];
    let path = joined(parts, &mut path)?;
    let len = with(path, |file| fill(file, buffer))?.ok()?;
    Some(&buffer[..len])
}

fn fill(file: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize, Errno> {
    let mut len = 0;
    while len < buffer.len() {
        match rustix::io::read(file, &mut buffer[len..]) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_has_closed_is_not_missed() {
        let path = c"/dev/null";
        let file = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        // Where no other test gets the number meanwhile.
        let high = rustix::io::fcntl_dupfd_cloexec(file, 900).unwrap();
        // SAFETY: a number only, which nothing uses after this but to close it.
        let closed = unsafe { libc::close(rustix::fd::AsRawFd::as_raw_fd(&high)) };
        assert_eq!((closed, used(high, |_| 5)), (0, 5));
    }

    #[test]
    fn a_file_is_read_whole_or_up_to_the_buffer() {
        let mut buffer = [0; 4096];
        let all = read(&[b"/proc", b"/self/", b"status"], &mut buffer).unwrap();
        assert!(all.starts_with(b"Name:") && all.len() > 100);
        let mut short = [0; 5];
        assert_eq!(read(&[b"/proc/self/status"], &mut short), Some(&b"Name:"[..]));
        assert_eq!(read(&[b"/proc/self/no such file"], &mut short), None);
        assert_eq!(read(&[&[b'a'; PATH_MAX]], &mut short), None);
    }
}
