//! Functions of a module from its dynamic symbols, as they lie in memory: no file is opened. What a program does not
//! export has no name here; a function's size tells where it ends, so that none is taken for its neighbour.
//!
//! Sans-IO and without trust, as [`crate::elf`].

use core::ops::Range;

use crate::elf::{self, Memory, u32_at, word_at};

const DT_STRTAB: usize = 5;
const DT_SYMTAB: usize = 6;
const DT_STRSZ: usize = 10;
const DT_GNU_HASH: usize = 0x6fff_fef5;
const ENTRY_BYTES: usize = 16;
const SYMBOL_BYTES: usize = 24;
const STT_FUNC: u8 = 2;
const STT_GNU_IFUNC: u8 = 10;

/// More symbols than any module has: a table that says more is damaged.
const SYMBOLS_MAX: usize = 1 << 22;
/// Symbols that are read at once.
const BATCH: usize = 64;

/// The dynamic symbols of one module; none by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct DynamicSymbols {
    /// What to add to the file's addresses.
    pub bias: usize,
    symbols: usize,
    count: usize,
    strings: usize,
    strings_bytes: usize,
}

impl DynamicSymbols {
    /// Those of the image whose file header is mapped at `base`; `None` when it has none that can be read.
    pub fn of(base: usize, memory: &impl Memory) -> Option<DynamicSymbols> {
        let (bias, section) = elf::dynamic(base, memory)?;
        let (mut symbols, mut strings, mut strings_bytes, mut hash) = (0, 0, 0, 0);
        for at in section.step_by(ENTRY_BYTES).take(256) {
            let mut entry = [0; ENTRY_BYTES];
            if !memory(at, &mut entry) {
                return None;
            }
            let value = word_at(&entry, 8)?;
            // Some loaders turn these into addresses in memory, others leave the file's.
            let address = if value < base { bias.wrapping_add(value) } else { value };
            match word_at(&entry, 0)? {
                0 => break,
                DT_STRTAB => strings = address,
                DT_SYMTAB => symbols = address,
                DT_STRSZ => strings_bytes = value,
                DT_GNU_HASH => hash = address,
                _ => {}
            }
        }
        if symbols == 0 || strings == 0 || hash == 0 {
            return None;
        }
        Some(DynamicSymbols { bias, symbols, count: count(hash, memory)?, strings, strings_bytes })
    }

    /// Whether there are any.
    pub fn is_there(&self) -> bool {
        self.symbols != 0
    }

    /// Calls `each` with the addresses of every function and with its name's place, for [`DynamicSymbols::name`].
    pub fn functions(&self, memory: &impl Memory, mut each: impl FnMut(Range<usize>, u32)) {
        let mut batch = [0; BATCH * SYMBOL_BYTES];
        let mut at = 0;
        while at < self.count {
            let bytes = (self.count - at).min(BATCH) * SYMBOL_BYTES;
            let Some(batch) = batch.get_mut(..bytes) else { return };
            if !memory(self.symbols.wrapping_add(at * SYMBOL_BYTES), batch) {
                return;
            }
            for symbol in batch.chunks_exact(SYMBOL_BYTES) {
                let defined = symbol[6..8] != [0, 0];
                let is_function = matches!(symbol[4] & 15, STT_FUNC | STT_GNU_IFUNC);
                if let (true, true, Some(name), Some(value), Some(size)) =
                    (defined, is_function, u32_at(symbol, 0), word_at(symbol, 8), word_at(symbol, 16))
                {
                    let start = self.bias.wrapping_add(value);
                    each(start..start.saturating_add(size), name);
                }
            }
            at += BATCH;
        }
    }

    /// A name, cut to the buffer.
    pub fn name<'b>(&self, name: u32, memory: &impl Memory, buffer: &'b mut [u8]) -> &'b [u8] {
        let left = self.strings_bytes.saturating_sub(name as usize);
        let length = left.min(buffer.len());
        let Some(bytes) = buffer.get_mut(..length) else { return &[] };
        if !memory(self.strings.wrapping_add(name as usize), bytes) {
            return &[];
        }
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(length);
        &bytes[..end]
    }
}

