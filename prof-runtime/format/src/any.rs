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

/// Tells the format by content and reads it. `bytes` is uncompressed. The text forms may have symbols of
/// `jeprof --raw` or a server's commands in front.
///
/// # Errors
/// [`ReadError::NotThisFormat`] when no reader claims the content, [`ReadError::Broken`] from the one that does.
#[cfg(feature = "read")]
pub fn read(bytes: &[u8]) -> Result<Dump, ReadError> {
    let opened = crate::heading::open(bytes)?;
    if crate::heap_v2::claims(&opened.first) {
        crate::heap_v2::read_opened(opened)
    } else if crate::text::claims(&opened.first) {
        crate::text::read_opened(opened)
    } else if opened.has_symbols() {
        Err(opened.first.broken("profile", "what follows the symbols is not a heap profile in text form"))
    } else {
        crate::pprof::read(bytes)
    }
}
