//! `.gnu_debugdata` ("MiniDebugInfo"): an ELF file with the symbol table, packed with xz, inside a stripped binary.
//! Fedora's and Red Hat's packages carry it.

use std::io::Read;

use object::{Object, ObjectSection, ReadRef};

/// Largest size unpacked. The tables of the largest distributed programs are a tenth of it.
const UNPACKED_BYTES_MAX: u64 = 256 << 20;

/// The unpacked file; `None` when there is none, or it is broken or larger than sensible.
pub fn unpack<'a, R: ReadRef<'a>>(object: &object::File<'a, R>) -> Option<Vec<u8>> {
    unpack_xz(object.section_by_name(".gnu_debugdata")?.data().ok()?)
}

fn unpack_xz(packed: &[u8]) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    let count = lzma_rust2::XzReader::new(packed, true)
        .take(UNPACKED_BYTES_MAX + 1)
        .read_to_end(&mut unpacked)
        .ok()?;
    (1..=UNPACKED_BYTES_MAX as usize).contains(&count).then_some(unpacked)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut writer =
            lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn what_was_packed_comes_back() {
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        assert_eq!(unpack_xz(&packed(&bytes)), Some(bytes));
    }

    #[test]
    fn what_is_cut_short_or_empty_or_no_xz_is_nothing() {
        let whole = packed(b"hello, hello, hello");
        assert!(unpack_xz(&whole).is_some());
        for cut in 0..whole.len() {
            assert_eq!(unpack_xz(&whole[..cut]), None, "cut at {cut}");
        }
        assert_eq!(unpack_xz(b"hello"), None);
        assert_eq!(unpack_xz(&packed(b"")), None);
    }
}
