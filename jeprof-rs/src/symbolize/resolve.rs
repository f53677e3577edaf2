//! Addresses of one binary to functions and lines.
//!
//! First the debug information, then the symbol table, and there only a symbol that really spans the address: the
//! nearest one below names some other function.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::Path;

use addr2line::{Loader, gimli};

use super::names;
use super::symbol_table::SymbolFiles;
use super::symbols::{Function, FunctionId, Line, NameId, Symbols};

/// Names these addresses (of the binary's own address space). An entry without lines is an address that nothing is
/// known about; a line without function is one whose place is known and whose function is not.
///
/// `debug` is the separate debug file, if there is one. Addresses should be sorted: neighbours share a unit.
///
/// # Errors
/// In words: neither file can be used.
///
/// Cost: the debug information is mapped; only units that hold an address are parsed in full.
pub fn resolve(binary: &Path, debug: Option<&Path>, addresses: &[u64]) -> Result<Symbols, String> {
    let loader = match debug.map(Loader::new) {
        Some(Ok(loader)) => loader,
        _ => Loader::new(binary).map_err(|error| error.to_string())?,
    };
    let files = SymbolFiles::open(binary, debug);
    let table = OnceCell::new();
    let mut symbols = Symbols::default();
    let mut functions: HashMap<String, FunctionId> = HashMap::new();
    let mut lines: Vec<Line> = Vec::new();
    for &address in addresses {
        lines.clear();
        let mut outermost_is_whole = false;
        // Broken debug information of one unit must not cost the names of the others.
        if let Ok(mut frames) = loader.find_frames(address) {
            while let Ok(Some(frame)) = frames.next() {
                let raw = frame.function.as_ref().and_then(|function| function.raw_name().ok());
                let function = match raw.as_deref() {
                    None | Some("") => symbols.function_id(Function::default()),
                    Some(raw) => function_id(raw, &mut functions, &mut symbols),
                };
                let language = frame.function.as_ref().and_then(|function| function.language);
                outermost_is_whole = raw.as_deref().is_some_and(|raw| {
                    names::is_mangled(raw) || is_without_paths(language) && !raw.is_empty()
                });
                let location = frame.location.as_ref();
                let file = location.and_then(|location| location.file).unwrap_or("");
                lines.push(Line {
                    function,
                    file: symbols.names.id(file),
                    line: location.and_then(|location| location.line).unwrap_or(0),
                    column: location.and_then(|location| location.column).unwrap_or(0),
                });
            }
        }
        // The outermost function is the one that a symbol can stand for. Debug information with line tables alone
        // names it without its path.
        if !outermost_is_whole {
            let table = table.get_or_init(|| files.table());
            if let Some(name) = table.spanning(address) {
                let function = function_id(name, &mut functions, &mut symbols);
                let whole = symbols.names.text(symbols.functions[function.index()].name);
                let known = lines.last().map_or("", |outermost| symbols.function_name(outermost));
                let fits = is_path_of(whole, known);
                match lines.last_mut() {
                    Some(outermost) if fits => outermost.function = function,
                    Some(_) => {}
                    None => lines.push(Line { function, file: NameId::EMPTY, line: 0, column: 0 }),
                }
            }
        }
        symbols.push(lines.iter().copied());
    }
    Ok(symbols)
}

/// Whether functions of a language have no path: those of C.
fn is_without_paths(language: Option<gimli::DwLang>) -> bool {
    use gimli::{DW_LANG_C, DW_LANG_C11, DW_LANG_C17, DW_LANG_C89, DW_LANG_C99};
    matches!(language, Some(DW_LANG_C | DW_LANG_C89 | DW_LANG_C99 | DW_LANG_C11 | DW_LANG_C17))
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

fn function_id(raw: &str, known: &mut HashMap<String, FunctionId>, symbols: &mut Symbols) -> FunctionId {
    if let Some(&id) = known.get(raw) {
        return id;
    }
    let readable = names::readable(raw);
    let linkage = if readable == raw { NameId::EMPTY } else { symbols.names.id(raw) };
    let name = symbols.names.id(&readable);
    let id = symbols.function_id(Function { name, linkage, ..Function::default() });
    known.insert(raw.to_string(), id);
    id
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
