//! A dump read by our own readers, and its functions named by the program's symbol table alone.
//!
//! This is on purpose a second, simpler way than the viewer's: no debug information, no inlined frames. It answers
//! one question: how much of the dump has a given function anywhere on its stack.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use object::{Object, ObjectSegment, ObjectSymbol, SymbolKind};
use prof_format::dump::{Dump, Figure};

/// Reads a dump of any format, gzipped or not.
///
/// # Panics
/// When the file cannot be read or is broken.
#[track_caller]
pub fn read(path: &Path) -> Dump {
    let mut bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        let unpacked = flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut plain);
        unpacked.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        bytes = plain;
    }
    prof_format::any::read(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The sum over all stacks of a dump.
pub fn total(dump: &Dump) -> Figure {
    dump.stacks.iter().fold(Figure::default(), |sum, row| add(sum, row.live))
}

fn add(a: Figure, b: Figure) -> Figure {
    Figure { objs: a.objs + b.objs, bytes: a.bytes + b.bytes }
}

/// Function symbols of one program, sorted by address.
pub struct Symbols {
    /// First address, size, demangled name without path and hash.
    functions: Vec<(u64, u64, String)>,
    /// Executable segments: file offset, file size, address.
    segments: Vec<(u64, u64, u64)>,
}

impl Symbols {
    /// Reads a program's symbol table.
    ///
    /// # Panics
    /// When the file is not an ELF file.
    #[track_caller]
    pub fn of(program: &Path) -> Symbols {
        let bytes = std::fs::read(program).unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let file =
            object::File::parse(&bytes[..]).unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut functions: Vec<_> = file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition() && symbol.size() > 0)
            .map(|symbol| (symbol.address(), symbol.size(), last_part(symbol.name().unwrap_or_default())))
            .collect();
        functions.sort();
        let segments =
            file.segments().map(|part| (part.file_range().0, part.file_range().1, part.address())).collect();
        Symbols { functions, segments }
    }

    /// The function at an offset in the file.
    pub fn at(&self, file_offset: u64) -> Option<&str> {
        let (start, _, address) =
            self.segments.iter().find(|(start, size, _)| (*start..start + size).contains(&file_offset))?;
        let address = file_offset - start + address;
        let index = self.functions.partition_point(|(start, ..)| *start <= address).checked_sub(1)?;
        let (start, size, name) = &self.functions[index];
        (address < start + size).then_some(name)
    }
}

/// `svc::cache::cache_key::h0123` -> `cache_key`; `work(int)` mangled by C++ -> `work`.
fn last_part(symbol: &str) -> String {
    let plain = format!("{:#}", rustc_demangle::demangle(symbol));
    let plain =
        plain.split(".constprop").next().unwrap_or_default().split(".isra").next().unwrap_or_default();
    match plain.strip_prefix("_Z") {
        Some(cpp) => last_cpp_part(cpp).unwrap_or(plain).to_owned(),
        None => plain.rsplit("::").next().unwrap_or_default().to_owned(),
    }
}

/// The last of the `[L]<length><name>` parts that a mangled C++ name starts with: `N12_GLOBAL__N_19new_pointEm` gives
/// `new_point`. `None` for operators, templates and the like, which no fixture uses for a site.
fn last_cpp_part(mut rest: &str) -> Option<&str> {
    rest = rest.strip_prefix('N').unwrap_or(rest);
    let mut last = None;
    loop {
        rest = rest.strip_prefix('L').unwrap_or(rest);
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let Ok(length) = rest[..digits].parse::<usize>() else { return last };
        last = Some(rest.get(digits..digits + length)?);
        rest = &rest[digits + length..];
    }
}

/// Live figures per function of `program`: each stack counts once for every function on it.
pub fn by_function(dump: &Dump, program: &Path, symbols: &Symbols) -> BTreeMap<String, Figure> {
    let names: Vec<Option<&str>> = dump
        .frame_table
        .iter()
        .map(|frame| {
            let map = dump.maps.iter().find(|map| {
                (map.start..map.end).contains(&frame.address) && Path::new(&map.path) == program
            })?;
            symbols.at(frame.address - map.start + map.file_offset)
        })
        .collect();
    let mut sums: BTreeMap<String, Figure> = BTreeMap::new();
    for row in &dump.stacks {
        let mut seen: Vec<&str> = dump.stack(row).iter().filter_map(|frame| names[*frame as usize]).collect();
        seen.sort_unstable();
        seen.dedup();
        for name in seen {
            let sum = sums.entry(name.to_owned()).or_default();
            *sum = add(*sum, row.live);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::last_part;

    #[test]
    fn names_lose_path_hash_and_clone_suffix() {
        for (symbol, name) in [
            ("_ZN3svc5cache9cache_key17h0123456789abcdefE", "cache_key"),
            ("_RNvNtCs1234_3svc5cache9cache_key", "cache_key"),
            ("keep_rows", "keep_rows"),
            ("keep_rows.constprop.0", "keep_rows"),
            ("_ZL9keep_rowsm", "keep_rows"),
            ("_Z9keep_rowsm.isra.0", "keep_rows"),
            ("_ZN12_GLOBAL__N_19new_pointEm", "new_point"),
            ("_ZN12_GLOBAL__N_1L9new_arrayEm", "new_array"),
            ("_Znwm", "_Znwm"),
        ] {
            assert_eq!(last_part(symbol), name, "{symbol}");
        }
    }
}
