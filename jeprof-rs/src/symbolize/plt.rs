//! Names of the procedure linkage table's entries, `malloc@plt`: each jumps through a slot that a relocation fills
//! with the address of a function of another file.

use hashbrown::HashMap;
use object::{
    Architecture, Object, ObjectSection, ObjectSymbol, ObjectSymbolTable, ReadRef, RelocationTarget,
};

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its address.
    pub address: u64,
    /// Its size in bytes.
    pub size: u64,
    /// The function's name with `@plt`.
    pub name: String,
}

/// Sections that linkers put such entries in.
const SECTIONS: [&str; 3] = [".plt", ".plt.sec", ".plt.got"];

/// The entries of x86-64 and aarch64 files; empty for others.
pub fn entries<'a, R: ReadRef<'a>>(object: &object::File<'a, R>) -> Vec<Entry> {
    let target = match object.architecture() {
        Architecture::X86_64 => x86_64_slot as fn(&[u8], u64) -> Option<(u64, u64)>,
        Architecture::Aarch64 => aarch64_slot,
        _ => return Vec::new(),
    };
    let (Some(relocations), Some(table)) = (object.dynamic_relocations(), object.dynamic_symbol_table())
    else {
        return Vec::new();
    };
    let name_of_slot: HashMap<u64, &str> = relocations
        .filter_map(|(slot, relocation)| match relocation.target() {
            RelocationTarget::Symbol(index) => {
                let name = table.symbol_by_index(index).ok()?.name().ok()?;
                (!name.is_empty()).then_some((slot, name))
            }
            _ => None,
        })
        .collect();
    let mut found = Vec::new();
    for section in SECTIONS.into_iter().filter_map(|name| object.section_by_name(name)) {
        let Ok(bytes) = section.data() else { continue };
        let mut at = 0;
        while at < bytes.len() {
            let address = section.address().wrapping_add(at as u64);
            let Some((size, slot)) = target(&bytes[at..], address) else {
                at += 4;
                continue;
            };
            if let Some(name) = name_of_slot.get(&slot) {
                found.push(Entry { address, size, name: format!("{name}@plt") });
            }
            at += size as usize;
        }
    }
    found
}

/// Size and slot of an entry: `[endbr64] [bnd] jmp *slot(%rip)`, padded or followed by the lazy binder's call.
fn x86_64_slot(code: &[u8], address: u64) -> Option<(u64, u64)> {
    let endbr: &[u8] = &[0xf3, 0x0f, 0x1e, 0xfa];
    let mut jump = if code.starts_with(endbr) { endbr.len() } else { 0 };
    jump += usize::from(code.get(jump) == Some(&0xf2));
    let displacement = code.get(jump..)?.strip_prefix(&[0xff, 0x25])?.first_chunk::<4>()?;
    let end = address.wrapping_add(jump as u64 + 6);
    let slot = end.wrapping_add_signed(i64::from(i32::from_le_bytes(*displacement)));
    // `.plt.got` has short entries, padded with a two-byte no-op.
    let size = if jump == 0 && code.get(6..8) == Some(&[0x66, 0x90]) { 8 } else { 16 };
    Some((size, slot))
}

/// Size and slot of an entry: `adrp x16, page; ldr x17, [x16, #low]; add; br x17`, perhaps after `bti c`.
fn aarch64_slot(code: &[u8], address: u64) -> Option<(u64, u64)> {
    let word = |index: usize| {
        code.get(index * 4..)?.first_chunk::<4>().map(|bytes| u64::from(u32::from_le_bytes(*bytes)))
    };
    let first = usize::from(word(0)? == 0xd503_245f);
    let (adrp, ldr, last) = (word(first)?, word(first + 1)?, word(first + 3)?);
    if adrp & 0x9f00_001f != 0x9000_0010 || ldr & 0xffc0_03ff != 0xf940_0211 || last != 0xd61f_0220 {
        return None;
    }
    let pages = (adrp >> 5 & 0x7_ffff) << 2 | adrp >> 29 & 3;
    let signed = ((pages << 43) as i64) >> 43;
    let page = (address.wrapping_add(first as u64 * 4) & !0xfff).wrapping_add_signed(signed << 12);
    let size = if first == 1 { 24 } else { 16 };
    Some((size, page.wrapping_add((ldr >> 10 & 0xfff) * 8)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x86_64_entries_of_all_shapes_are_decoded() {
        let plain = [0xff, 0x25, 0x10, 0, 0, 0, 0x68, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0];
        assert_eq!(x86_64_slot(&plain, 0x1000), Some((16, 0x1016)));
        let guarded =
            [0xf3, 0x0f, 0x1e, 0xfa, 0xf2, 0xff, 0x25, 0xf5, 0xff, 0xff, 0xff, 0x0f, 0x1f, 0x44, 0, 0];
        assert_eq!(x86_64_slot(&guarded, 0x1000), Some((16, 0x1000)));
        let short = [0xff, 0x25, 0, 0, 0, 0, 0x66, 0x90];
        assert_eq!(x86_64_slot(&short, 0x1000), Some((8, 0x1006)));
        let header = [0xff, 0x35, 0x10, 0, 0, 0, 0xff, 0x25];
        assert_eq!(x86_64_slot(&header, 0x1000), None);
        assert_eq!(x86_64_slot(&[0xff], 0), None);
    }

    #[test]
    fn aarch64_entries_are_decoded() {
        // adrp x16, 0x11000 at 0x630; ldr x17, [x16, #8]; add x16, x16, #8; br x17
        let words: [u32; 4] = [0xf000_0090, 0xf940_0611, 0x9100_2210, 0xd61f_0220];
        let code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(aarch64_slot(&code, 0x630), Some((16, 0x13008)));
        assert_eq!(aarch64_slot(&code[..8], 0x630), None);
    }
}
