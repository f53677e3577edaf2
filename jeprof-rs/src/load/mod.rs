//! From names on the command line to bytes: what is a program, what is a dump, what is compressed.
//!
//! Knows nothing about what is inside a profile; `formats` reads that.

pub mod http;
pub mod inputs;
pub mod recent;
pub mod remote;
pub mod statistics;
pub mod symbol_page;
pub mod unpack;
pub mod url;
mod words;

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::{Error, Result, plain};
use remote::Fetched;
pub use words::is_dump_name;

/// Where a dump comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// The standard input, already read.
    Stdin(Vec<u8>),
    /// A running service, already asked.
    Service(Box<Fetched>),
}

impl Source {
    /// When the file was written; unknown for the rest.
    pub fn written_at(&self) -> Option<SystemTime> {
        match self {
            Source::File(path) => std::fs::metadata(path).ok()?.modified().ok(),
            Source::Stdin(_) | Source::Service(_) => None,
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::File(path) => path.display().fmt(f),
            Source::Stdin(_) => f.write_str("standard input"),
            Source::Service(fetched) => fetched.url.fmt(f),
        }
    }
}

/// What the first bytes of a file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ELF file.
    Program,
    /// Anything else; the readers say whether it is a profile.
    Other,
}

/// Tells programs from the rest by content.
///
/// # Errors
/// The file is missing, unreadable, a directory or a device.
pub fn kind(path: &Path) -> Result<Kind> {
    let complain = |error: std::io::Error| Error::at(path.display(), plain(&error));
    let facts = std::fs::metadata(path).map_err(complain)?;
    if facts.is_dir() {
        return Err(Error::at(path.display(), "is a directory, not a heap profile"));
    }
    let mut start = Vec::with_capacity(4);
    // A pipe (`<(zcat x.gz)`) can be read only once, so it is not looked into. It is a dump.
    if facts.is_file() {
        File::open(path).and_then(|file| file.take(4).read_to_end(&mut start)).map_err(complain)?;
    }
    Ok(if start == *b"\x7fELF" { Kind::Program } else { Kind::Other })
}

/// Reads a source and unpacks it when it is packed.
///
/// # Errors
/// Unreadable, empty, a broken packed stream, or one that unpacks to more than `unpack_bytes_max`.
pub fn read(source: &Source, unpack_bytes_max: u64) -> Result<Cow<'_, [u8]>> {
    let bytes = match source {
        Source::File(path) => {
            Cow::Owned(std::fs::read(path).map_err(|error| Error::at(source, plain(&error)))?)
        }
        Source::Stdin(bytes) => Cow::Borrowed(bytes.as_slice()),
        Source::Service(fetched) => Cow::Borrowed(fetched.bytes.as_slice()),
    };
    if bytes.is_empty() {
        return Err(Error::at(source, "is empty, not a heap profile"));
    }
    unpack::unpack(bytes, unpack_bytes_max).map_err(|what| Error::at(source, what))
}
