//! From bytes to a dump: asks the readers, and puts the file's name in front of what they say.

use prof_format::any::read;
use prof_format::dump::{Dump, ReadError};
use prof_format::vocab::Format;

use crate::error::{Error, Result};
use crate::load::Source;

/// Contents that people mix up with heap profiles, by how they start.
const LOOKALIKES: &[(&[u8], &str)] = &[
    (b"--- contention", "is a lock profile, not a heap profile"),
    (b"#!", "is a script: name the binary that it starts, or only the dump"),
    (b"PERFILE2", "is a perf recording, not a heap profile"),
    (b"<?xml", "is XML (a flame graph?), not a heap profile"),
    (b"\x7fELF", "is a program, where a heap profile was expected"),
];

/// Whether addresses without a file may be told to the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmapped {
    /// The report is about addresses anyway.
    Fine,
    /// Nothing could be named, and the dump is probably cut off.
    Refused,
}

/// Reads a dump in any format that the readers know.
///
/// # Errors
/// No heap profile, a broken one (with the line or byte and the field), or one of something else. The text formats
/// end with the memory map; where it is missing or has no line end, the dump is taken to be cut off.
pub fn parse(source: &Source, bytes: &[u8], unmapped: Unmapped) -> Result<Dump> {
    let dump = read(bytes).map_err(|error| {
        let lookalike = LOOKALIKES.iter().find(|(start, _)| bytes.starts_with(start));
        match (&error, lookalike) {
            (ReadError::NotThisFormat, Some((_, what))) => Error::at(source, what),
            (ReadError::NotThisFormat, None) => Error::at(
                source,
                "is not a heap profile that this tool knows (jemalloc's and gperftools' text, profile.proto, \
                     symbolized files), and no program",
            ),
            (ReadError::Broken { .. }, _) => Error::at(source, error),
        }
    })?;
    if !dump.has_live && !dump.has_accum {
        return Err(Error::at(source, "is a profile, but has no heap figures (a CPU profile?)"));
    }
    let is_text = matches!(dump.format, Format::Text | Format::HeapV2);
    if is_text && !bytes.ends_with(b"\n") {
        return Err(Error::at(source, "is cut off: there is no line end at its end"));
    }
    // A symbolized file has names instead of a map.
    let mapless = is_text && dump.maps.is_empty() && !dump.symbolized;
    if mapless && !dump.stacks.is_empty() && unmapped == Unmapped::Refused {
        return Err(Error::at(
            source,
            "is cut off, or the program could not read its own memory map: there is no MAPPED_LIBRARIES section, \
             so nothing can be named (--addresses shows the bare addresses)",
        ));
    }
    Ok(dump)
}
