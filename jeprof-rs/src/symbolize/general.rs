//! Look-up by addr2line's general engine, for what `dwarf` leaves to it: split debug information (`.dwo`, `.dwp`), units
//! that share a part with other files, byte orders and forms that hardly occur.

use std::path::Path;

use addr2line::Loader;

use super::dwarf::is_without_paths;

/// Below this, opening a file once more costs more than the look-ups.
const ADDRESSES_PER_THREAD_MIN: usize = 512;

/// One function of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Name as the debug information has it, empty when unknown.
    pub raw: String,
    /// Whether functions of its language have no path in front of their names.
    pub is_without_paths: bool,
    /// Source file, empty when unknown.
    pub file: String,
    /// 0 when unknown.
    pub line: u32,
    /// 0 when unknown.
    pub column: u32,
}

/// Looks addresses up (sorted): per address its frames, innermost first; none when nothing is known.
///
/// Cost: each thread opens the file and reads the first entry of every unit.
pub fn resolve(path: &Path, addresses: &[u64], threads: usize) -> Vec<Vec<Frame>> {
    let per_thread = addresses.len().div_ceil(threads.max(1)).max(ADDRESSES_PER_THREAD_MIN);
    std::thread::scope(|scope| {
        let parts: Vec<_> =
            addresses.chunks(per_thread).map(|part| scope.spawn(move || resolve_part(path, part))).collect();
        let parts = parts.into_iter().map(|part| part.join().unwrap_or_default());
        parts.flatten().collect()
    })
}

fn resolve_part(path: &Path, addresses: &[u64]) -> Vec<Vec<Frame>> {
    let Ok(loader) = Loader::new(path) else { return vec![Vec::new(); addresses.len()] };
    addresses.iter().map(|&address| frames_of(&loader, address)).collect()
}

fn frames_of(loader: &Loader, address: u64) -> Vec<Frame> {
    let mut found = Vec::new();
    // Broken debug information of one unit does not cost the others their names.
    let Ok(mut frames) = loader.find_frames(address) else { return found };
    while let Ok(Some(frame)) = frames.next() {
        let function = frame.function.as_ref();
        let location = frame.location.as_ref();
        found.push(Frame {
            raw: function.and_then(|name| name.raw_name().ok()).unwrap_or_default().into_owned(),
            is_without_paths: function.and_then(|name| name.language).is_some_and(is_without_paths),
            file: location.and_then(|location| location.file).unwrap_or_default().to_string(),
            line: location.and_then(|location| location.line).unwrap_or(0),
            column: location.and_then(|location| location.column).unwrap_or(0),
        });
    }
    found
}
