//! Lists of blocks by the length of their longest run, so that a block with a long enough one is found with few looks.

use core::sync::atomic::AtomicU16;

use crate::page::bits::Bits;
use crate::page::block::Block;
use crate::relaxed::{List, Listed, Relaxed};

/// Lists by the log2 of the longest run: 1 to 512 pages.
const BUCKETS: usize = 10;
/// Blocks of a list that are looked at for the fullest. Eight keeps the search within a few cache lines.
const LOOK: usize = 8;

/// A list for each power of two.
pub(super) type Lists<K> = [List<Block, K>; BUCKETS];

/// Notes that the longest run of a block that these lists are about is `longest` pages now.
pub(super) fn relist<K>(
    lists: &Lists<K>,
    block: &'static Block,
    at: &impl Relaxed<Value = u16>,
    longest: usize,
) where
    Block: Listed<K>,
{
    let list = |longest: usize| longest.checked_ilog2().map(|lg| &lists[lg as usize]);
    let (old, new) = (at.get() as usize, longest);
    if old == new {
        return;
    }
    at.set(new as u16);
    if old.checked_ilog2() == new.checked_ilog2() {
        return;
    }
    if let Some(old) = list(old) {
        old.remove(block);
    }
    if let Some(new) = list(new) {
        new.push(block);
    }
}

/// The fullest of the first [`LOOK`] blocks that have a fitting run, from the list of the tightest fit up.
pub(super) fn best<K>(
    lists: &Lists<K>,
    npages: usize,
    align: usize,
    longest: impl Fn(&Block) -> &AtomicU16,
    runs: impl Fn(&Block) -> Bits,
) -> Option<(&'static Block, usize)>
where
    Block: Listed<K>,
{
    let fitting = |list: &List<Block, K>| {
        list.iter().take(LOOK).filter(|block| longest(block).get() as usize >= npages)
    };
    lists[npages.ilog2() as usize..].iter().find_map(|list| {
        if align == 1 {
            // Any of these has a run.
            let block = fitting(list).min_by_key(|block| block.nfree.get())?;
            return Some((block, runs(block).find(npages, 1)?));
        }
        fitting(list)
            .filter_map(|block| Some((block, runs(block).find(npages, align)?)))
            .min_by_key(|(block, _)| block.nfree.get())
    })
}
