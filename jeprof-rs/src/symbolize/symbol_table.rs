//! Functions without debug information: symbol tables, the one packed into `.gnu_debugdata`, entries of the procedure
//! linkage table, and as the last resort where functions start and end.
//!
//! Only what really spans an address answers for it: the nearest name below is the name of some other function.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::path::Path;

use object::{Object, ObjectSymbol, ReadRef, SymbolKind};

use super::mapped::Mapped;
use super::{frame_ranges, mini_debug, names, plt};

/// How far a look-up walks back over symbols that end before the address (aliases, nested local labels).
const SYMBOL_WALK_MAX: usize = 16;

/// A function in a symbol table. The order is that of the table: by address, the most telling name last.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Symbol<'a> {
    address: u64,
    size: u64,
    rank: Rank<'a>,
}

/// Which of several names for one place is shown: global before weak before local, then the one with fewer leading
/// underscores (`calloc`, not `__libc_calloc`), then the shorter.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank<'a> {
    binding: Binding,
    plain: std::cmp::Reverse<usize>,
    short: std::cmp::Reverse<usize>,
    name: Cow<'a, str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Local,
    Weak,
    Global,
}

/// The files of one image, mapped; nothing is read until it is asked for.
pub struct SymbolFiles {
    binary: Option<Mapped>,
    debug: Option<Mapped>,
    packed: OnceCell<Option<Vec<u8>>>,
}

impl SymbolFiles {
    /// Opens them. A file that cannot be opened has no symbols.
    pub fn open(binary: &Path, debug: Option<&Path>) -> SymbolFiles {
        let open = |path: &Path| Mapped::open(path).ok();
        SymbolFiles { binary: open(binary), debug: debug.and_then(open), packed: OnceCell::new() }
    }

    /// The functions that hold these addresses (sorted), of all tables.
    ///
    /// Cost: one pass over the symbol tables, 3 ms for 64,000 symbols; if they leave an address unnamed, also one over
    /// the dynamic relocations and over what unwinding knows.
    pub fn table(&self, wanted: &[u64]) -> SymbolTable<'_> {
        let mut table = SymbolTable::default();
        for file in [&self.binary, &self.debug].into_iter().flatten() {
            if let Ok(object) = object::File::parse(&**file) {
                table.add(&object, Some(wanted));
            }
        }
        table.symbols.sort_unstable();
        let binary = self.binary.as_ref().and_then(|file| object::File::parse(&**file).ok());
        if let Some(object) = &binary
            && wanted.iter().any(|&address| table.sized(address).is_none())
        {
            let packed = self.packed.get_or_init(|| mini_debug::unpack(object)).as_deref();
            if let Some(object) = packed.and_then(|packed| object::File::parse(packed).ok()) {
                table.add(&object, Some(wanted));
            }
            table.symbols.extend(plt::entries(object).into_iter().map(|entry| Symbol {
                address: entry.address,
                size: entry.size,
                rank: rank(Binding::Local, Cow::Owned(entry.name)),
            }));
            table.symbols.sort_unstable();
            if !table.unsized_symbols.is_empty() {
                table.ranges = frame_ranges::read(object);
            }
        }
        table
    }
}

/// Where the functions of an image are, by address in the file's own space.
#[derive(Debug, Default)]
pub struct SymbolTable<'a> {
    symbols: Vec<Symbol<'a>>,
    /// Symbols of hand-written code that do not tell their size, by address.
    unsized_symbols: Vec<(u64, Rank<'a>)>,
    /// Start and length of functions as unwinding knows them.
    ranges: Vec<(u64, u64)>,
}

