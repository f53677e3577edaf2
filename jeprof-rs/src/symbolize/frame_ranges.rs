//! Start and length of functions from `.eh_frame`, which stripping leaves.

use std::cell::OnceCell;
use std::path::Path;

use addr2line::gimli::{
    BaseAddresses, CieOrFde, EhFrame, EhFrameHdr, EndianSlice, Error, RunTimeEndian, UnwindSection,
};
use object::{Object, ObjectSection, ReadRef};

use super::mapped::Mapped;

/// All ranges, sorted by start. Empty when the section is missing or broken from the start on.
///
/// Cost: one pass over the section, 5 ms for 60,000 functions.
pub fn read<'a, R: ReadRef<'a>>(object: &object::File<'a, R>) -> Vec<(u64, u64)> {
    let Some(section) = object.section_by_name(".eh_frame") else { return Vec::new() };
    let Ok(bytes) = section.data() else { return Vec::new() };
    let bases = bases(object);
    let frames = frames(object, bytes);
    let mut ranges = Vec::new();
    let mut entries = frames.entries(&bases);
    while let Ok(Some(entry)) = entries.next() {
        if let CieOrFde::Fde(partial) = entry
            && let Ok(entry) = partial.parse(EhFrame::cie_from_offset)
            && entry.len() > 0
        {
            ranges.push((entry.initial_address(), entry.len()));
        }
    }
    ranges.sort_unstable();
    ranges
}

fn bases<'a, R: ReadRef<'a>>(object: &object::File<'a, R>) -> BaseAddresses {
    let address_of = |name: &str| object.section_by_name(name).map_or(0, |section| section.address());
    BaseAddresses::default()
        .set_eh_frame_hdr(address_of(".eh_frame_hdr"))
        .set_eh_frame(address_of(".eh_frame"))
        .set_text(address_of(".text"))
        .set_got(address_of(".got"))
}

type Bytes<'b> = EndianSlice<'b, RunTimeEndian>;

fn endian<'a, R: ReadRef<'a>>(object: &object::File<'a, R>) -> RunTimeEndian {
    if object.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big }
}

fn frames<'a, 'b, R: ReadRef<'a>>(object: &object::File<'a, R>, bytes: &'b [u8]) -> EhFrame<Bytes<'b>> {
    let mut frames = EhFrame::new(bytes, endian(object));
    frames.set_address_size(address_size(object));
    frames
}

fn address_size<'a, R: ReadRef<'a>>(object: &object::File<'a, R>) -> u8 {
    if object.is_64() { 8 } else { 4 }
}

/// Starts of functions of one file, one address at a time.
pub struct Starts {
    file: Option<Mapped>,
    /// What the file has when it has no table to search in.
    ranges: OnceCell<Vec<(u64, u64)>>,
}

impl Starts {
    /// Those of a file; one that cannot be read has none.
    pub fn of_file(path: &Path) -> Starts {
        Starts { file: Mapped::open(path).ok(), ranges: OnceCell::new() }
    }

    /// Where the function that holds the address starts.
    ///
    /// Cost: a search in the sorted table `.eh_frame_hdr`, microseconds; in a file without it, [`read`] once.
    pub fn start(&self, address: u64) -> Option<u64> {
        let object = object::File::parse(&**self.file.as_ref()?).ok()?;
        match search(&object, address) {
            Ok(start) => start,
            Err(NoTable) => start(self.ranges.get_or_init(|| read(&object)), address),
        }
    }
}

#[cfg(feature = "fuzzing")]
impl Starts {
    /// All ranges, as [`read`] gives them.
    pub fn all(&self) -> Vec<(u64, u64)> {
        let object = self.file.as_ref().and_then(|file| object::File::parse(&**file).ok());
        object.map_or_else(Vec::new, |object| read(&object))
    }
}

struct NoTable;

/// Looks an address up in the table that unwinding uses.
fn search<'a, R: ReadRef<'a>>(object: &object::File<'a, R>, address: u64) -> Result<Option<u64>, NoTable> {
    let bytes = |name: &str| object.section_by_name(name).and_then(|section| section.data().ok());
    let (header, entries) = bytes(".eh_frame_hdr").zip(bytes(".eh_frame")).ok_or(NoTable)?;
    let bases = bases(object);
    let header = EhFrameHdr::new(header, endian(object)).parse(&bases, address_size(object));
    let header = header.map_err(|_| NoTable)?;
    let table = header.table().ok_or(NoTable)?;
    let frames = frames(object, entries);
    match table.fde_for_address(&frames, &bases, address, EhFrame::cie_from_offset) {
        Ok(entry) => Ok(Some(entry.initial_address())),
        Err(Error::NoUnwindInfoForAddress) => Ok(None),
        Err(_) => Err(NoTable),
    }
}

/// Where the function that holds the address starts.
pub fn start(ranges: &[(u64, u64)], address: u64) -> Option<u64> {
    let above = ranges.partition_point(|(start, _)| *start <= address);
    let (start, length) = *ranges.get(above.checked_sub(1)?)?;
    (address - start < length).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_of_this_test_s_own_binary_are_found() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let object = object::File::parse(&*bytes).unwrap();
        let ranges = read(&object);
        let text = object.section_by_name(".text").unwrap();
        let inside = |(start, length): &&(u64, u64)| {
            *start >= text.address() && start + length <= text.address() + text.size()
        };
        assert!(ranges.len() > 1000 && ranges.iter().filter(inside).count() * 10 > ranges.len() * 9);
        assert!(ranges.is_sorted());
        let starts = Starts::of_file(&std::env::current_exe().unwrap());
        assert!(search(&object, 0).is_ok(), "the linker makes a table");
        for &(start, length) in ranges.iter().step_by(97) {
            for address in [start, start + length - 1, start + length] {
                assert_eq!(starts.start(address), super::start(&ranges, address), "{address:#x}");
            }
        }
        assert_eq!(starts.start(u64::MAX), None);
    }
}
