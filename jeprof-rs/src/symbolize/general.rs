//! Look-up by addr2line's general engine, for what `dwarf` leaves to it: split debug information (`.dwo`, `.dwp`), units
//! that share a part with other files, byte orders and forms that hardly occur.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use addr2line::gimli::{self, EndianSlice, RunTimeEndian};
use addr2line::{Context, LookupContinuation, LookupResult, SplitDwarfLoad};
use object::{Object, ObjectSection};
use typed_arena::Arena;

use super::debug_file::Companions;
use super::dwarf::{is_believable, is_without_paths};
use super::mapped::Mapped;

/// Below this, opening a file once more costs more than the look-ups.
const ADDRESSES_PER_THREAD_MIN: usize = 512;

type Reader<'a> = EndianSlice<'a, RunTimeEndian>;

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

/// Looks addresses up (sorted): per address its frames, innermost first; none when nothing is known. `path` is the file
/// with the debug information.
///
/// Cost: each thread opens the file and reads the first entry of every unit.
pub fn resolve(path: &Path, beside: &Companions, addresses: &[u64], threads: usize) -> Vec<Vec<Frame>> {
    let per_thread = addresses.len().div_ceil(threads.max(1)).max(ADDRESSES_PER_THREAD_MIN);
    std::thread::scope(|scope| {
        let parts: Vec<_> = addresses
            .chunks(per_thread)
            .map(|part| scope.spawn(move || resolve_part(path, beside, part)))
            .collect();
        let parts = parts.into_iter().map(|part| part.join().unwrap_or_default());
        parts.flatten().collect()
    })
}

fn resolve_part(path: &Path, beside: &Companions, addresses: &[u64]) -> Vec<Vec<Frame>> {
    let storage = Storage::default();
    match Engine::open(path, beside, &storage) {
        Some(engine) => addresses.iter().map(|&address| engine.frames_of(address)).collect(),
        None => vec![Vec::new(); addresses.len()],
    }
}

/// What look-ups refer to; files are added while they go on.
#[derive(Default)]
struct Storage {
    files: Arena<Mapped>,
    unpacked: Arena<Vec<u8>>,
}

impl Storage {
    fn open(&self, path: &Path) -> Option<object::File<'_>> {
        let bytes: &[u8] = self.files.alloc(Mapped::open(path).ok()?);
        object::File::parse(bytes).ok()
    }

    /// A section, unpacked when it is compressed; empty when there is none.
    fn section<'a>(&'a self, file: &object::File<'a>, name: &str) -> Reader<'a> {
        let is_believable = |section: &object::Section<'a, '_>| {
            section.compressed_file_range().is_ok_and(|range| is_believable(&range))
        };
        let section = file.section_by_name(name).filter(is_believable);
        let bytes: &[u8] = match section.and_then(|section| section.uncompressed_data().ok()) {
            Some(Cow::Borrowed(bytes)) => bytes,
            Some(Cow::Owned(bytes)) => self.unpacked.alloc(bytes),
            None => &[],
        };
        EndianSlice::new(bytes, endian(file))
    }
}

fn endian(file: &object::File<'_>) -> RunTimeEndian {
    if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big }
}

struct Engine<'a> {
    context: Context<Reader<'a>>,
    package: Option<gimli::DwarfPackage<Reader<'a>>>,
    beside: &'a Companions,
    storage: &'a Storage,
}

impl<'a> Engine<'a> {
    fn open(path: &Path, beside: &'a Companions, storage: &'a Storage) -> Option<Engine<'a>> {
        let load = |file: &object::File<'a>| {
            gimli::Dwarf::load(|id| Ok::<_, gimli::Error>(storage.section(file, id.name())))
        };
        let mut dwarf = load(&storage.open(path)?).ok()?;
        if let Some(common) = beside.common.as_deref().and_then(|path| storage.open(path)) {
            dwarf.set_sup(load(&common).ok()?);
        }
        // The entries of units that share abbreviations are many; this is addr2line's own choice.
        dwarf.populate_abbreviations_cache(gimli::AbbreviationsCacheStrategy::Duplicates);
        let package = beside.package.as_deref().and_then(|path| storage.open(path)).and_then(|file| {
            let empty = EndianSlice::new(&[], endian(&file));
            let section = |id: gimli::SectionId| {
                let name = id.dwo_name().unwrap_or_default();
                Ok::<_, gimli::Error>(storage.section(&file, name))
            };
            gimli::DwarfPackage::load(section, empty).ok()
        });
        let context = Context::from_dwarf(dwarf).ok()?;
        Some(Engine { context, package, beside, storage })
    }

    fn frames_of(&self, address: u64) -> Vec<Frame> {
        let mut found = Vec::new();
        // addr2line asks for the range up to the next address. No code is there.
        if address == u64::MAX {
            return found;
        }
        let mut lookup = self.context.find_frames(address);
        let frames = loop {
            match lookup {
                LookupResult::Output(frames) => break frames,
                LookupResult::Load { load, continuation } => {
                    lookup = continuation.resume(self.split_unit(&load));
                }
            }
        };
        // Broken debug information of one unit does not cost the others their names.
        let Ok(mut frames) = frames else { return found };
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

    /// The split part of a unit: from the package, else from a file of its own. Both say for which unit they were made.
    fn split_unit(&self, load: &SplitDwarfLoad<Reader<'a>>) -> Option<Arc<gimli::Dwarf<Reader<'a>>>> {
        if let Some(package) = &self.package
            && let Ok(Some(unit)) = package.find_cu(load.dwo_id, &load.parent)
        {
            return Some(Arc::new(unit));
        }
        let path =
            |bytes: &Option<Reader<'a>>| bytes.map(|bytes| Path::new(OsStr::from_bytes(bytes.slice())));
        let folder = path(&load.comp_dir).unwrap_or(Path::new(""));
        self.beside.split.candidates(folder, path(&load.path)?).iter().find_map(|candidate| {
            let file = self.storage.open(candidate)?;
            let section = |id: gimli::SectionId| {
                let name = id.dwo_name().unwrap_or_default();
                Ok::<_, gimli::Error>(self.storage.section(&file, name))
            };
            let mut split = gimli::Dwarf::load(section).ok()?;
            let header = split.units().next().ok().flatten()?;
            let is_it = split.unit(header).ok()?.dwo_id == Some(load.dwo_id);
            is_it.then(|| {
                split.make_dwo(&load.parent);
                Arc::new(split)
            })
        })
    }
}
