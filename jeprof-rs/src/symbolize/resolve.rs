//! Addresses of one binary to functions and lines.
//!
//! First the debug information, then the symbol table, and there only a symbol that really spans the address: the
//! nearest one below names some other function.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use hashbrown::HashMap;

use super::debug_file::Companions;
use super::dwarf::{self, NO_FUNCTION, Sections};
use super::symbol_table::SymbolFiles;
use super::symbols::{Function, FunctionId, Line, NameId, Symbols};
use super::{general, names};

/// What a look-up has found.
pub struct Resolution {
    /// Entry `i` is address `i`. One without lines is an address that nothing is known about; a line without function is
    /// one whose place is known and whose function is not.
    pub symbols: Symbols,
    /// Addresses, as indices, rising, about which more may be known once a missing file is there.
    pub unsettled: Vec<u32>,
}

/// Names these addresses (of the binary's own address space, sorted) with so many threads.
///
/// `beside` tells the files that belong to the binary.
///
/// # Errors
/// In words: neither file can be used.
///
/// Cost: the debug information is mapped; only units that hold an address are parsed.
pub fn resolve(
    binary: &Path,
    beside: &Companions,
    addresses: &[u64],
    threads: usize,
) -> Result<Resolution, String> {
    let debug = beside.debug.as_deref();
    let (path, sections) = match debug.map(|debug| (debug, Sections::open(debug))) {
        Some((debug, Ok(sections))) => (debug, sections),
        _ => (binary, Sections::open(binary)?),
    };
    let dwarf = sections.dwarf();
    let (own, mut general) = if sections.needs_general_engine {
        (dwarf::Resolved::default(), (0..addresses.len() as u32).collect())
    } else {
        let mut own = dwarf::resolve(&dwarf, sections.code_start, addresses, threads);
        let unsupported = std::mem::take(&mut own.unsupported);
        (own, unsupported)
    };
    general.sort_unstable();
    let rest: Vec<u64> = general.iter().map(|&index| addresses[index as usize]).collect();
    let rest = general::resolve(path, beside, &rest, threads);

    let mut building = Building::default();
    let paths: Vec<Vec<NameId>> = own.found.iter().map(|found| building.texts(&found.paths)).collect();
    let functions: Vec<Vec<FunctionId>> = (readable(&own.found).iter().zip(&own.found).zip(&paths))
        .map(|((readable, found), paths)| {
            let functions = found.functions.iter().zip(readable);
            functions
                .map(|(function, (raw, readable))| {
                    let names = building.names(raw, || readable.as_str().into());
                    building.named(names, paths[function.file as usize], function.line)
                })
                .collect()
        })
        .collect();
    let mut unsettled = Vec::new();
    // Addresses of which the symbol table may know more.
    let mut in_part: Vec<(u64, usize)> = Vec::new();
    let mut lines: Vec<Line> = Vec::new();
    let mut entries: Vec<Range<usize>> = Vec::with_capacity(addresses.len());
    let mut general = general.iter().zip(&rest).peekable();
    for (index, &address) in addresses.iter().enumerate() {
        let first = lines.len();
        let mut outermost_is_whole = false;
        if let Some((_, frames)) = general.next_if(|(at, _)| **at as usize == index) {
            for frame in frames {
                let function = building.function(&frame.raw, NameId::EMPTY, 0);
                let file = building.symbols.names.id(&frame.file);
                lines.push(Line { function, file, line: frame.line, column: frame.column });
            }
            match frames.last().filter(|outermost| !outermost.raw.is_empty()) {
                Some(outermost) => {
                    outermost_is_whole = is_whole(outermost.raw.as_bytes(), outermost.is_without_paths);
                }
                None => unsettled.push(index as u32),
            }
        } else if let Some((finder, frames, is_without_paths)) = own.frames(index) {
            let no_function = building.function("", NameId::EMPTY, 0);
            lines.extend(frames.iter().map(|frame| Line {
                function: match frame.function {
                    NO_FUNCTION => no_function,
                    function => functions[finder][function as usize],
                },
                file: paths[finder][frame.file as usize],
                line: frame.line,
                column: frame.column,
            }));
            outermost_is_whole = frames.last().is_some_and(|outermost| {
                let function = own.found[finder].functions.get(outermost.function as usize);
                function.is_some_and(|function| is_whole(function.raw, is_without_paths))
            });
        }
        if !outermost_is_whole {
            in_part.push((address, index));
        }
        entries.push(first..lines.len());
    }
    let files = SymbolFiles::open(binary, debug);
    let alone = complete(&files, &in_part, &entries, &mut lines, &mut building);
    for (index, entry) in entries.into_iter().enumerate() {
        let alone = alone.get(&index).copied();
        building.symbols.push(lines[entry].iter().copied().chain(alone));
    }
    Ok(Resolution { symbols: building.symbols, unsettled })
}

