//! How a dump is asked for from another process: a socket of the file system, one line that asks, frames that answer.
//!
//! The socket is `/tmp/.jemalloc_prof.<pid>`, mode 0600, with the pid as the process itself sees it; who asks from
//! outside of its container finds it below `/proc/<pid>/root`. The line is `dump <format>\n`. The answer is a row of
//! frames: a length as four bytes, least significant first, and so many bytes of the dump; the frame of length 0 says
//! that the dump is whole. The length [`REFUSED`] says that there is none; the reason follows as text up to the end.

use crate::vocab::Format;

/// What the name of the socket begins with; the pid follows.
pub const SOCKET: &str = "/tmp/.jemalloc_prof.";

/// What the line that asks begins with; the name of a [`Format`] and the end of the line follow.
pub const DUMP: &[u8] = b"dump ";

/// Longest line that asks.
pub const LINE_MAX: usize = 64;

/// In the place of a length: no dump.
pub const REFUSED: u32 = u32::MAX;

/// Most bytes of one frame; a longer one is no answer of ours.
pub const FRAME_MAX: usize = 64 << 10;

/// Bytes of a length.
pub const LENGTH: usize = size_of::<u32>();

/// The format that a line asks for; `None` for a line that asks for nothing known.
pub fn asked(line: &[u8]) -> Option<Format> {
    let name = line.strip_prefix(DUMP)?.strip_suffix(b"\n")?;
    Format::ALL.into_iter().find(|format| format.name().as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_asks_for_the_format_that_it_names_and_for_nothing_else() {
        for format in Format::ALL {
            let line = std::format!("dump {}\n", format.name());
            assert!(line.len() <= LINE_MAX);
            assert_eq!(asked(line.as_bytes()), Some(format));
        }
        for line in ["", "\n", "dump\n", "dump heap_v2", "dump  heap_v2\n", "dump heap_v3\n", "dumpheap_v2\n"]
        {
            assert_eq!(asked(line.as_bytes()), None, "{line:?}");
        }
    }
}
