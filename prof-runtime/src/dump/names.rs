//! What dump files are called. Pure.
//!
//! `<prefix>.<pid>.<seq>.<trigger><n>.heap`, for example `jeprof.1234.0.f.heap`. `seq` counts the files that the
//! profiler named itself, `n` those of one trigger; both from 0. A final dump has no `n`. A file in profile.proto ends
//! in `.pb.gz` instead of `.heap`, as readers of that format expect; recent samples are JSON. A log of samples is
//! `<prefix>.<pid>.<n>.json` and takes no part in `seq`. With `prof_pid_namespace` the number of the namespace of
//! process ids stands in front of the pid.

use core::ffi::CStr;

use prof_format::vocab::Format;

use crate::sync::{Locked, Mutex};

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
    /// The signal for dumps came (`prof_signal`).
    Signal,
    /// So much time has passed (`prof_interval_ms`).
    Timer,
    /// The program ends.
    Final,
    /// The recent samples were asked for without a receiver.
    Recent,
}

impl Trigger {
    /// How many there are.
    pub const COUNT: usize = Trigger::Recent as usize + 1;

    /// Its letter in file names.
    pub fn letter(self) -> u8 {
        match self {
            Trigger::Interval => b'i',
            Trigger::Manual => b'm',
            Trigger::Growth => b'u',
            Trigger::Signal => b's',
            Trigger::Timer => b't',
            Trigger::Final => b'f',
            Trigger::Recent => b'r',
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

/// Start of the names of the profiler's own files; can be changed at run time (`prof.prefix`).
pub struct Prefix(Locked<PrefixText>);

struct PrefixText {
    bytes: [u8; PATH_MAX],
    length: usize,
}

/// The prefix is being changed by the code that this handler interrupted.
pub struct Changing;

impl Prefix {
    /// The empty one.
    pub const fn new() -> Prefix {
        Prefix(Locked::new(PrefixText { bytes: [0; PATH_MAX], length: 0 }))
    }

    /// Sets it, cut to 4095 bytes.
    ///
    /// # Errors
    /// [`Changing`] inside of another call of this thread.
    pub fn set(&self, prefix: &[u8]) -> Result<(), Changing> {
        let mut text = self.0.lock().map_err(|_| Changing)?;
        let length = prefix.len().min(PATH_MAX - 1);
        text.bytes[..length].copy_from_slice(&prefix[..length]);
        text.length = length;
        Ok(())
    }

    /// Makes it all that is in `text`; false when it is empty.
    ///
    /// # Errors
    /// [`Changing`] inside of [`Prefix::set`].
    pub fn begin(&self, text: &mut Text) -> Result<bool, Changing> {
        let prefix = self.0.lock().map_err(|_| Changing)?;
        text.clear().push(&prefix.bytes[..prefix.length]);
        Ok(prefix.length != 0)
    }

    /// For a fork.
    pub fn mutex(&self) -> &Mutex {
        self.0.mutex()
    }
}

/// Whose files they are.
#[derive(Clone, Copy)]
pub struct Owner {
    /// The process.
    pub pid: u32,
    /// Number of its namespace of process ids, if that is to be told.
    pub namespace: Option<u64>,
}

impl Owner {
    fn write(self, text: &mut Text) {
        if let Some(namespace) = self.namespace {
            text.push(b".").number(namespace);
        }
        text.push(b".").number(self.pid as u64).push(b".");
    }
}

/// Number of the namespace of process ids that we are in; 0 when the kernel does not tell.
pub fn pid_namespace() -> u64 {
    let mut link = [0; 64];
    let found = rustix::fs::readlinkat_raw(rustix::fs::CWD, c"/proc/self/ns/pid", &mut link[..]);
    namespace_in(&link[..found.unwrap_or(0).min(64)])
}

/// The number in `pid:[4026531836]`.
fn namespace_in(link: &[u8]) -> u64 {
    let digits = link.strip_prefix(b"pid:[").and_then(|rest| rest.strip_suffix(b"]"));
    digits.and_then(|digits| core::str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(0)
}

/// Appends to the prefix what follows it in the name of a dump. `nth` counts files of this trigger.
pub fn dump(text: &mut Text, owner: Owner, seq: u64, trigger: Trigger, nth: u64, format: Format) {
    owner.write(text);
    text.number(seq).push(b".").push(&[trigger.letter()]);
    if trigger != Trigger::Final {
        text.number(nth);
    }
    text.push(match (trigger, format) {
        (Trigger::Recent, _) => b".json",
        (_, Format::Text | Format::HeapV2) => b".heap",
        (_, Format::Pprof) => b".pb.gz",
    });
}

/// Appends to the prefix what follows it in the name of a log.
pub fn log(text: &mut Text, owner: Owner, nth: u64) {
    owner.write(text);
    text.number(nth).push(b".json");
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

    fn named(prefix: &[u8], rest: impl FnOnce(&mut Text)) -> std::string::String {
        let mut text = Rows::<Text>::zeroed(1).unwrap();
        let start = Prefix::new();
        assert!(matches!(start.begin(&mut text[0]), Ok(false)));
        assert!(start.set(prefix).is_ok());
        assert_eq!(start.begin(&mut text[0]).ok(), Some(!prefix.is_empty()));
        rest(&mut text[0]);
        std::string::String::from_utf8(text[0].as_path().unwrap().to_bytes().into()).unwrap()
    }

    #[test]
    fn names_are_those_of_jemalloc() {
        let owner = Owner { pid: 1234, namespace: None };
        for (trigger, format, expected) in [
            (Trigger::Interval, Format::Text, "/tmp/jeprof.1234.7.i3.heap"),
            (Trigger::Manual, Format::HeapV2, "/tmp/jeprof.1234.7.m3.heap"),
            (Trigger::Growth, Format::Text, "/tmp/jeprof.1234.7.u3.heap"),
            (Trigger::Signal, Format::Text, "/tmp/jeprof.1234.7.s3.heap"),
            (Trigger::Timer, Format::Pprof, "/tmp/jeprof.1234.7.t3.pb.gz"),
            (Trigger::Final, Format::Text, "/tmp/jeprof.1234.7.f.heap"),
            (Trigger::Final, Format::Pprof, "/tmp/jeprof.1234.7.f.pb.gz"),
            (Trigger::Recent, Format::Pprof, "/tmp/jeprof.1234.7.r3.json"),
        ] {
            let name = named(b"/tmp/jeprof", |text| dump(text, owner, 7, trigger, 3, format));
            assert_eq!(name, expected);
        }
        assert_eq!(named(b"a", |text| log(text, owner, 2)), "a.1234.2.json");
        assert_eq!(named(b"", |text| log(text, owner, 0)), ".1234.0.json");
        let inside = Owner { pid: 1, namespace: Some(4_026_531_836) };
        let name = named(b"j", |text| dump(text, inside, 0, Trigger::Manual, 0, Format::Text));
        assert_eq!(name, "j.4026531836.1.0.m0.heap");
    }

    #[test]
    fn every_trigger_has_a_letter_of_its_own() {
        let all = [
            Trigger::Interval,
            Trigger::Manual,
            Trigger::Growth,
            Trigger::Signal,
            Trigger::Timer,
            Trigger::Final,
            Trigger::Recent,
        ];
        assert_eq!(all.len(), Trigger::COUNT);
        let letters: std::collections::HashSet<_> = all.into_iter().map(Trigger::letter).collect();
        assert_eq!(letters.len(), all.len());
    }

    #[test]
    fn the_number_of_a_namespace_is_read_from_its_link() {
        assert_eq!(namespace_in(b"pid:[4026531836]"), 4_026_531_836);
        for broken in [&b""[..], b"pid:[]", b"pid:[12", b"net:[12]"] {
            assert_eq!(namespace_in(broken), 0);
        }
        assert_ne!(pid_namespace(), 0);
    }

    #[test]
    fn a_prefix_is_cut_at_what_a_path_can_be() {
        let (prefix, mut text) = (Prefix::new(), Rows::<Text>::zeroed(1).unwrap());
        assert!(prefix.set(&[b'x'; 9000]).is_ok() && prefix.begin(&mut text[0]).is_ok());
        assert_eq!(text[0].as_bytes().len(), PATH_MAX - 1);
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
