//! Any of the formats: which one is told by content when reading, and given when writing.

#[cfg(feature = "read")]
use crate::dump::{Dump, ReadError};
use crate::snapshot::{Sink, Snapshot};
use crate::vocab::Format;

/// Writes `snapshot` in `format`. Does not allocate.
///
/// # Errors
/// The first one of `sink`.
pub fn write<N: Snapshot, S: Sink>(format: Format, snapshot: &N, sink: &mut S) -> Result<(), S::Error> {
    match format {
        Format::Text => crate::text::write(snapshot, sink),
        Format::HeapV2 => crate::heap_v2::write(snapshot, sink),
        Format::Pprof => crate::pprof::write(snapshot, sink),
    }
}

/// Tells the format by content and reads it. `bytes` is uncompressed.
///
/// # Errors
/// [`ReadError::NotThisFormat`] when no reader claims the content, [`ReadError::Broken`] from the one that does.
#[cfg(feature = "read")]
pub fn read(bytes: &[u8]) -> Result<Dump, ReadError> {
    let readers = [crate::heap_v2::read, crate::text::read, crate::pprof::read];
    readers
        .iter()
        .map(|reader| reader(bytes))
        .find(|answer| *answer != Err(ReadError::NotThisFormat))
        .unwrap_or(Err(ReadError::NotThisFormat))
}
