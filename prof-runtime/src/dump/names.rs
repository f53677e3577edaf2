//! What dump files are called. Pure.
//!
//! `<prefix>.<pid>.<seq>.<trigger><n>.heap`, for example `jeprof.1234.0.f.heap`. `seq` counts the files that the
//! profiler named itself, `n` those of one trigger; both from 0. A final dump has no `n`. A file in profile.proto ends
//! in `.pb.gz` instead of `.heap`, as readers of that format expect.

use core::ffi::CStr;

use prof_format::vocab::Format;

/// Longest path that the kernel takes, with its terminating zero.
pub const PATH_MAX: usize = 4096;

/// What caused a dump that the profiler names itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// `lg_prof_interval` bytes were allocated.
    Interval,
    /// `prof.dump` without a name.
    Manual,
    /// Active memory reached a new maximum.
    Growth,
    /// The program ends.
    Final,
}

impl Trigger {
    /// Its letter in file names.
    pub fn letter(self) -> u8 {
        match self {
            Trigger::Interval => b'i',
            Trigger::Manual => b'm',
            Trigger::Growth => b'u',
            Trigger::Final => b'f',
        }
    }
}

/// Text under construction, with room for one path and a little more. Too long a text is an error at the end.
pub struct Text {
    bytes: [u8; PATH_MAX + 128],
    length: usize,
    overflow: bool,
}

// SAFETY: bytes, a number and a bool, for all of which zero is a value; nothing to drop.
unsafe impl crate::memory::Plain for Text {}

impl Text {
    /// Starts again, empty.
    pub fn clear(&mut self) -> &mut Text {
        (self.length, self.overflow) = (0, false);
        self
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) -> &mut Text {
        // One byte is left for the terminating zero.
        match self.bytes.get_mut(self.length..self.length + bytes.len() + 1) {
            Some([room @ .., end]) => {
                room.copy_from_slice(bytes);
                *end = 0;
                self.length += bytes.len();
            }
            _ => self.overflow = true,
        }
        self
    }

    /// Appends a number in decimal digits.
    pub fn number(&mut self, number: u64) -> &mut Text {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = number;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                return self.push(&digits[at..]);
            }
        }
    }

    /// What was written, as far as there was room.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// As a path; `None` when it is empty, too long for the kernel, or has a zero byte inside.
    pub fn as_path(&self) -> Option<&CStr> {
        if self.overflow || self.length == 0 || self.length >= PATH_MAX {
            return None;
        }
        CStr::from_bytes_with_nul(&self.bytes[..=self.length]).ok()
    }
}

/// Writes the name of a file of the profiler's own. `nth` counts files of this trigger.
pub fn generated(
    text: &mut Text,
    prefix: &[u8],
    pid: u32,
    seq: u64,
    trigger: Trigger,
    nth: u64,
    format: Format,
) {
    text.clear().push(prefix).push(b".").number(pid as u64).push(b".").number(seq).push(b".");
    text.push(&[trigger.letter()]);
    if trigger != Trigger::Final {
        text.number(nth);
    }
    text.push(match format {
        Format::Text | Format::HeapV2 => b".heap",
        Format::Pprof => b".pb.gz",
    });
}

/// Format and compression of a file that the program names: jemalloc's own, unless the ending asks for
/// profile.proto.
pub fn format_of_path(path: &[u8]) -> (Format, bool) {
    match path {
        [.., b'.', b'p', b'b'] => (Format::Pprof, false),
        [.., b'.', b'p', b'b', b'.', b'g', b'z'] => (Format::Pprof, true),
        _ => (Format::HeapV2, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Rows;

    fn check(trigger: Trigger, format: Format, expected: &[u8]) {
        let mut text = Rows::<Text>::zeroed(1).unwrap();
        generated(&mut text[0], b"/tmp/jeprof", 1234, 7, trigger, 3, format);
        assert_eq!(text[0].as_bytes(), expected);
        assert_eq!(text[0].as_path().unwrap().to_bytes(), expected);
    }

    #[test]
    fn names_are_those_of_jemalloc() {
        check(Trigger::Interval, Format::Text, b"/tmp/jeprof.1234.7.i3.heap");
        check(Trigger::Manual, Format::HeapV2, b"/tmp/jeprof.1234.7.m3.heap");
        check(Trigger::Growth, Format::Text, b"/tmp/jeprof.1234.7.u3.heap");
        check(Trigger::Final, Format::Text, b"/tmp/jeprof.1234.7.f.heap");
        check(Trigger::Final, Format::Pprof, b"/tmp/jeprof.1234.7.f.pb.gz");
    }

    #[test]
    fn numbers_and_lengths_at_their_limits() {
        let mut text = Rows::<Text>::zeroed(1).unwrap();
        let text = &mut text[0];
        assert_eq!(text.clear().number(0).push(b" ").number(u64::MAX).as_bytes(), b"0 18446744073709551615");
        assert!(text.clear().as_path().is_none());
        assert!(text.push(&[b'a'; PATH_MAX - 1]).as_path().is_some());
        assert!(text.push(b"a").as_path().is_none());
        assert!(text.push(&[b'a'; 500]).as_path().is_none());
        assert!(text.clear().push(b"a\0b").as_path().is_none());
    }

    #[test]
    fn the_ending_of_a_given_name_chooses_the_format() {
        for (path, expected) in [
            (&b"x.heap"[..], (Format::HeapV2, false)),
            (b"", (Format::HeapV2, false)),
            (b"pb", (Format::HeapV2, false)),
            (b"x.gz", (Format::HeapV2, false)),
            (b"/a/x.pb", (Format::Pprof, false)),
            (b"/a/x.pb.gz", (Format::Pprof, true)),
        ] {
            assert_eq!(format_of_path(path), expected);
        }
    }
}
