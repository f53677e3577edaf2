//! The sections of a binary that look-ups need, in place where they are stored plain, unpacked where compressed.

use std::ops::Range;
use std::path::Path;

use gimli::{EndianSlice, LittleEndian, SectionId};
use object::{Object, ObjectSection, SectionFlags};

use super::super::mapped::Mapped;

/// What parses a section.
pub type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// Sections that are looked into. The others (locations, macros, types) are a third of a large binary.
const WANTED: [SectionId; 10] = [
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
];

/// No compression of debug sections comes near this factor; a header that claims more is not believed.
const INFLATION_MAX: u64 = 200;

/// Whether a section is as large unpacked as it can honestly be.
pub fn is_believable(range: &object::CompressedFileRange) -> bool {
    range.format == object::CompressionFormat::None
        || range.uncompressed_size / INFLATION_MAX <= range.compressed_size
}

enum Bytes {
    InFile(Range<usize>),
    Inflated(Vec<u8>),
}

/// A binary or debug file and its sections.
pub struct Sections {
    file: Mapped,
    sections: Vec<(SectionId, Bytes)>,
    /// Lowest address of code. Debug information of functions that the linker has left out points below it.
    pub code_start: u64,
    /// Whether only the general engine can read the file: the debug information has a part in a file that several
    /// share, or the byte order is not this machine's usual one.
    pub needs_general_engine: bool,
}

impl Sections {
    /// Opens a file. Cost: the headers, and unpacking of what is compressed, one thread per section.
    ///
    /// # Errors
    /// In words: the file cannot be mapped, or is no ELF file. A section that is broken counts as missing.
    pub fn open(path: &Path) -> Result<Sections, String> {
        let file = Mapped::open(path)?;
        let object = object::File::parse(&*file).map_err(|error| format!("not an ELF file: {error}"))?;
        let code_start = object
            .sections()
            .filter(|section| match section.flags() {
                SectionFlags::Elf { sh_flags, .. } => sh_flags.contains(object::elf::SHF_EXECINSTR),
                _ => false,
            })
            .filter(|section| section.size() > 0)
            .map(|section| section.address())
            .min()
            .unwrap_or(0);
        let needs_general_engine = !object.is_little_endian()
            || object.kind() == object::ObjectKind::Relocatable
            || object.gnu_debugaltlink().ok().flatten().is_some();
        let mut sections = Vec::new();
        let mut packed = Vec::new();
        for id in WANTED {
            let Some(section) = object.section_by_name(id.name()) else { continue };
            let Ok(range) = section.compressed_file_range() else { continue };
            if range.format == object::CompressionFormat::None {
                let start = usize::try_from(range.offset).unwrap_or(usize::MAX);
                let end = start.saturating_add(usize::try_from(range.compressed_size).unwrap_or(usize::MAX));
                if file.get(start..end).is_some() {
                    sections.push((id, Bytes::InFile(start..end)));
                }
            } else if is_believable(&range) {
                packed.push((id, section));
            }
        }
        let inflated: Vec<Option<Vec<u8>>> = std::thread::scope(|scope| {
            let threads: Vec<_> = packed
                .iter()
                .map(|(_, section)| {
                    scope.spawn(|| section.uncompressed_data().ok().map(|bytes| bytes.into_owned()))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().ok().flatten()).collect()
        });
        for ((id, _), bytes) in packed.iter().zip(inflated) {
            sections.extend(bytes.map(|bytes| (*id, Bytes::Inflated(bytes))));
        }
        drop(packed);
        Ok(Sections { sections, code_start, needs_general_engine, file })
    }

    /// The debug information, borrowed.
    pub fn dwarf(&self) -> gimli::Dwarf<Reader<'_>> {
        let section =
            |id| Ok::<_, std::convert::Infallible>(EndianSlice::new(self.section(id), LittleEndian));
        match gimli::Dwarf::load(section) {
            Ok(dwarf) => dwarf,
            Err(never) => match never {},
        }
    }

    fn section(&self, id: SectionId) -> &[u8] {
        match self.sections.iter().find(|(other, _)| *other == id) {
            None => &[],
            Some((_, Bytes::InFile(range))) => &self.file[range.clone()],
            Some((_, Bytes::Inflated(bytes))) => bytes,
        }
    }
}
