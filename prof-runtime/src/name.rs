//! Names of threads.

/// Longest thread name, without a terminating zero.
pub const NAME_MAX: usize = 15;

/// The name has a character that is neither printable nor blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadName;

/// Name bytes, zero-padded, and their number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; 16],
    length: u8,
}

impl Name {
    /// None.
    pub const NONE: Name = Name { bytes: [0; 16], length: 0 };

    /// The name that jemalloc would keep: at most 15 characters, graphic ones, blanks and tabs.
    pub fn new(name: &[u8]) -> Result<Name, BadName> {
        if !name.iter().all(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t')) {
            return Err(BadName);
        }
        let length = name.len().min(NAME_MAX);
        let mut bytes = [0; 16];
        bytes[..length].copy_from_slice(&name[..length]);
        Ok(Name { bytes, length: length as u8 })
    }

    /// The name that the operating system knows the calling thread by; one system call.
    pub fn of_system() -> Name {
        let mut bytes = [0_u8; 16];
        // SAFETY: the kernel writes at most 16 bytes, zero included, to the place that it is given; errno is left
        // alone, since a valid place can not fail.
        unsafe { libc::prctl(libc::PR_GET_NAME, bytes.as_mut_ptr()) };
        let word = |at: usize| u64::from_le_bytes(core::array::from_fn(|byte| bytes[at + byte]));
        Name::from_words([word(0), word(8)])
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length as usize]
    }

    /// A name has no zero byte, so the first one tells its length.
    pub(crate) fn from_words(words: [u64; 2]) -> Name {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&words[0].to_le_bytes());
        bytes[8..].copy_from_slice(&words[1].to_le_bytes());
        let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(NAME_MAX);
        bytes[length..].fill(0);
        Name { bytes, length: length as u8 }
    }

    pub(crate) fn to_words(self) -> [u64; 2] {
        let word = |at: usize| u64::from_le_bytes(core::array::from_fn(|byte| self.bytes[at + byte]));
        [word(0), word(8)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_at_fifteen_characters_and_unprintable_ones_refused() {
        assert_eq!(Name::new(b"worker a\t7").unwrap().as_bytes(), b"worker a\t7");
        assert_eq!(Name::new(b"a rather long name").unwrap().as_bytes(), b"a rather long n");
        assert_eq!(Name::new(b"").unwrap().as_bytes(), b"");
        for bad in [&b"two\nlines"[..], b"\x7f", b"caf\xc3\xa9", b"a\0"] {
            assert_eq!(Name::new(bad), Err(BadName));
        }
        for length in 0..=20 {
            let name = Name::new(&std::vec![b'x'; length]).unwrap();
            assert_eq!(Name::from_words(name.to_words()), name);
        }
    }

    #[test]
    fn the_system_s_name_of_a_thread_is_found() {
        let thread = std::thread::Builder::new().name("a name that is too long".into());
        let name = thread.spawn(Name::of_system).unwrap().join().unwrap();
        assert_eq!(name.as_bytes(), b"a name that is ");
    }
}
