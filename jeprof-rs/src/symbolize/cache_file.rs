//! Names of one binary's addresses as a file: what a look-up answered, to be read back without any parsing.
//!
//! Little-endian, in this order: eight bytes that say what it is, the format's number, CRC-32 of all that follows, the
//! file's length (8 bytes), then seven counts of 4 bytes (bytes of the identity, addresses, lines, functions, texts,
//! bytes of the texts, 0), the identity, the addresses (8 bytes each, rising), per address the end of its lines, the
//! lines (function, file, line, column), the functions (name, linkage name, file, line), the ends of the texts, the
//! texts. A file that was cut, or that another program or version wrote, is none.

use super::symbols::{Function, FunctionId, Line, NameId, Symbols};

const MAGIC: &[u8; 8] = b"jeprofrs";

/// Another number for every change of this format, of what a look-up finds, and of how names are made readable.
const FORMAT: u32 = 1;

/// Magic, format, checksum, length and counts.
const HEADER: usize = 8 + 4 + 4 + 8 + 7 * 4;

/// Where the checked part begins.
const CHECKED: usize = 16;

/// A file that was read.
pub struct Stored {
    bytes: Vec<u8>,
    counts: Counts,
    addresses: usize,
    ends: usize,
    lines: usize,
    functions: usize,
    text_ends: usize,
    texts: usize,
}

#[derive(Clone, Copy)]
struct Counts {
    identity: usize,
    addresses: usize,
    lines: usize,
    functions: usize,
    texts: usize,
    text_bytes: usize,
}

