//! Messages to the user, on standard error. Nothing here allocates.

use core::fmt::{self, Write};

/// Longest line.
const LINE_MAX: usize = 1024;

/// A line under construction; what does not fit is cut.
struct Line {
    bytes: [u8; LINE_MAX],
    len: usize,
}

impl Line {
    fn push(&mut self, bytes: &[u8]) {
        // One is left for the end of the line.
        let n = bytes.len().min(LINE_MAX - 1 - self.len);
        self.bytes[self.len..self.len + n].copy_from_slice(&bytes[..n]);
        self.len += n;
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

/// Shows whole lines as they are. Errors have nobody to be told to.
pub fn write(mut bytes: &[u8]) {
    // SAFETY: the address of the calling thread's errno is always valid.
    let errno = unsafe { &mut *libc::__errno_location() };
    let before = *errno;
    while !bytes.is_empty() {
        // SAFETY: the slice is readable for its length.
        let written = unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(written) {
            Ok(written) if written > 0 => bytes = &bytes[written.min(bytes.len())..],
            Err(_) if *errno == libc::EINTR => {}
            _ => break,
        }
    }
    *errno = before;
}

/// Shows one line, `<jemalloc>: ` and the text: what reads the messages of the other front of this profiler reads these.
pub fn message(text: fmt::Arguments) {
    let mut line = Line { bytes: [0; LINE_MAX], len: 0 };
    line.push(b"<jemalloc>: ");
    // Writing to a line never fails.
    let _ = line.write_fmt(text);
    line.bytes[line.len] = b'\n';
    write(&line.bytes[..=line.len]);
}

/// Says why and ends the process.
pub fn fatal(text: fmt::Arguments) -> ! {
    message(text);
    // SAFETY: abort has no conditions.
    unsafe { libc::abort() }
}
