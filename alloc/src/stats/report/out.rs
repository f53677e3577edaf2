//! Collects what is written until a piece is full. The buffer is mapped for the time of one report, so that reports of
//! several threads, and reports made by the receiver of another, do not wait for each other.

use core::ffi::CStr;
use core::fmt;
use core::ptr::NonNull;

use crate::arena::table;
use crate::os::pages;
use crate::units::ArenaInd;

/// Bytes of the buffer, the closing zero included.
const ROOM: usize = 64 << 10;
/// The same when the kernel has no memory.
const LITTLE: usize = 512;

/// Where a report is written.
pub struct Out<'a> {
    sink: &'a mut dyn FnMut(&CStr),
    mapped: Option<NonNull<u8>>,
    little: [u8; LITTLE],
    len: usize,
}

impl<'a> Out<'a> {
    /// With an empty buffer.
    pub fn new(sink: &'a mut dyn FnMut(&CStr)) -> Out<'a> {
        Out { sink, mapped: pages::reserve(ROOM), little: [0; LITTLE], len: 0 }
    }

    fn buffer(&mut self) -> &mut [u8] {
        match self.mapped {
            // SAFETY: mapped in `new` with this length, for this value alone, until it is dropped.
            Some(at) => unsafe { core::slice::from_raw_parts_mut(at.as_ptr(), ROOM) },
            None => &mut self.little,
        }
    }

    /// Hands over what is there.
    fn flush(&mut self) {
        let len = core::mem::take(&mut self.len);
        let buffer = self.buffer();
        buffer[len] = 0;
        let piece: *const [u8] = &raw const buffer[..=len];
        if len != 0 {
            // SAFETY: the buffer lives as long as `self`, and nothing writes to it before the sink returns.
            if let Ok(piece) = CStr::from_bytes_until_nul(unsafe { &*piece }) {
                (self.sink)(piece);
            }
        }
    }
}

impl fmt::Write for Out<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let len = self.len;
            let room = &mut self.buffer()[len..];
            // One byte stays for the zero.
            let n = rest.len().min(room.len() - 1);
            room[..n].copy_from_slice(&rest[..n]);
            self.len += n;
            rest = &rest[n..];
            if !rest.is_empty() {
                self.flush();
            }
        }
        Ok(())
    }
}

impl Drop for Out<'_> {
    fn drop(&mut self) {
        self.flush();
        if let Some(at) = self.mapped {
            // SAFETY: mapped in `new` with this length, and nothing refers to it any more.
            unsafe { pages::release(at.as_ptr(), ROOM) };
        }
    }
}

/// Writes formatted text; writing to an [`Out`] never fails.
macro_rules! put {
    ($out:expr, $($format:tt)*) => {{
        let _ = core::fmt::Write::write_fmt($out, format_args!($($format)*));
    }};
}
pub(super) use put;

/// A C string with what is not UTF-8 replaced, a control character or quotation mark escaped as in JSON.
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '"' => f.write_str("\\\"")?,
                    '\\' => f.write_str("\\\\")?,
                    '\n' => f.write_str("\\n")?,
                    '\u{0}'..='\u{1f}' => write!(f, "\\u{:04x}", c as u32)?,
                    _ => f.write_char(c)?,
                }
            }
            if !chunk.invalid().is_empty() {
                f.write_char('\u{fffd}')?;
            }
        }
        Ok(())
    }
}

/// The name of the arena with an index, escaped; empty when it is gone by now.
pub struct ArenaName(pub u32);

impl fmt::Display for ArenaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match table::get(ArenaInd(self.0)) {
            Some(arena) => Escaped(arena.name().as_bytes()).fmt(f),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{format, string::String, vec::Vec};

    #[test]
    fn pieces_are_shorter_than_the_buffer_and_lose_nothing() {
        let mut pieces: Vec<String> = Vec::new();
        let mut expected = String::new();
        {
            let mut sink = |piece: &CStr| pieces.push(piece.to_str().unwrap().into());
            let mut out = Out::new(&mut sink);
            for i in 0..20_000 {
                put!(&mut out, "line {i} of the report\n");
                expected += &format!("line {i} of the report\n");
            }
        }
        assert_eq!(pieces.concat(), expected);
        assert!(pieces.len() == expected.len().div_ceil(ROOM - 1));
        assert!(pieces.iter().all(|piece| piece.len() < ROOM));
    }

    #[test]
    fn texts_are_escaped_as_json_wants_it() {
        let text = b"a\"b\\c\nd\x01e\xffz";
        assert_eq!(format!("{}", Escaped(text)), "a\\\"b\\\\c\\nd\\u0001e\u{fffd}z");
    }
}