/// Per finding the names of its functions as they stand there and made readable; one thread for each.
fn readable<'f>(found: &'f [dwarf::Found<'_>]) -> Vec<Vec<(Cow<'f, str>, String)>> {
    let of_one = |found: &'f dwarf::Found<'_>| {
        let both = |function: &'f dwarf::Function<'_>| {
            let raw = String::from_utf8_lossy(function.raw);
            let readable = names::readable(&raw).into_owned();
            (raw, readable)
        };
        found.functions.iter().map(both).collect()
    };
    match found {
        [one] => vec![of_one(one)],
        several => std::thread::scope(|scope| {
            let threads: Vec<_> = several.iter().map(|found| scope.spawn(move || of_one(found))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
        }),
    }
}

/// Asks the symbol table for the outermost function of addresses (with their indices) of which the debug information
/// knows it not, or, as with line tables alone, without its path. Answers with a line for those that had none.
fn complete(
    files: &SymbolFiles,
    in_part: &[(u64, usize)],
    entries: &[Range<usize>],
    lines: &mut [Line],
    building: &mut Building,
) -> HashMap<usize, Line> {
    let mut alone = HashMap::new();
    if in_part.is_empty() {
        return alone;
    }
    let addresses: Vec<u64> = in_part.iter().map(|&(address, _)| address).collect();
    let table = files.table(&addresses);
    for &(address, index) in in_part {
        let Some(name) = table.spanning(address) else { continue };
        match lines[entries[index].clone()].last_mut() {
            Some(outermost) => {
                let known = *building.symbols.function(outermost);
                // Where the function is known, its symbol only adds the path, not that the code is a copy.
                let name = if known.name == NameId::EMPTY { name } else { names::without_copy_mark(name) };
                let function = building.function(name, known.file, known.start_line);
                let text = |id| building.symbols.names.text(id);
                if is_path_of(text(building.symbols.functions[function.index()].name), text(known.name)) {
                    outermost.function = function;
                }
            }
            None => {
                let function = building.function(name, NameId::EMPTY, 0);
                alone.insert(index, Line { function, file: NameId::EMPTY, line: 0, column: 0 });
            }
        }
    }
    alone
}

/// Whether a name from the debug information has its path, so that the symbol table can tell nothing more.
fn is_whole(raw: &[u8], is_without_paths: bool) -> bool {
    std::str::from_utf8(raw).is_ok_and(names::is_mangled) || is_without_paths && !raw.is_empty()
}

/// Whether `whole` can be the same function as `name`, which may lack its path: nothing is known, or the last part of
/// the path is that name but for generic arguments.
fn is_path_of(whole: &str, name: &str) -> bool {
    let base = name.split('<').next().unwrap_or(name);
    whole.rfind(base).is_some_and(|at| {
        let (before, after) = (&whole[..at], &whole[at + base.len()..]);
        base.is_empty() || before.ends_with("::") && (after.is_empty() || after.starts_with(['<', ':']))
    })
}

/// Symbols in the making.
#[derive(Default)]
struct Building {
    symbols: Symbols,
    /// Readable name and linkage name by the name as the debug information has it: each is made readable once.
    known: HashMap<Box<str>, (NameId, NameId)>,
}

impl Building {
    fn texts(&mut self, texts: &[String]) -> Vec<NameId> {
        texts.iter().map(|text| self.symbols.names.id(text)).collect()
    }

    fn function(&mut self, raw: &str, file: NameId, start_line: u32) -> FunctionId {
        let names = self.names(raw, || names::readable(raw));
        self.named(names, file, start_line)
    }

    /// Readable name and linkage name.
    fn names<'n>(&mut self, raw: &'n str, readable: impl FnOnce() -> Cow<'n, str>) -> (NameId, NameId) {
        if let Some(&known) = self.known.get(raw) {
            return known;
        }
        let names = &mut self.symbols.names;
        let readable = readable();
        let linkage = if readable == raw { NameId::EMPTY } else { names.id(raw) };
        let both = (names.id(&readable), linkage);
        self.known.insert(raw.into(), both);
        both
    }

    fn named(&mut self, (name, linkage): (NameId, NameId), file: NameId, start_line: u32) -> FunctionId {
        self.symbols.function_id(Function { name, linkage, file, start_line })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_its_path_is_completed_only_by_its_own_symbol() {
        for (whole, name) in [
            ("svc::blocks::big_block", "big_block"),
            ("<alloc::raw_vec::RawVec<u8>>::grow_one", "grow_one<u8>"),
            ("svc::table::<u8>", "table<u8>"),
            ("anything", ""),
        ] {
            assert!(is_path_of(whole, name), "{whole} {name}");
        }
        for (whole, name) in
            [("svc::blocks::big_block", "block"), ("grow.constprop.0", "grow"), ("svc::main", "serve")]
        {
            assert!(!is_path_of(whole, name), "{whole} {name}");
        }
    }
}
