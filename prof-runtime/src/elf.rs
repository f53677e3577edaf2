//! The few facts we need of an ELF image in memory: its extent, its unwind table, its build id.
//!
//! Sans-IO: it is given a way to read memory, which may refuse. Nothing is trusted.

use core::ops::Range;

use prof_format::vocab::BuildId;

/// Segments kept per image; linkers make four to six.
const LOADS: usize = 6;

/// An ELF image as its program headers tell it, in absolute addresses. Absent things are empty ranges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// From the first to the last loaded byte.
    pub span: (usize, usize),
    /// `.eh_frame_hdr`.
    pub eh_frame_hdr: (usize, usize),
    /// Loaded segments.
    pub loads: [(usize, usize); LOADS],
}

/// Reads memory at an address into the whole buffer; false when it can not be read.
pub trait Memory: Fn(usize, &mut [u8]) -> bool {}
impl<F: Fn(usize, &mut [u8]) -> bool> Memory for F {}

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_NOTE: u32 = 4;
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
const NT_GNU_BUILD_ID: u32 = 3;
const HEADER_BYTES: usize = 56;

#[derive(Clone, Copy)]
struct Header {
    kind: u32,
    offset: usize,
    vaddr: usize,
    memory_bytes: usize,
    align: usize,
}

/// A number of four bytes at an offset.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_le_bytes(*four))
}

/// A number of eight bytes at an offset.
pub fn word_at(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..)?.first_chunk().map(|eight| u64::from_le_bytes(*eight) as usize)
}

/// Calls `each` for every program header of the 64-bit little-endian image whose file header is at `base`.
fn headers(base: usize, memory: &impl Memory, mut each: impl FnMut(Header)) -> Option<()> {
    let mut file = [0; 64];
    if !memory(base, &mut file) || !file.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = base.checked_add(word_at(&file, 32)?)?;
    let (entry_bytes, count) = (u32_at(&file, 54)? & 0xffff, u32_at(&file, 56)? & 0xffff);
    if entry_bytes as usize != HEADER_BYTES {
        return None;
    }
    for n in 0..count.min(128) as usize {
        let mut entry = [0; HEADER_BYTES];
        if !memory(table.checked_add(n * HEADER_BYTES)?, &mut entry) {
            return None;
        }
        each(Header {
            kind: u32_at(&entry, 0)?,
            offset: word_at(&entry, 8)?,
            vaddr: word_at(&entry, 16)?,
            memory_bytes: word_at(&entry, 40)?,
            align: word_at(&entry, 48)?,
        });
    }
    Some(())
}

/// What to add to the file's addresses to get those in memory.
fn bias(base: usize, memory: &impl Memory) -> Option<usize> {
    let mut bias = None;
    headers(base, memory, |header| {
        if header.kind == PT_LOAD && bias.is_none() {
            bias = Some(base.wrapping_sub(header.vaddr).wrapping_add(header.offset));
        }
    })?;
    bias
}

/// The image whose file header is mapped at `base`; `None` when there is none, or it can not be read.
pub fn image(base: usize, memory: &impl Memory) -> Option<Image> {
    let bias = bias(base, memory)?;
    let mut image = Image { span: (usize::MAX, 0), ..Image::default() };
    let mut loads = 0;
    headers(base, memory, |header| {
        let start = bias.wrapping_add(header.vaddr);
        let range = (start, start.saturating_add(header.memory_bytes));
        match header.kind {
            PT_LOAD => {
                image.span = (image.span.0.min(range.0), image.span.1.max(range.1));
                if let Some(slot) = image.loads.get_mut(loads) {
                    *slot = range;
                    loads += 1;
                }
            }
            PT_GNU_EH_FRAME => image.eh_frame_hdr = range,
            _ => {}
        }
    })?;
    let inside = |range: (usize, usize)| image.load_of(range.0).is_some_and(|load| range.1 <= load.end);
    if image.eh_frame_hdr != (0, 0) && !inside(image.eh_frame_hdr) {
        image.eh_frame_hdr = (0, 0);
    }
    (image.span.0 < image.span.1).then_some(image)
}

impl Image {
    /// The loaded segment with this address.
    pub fn load_of(&self, address: usize) -> Option<Range<usize>> {
        self.loads.iter().map(|load| load.0..load.1).find(|load| load.contains(&address))
    }
}

/// What to add to the addresses in the file of the image at `base`, and where its dynamic section is; `None` when it has none.
pub fn dynamic(base: usize, memory: &impl Memory) -> Option<(usize, Range<usize>)> {
    let bias = bias(base, memory)?;
    let mut found = None;
    headers(base, memory, |header| {
        if header.kind == PT_DYNAMIC {
            let start = bias.wrapping_add(header.vaddr);
            found = Some(start..start.saturating_add(header.memory_bytes));
        }
    })?;
    Some((bias, found?))
}

