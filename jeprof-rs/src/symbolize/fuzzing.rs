//! Entries for the fuzz targets; see `crate::fuzzing`.

use std::path::Path;

use super::binary::Binary;
use super::cache_file::{Stored, encode};
use super::debug_file::Companions;
use super::{frame_ranges, general, names as naming, perf_map as perf, resolve};

/// Addresses that are asked for of one file.
const ADDRESSES_MAX: usize = 256;

/// A binary: headers, functions, and the names of addresses all over its code, from both engines.
pub fn binary(path: &Path) {
    let beside = Companions::default();
    look_up(path, &beside);
}

/// A binary with files beside it.
pub fn split(path: &Path, debug: Option<&Path>, common: Option<&Path>, package: Option<&Path>) {
    let own = |path: Option<&Path>| path.map(Path::to_path_buf);
    let beside =
        Companions { debug: own(debug), common: own(common), package: own(package), ..Companions::default() };
    look_up(path, &beside);
}

fn look_up(path: &Path, beside: &Companions) {
    let mut addresses = match Binary::open(path) {
        Ok(binary) => wanted(&binary),
        Err(_) => Vec::new(),
    };
    let starts = frame_ranges::Starts::of_file(path);
    let ranges = starts.all();
    addresses.extend(ranges.iter().take(16).map(|(start, _)| *start));
    addresses.extend([0, 0x1000, u64::MAX]);
    addresses.sort_unstable();
    addresses.dedup();
    for &address in &addresses {
        let _ = frame_ranges::start(&ranges, address);
        let _ = starts.start(address);
    }
    let answer = resolve::resolve(path, beside, &addresses, 1);
    if let Ok(resolution) = &answer {
        // What was found can be kept and read again.
        let bytes = encode("identity", &addresses, &resolution.symbols);
        let stored = Stored::decode(bytes, "identity").expect("what was just written is whole");
        let read = stored.symbols(0..addresses.len()).expect("what was just written can be read");
        for entry in 0..addresses.len() {
            assert_eq!(read.lines_of(entry).len(), resolution.symbols.lines_of(entry).len());
        }
    }
    let path = beside.debug.as_deref().unwrap_or(path);
    let _ = general::resolve(path, beside, &addresses, 1);
}

/// Addresses spread evenly over the code.
fn wanted(binary: &Binary) -> Vec<u64> {
    let mut addresses = Vec::new();
    for segment in binary.segments.iter().take(4) {
        let step = (segment.size / (ADDRESSES_MAX as u64 / 4)).max(7);
        let offsets = (0..ADDRESSES_MAX as u64 / 4).map(|index| segment.offset.saturating_add(index * step));
        addresses.extend(offsets.filter_map(|offset| binary.address_of_offset(offset)));
    }
    addresses
}

/// A file of the cache, as it is, and with its checksum and length put right, as only somebody hostile would.
pub fn cache_file(bytes: &[u8]) {
    let ask = |bytes: Vec<u8>, identity: &str| {
        let Some(stored) = Stored::decode(bytes, identity) else { return };
        let addresses = stored.addresses();
        let found = stored.find(&addresses);
        let _ = stored.find(&[0, 0x1000, u64::MAX]);
        let entries: Vec<usize> = found.into_iter().flatten().collect();
        if let Some(symbols) = stored.symbols(entries.iter().copied()) {
            // As a later run with more addresses would do.
            let count = entries.len();
            let again = encode(identity, &addresses[..count.min(addresses.len())], &symbols);
            assert!(Stored::decode(again, identity).is_some());
        }
    };
    ask(bytes.to_vec(), "");
    let mut bytes = bytes.to_vec();
    if bytes.len() >= 28 {
        let length = bytes.len() as u64;
        bytes[..8].copy_from_slice(b"jeprofrs");
        bytes[8..12].copy_from_slice(&1u32.to_le_bytes());
        bytes[16..24].copy_from_slice(&length.to_le_bytes());
        // The identity is whatever is there.
        let identity_bytes = u32::from_le_bytes(bytes[24..28].try_into().expect("four bytes")) as usize;
        let identity = bytes.get(52..52usize.saturating_add(identity_bytes)).unwrap_or_default();
        let identity = String::from_utf8_lossy(identity).into_owned();
        let sum = crc32fast::hash(&bytes[16..]);
        bytes[12..16].copy_from_slice(&sum.to_le_bytes());
        ask(bytes, &identity);
    }
}

/// A linkage name.
pub fn names(text: &str) {
    let _ = naming::readable(text);
    let _ = naming::readable(naming::without_copy_mark(text));
}

/// A file for perf.
pub fn perf_map(bytes: &[u8]) {
    let _ = perf::names_in(bytes, &[0, 0x7f00, 0x7f20, 0x5555_5555_0000, u64::MAX]);
}
