//! What the headers of an ELF file say: build id, executable segments, where its debug file is.
//!
//! Reads only the pieces that it needs, so a large binary costs no more than a small one.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use object::{Object, ObjectKind, ObjectSection, ObjectSegment, ReadCache, SectionKind};
use prof_format::vocab::BuildId;

use super::mapped::open_regular;

/// An executable segment: `size` bytes at `offset` of the file are at `address` in the file's own address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Offset in the file.
    pub offset: u64,
    /// Bytes in the file.
    pub size: u64,
    /// Address that symbols and debug information use.
    pub address: u64,
    /// Bytes in memory.
    pub memory: u64,
}

/// Granularity of mappings. Larger pages only make a mapping cover more than we compare with.
const PAGE: u64 = 4096;

/// The headers of a binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// The file.
    pub path: PathBuf,
    /// Its build id, empty when it has none.
    pub build_id: BuildId,
    /// When it was last changed, where the file system tells.
    pub modified: Option<SystemTime>,
    /// Executable segments in file order.
    pub segments: Vec<Segment>,
    /// Whether it has debug information of its own.
    pub has_debug_info: bool,
    /// Whether it has a symbol table beside that of exported names.
    pub has_symbols: bool,
    /// Whether its code was taken out: a debug file. Its segments then do not tell where in the real file they were.
    pub is_hollow: bool,
    /// Whether its code lies at its own addresses in every process.
    pub is_fixed: bool,
    /// Name and checksum of its separate debug file.
    pub debug_link: Option<(String, u32)>,
    /// Name and build id of the file that holds what it shares with other debug files.
    pub common_link: Option<(PathBuf, BuildId)>,
}

impl Binary {
    /// Reads the headers.
    ///
    /// # Errors
    /// In words: the file cannot be read, or is not an ELF file.
    pub fn open(path: &Path) -> Result<Binary, String> {
        let (file, facts) = open_regular(path)?;
        let cache = ReadCache::new(file);
        let object = object::File::parse(&cache).map_err(|error| format!("not an ELF file: {error}"))?;
        let segments = object
            .segments()
            .filter(|segment| segment.permissions().executable())
            .map(|segment| {
                let (offset, size) = segment.file_range();
                Segment { offset, size, address: segment.address(), memory: segment.size() }
            })
            .collect();
        let has_content = |name: &str| {
            object
                .section_by_name(name)
                .is_some_and(|section| section.size() > 0 && section.kind() != SectionKind::UninitializedData)
        };
        let debug_link = object.gnu_debuglink().ok().flatten();
        Ok(Binary {
            path: path.to_path_buf(),
            modified: facts.modified().ok(),
            build_id: object.build_id().ok().flatten().map(BuildId::new).unwrap_or_default(),
            segments,
            has_debug_info: has_content(".debug_info") || has_content(".zdebug_info"),
            has_symbols: has_content(".symtab"),
            is_hollow: object.section_by_name(".text").is_some() && !has_content(".text"),
            is_fixed: object.kind() == ObjectKind::Executable,
            debug_link: debug_link
                .and_then(|(name, crc)| Some((std::str::from_utf8(name).ok()?.to_string(), crc))),
            common_link: object
                .gnu_debugaltlink()
                .ok()
                .flatten()
                .map(|(name, id)| (PathBuf::from(OsStr::from_bytes(name)), BuildId::new(id))),
        })
    }

    /// The address in the file's own address space of what lies at this offset of the file.
    ///
    /// `None` when no executable segment holds it: then the file is not the one that was mapped.
    pub fn address_of_offset(&self, offset: u64) -> Option<u64> {
        self.segments
            .iter()
            .find(|segment| offset.checked_sub(segment.offset).is_some_and(|within| within < segment.size))
            .map(|segment| segment.address.wrapping_add(offset - segment.offset))
    }

    /// Whether a mapped executable part of a file may be one of this file: a mapping never reaches beyond the pages
    /// of its segment.
    pub fn may_hold(&self, (offset, length): (u64, u64)) -> bool {
        self.segments.iter().any(|segment| {
            let first = segment.offset / PAGE * PAGE;
            let end = segment.offset.saturating_add(segment.size).div_ceil(PAGE).saturating_mul(PAGE);
            first <= offset && offset.saturating_add(length) <= end
        })
    }
}