/// The build id of the image whose file header is mapped at `base`; empty when it has none.
pub fn build_id(base: usize, memory: &impl Memory) -> BuildId {
    let mut id = BuildId::default();
    if let Some(bias) = bias(base, memory) {
        headers(base, memory, |header| {
            let mut note = [0; 512];
            let bytes = header.memory_bytes.min(note.len());
            if header.kind == PT_NOTE
                && id.is_empty()
                && memory(bias.wrapping_add(header.vaddr), &mut note[..bytes])
            {
                id = find_build_id(&note[..bytes], header.align.clamp(4, 8)).unwrap_or_default();
            }
        });
    }
    id
}

/// Searches a note segment: `name bytes, content bytes, type`, name and content padded to `align`, repeated.
fn find_build_id(notes: &[u8], align: usize) -> Option<BuildId> {
    let mut at = 0usize;
    loop {
        let (name_bytes, bytes) = (u32_at(notes, at)? as usize, u32_at(notes, at + 4)? as usize);
        let name = at + 12;
        let content = name.checked_add(name_bytes)?.checked_next_multiple_of(align)?;
        let end = content.checked_add(bytes)?;
        if u32_at(notes, at + 8)? == NT_GNU_BUILD_ID && notes.get(name..name + name_bytes)? == b"GNU\0" {
            return notes.get(content..end).map(BuildId::new);
        }
        at = end.checked_next_multiple_of(align)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// Memory that holds `bytes` at `base`.
    fn at(base: usize, bytes: Vec<u8>) -> impl Memory {
        move |address: usize, buffer: &mut [u8]| {
            let from = address.wrapping_sub(base);
            match from.checked_add(buffer.len()).and_then(|to| bytes.get(from..to)) {
                Some(found) => {
                    buffer.copy_from_slice(found);
                    true
                }
                None => false,
            }
        }
    }

    fn file(headers: &[(u32, usize, usize, usize)]) -> Vec<u8> {
        let mut bytes = std::vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = headers.len() as u8;
        for (kind, offset, vaddr, size) in headers {
            let mut header = [0; 56];
            header[..4].copy_from_slice(&kind.to_le_bytes());
            header[8..16].copy_from_slice(&offset.to_le_bytes());
            header[16..24].copy_from_slice(&vaddr.to_le_bytes());
            header[40..48].copy_from_slice(&size.to_le_bytes());
            header[48] = 4;
            bytes.extend(header);
        }
        bytes
    }

    #[test]
    fn ranges_are_moved_by_the_load_bias_of_position_independent_and_fixed_images() {
        for (base, vaddr) in [(0x7f00_0000_0000, 0), (0x40_0000, 0x40_0000)] {
            let bytes = file(&[
                (PT_LOAD, 0, vaddr, 0x1000),
                (PT_LOAD, 0x1000, vaddr + 0x2000, 0x500),
                (PT_GNU_EH_FRAME, 0x1100, vaddr + 0x2100, 0x80),
            ]);
            let image = image(base, &at(base, bytes)).unwrap();
            assert_eq!(image.span, (base, base + 0x2500));
            assert_eq!(image.eh_frame_hdr, (base + 0x2100, base + 0x2180));
            assert_eq!(image.load_of(base + 0x24ff), Some(base + 0x2000..base + 0x2500));
            assert_eq!(image.load_of(base + 0x1fff), None);
        }
    }

    #[test]
    fn an_unwind_table_outside_of_every_segment_is_not_believed() {
        let bytes = file(&[(PT_LOAD, 0, 0, 0x1000), (PT_GNU_EH_FRAME, 0x100, 0xf00, 0x101)]);
        assert_eq!(image(0x1_0000, &at(0x1_0000, bytes)).unwrap().eh_frame_hdr, (0, 0));
    }

    #[test]
    fn a_cut_or_foreign_image_gives_nothing() {
        let whole = file(&[(PT_LOAD, 0, 0, 0x1000)]);
        for cut in 0..whole.len() {
            assert_eq!(image(0x1_0000, &at(0x1_0000, whole[..cut].to_vec())), None);
        }
        assert_eq!(image(0x1_0000, &at(0x1_0000, std::vec![0x7f; 4096])), None);
    }

    #[test]
    fn the_build_id_is_found_behind_other_notes() {
        let note = |name: &[u8], kind: u32, content: &[u8]| {
            let mut bytes = Vec::new();
            bytes.extend((name.len() as u32).to_le_bytes());
            bytes.extend((content.len() as u32).to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            for part in [name, content] {
                bytes.extend(part);
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
            bytes
        };
        let notes =
            [note(b"stap\0", 3, b"12345"), note(b"GNU\0", 1, b"abcd"), note(b"GNU\0", 3, &[7; 20])].concat();
        let mut bytes = file(&[(PT_LOAD, 0, 0, 0x1000), (PT_NOTE, 176, 176, notes.len())]);
        bytes.extend(&notes);
        assert_eq!(build_id(0x1000, &at(0x1000, bytes)), BuildId::new(&[7; 20]));
        assert_eq!(find_build_id(&notes[..60], 4), None, "a cut note is no id");
        assert_eq!(find_build_id(&[0xff; 64], 4), None);
    }
}