/// The bytes of a file for these addresses (rising); entry `i` of the symbols belongs to address `i`.
pub fn encode(identity: &str, addresses: &[u64], symbols: &Symbols) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + addresses.len() * 12 + symbols.lines.len() * 16);
    let mut texts = Vec::new();
    let mut text_ends: Vec<u32> = Vec::new();
    for text in symbols.names.texts() {
        texts.extend_from_slice(text.as_bytes());
        text_ends.push(texts.len() as u32);
    }
    let count: usize = (0..addresses.len()).map(|entry| symbols.lines_of(entry).len()).sum();
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&[0; 4 + 8]);
    let lengths =
        [identity.len(), addresses.len(), count, symbols.functions.len(), text_ends.len(), texts.len(), 0];
    let mut words = |words: &[u32]| {
        for word in words {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
    };
    words(&lengths.map(|length| length as u32));
    bytes.extend_from_slice(identity.as_bytes());
    for address in addresses {
        bytes.extend_from_slice(&address.to_le_bytes());
    }
    let mut words = |words: &[u32]| {
        for word in words {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
    };
    let mut end = 0;
    for entry in 0..addresses.len() {
        end += symbols.lines_of(entry).len() as u32;
        words(&[end]);
    }
    for line in (0..addresses.len()).flat_map(|entry| symbols.lines_of(entry)) {
        words(&[line.function.index() as u32, line.file.index() as u32, line.line, line.column]);
    }
    for function in &symbols.functions {
        let Function { name, linkage, file, start_line } = function;
        words(&[name.index() as u32, linkage.index() as u32, file.index() as u32, *start_line]);
    }
    words(&text_ends);
    bytes.extend_from_slice(&texts);
    let length = bytes.len() as u64;
    bytes[16..24].copy_from_slice(&length.to_le_bytes());
    let sum = crc32fast::hash(&bytes[CHECKED..]);
    bytes[12..16].copy_from_slice(&sum.to_le_bytes());
    bytes
}

impl Stored {
    /// Takes a file's bytes; `None` when it is not whole, not of this format, or about something else.
    pub fn decode(bytes: Vec<u8>, identity: &str) -> Option<Stored> {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let length = u64::from_le_bytes(bytes.get(16..24)?.try_into().ok()?);
        let is_whole = bytes.starts_with(MAGIC)
            && word(8)? == FORMAT
            && length == bytes.len() as u64
            && bytes.len() >= HEADER
            && crc32fast::hash(&bytes[CHECKED..]) == word(12)?;
        if !is_whole {
            return None;
        }
        let count = |index: usize| word(24 + 4 * index).map(|count| count as usize);
        let counts = Counts {
            identity: count(0)?,
            addresses: count(1)?,
            lines: count(2)?,
            functions: count(3)?,
            texts: count(4)?,
            text_bytes: count(5)?,
        };
        let addresses = HEADER + counts.identity;
        let ends = addresses + 8 * counts.addresses;
        let lines = ends + 4 * counts.addresses;
        let functions = lines + 16 * counts.lines;
        let text_ends = functions + 16 * counts.functions;
        let texts = text_ends + 4 * counts.texts;
        let fits = texts + counts.text_bytes == bytes.len()
            && bytes.get(HEADER..addresses).is_some_and(|stored| stored == identity.as_bytes());
        let stored = Stored { bytes, counts, addresses, ends, lines, functions, text_ends, texts };
        (fits && stored.is_rising()).then_some(stored)
    }

    /// Whether addresses, and ends of lines, rise: look-ups rely on the one, and the cost of reading on the other.
    fn is_rising(&self) -> bool {
        let ends = || (0..self.counts.addresses).map(|entry| self.word(self.ends, entry));
        self.addresses().is_sorted_by(|a, b| a < b)
            && ends().is_sorted()
            && ends().all(|end| end as usize <= self.counts.lines)
    }

    /// The addresses, rising.
    pub fn addresses(&self) -> Vec<u64> {
        let addresses = self.bytes[self.addresses..self.ends].chunks_exact(8);
        addresses.map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap_or_default())).collect()
    }

    /// Which of these addresses (rising) are in the file: their indices there.
    pub fn find(&self, wanted: &[u64]) -> Vec<Option<usize>> {
        let stored = self.addresses();
        let mut at = 0;
        wanted
            .iter()
            .map(|address| {
                at += stored[at..].iter().take_while(|stored| *stored < address).count();
                (stored.get(at) == Some(address)).then_some(at)
            })
            .collect()
    }

    /// Names of these entries, in this order; only what they refer to is read. `None` for a broken file.
    pub fn symbols(&self, entries: impl ExactSizeIterator<Item = usize>) -> Option<Symbols> {
        let mut reading = Reading {
            stored: self,
            symbols: Symbols::default(),
            names: vec![None; self.counts.texts],
            functions: vec![None; self.counts.functions],
        };
        // As much as is to be expected: tables that grow from nothing would be copied again and again.
        let share = |count: usize| count * entries.len() / self.counts.addresses.max(1);
        reading.symbols.names.reserve(share(self.counts.texts), share(self.counts.text_bytes));
        reading.symbols.reserve(share(self.counts.functions), share(self.counts.lines), entries.len());
        let mut lines = Vec::new();
        for entry in entries {
            let first = entry.checked_sub(1).map_or(0, |before| self.word(self.ends, before)) as usize;
            let end = self.word(self.ends, entry) as usize;
            lines.clear();
            for line in first..end {
                let word = |index: usize| self.word(self.lines, 4 * line + index);
                lines.push(Line {
                    function: reading.function(word(0) as usize)?,
                    file: reading.name(word(1) as usize)?,
                    line: word(2),
                    column: word(3),
                });
            }
            reading.symbols.push(lines.iter().copied());
        }
        Some(reading.symbols)
    }

    /// A number of one of the tables; 0 behind the end of the file.
    fn word(&self, table: usize, index: usize) -> u32 {
        let at = table + 4 * index;
        self.bytes
            .get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, |bytes: [u8; 4]| u32::from_le_bytes(bytes))
    }
}

/// Symbols in the making, and what of the file they already have.
struct Reading<'s> {
    stored: &'s Stored,
    symbols: Symbols,
    names: Vec<Option<NameId>>,
    functions: Vec<Option<FunctionId>>,
}

