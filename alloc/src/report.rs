//! Messages to the user, and the end of the process where going on would corrupt memory.
//!
//! Nothing here allocates.

use core::fmt::{self, Write};

use crate::os::output;

/// Sends a piece of text as it is.
pub fn write(bytes: &[u8]) {
    output::stderr(bytes);
}

/// A line of text under construction; what does not fit is cut.
pub struct Line {
    bytes: [u8; 1024],
    len: usize,
}

impl Line {
    /// Empty.
    pub const fn new() -> Line {
        Line { bytes: [0; 1024], len: 0 }
    }

    /// Appends bytes that need not be UTF-8.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Line {
        let n = bytes.len().min(self.bytes.len() - self.len);
        self.bytes[self.len..self.len + n].copy_from_slice(&bytes[..n]);
        self.len += n;
        self
    }

    /// What is there so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Default for Line {
    fn default() -> Self {
        Line::new()
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

/// One line, `<jemalloc>: ` and the text.
pub fn message(text: fmt::Arguments) {
    let mut line = Line::new();
    line.bytes(b"<jemalloc>: ");
    // Writing to a `Line` never fails.
    let _ = line.write_fmt(text);
    if line.len == line.bytes.len() {
        line.len -= 1;
    }
    line.bytes(b"\n");
    write(line.as_bytes());
}

/// Says why and ends the process by abort(3).
pub fn fatal(text: fmt::Arguments) -> ! {
    message(text);
    // SAFETY: abort has no conditions.
    unsafe { libc::abort() }
}

/// A pointer given to `free` or `realloc` that no allocating function returned.
#[cold]
pub fn invalid_pointer(p: *const u8) -> ! {
    fatal(format_args!("invalid pointer {p:p} passed to a deallocating function"))
}

/// A pointer that was freed twice.
#[cold]
pub fn double_free(p: *const u8) -> ! {
    fatal(format_args!("double free of {p:p} detected"))
}