/// How many symbols the hash table at this address reaches. The last one of the last chain is the last of all.
fn count(hash: usize, memory: &impl Memory) -> Option<usize> {
    let number = |at: usize| {
        let mut four = [0; 4];
        memory(at, &mut four).then(|| u32::from_le_bytes(four) as usize)
    };
    let (buckets, first, bloom) =
        (number(hash)?, number(hash.wrapping_add(4))?, number(hash.wrapping_add(8))?);
    if buckets > SYMBOLS_MAX || bloom > SYMBOLS_MAX || first > SYMBOLS_MAX {
        return None;
    }
    let table = hash.wrapping_add(16 + bloom * 8);
    let mut last = 0;
    let mut batch = [0; 4 * 256];
    let mut at = 0;
    while at < buckets {
        let batch = batch.get_mut(..(buckets - at).min(256) * 4)?;
        if !memory(table.wrapping_add(at * 4), batch) {
            return None;
        }
        let starts = batch.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four) as usize);
        last = starts.fold(last, usize::max);
        at += 256;
    }
    if last < first {
        return Some(first);
    }
    let chains = table.wrapping_add(buckets * 4);
    while last < SYMBOLS_MAX {
        let ends = number(chains.wrapping_add((last - first) * 4))? & 1 == 1;
        last += 1;
        if ends {
            return Some(last);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procmaps::{self, OwnMemory};
    use std::{string::String, vec::Vec};

    /// Where the file is mapped that the code at this address comes from.
    fn base_of(code: usize) -> usize {
        let (mut file, mut base) = (0, 0);
        procmaps::for_each(&mut std::vec![0; 1 << 16], |mapping| {
            if mapping.offset == 0 && !mapping.path.is_empty() {
                file = mapping.start;
            }
            if (mapping.start..mapping.end).contains(&code) {
                base = file;
            }
            base == 0
        })
        .unwrap();
        base
    }

    #[test]
    fn functions_of_the_c_library_are_found_by_their_addresses() {
        let own = OwnMemory::open().unwrap();
        let memory = |at: usize, to: &mut [u8]| own.read(at, to);
        for (code, expected) in
            [(libc::qsort as *const () as usize, "qsort"), (libc::atoi as *const () as usize, "atoi")]
        {
            let symbols = DynamicSymbols::of(base_of(code), &memory).unwrap();
            let mut names = Vec::new();
            symbols.functions(&memory, |range, name| {
                if range.contains(&code) {
                    let mut buffer = [0; 64];
                    names.push(String::from_utf8(symbols.name(name, &memory, &mut buffer).into()).unwrap());
                }
            });
            assert!(names.iter().any(|name| name == expected), "{names:?}");
        }
    }

    #[test]
    fn memory_that_cannot_be_read_gives_nothing_and_damage_does_no_harm() {
        assert!(DynamicSymbols::of(0x1000, &|_: usize, _: &mut [u8]| false).is_none());
        let own = OwnMemory::open().unwrap();
        let base = base_of(libc::qsort as *const () as usize);
        // The image without what lies further than so many bytes behind its start, and with ones there.
        for cut in [64, 500, 1000, 4096, 20_000, 100_000, 200_000] {
            let cut_off =
                |at: usize, to: &mut [u8]| at.saturating_add(to.len()) <= base + cut && own.read(at, to);
            let ones = |at: usize, to: &mut [u8]| {
                to.fill(0xff);
                at.saturating_add(to.len()) > base + cut || own.read(at, to)
            };
            if let Some(symbols) = DynamicSymbols::of(base, &cut_off) {
                symbols.functions(&cut_off, |_, _| ());
            }
            if let Some(symbols) = DynamicSymbols::of(base, &ones) {
                let mut buffer = [0; 16];
                assert!(symbols.name(u32::MAX, &ones, &mut buffer).len() <= 16);
            }
        }
    }
}