impl Reading<'_> {
    fn name(&mut self, index: usize) -> Option<NameId> {
        if let Some(id) = *self.names.get(index)? {
            return Some(id);
        }
        let end = |index| self.stored.word(self.stored.text_ends, index) as usize;
        let start = index.checked_sub(1).map_or(0, end);
        let texts = self.stored.bytes.get(self.stored.texts..)?;
        let text = std::str::from_utf8(texts.get(start..end(index))?).ok()?;
        let id = self.symbols.names.id(text);
        self.names[index] = Some(id);
        Some(id)
    }

    fn function(&mut self, index: usize) -> Option<FunctionId> {
        if let Some(id) = *self.functions.get(index)? {
            return Some(id);
        }
        let word = |part: usize| self.stored.word(self.stored.functions, 4 * index + part);
        let function = Function {
            name: self.name(word(0) as usize)?,
            linkage: self.name(word(1) as usize)?,
            file: self.name(word(2) as usize)?,
            start_line: word(3),
        };
        let id = self.symbols.function_id(function);
        self.functions[index] = Some(id);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (Vec<u64>, Symbols) {
        let mut symbols = Symbols::default();
        for (entry, depth) in [(0, 2), (1, 0), (2, 3), (3, 1)] {
            let lines: Vec<Line> = (0..depth)
                .map(|level| {
                    let name = symbols.names.id(&format!("name {}", entry * level));
                    let linkage = symbols.names.id("_Zé");
                    let file = symbols.names.id("/src/a.c");
                    let function = Function { name, linkage, file, start_line: level };
                    Line { function: symbols.function_id(function), file, line: 7 + level, column: entry }
                })
                .collect();
            symbols.push(lines);
        }
        (vec![0x10, 0x20, 0x30, u64::MAX], symbols)
    }

    /// What an entry says, in words.
    fn told(symbols: &Symbols, entry: usize) -> Vec<String> {
        let text = |id| symbols.names.text(id);
        let line = |line: &Line| {
            let Function { name, linkage, file, start_line } = *symbols.function(line);
            let place = (text(line.file), line.line, line.column);
            format!("{} {} {}:{start_line} {place:?}", text(name), text(linkage), text(file))
        };
        symbols.lines_of(entry).iter().map(line).collect()
    }

    #[test]
    fn what_was_written_is_read_back() {
        let (addresses, symbols) = example();
        let stored = Stored::decode(encode("id", &addresses, &symbols), "id").unwrap();
        assert_eq!(stored.addresses(), addresses);
        let found = stored.find(&[0, 0x10, 0x11, 0x30, u64::MAX]);
        assert_eq!(found, [None, Some(0), None, Some(2), Some(3)]);
        let picked = [3, 0, 2, 1];
        let read = stored.symbols(picked.into_iter()).unwrap();
        for (entry, original) in picked.into_iter().enumerate() {
            assert_eq!(told(&read, entry), told(&symbols, original));
        }
    }

    #[test]
    fn a_file_about_something_else_is_none() {
        let (addresses, symbols) = example();
        assert!(Stored::decode(encode("id", &addresses, &symbols), "other").is_none());
        assert!(Stored::decode(encode("id", &addresses, &symbols), "").is_none());
    }

    #[test]
    fn a_file_with_any_byte_changed_or_missing_is_none() {
        let (addresses, symbols) = example();
        let whole = encode("id", &addresses, &symbols);
        for at in 0..whole.len() {
            assert!(Stored::decode(whole[..at].to_vec(), "id").is_none(), "cut at {at}");
            let mut changed = whole.clone();
            changed[at] ^= 0x41;
            assert!(Stored::decode(changed, "id").is_none(), "changed at {at}");
        }
    }

    #[test]
    fn addresses_or_ends_that_fall_are_no_file_of_ours() {
        let (addresses, symbols) = example();
        let whole = encode("id", &addresses, &symbols);
        let table = HEADER + "id".len();
        for (at, bytes) in [(table, 8), (table + 8 * addresses.len(), 4)] {
            let mut changed = whole.clone();
            // The first of the table behind all others.
            changed[at..at + bytes].fill(0xff);
            let sum = crc32fast::hash(&changed[CHECKED..]);
            changed[12..16].copy_from_slice(&sum.to_le_bytes());
            assert!(Stored::decode(changed, "id").is_none());
        }
    }

    #[test]
    fn numbers_that_lead_nowhere_are_no_reason_to_panic() {
        let (addresses, symbols) = example();
        let whole = encode("id", &addresses, &symbols);
        for at in HEADER..whole.len() {
            let mut changed = whole.clone();
            changed[at] = 0xff;
            let sum = crc32fast::hash(&changed[CHECKED..]);
            changed[12..16].copy_from_slice(&sum.to_le_bytes());
            if let Some(stored) = Stored::decode(changed, "id") {
                let _ = stored.symbols(0..addresses.len());
            }
        }
    }
}
