//! Runs that are longer than a block, or aligned to more than one: found across blocks side by side.

use crate::page::bits::{BLOCK_PAGES, Bits};
use crate::page::block::Block;
use crate::units::PAGE;

/// Address, in pages, of the first `npages` pages side by side that `bits` has set and whose address is a multiple of
/// `align` pages, in the blocks of one region. `count` tells how many a block has set.
///
/// Cost: a look at the count of each block, and at the ends of the bitmaps of those that are neither full nor empty.
pub fn first(
    blocks: &'static [Block],
    npages: usize,
    align: usize,
    count: impl Fn(&Block) -> usize,
    bits: impl Fn(&Block) -> Bits,
) -> Option<usize> {
    let mut at = blocks.first()?.base().addr() / PAGE;
    // Where the run began that reaches up to the block.
    let mut start = None;
    let fits = |start: usize, end: usize| {
        let aligned = start.next_multiple_of(align);
        (aligned + npages <= end).then_some(aligned)
    };
    for block in blocks {
        let end = at + BLOCK_PAGES;
        match count(block) {
            0 => start = None,
            BLOCK_PAGES => {
                let from = *start.get_or_insert(at);
                if let Some(found) = fits(from, end) {
                    return Some(found);
                }
            }
            _ => {
                let bits = bits(block);
                if let Some(found) = fits(start.unwrap_or(at), at + bits.leading()) {
                    return Some(found);
                }
                let trailing = bits.trailing();
                start = (trailing != 0).then_some(end - trailing);
            }
        }
        at = end;
    }
    None
}
