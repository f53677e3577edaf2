//! How full the memory around an object is, for programs that move objects together (`experimental.utilization`).

use super::table;
use crate::extent::{Extent, Kind, map};
use crate::relaxed::Relaxed;
use crate::size_class::{NBINS, SLABS};
use crate::units::{PAGE, SzInd};

/// Use of a slab, or of a large object. All zero for a pointer that is not ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Regions that are free; 0 for a large object.
    pub nfree: usize,
    /// Regions; 1 for a large object.
    pub nregs: usize,
    /// Bytes.
    pub size: usize,
}

/// Use of a bin. All zero and null for a pointer that is in no slab.
#[derive(Clone, Copy, Debug)]
pub struct BinUse {
    /// First byte of the slab that the next region comes from, if there is one.
    pub next_slab: *const u8,
    /// Regions that are free in all slabs.
    pub nfree: usize,
    /// Regions of all slabs.
    pub nregs: usize,
}

/// Use of the slab that a pointer points into. A racy reading.
pub fn use_of(pointer: *const u8) -> Use {
    let Some(extent) = map::extent_of(pointer) else { return Use::default() };
    let size = extent.npages() * PAGE;
    match slab_class(extent) {
        None => Use { nfree: 0, nregs: 1, size },
        Some(class) => Use { nfree: extent.nfree.get() as usize, nregs: regions(class), size },
    }
}

/// Use of the bin that the slab of a pointer belongs to.
pub fn bin_use(pointer: *const u8) -> BinUse {
    let none = BinUse { next_slab: core::ptr::null(), nfree: 0, nregs: 0 };
    let Some(extent) = map::extent_of(pointer) else { return none };
    let Some(class) = slab_class(extent) else { return none };
    let arena = table::owner(extent);
    let bin = arena.bin_of(extent).lock();
    let nregs = bin.counts.curslabs as usize * regions(class);
    let used = (bin.counts.nmalloc - bin.counts.ndalloc) as usize;
    let next_slab = bin.next().map_or(core::ptr::null(), |slab| slab.base().cast_const());
    BinUse { next_slab, nfree: nregs.saturating_sub(used), nregs }
}

/// The class of a slab. Read once: when the pointer's object is freed meanwhile, the descriptor may describe a large object
/// by and by.
fn slab_class(extent: &Extent) -> Option<SzInd> {
    let class = extent.class();
    (extent.kind() != Kind::Large && class.idx() < NBINS).then_some(class)
}

fn regions(class: SzInd) -> usize {
    SLABS[class.idx()].nregs as usize
}
