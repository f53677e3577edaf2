//! Standard error.

use rustix::fd::BorrowedFd;
use rustix::io::{Errno, write};

/// Writes all of `bytes` to file descriptor 2; gives up silently when that is closed or full.
pub fn stderr(mut bytes: &[u8]) {
    // SAFETY: the number 2 is only passed to write(2), which answers EBADF when nothing is open there.
    let fd = unsafe { BorrowedFd::borrow_raw(2) };
    while !bytes.is_empty() {
        match write(fd, bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
