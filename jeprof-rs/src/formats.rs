//! From bytes to a dump: asks the readers, and puts the file's name in front of what they say.

use prof_format::dump::{Dump, ReadError, read};

use crate::error::{Error, Result};
use crate::load::Source;

/// Contents that people mix up with heap profiles, by how they start.
const LOOKALIKES: &[(&[u8], &str)] = &[
    (b"--- symbol", "is a symbolized profile of jeprof --raw, which is not read"),
    (b"--- contention", "is a lock profile, not a heap profile"),
    (b"#!", "is a script: name the binary that it starts, or only the dump"),
    (b"PERFILE2", "is a perf recording, not a heap profile"),
    (b"<?xml", "is XML (a flame graph?), not a heap profile"),
    (b"\x7fELF", "is a program, where a heap profile was expected"),
];

/// Reads a dump in any format that the readers know.
///
/// # Errors
/// No heap profile, a broken one (with the line or byte and the field), or one of something else.
pub fn parse(source: &Source, bytes: &[u8]) -> Result<Dump> {
    let dump = read(bytes).map_err(|error| {
        let lookalike = LOOKALIKES.iter().find(|(start, _)| bytes.starts_with(start));
        match (&error, lookalike) {
            (ReadError::NotThisFormat, Some((_, what))) => Error::at(source, what),
            (ReadError::NotThisFormat, None) => {
                Error::at(source, "is not a heap profile that this tool knows")
            }
            (ReadError::Broken { .. }, _) => Error::at(source, error),
        }
    })?;
    if !dump.has_live && !dump.has_accum {
        return Err(Error::at(source, "is a profile, but has no heap figures (a CPU profile?)"));
    }
    Ok(dump)
}