/// The segments of a debug file, put where those of the real file were by what was mapped of that: the executable
/// parts in the order of their offsets are the segments in the order of their addresses. `None` when sizes contradict.
pub fn unfolded(segments: &[Segment], parts: &[(u64, u64)]) -> Option<Vec<Segment>> {
    let mut segments = segments.to_vec();
    segments.sort_by_key(|segment| segment.address);
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    // A segment may have been mapped in pieces.
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (offset, length) in parts {
        match joined.last_mut() {
            Some((last, size)) if last.saturating_add(*size) >= offset => {
                *size = (*size).max(offset.saturating_add(length) - *last);
            }
            _ => joined.push((offset, length)),
        }
    }
    if segments.len() != joined.len() {
        return None;
    }
    segments
        .iter()
        .zip(joined)
        .map(|(segment, (offset, length))| {
            let first = segment.address / PAGE * PAGE;
            let end = segment.address.checked_add(segment.memory)?.checked_next_multiple_of(PAGE)?;
            (length <= end - first).then_some(Segment {
                offset,
                size: length,
                address: first,
                memory: length,
            })
        })
        .collect()
}

/// Equal build ids, or what differs.
pub fn same_id(wanted: &BuildId, found: &BuildId) -> Result<(), String> {
    if wanted == found {
        return Ok(());
    }
    let found = if found.is_empty() { "none".to_string() } else { found.to_string() };
    Err(format!("its build id is {found} instead of {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(segments: &[(u64, u64, u64)]) -> Binary {
        Binary {
            path: PathBuf::new(),
            modified: None,
            build_id: BuildId::default(),
            segments: segments
                .iter()
                .map(|&(offset, size, address)| Segment { offset, size, address, memory: size })
                .collect(),
            has_debug_info: false,
            has_symbols: false,
            is_hollow: false,
            is_fixed: false,
            debug_link: None,
            common_link: None,
        }
    }

    #[test]
    fn each_executable_segment_has_its_own_shift() {
        let binary = binary(&[(0x1100, 0x800, 0x40_2100), (0x3000, 0x100, 0x40_9000)]);
        assert_eq!(binary.address_of_offset(0x1100), Some(0x40_2100));
        assert_eq!(binary.address_of_offset(0x18ff), Some(0x40_28ff));
        assert_eq!(binary.address_of_offset(0x1900), None);
        assert_eq!(binary.address_of_offset(0x3010), Some(0x40_9010));
        assert_eq!(binary.address_of_offset(0x10ff), None);
        assert_eq!(binary.address_of_offset(u64::MAX), None);
    }

    #[test]
    fn a_mapping_fits_when_it_stays_within_the_pages_of_a_segment() {
        let binary = binary(&[(0x1100, 0x800, 0x40_2100)]);
        assert!(binary.may_hold((0x1000, 0x1000)));
        assert!(!binary.may_hold((0x1000, 0x2000)));
        assert!(!binary.may_hold((0x2000, 0x1000)));
        assert!(!binary.may_hold((u64::MAX, u64::MAX)));
    }

    #[test]
    fn the_segments_of_a_debug_file_are_put_where_code_was_mapped() {
        let hollow = |address, memory| Segment { offset: 0x1000, size: 0, address, memory };
        let segments = [hollow(0x40_9000, 0x100), hollow(0x40_2100, 0x1800)];
        let placed = unfolded(&segments, &[(0x1000, 0x1000), (0x2000, 0x1000), (0x4000, 0x1000)]).unwrap();
        let shift = |segment: &Segment| (segment.offset, segment.size, segment.address);
        assert_eq!(
            placed.iter().map(shift).collect::<Vec<_>>(),
            [(0x1000, 0x2000, 0x40_2000), (0x4000, 0x1000, 0x40_9000)]
        );
        assert_eq!(unfolded(&segments, &[(0x1000, 0x1000)]), None);
        assert_eq!(unfolded(&segments, &[(0x1000, 0x1000), (0x4000, 0x2000)]), None);
        assert_eq!(unfolded(&[hollow(u64::MAX, 2)], &[(0, 1)]), None);
    }

    #[test]
    fn this_test_s_own_binary_is_read() {
        let own = Binary::open(&std::env::current_exe().unwrap()).unwrap();
        assert!(!own.segments.is_empty());
        assert!(own.segments.iter().all(|segment| segment.size > 0));
    }

    #[test]
    fn what_is_no_elf_file_is_told_so() {
        assert!(Binary::open(Path::new("/dev/null")).unwrap_err().contains("not a file"));
        assert!(Binary::open(Path::new("/")).is_err());
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert!(Binary::open(&manifest).unwrap_err().contains("not an ELF file"));
    }
}
