//! The frames of a dump as text for a message: `module+0xoffset`, and the function where the module exports it.

use prof_format::snapshot::Snapshot;

use crate::{
    dump::{image::ProcessImage, names::Text},
    dynamic_symbols::DynamicSymbols,
    memory::{Plain, Rows},
    procmaps::OwnMemory,
};

/// Bytes of a function's name that are looked at.
pub const NAME_MAX: usize = 512;

/// An address of the dump.
#[derive(Clone, Copy)]
struct Place {
    /// Inside of the call.
    address: usize,
    /// Its module's index plus one, 0 for none.
    module: u32,
    /// Where the name of its function is; 0, where every table has the empty name, when that is not known.
    name: u32,
}

// SAFETY: numbers only, nothing to drop.
unsafe impl Plain for Place {}
// SAFETY: numbers only, nothing to drop.
unsafe impl Plain for DynamicSymbols {}

/// What is known of the addresses of a dump.
pub struct Names<'a> {
    image: &'a ProcessImage,
    memory: Option<OwnMemory>,
    /// By index in the dump.
    places: Rows<Place>,
    /// By module.
    symbols: Rows<DynamicSymbols>,
}

impl<'a> Names<'a> {
    /// Looks up all addresses; `None` when memory is out.
    ///
    /// **Cost:** each symbol of each module is read once, some 10 ns each: a millisecond for a program in C.
    pub fn of(snapshot: &impl Snapshot, image: &'a ProcessImage) -> Option<Names<'a>> {
        let mut places = Rows::new(snapshot.addresses())?;
        let mut sorted = Rows::<(usize, u32)>::new(snapshot.addresses())?;
        for index in 0..snapshot.addresses() {
            let address = (snapshot.address(index) as usize).saturating_sub(1);
            places.push(Place { address, module: 0, name: 0 })?;
            sorted.push((address, index as u32))?;
        }
        sorted.sort_unstable();
        let mut names =
            Names { image, memory: OwnMemory::open(), places, symbols: Rows::new(image.modules())? };
        for index in 0..image.modules() {
            names.module(index, &sorted)?;
        }
        Some(names)
    }

    /// Looks up the addresses of one module.
    fn module(&mut self, index: usize, sorted: &[(usize, u32)]) -> Option<()> {
        let module = self.image.module(index);
        let inside = within(sorted, module.start as usize..module.end as usize);
        for (_, place) in inside {
            self.places.get_mut(*place as usize)?.module = index as u32 + 1;
        }
        let memory = self.memory.as_ref().filter(|_| !inside.is_empty() && self.image.base(index) != 0);
        let Some(memory) = memory else { return self.symbols.push(DynamicSymbols::default()) };
        let read = |at: usize, to: &mut [u8]| memory.read(at, to);
        let symbols = DynamicSymbols::of(self.image.base(index), &read).unwrap_or_default();
        let places = &mut self.places;
        symbols.functions(&read, |range, name| {
            for (_, place) in within(inside, range) {
                if let Some(place) = places.get_mut(*place as usize) {
                    place.name = name;
                }
            }
        });
        self.symbols.push(symbols)
    }

    /// Path of the module in which an address of the dump lies; empty when that is none.
    pub fn module_of(&self, address: u32) -> &[u8] {
        let module = self.places.get(address as usize).and_then(|place| place.module.checked_sub(1));
        module.map_or(&[], |module| self.image.module(module as usize).path)
    }

    /// The function in which an address of the dump lies, in `buffer`; empty when its module does not export it.
    pub fn function<'b>(&self, address: u32, buffer: &'b mut [u8; NAME_MAX]) -> &'b [u8] {
        let named = self.places.get(address as usize).and_then(|place| {
            let symbols = self.symbols.get(place.module.checked_sub(1)? as usize)?;
            Some((symbols, place.name, self.memory.as_ref()?))
        });
        let Some((symbols, name, memory)) = named else { return &[] };
        symbols.name(name, &|at, to: &mut [u8]| memory.read(at, to), buffer)
    }

    /// Appends a frame.
    pub fn write(&self, address: u32, text: &mut Text) {
        let Some(place) = self.places.get(address as usize) else { return };
        let module = place.module.checked_sub(1).map(|module| module as usize);
        let offset = match module {
            None => place.address,
            Some(index) => {
                let known = self.symbols.get(index).filter(|symbols| symbols.is_there());
                let module = self.image.module(index);
                let mapped = (module.start as usize).wrapping_sub(module.file_offset as usize);
                place.address.wrapping_sub(known.map_or(mapped, |symbols| symbols.bias))
            }
        };
        if module.is_some() {
            text.push(last_part(self.module_of(address))).push(b"+");
        }
        text.push(b"0x");
        hex(offset, text);
        let mut buffer = [0; NAME_MAX];
        let function = self.function(address, &mut buffer);
        if !function.is_empty() {
            text.push(b" (").push(function).push(b")");
        }
    }
}

/// Those whose address lies in a range.
fn within(sorted: &[(usize, u32)], range: core::ops::Range<usize>) -> &[(usize, u32)] {
    let from = sorted.partition_point(|(address, _)| *address < range.start);
    let to = sorted.partition_point(|(address, _)| *address < range.end);
    sorted.get(from..to).unwrap_or(&[])
}

// SAFETY: two integers; nothing to drop.
unsafe impl Plain for (usize, u32) {}

/// A path without its folders.
pub fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// Appends a number in hexadecimal digits.
fn hex(number: usize, text: &mut Text) {
    let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        text.push(&[b"0123456789abcdef"[number >> (4 * digit) & 15]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_zeros_in_front() {
        let mut text = Rows::<Text>::zeroed(1).unwrap();
        for (number, expected) in
            [(0, "0"), (15, "f"), (16, "10"), (0xdead_beef, "deadbeef"), (usize::MAX, "ffffffffffffffff")]
        {
            hex(number, text[0].clear());
            assert_eq!(text[0].as_bytes(), expected.as_bytes());
        }
    }

    #[test]
    fn addresses_are_found_by_their_ranges() {
        let sorted = [(1, 7), (5, 8), (5, 9), (9, 3)];
        assert_eq!(within(&sorted, 5..9), &sorted[1..3]);
        assert_eq!(within(&sorted, 2..5), &[]);
        assert_eq!(within(&sorted, 9..usize::MAX), &sorted[3..]);
        #[expect(clippy::reversed_empty_ranges, reason = "a damaged symbol")]
        let backwards = within(&sorted, 9..1);
        assert_eq!(backwards, &[]);
    }

    #[test]
    fn a_path_s_last_part_is_its_name() {
        for (path, name) in [("/lib/a.so", "a.so"), ("[vdso]", "[vdso]"), ("", ""), ("/x/", "")] {
            assert_eq!(last_part(path.as_bytes()), name.as_bytes());
        }
    }
}
