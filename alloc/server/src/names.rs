//! Names of functions of this process, from the symbol tables of its files (`.symtab`, else `.dynsym`).
//!
//! Only what is asked for is read: headers, the table, and the names of the functions that are hit. Nothing is kept: the
//! next question reads the tables again, a page cache away, and a program that nobody asks pays nothing. Inlined functions,
//! files and lines are not told: `jeprof-rs` and pprof find them in the program's file, with a profile from
//! `/debug/pprof/heap`.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use object::elf::{FileHeader64, PT_LOAD};
use object::read::ReadCache;
use object::read::elf::{ElfFile, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol, SymbolKind};

type Elf<'a> = ElfFile<'a, FileHeader64<Endianness>, &'a ReadCache<File>>;

/// Where the kernel keeps the program's own file, even when it was replaced on disk.
const SELF: &str = "/proc/self/exe";

/// An executable mapping of a file.
struct Mapped {
    start: u64,
    end: u64,
    file_offset: u64,
    path: PathBuf,
}

/// How many functions the program's own file names; 0 when it cannot be read.
pub fn count() -> usize {
    with_elf(Path::new(SELF), |elf| Functions::of(elf).0.len()).unwrap_or(0)
}

/// Names by address. What no symbol spans has none.
pub fn of(addresses: &[u64]) -> BTreeMap<u64, String> {
    let maps = mappings();
    let mut by_file = BTreeMap::<&Path, Vec<(u64, u64)>>::new();
    for &address in addresses {
        if let Some(map) = maps.iter().find(|map| (map.start..map.end).contains(&address)) {
            by_file.entry(&map.path).or_default().push((address, address - map.start + map.file_offset));
        }
    }
    let mut names = BTreeMap::new();
    for (path, asked) in by_file {
        // A file that is gone or no ELF file names nothing.
        with_elf(path, |elf| {
            let functions = Functions::of(elf);
            for (address, offset) in asked {
                if let Some(name) = functions.name(elf, offset) {
                    names.insert(address, name);
                }
            }
        });
    }
    names
}

fn with_elf<R>(path: &Path, then: impl FnOnce(&Elf) -> R) -> Option<R> {
    let cache = ReadCache::new(File::open(path).ok()?);
    Some(then(&Elf::parse(&cache).ok()?))
}

/// Executable mappings of files that are still what is mapped.
fn mappings() -> Vec<Mapped> {
    let program = std::fs::read_link(SELF).unwrap_or_default();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut mapped: Vec<Mapped> = maps.lines().filter_map(mapping).collect();
    mapped.iter_mut().filter(|map| map.path == program).for_each(|map| map.path = SELF.into());
    // Another file may have taken the name of one that was removed.
    mapped.retain(|map| !map.path.as_os_str().as_encoded_bytes().ends_with(b" (deleted)"));
    mapped
}

/// `start-end permissions offset device inode path`; `None` for what executes nothing or is no file.
fn mapping(line: &str) -> Option<Mapped> {
    let mut rest = line;
    let mut word = || {
        let (word, after) = rest.trim_start().split_once(' ')?;
        rest = after;
        Some(word)
    };
    let (range, permissions, offset) = (word()?, word()?, word()?);
    let (_device, _inode) = (word()?, word()?);
    let path = rest.trim_start();
    let (start, end) = range.split_once('-')?;
    let hex = |digits| u64::from_str_radix(digits, 16).ok();
    let (start, end, file_offset) = (hex(start)?, hex(end)?, hex(offset)?);
    (permissions.contains('x') && path.starts_with('/')).then(|| Mapped {
        start,
        end,
        file_offset,
        path: path.into(),
    })
}

/// Functions by address: start, size (0 when unknown), and the index of the symbol.
struct Functions(Vec<(u64, u64, object::SymbolIndex)>);

impl Functions {
    /// Those of the full table, or, of a stripped file, those that are exported.
    fn of(elf: &Elf) -> Functions {
        let collect = |symbols: object::read::elf::ElfSymbolIterator<'_, '_, _, _>| {
            let functions =
                symbols.filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition());
            functions.map(|symbol| (symbol.address(), symbol.size(), symbol.index())).collect::<Vec<_>>()
        };
        let mut all = collect(elf.symbols());
        if all.is_empty() {
            all = collect(elf.dynamic_symbols());
        }
        // Of several at one place the largest comes last, and of those the first of the table.
        all.sort_unstable_by_key(|&(start, size, index)| (start, size, std::cmp::Reverse(index.0)));
        Functions(all)
    }

    /// The readable name of the function at an offset of the file.
    fn name(&self, elf: &Elf, offset: u64) -> Option<String> {
        let address = address_of(elf, offset)?;
        let above = self.0.partition_point(|(start, ..)| *start <= address);
        let &(start, size, index) = self.0[..above].last()?;
        if size != 0 && address - start >= size {
            return None;
        }
        let table =
            if elf.symbols().next().is_some() { elf.symbol_table() } else { elf.dynamic_symbol_table() };
        let symbol = object::ObjectSymbolTable::symbol_by_index(&table?, index).ok()?;
        let name = symbol.name().ok()?;
        // Rust's names without their hash. Those of C++ stay as they are, for who asks has `c++filt`.
        Some(format!("{:#}", rustc_demangle::demangle(name)))
    }
}

/// The address in the file's own terms of what lies at an offset.
fn address_of(elf: &Elf, offset: u64) -> Option<u64> {
    let endian = elf.endian();
    elf.elf_program_headers().iter().filter(|header| header.p_type(endian) == PT_LOAD).find_map(|header| {
        let (start, size) = header.file_range(endian);
        let within = offset.checked_sub(start).filter(|within| *within < size)?;
        Some(header.p_vaddr(endian) + within)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_executable_files_are_mappings() {
        let line = "55f508eca000-55f508ecb000 r-xp 00001000 fe:00 10305553                   /opt/a b";
        let map = mapping(line).unwrap();
        assert_eq!((map.start, map.end, map.file_offset), (0x55f5_08ec_a000, 0x55f5_08ec_b000, 0x1000));
        assert_eq!(map.path, Path::new("/opt/a b"));
        for line in [
            "1000-2000 rw-p 00001000 fe:00 1                   /opt/a",
            "1000-2000 r-xp 00000000 00:00 0 ",
            "7ffd-7fff r-xp 00000000 00:00 0                          [vdso]",
            "nonsense",
            "",
        ] {
            assert!(mapping(line).is_none(), "{line}");
        }
    }

    #[test]
    fn this_program_has_functions_and_a_text_has_none() {
        assert!(count() > 1000);
        assert_eq!(with_elf(Path::new("/proc/self/maps"), |_| ()), None);
        assert_eq!(with_elf(Path::new("/nowhere"), |_| ()), None);
    }
}
