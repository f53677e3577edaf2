//! How full the memory around an object is, for programs that move objects together (`experimental.utilization`).

use super::table;
use crate::extent::{Extent, Kind, map};
use crate::relaxed::Relaxed;
use crate::size_class::SLABS;
use crate::units::PAGE;

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
    match map::extent_of(pointer) {
        None => Use::default(),
        Some(extent) => {
            let size = extent.npages() * PAGE;
            match extent.kind() {
                Kind::Large => Use { nfree: 0, nregs: 1, size },
                _ => Use { nfree: extent.nfree.get() as usize, nregs: regions(extent), size },
            }
        }
    }
}

/// Use of the bin that the slab of a pointer belongs to.
pub fn bin_use(pointer: *const u8) -> BinUse {
    let none = BinUse { next_slab: core::ptr::null(), nfree: 0, nregs: 0 };
    let Some(extent) = map::extent_of(pointer) else { return none };
    let arena = table::owner(extent);
    let bin = match extent.kind() {
        Kind::Large => return none,
        Kind::Slab => arena.bin(extent.class()),
        Kind::SampledSlab => arena.sampled_bin(extent.class()),
    };
    let bin = bin.lock();
    let nregs = bin.counts.curslabs as usize * regions(extent);
    let used = (bin.counts.nmalloc - bin.counts.ndalloc) as usize;
    let next_slab = bin.next().map_or(core::ptr::null(), |slab| slab.base().cast_const());
    BinUse { next_slab, nfree: nregs - used, nregs }
}

fn regions(extent: &Extent) -> usize {
    SLABS[extent.class().idx()].nregs as usize
}