impl<'a> SymbolTable<'a> {
    /// The functions of one file's own tables.
    pub fn of<R: ReadRef<'a>>(object: &object::File<'a, R>) -> SymbolTable<'a> {
        let mut table = SymbolTable::default();
        table.add(object, None);
        table.ranges = frame_ranges::read(object);
        table.symbols.sort_unstable();
        table
    }

    /// Adds a file's symbols, or of those that tell their size only the ones that hold a wanted address (sorted).
    fn add<R: ReadRef<'a>>(&mut self, object: &object::File<'a, R>, wanted: Option<&[u64]>) {
        let holds_wanted = |start: u64, size: u64| {
            let Some(wanted) = wanted else { return true };
            let first = wanted.partition_point(|&address| address < start);
            wanted.get(first).is_some_and(|address| address - start < size)
        };
        for symbol in object.symbols().chain(object.dynamic_symbols()) {
            let (start, size) = (symbol.address(), symbol.size());
            if start == 0 || size > 0 && !holds_wanted(start, size) {
                continue;
            }
            let is_function =
                symbol.is_definition() && matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Unknown);
            let (true, Ok(name)) = (is_function, symbol.name()) else { continue };
            if name.is_empty() {
                continue;
            }
            let binding = if symbol.is_local() {
                Binding::Local
            } else if symbol.is_weak() {
                Binding::Weak
            } else {
                Binding::Global
            };
            let rank = rank(binding, Cow::Borrowed(name));
            match size {
                0 => self.unsized_symbols.push((start, rank)),
                size => self.symbols.push(Symbol { address: start, size, rank }),
            }
        }
    }

    /// The linkage name of the function whose bytes hold the address.
    pub fn spanning(&self, address: u64) -> Option<&str> {
        self.sized(address).or_else(|| {
            let start = self.function_start(address)?;
            let named = self.unsized_symbols.iter().filter(|(address, _)| *address == start);
            named.max().map(|(_, rank)| &*rank.name)
        })
    }

    /// First address, first address behind the end, and linkage name of the function that holds the address.
    pub fn extent(&self, address: u64) -> Option<(u64, u64, &str)> {
        if let Some(symbol) = self.sized_symbol(address) {
            return Some((symbol.address, symbol.address.checked_add(symbol.size)?, &symbol.rank.name));
        }
        let name = self.spanning(address)?;
        let start = self.function_start(address)?;
        let (_, length) = self.ranges.iter().find(|(begin, _)| *begin == start)?;
        Some((start, start.checked_add(*length)?, name))
    }

    fn sized(&self, address: u64) -> Option<&str> {
        self.sized_symbol(address).map(|symbol| &*symbol.rank.name)
    }

    fn sized_symbol(&self, address: u64) -> Option<&Symbol<'a>> {
        let above = self.symbols.partition_point(|symbol| symbol.address <= address);
        self.symbols[..above]
            .iter()
            .rev()
            .take(SYMBOL_WALK_MAX)
            .find(|symbol| address - symbol.address < symbol.size)
    }

    fn function_start(&self, address: u64) -> Option<u64> {
        frame_ranges::start(&self.ranges, address)
    }
}

fn rank(binding: Binding, name: Cow<'_, str>) -> Rank<'_> {
    let underscores = name.bytes().take_while(|&byte| byte == b'_').count();
    Rank {
        binding,
        plain: std::cmp::Reverse(if names::is_mangled(&name) { 0 } else { underscores }),
        short: std::cmp::Reverse(name.len()),
        name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(address: u64, size: u64, binding: Binding, name: &str) -> Symbol<'_> {
        Symbol { address, size, rank: rank(binding, Cow::Borrowed(name)) }
    }

    fn table(symbols: Vec<Symbol<'_>>) -> SymbolTable<'_> {
        let mut table = SymbolTable { symbols, ..SymbolTable::default() };
        table.symbols.sort_unstable();
        table
    }

    #[test]
    fn only_a_symbol_that_spans_the_address_names_it() {
        let table = table(vec![
            symbol(0x100, 0x10, Binding::Global, "first"),
            symbol(0x200, 0x10, Binding::Global, "second"),
        ]);
        assert_eq!(table.spanning(0x100), Some("first"));
        assert_eq!(table.spanning(0x10f), Some("first"));
        assert_eq!(table.spanning(0x110), None);
        assert_eq!(table.spanning(0xff), None);
        assert_eq!(table.spanning(0x20f), Some("second"));
        assert_eq!(table.spanning(u64::MAX), None);
    }

    #[test]
    fn a_symbol_inside_another_does_not_hide_the_rest_of_the_outer_one() {
        let table = table(vec![
            symbol(0x100, 0x100, Binding::Global, "outer"),
            symbol(0x140, 0x10, Binding::Local, "label"),
        ]);
        assert_eq!(table.spanning(0x148), Some("label"));
        assert_eq!(table.spanning(0x160), Some("outer"));
    }

    #[test]
    fn of_several_names_the_public_and_plain_one_is_shown() {
        let table = table(vec![
            symbol(0x100, 0x10, Binding::Global, "calloc"),
            symbol(0x100, 0x10, Binding::Global, "__libc_calloc"),
            symbol(0x100, 0x10, Binding::Weak, "cal"),
            symbol(0x100, 0x10, Binding::Local, "c"),
        ]);
        assert_eq!(table.spanning(0x104), Some("calloc"));
    }

    #[test]
    fn a_symbol_without_a_size_reaches_as_far_as_its_function_does_for_unwinding() {
        let mut table = table(vec![symbol(0x100, 0x10, Binding::Global, "sized")]);
        table.unsized_symbols.push((0x200, rank(Binding::Global, Cow::Borrowed("by_hand"))));
        table.ranges = vec![(0x200, 0x20), (0x220, 0x20)];
        assert_eq!(table.spanning(0x21f), Some("by_hand"));
        assert_eq!((table.spanning(0x220), table.function_start(0x23f)), (None, Some(0x220)));
        assert_eq!((table.spanning(0x110), table.function_start(0x240)), (None, None));
        assert_eq!(table.function_start(0x1ff), None);
    }
}
