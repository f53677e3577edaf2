//! Blocks: 2 MiB of address space and the state of its 512 pages. Regions: blocks side by side.
//!
//! **Synchronization**: everything but a block's address is guarded by the lock of the arena's
//! [`Supply`](super::supply::Supply).

use core::sync::atomic::*;

use super::bits::{BLOCK_PAGES, Bits, masks};
use super::supply::Free;
use crate::base::Zeroable;
use crate::relaxed::{Link, Listed, Node, Relaxed};
use crate::units::PAGE;

/// Bytes of a block; blocks start at multiples of it.
pub const BLOCK: usize = BLOCK_PAGES * PAGE;

/// A [`Bits`] in shared memory.
#[derive(Default)]
pub struct BitsCell([AtomicU64; BLOCK_PAGES / 64]);

impl BitsCell {
    /// Loads.
    pub fn get(&self) -> Bits {
        Bits(core::array::from_fn(|i| self.0[i].get()))
    }

    /// Sets or clears `n` bits from `start` on.
    pub fn fill(&self, start: usize, n: usize, value: bool) {
        for (i, mask) in masks(start, n) {
            self.0[i].change(|word| if value { word | mask } else { word & !mask });
        }
    }

    /// Number of bits set among the `n` from `start` on.
    pub fn count_in(&self, start: usize, n: usize) -> usize {
        masks(start, n).map(|(i, mask)| (self.0[i].get() & mask).count_ones() as usize).sum()
    }
}

/// 2 MiB of pages. `used` pages hold extents (or are being purged); of the others, `dirty` and `muzzy` tell the
/// state, and a page in neither reads as zero.
#[derive(Default)]
pub struct Block {
    base: AtomicPtr<u8>,
    region: Link<Region>,
    index: AtomicUsize,
    /// Pages that hold extents.
    pub used: BitsCell,
    /// Free pages with stale contents.
    pub dirty: BitsCell,
    /// Free pages that the kernel may take at any time.
    pub muzzy: BitsCell,
    /// Free pages.
    pub nfree: AtomicU16,
    /// One more than the index of the list by longest free run; 0 on none.
    pub free_bucket: AtomicU8,
    /// One more than the index of the list by longest dirty run; 0 on none.
    pub dirty_bucket: AtomicU8,
    free_node: Node<Block>,
    dirty_node: Node<Block>,
}

// SAFETY: numbers, null pointers and empty links are all zero.
unsafe impl Zeroable for Block {}

/// Key of the lists by longest free run.
pub struct ByFree;
/// Key of the lists by longest dirty run.
pub struct ByDirty;

impl Listed<ByFree> for Block {
    fn node(&self) -> &Node<Block> {
        &self.free_node
    }
}

impl Listed<ByDirty> for Block {
    fn node(&self) -> &Node<Block> {
        &self.dirty_node
    }
}

impl Block {
    /// First byte.
    pub fn base(&self) -> *mut u8 {
        self.base.get()
    }

    /// First byte of a page.
    pub fn page(&self, page: usize) -> *mut u8 {
        self.base().wrapping_add(page * PAGE)
    }

    /// Page that an address in this block lies in.
    pub fn page_of(&self, address: usize) -> usize {
        (address - self.base().addr()) / PAGE
    }

    /// The block that follows in the address space of the region.
    pub fn next(&'static self) -> Option<&'static Block> {
        self.region.get()?.blocks().get(self.index.get() + 1)
    }

    /// The block in front in the address space of the region.
    pub fn previous(&'static self) -> Option<&'static Block> {
        self.region.get()?.blocks().get(self.index.get().checked_sub(1)?)
    }

    /// The block `n` further on in the region.
    pub fn ahead(&'static self, n: usize) -> Option<&'static Block> {
        self.region.get()?.blocks().get(self.index.get() + n)
    }

    /// Free pages.
    pub fn free_bits(&self) -> Bits {
        self.used.get().complement()
    }

    /// Free pages in a state.
    pub fn bits_in(&self, state: Free) -> Bits {
        let free = self.free_bits();
        match state {
            Free::Dirty => free.and(self.dirty.get()),
            Free::Muzzy => free.and(self.muzzy.get()),
            Free::Retained => free.without(self.dirty.get()).without(self.muzzy.get()),
        }
    }
}

/// Consecutive blocks, reserved together.
#[derive(Default)]
pub struct Region {
    blocks: AtomicPtr<Block>,
    nblocks: AtomicUsize,
    /// Blocks that there are descriptors for.
    capacity: AtomicUsize,
    node: Node<Region>,
}

// SAFETY: as for `Block`.
unsafe impl Zeroable for Region {}

/// Key of the list of an arena's regions.
pub struct ByArena;

impl Listed<ByArena> for Region {
    fn node(&self) -> &Node<Region> {
        &self.node
    }
}

impl Region {
    /// Gives the region its descriptors, once.
    pub fn set_descriptors(&self, blocks: &'static [Block]) {
        self.blocks.set(blocks.as_ptr().cast_mut());
        self.capacity.set(blocks.len());
    }

    /// Blocks that it can have.
    pub fn capacity(&self) -> usize {
        self.capacity.get()
    }

    /// Describes fresh address space of `nblocks` blocks from `base` on: all pages free and zero. No list knows of the
    /// blocks. There are at most [`Region::capacity`].
    pub fn describe(&'static self, base: *mut u8, nblocks: usize) {
        self.nblocks.set(nblocks);
        for (index, block) in self.blocks().iter().enumerate() {
            block.base.set(base.wrapping_add(index * BLOCK));
            block.region.set(Some(self));
            block.index.set(index);
            block.nfree.set(BLOCK_PAGES as u16);
            for bits in [&block.used, &block.dirty, &block.muzzy] {
                bits.fill(0, BLOCK_PAGES, false);
            }
        }
    }

    /// First byte; null before it describes anything.
    pub fn base(&self) -> *mut u8 {
        self.blocks().first().map_or(core::ptr::null_mut(), Block::base)
    }

    /// Whether no page of it is in use.
    pub fn is_empty(&self) -> bool {
        self.blocks().iter().all(|block| block.nfree.get() as usize == BLOCK_PAGES)
    }

    /// The blocks in address order.
    pub fn blocks(&self) -> &'static [Block] {
        // SAFETY: `set_descriptors` took the pointer from a slice in base memory, which lives for ever, and `describe` was
        // called with at most its length.
        unsafe { core::slice::from_raw_parts(self.blocks.get(), self.nblocks.get()) }
    }
}
