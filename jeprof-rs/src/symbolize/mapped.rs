//! The bytes of a file, mapped: the one place of this package with unsafe code.
//!
//! Copying what is needed of a binary with 300 MB of debug information costs more than looking all of it up, so large
//! files are mapped. What a caller gets is a plain slice.

use std::fs::{File, Metadata};
use std::io::Read;
use std::ops::Deref;
use std::path::Path;

use crate::error::plain;

/// Smaller files are read: no system call for each page, and nothing that another process can pull away.
const MAPPED_BYTES_MIN: u64 = 256 << 10;

/// Opens a file for reading. Names come from dumps and debug information, so what is no regular file is not even
/// opened: a pipe would wait for somebody to write, a device may do anything.
///
/// # Errors
/// In words: it cannot be opened, or is no regular file.
pub fn open_regular(path: &Path) -> Result<(File, Metadata), String> {
    let is_regular = |facts: Metadata| match facts.is_file() {
        true => Ok(facts),
        false => Err("is not a file".to_string()),
    };
    is_regular(std::fs::metadata(path).map_err(|error| plain(&error))?)?;
    let file = File::open(path).map_err(|error| plain(&error))?;
    let facts = is_regular(file.metadata().map_err(|error| plain(&error))?)?;
    Ok((file, facts))
}

/// The content of a file.
pub struct Mapped(Content);

enum Content {
    Map(memmap2::Mmap),
    Copy(Vec<u8>),
}

impl Mapped {
    /// Maps a file, or reads a small one.
    ///
    /// # Errors
    /// In words: it cannot be opened or mapped, or is no regular file.
    pub fn open(path: &Path) -> Result<Mapped, String> {
        let (mut file, facts) = open_regular(path)?;
        if facts.len() < MAPPED_BYTES_MIN {
            let mut bytes = Vec::with_capacity(facts.len() as usize);
            file.read_to_end(&mut bytes).map_err(|error| plain(&error))?;
            return Ok(Mapped(Content::Copy(bytes)));
        }
        map(&file, facts.len()).map(|map| Mapped(Content::Map(map)))
    }
}

#[allow(unsafe_code)]
fn map(file: &File, length: u64) -> Result<memmap2::Mmap, String> {
    let length = usize::try_from(length).map_err(|_| "is too large for this machine".to_string())?;
    // SAFETY: the map must not change while a slice of it lives.
    // 1. It is private and read-only: nothing in this process writes through it.
    // 2. It is exactly as long as the file was a moment ago, so no page lies behind the file's end unless the file
    //    shrinks afterwards.
    // 3. Linkers, package managers and container tools replace programs by renaming a new file over the old name, which
    //    leaves the mapped one as it is; the kernel refuses to write into a program that runs (ETXTBSY).
    // 4. Whoever overwrites or truncates a file in place while it is read makes us see other bytes, or ends the process
    //    with SIGBUS. All readers of the slice check every offset against its length and take any byte for possible, and
    //    no reference into it is held to be valid UTF-8 without a check or a copy.
    let map = unsafe { memmap2::MmapOptions::new().len(length).map(file) };
    let map = map.map_err(|error| plain(&error))?;
    // The file may have been cut between the question for its length and the map.
    match file.metadata() {
        Ok(facts) if facts.len() >= length as u64 => Ok(map),
        _ => Err("changed while it was opened".into()),
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Content::Map(map) => map,
            Content::Copy(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_files_have_the_bytes_that_reading_gives() {
        let own = std::env::current_exe().unwrap();
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        for path in [own, manifest] {
            let mapped = Mapped::open(&path).unwrap();
            assert!(*mapped == *std::fs::read(&path).unwrap(), "{}", path.display());
        }
    }

    #[test]
    fn what_is_no_file_is_refused() {
        assert!(Mapped::open(Path::new("/dev/null")).is_err());
        assert!(Mapped::open(Path::new("/")).is_err());
        assert!(Mapped::open(Path::new("/nowhere/at/all")).is_err());
    }

    #[test]
    fn a_pipe_that_nobody_writes_to_is_refused_without_waiting() {
        let path = std::env::temp_dir().join(format!("jeprof-rs-mapped-pipe-{}", std::process::id()));
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let answer = Mapped::open(&path).err();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(answer.as_deref(), Some("is not a file"));
    }
}
