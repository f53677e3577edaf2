//! The machine code of an image, for who shows instructions: where functions begin and end, their bytes, their lines.

use std::path::PathBuf;

use object::{Architecture, Object};

use super::binary::Binary;
use super::debug_file::{self, Companions};
use super::mapped::Mapped;
use super::search::Search;
use super::symbol_table::SymbolFiles;
use super::symbols::Symbols;
use super::{Outcome, cache, locate, names};
use crate::model::{ImageId, Profile};
use crate::plan::finding::Finding;

/// The file of one image, opened.
pub struct Code {
    binary: Binary,
    beside: Companions,
    files: SymbolFiles,
    content: Mapped,
    architecture: Architecture,
}

/// A function of a file, in the file's own addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First address.
    pub start: u64,
    /// First address behind the end.
    pub end: u64,
    /// Readable name.
    pub name: String,
}

impl Code {
    /// Opens the file that the image's names came from, or, when the dump brought the names along, the one that they
    /// would have come from.
    ///
    /// # Errors
    /// In words: there is none, it is another build, or it holds no code.
    pub fn open(
        profile: &Profile,
        outcome: &Outcome,
        finding: &Finding,
        image: ImageId,
    ) -> Result<Code, String> {
        let search = Search::new(finding, &|name| std::env::var_os(name));
        let mapped = &profile.images[image.index()];
        let facts = outcome.images.iter().find(|facts| facts.image == image);
        let found: Option<PathBuf> = facts.and_then(|facts| facts.file.clone());
        let binary = match found {
            Some(path) => Binary::open(&path)?,
            None => locate::image_file(mapped, &search).map_err(|missing| missing.reason)?,
        };
        if binary.is_hollow {
            return Err(format!("{} is a debug file, which holds no code", binary.path.display()));
        }
        let beside = debug_file::find(&binary, &mapped.path, &search);
        let files = SymbolFiles::open(&binary.path, beside.debug.as_deref());
        let content = Mapped::open(&binary.path)?;
        let parsed = object::File::parse(&*content).map_err(|error| format!("not an ELF file: {error}"))?;
        let architecture = parsed.architecture();
        Ok(Code { binary, beside, files, content, architecture })
    }

    /// For which processor it is.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The address in the file's own space of an offset in the file.
    pub fn address(&self, offset: u64) -> Option<u64> {
        self.binary.address_of_offset(offset)
    }

    /// The functions that hold these addresses, which are sorted.
    ///
    /// Cost: one pass over the symbol tables.
    pub fn functions(&self, addresses: &[u64]) -> Vec<Option<Extent>> {
        let table = self.files.table(addresses);
        let extent = |&address: &u64| {
            let (start, end, name) = table.extent(address)?;
            Some(Extent { start, end, name: names::readable(name).into_owned() })
        };
        addresses.iter().map(extent).collect()
    }

    /// The bytes of a function; fewer when its segment ends before it does.
    pub fn bytes(&self, function: &Extent) -> &[u8] {
        let holds = |segment: &&super::binary::Segment| {
            function.start.checked_sub(segment.address).is_some_and(|within| within < segment.size)
        };
        let Some(segment) = self.binary.segments.iter().find(holds) else { return &[] };
        let from = segment.offset + (function.start - segment.address);
        let length = (function.end - function.start).min(segment.size - (function.start - segment.address));
        let range = usize::try_from(from).ok().zip(usize::try_from(from.saturating_add(length)).ok());
        range.and_then(|(from, to)| self.content.get(from..to)).unwrap_or_default()
    }

    /// The lines of these addresses, which are sorted: entry `i` is address `i`.
    ///
    /// # Errors
    /// In words: the debug information is damaged.
    pub fn lines(&self, addresses: &[u64]) -> Result<Symbols, String> {
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
        cache::resolve_cached(None, &self.binary, &self.beside, addresses, threads)
    }
}
