//! Addresses of one binary to functions and lines.
//!
//! First the debug information, then the symbol table, and there only a symbol that really spans the address: the
//! nearest one below names some other function.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::Path;

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

    let files = SymbolFiles::open(binary, debug);
    let table = OnceCell::new();
    let mut building = Building::default();
    let paths: Vec<Vec<NameId>> = own.found.iter().map(|found| building.texts(&found.paths)).collect();
    let functions: Vec<Vec<FunctionId>> = own
        .found
        .iter()
        .zip(&paths)
        .map(|(found, paths)| {
            let id = |function: &dwarf::Function<'_>| {
                let raw = String::from_utf8_lossy(function.raw);
                building.function(&raw, paths[function.file as usize], function.line)
            };
            found.functions.iter().map(id).collect()
        })
        .collect();
    let mut unsettled = Vec::new();
    let mut general = general.iter().zip(&rest).peekable();
    let mut lines: Vec<Line> = Vec::new();
    for (index, &address) in addresses.iter().enumerate() {
        lines.clear();
        let mut outermost_is_whole = false;
        if let Some((_, frames)) = general.next_if(|(at, _)| **at as usize == index) {
            for frame in frames {
                let function = building.function(&frame.raw, NameId::EMPTY, 0);
                let file = building.symbols.names.id(&frame.file);
                lines.push(Line { function, file, line: frame.line, column: frame.column });
            }
            outermost_is_whole =
                frames.last().is_some_and(|outermost| is_whole(&outermost.raw, outermost.is_without_paths));
            if frames.last().is_none_or(|outermost| outermost.raw.is_empty()) {
                unsettled.push(index as u32);
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
            outermost_is_whole = match frames.last() {
                Some(outermost) if outermost.function != NO_FUNCTION => {
                    let raw = own.found[finder].functions[outermost.function as usize].raw;
                    is_whole(&String::from_utf8_lossy(raw), is_without_paths)
                }
                _ => false,
            };
        }
        // The outermost function is the one that a symbol can stand for. Debug information with line tables alone
        // names it without its path.
        if !outermost_is_whole {
            let table = table.get_or_init(|| files.table());
            if let Some(name) = table.spanning(address) {
                let known = lines.last().map(|outermost| *building.symbols.function(outermost));
                let known = known.unwrap_or_default();
                // Where the function is known, its symbol only adds the path, not that the code is a copy.
                let name = if known.name == NameId::EMPTY { name } else { names::without_copy_mark(name) };
                let function = building.function(name, known.file, known.start_line);
                let text = |id| building.symbols.names.text(id);
                let whole = text(building.symbols.functions[function.index()].name);
                let fits = is_path_of(whole, text(known.name));
                match lines.last_mut() {
                    Some(outermost) if fits => outermost.function = function,
                    Some(_) => {}
                    None => lines.push(Line { function, file: NameId::EMPTY, line: 0, column: 0 }),
                }
            }
        }
        building.symbols.push(lines.iter().copied());
    }
    Ok(Resolution { symbols: building.symbols, unsettled })
}

/// Whether a name from the debug information has its path, so that the symbol table can tell nothing more.
fn is_whole(raw: &str, is_without_paths: bool) -> bool {
    names::is_mangled(raw) || is_without_paths && !raw.is_empty()
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
        let names = &mut self.symbols.names;
        let (name, linkage) = match self.known.get(raw) {
            Some(&known) => known,
            None => {
                let readable = names::readable(raw);
                let linkage = if readable == raw { NameId::EMPTY } else { names.id(raw) };
                let both = (names.id(&readable), linkage);
                self.known.insert(raw.into(), both);
                both
            }
        };
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
