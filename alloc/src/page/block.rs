//! Blocks: 2 MiB of address space and the state of its 512 pages. Regions: blocks side by side.
//!
//! **Synchronization**: everything but a block's address, and what came back late, is guarded by the lock of the arena's
//! [`Supply`](super::supply::Supply).

use core::sync::atomic::*;

use super::bits::{BLOCK, BLOCK_PAGES, Bits, around, longest_without, masks};
use super::state::Free;
use crate::base::Zeroable;
use crate::relaxed::{Link, Listed, Node, Relaxed};
use crate::units::PAGE;

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

    /// Sets or clears all bits.
    fn fill_all(&self, value: bool) {
        self.0.iter().for_each(|word| word.set(if value { !0 } else { 0 }));
    }

    /// Number of bits set among the `n` from `start` on.
    pub fn count_in(&self, start: usize, n: usize) -> usize {
        let in_word = |(i, mask): (usize, u64)| match self.0[i].get() & mask {
            0 => 0,
            // Counting bits takes a dozen instructions without one of its own; the bits of a mask are side by side.
            all if all == mask => 64 - mask.leading_zeros() - mask.trailing_zeros(),
            some => some.count_ones(),
        };
        masks(start, n).map(in_word).sum::<u32>() as usize
    }

    /// Sets `n` bits from `start` on, while others do so or take them. What was written before is seen by who takes them.
    pub fn add(&self, start: usize, n: usize) {
        for (i, mask) in masks(start, n) {
            self.0[i].fetch_or(mask, Ordering::Release);
        }
    }

    /// Clears all bits, and answers which were set.
    pub fn take_all(&self) -> Bits {
        Bits(core::array::from_fn(|i| self.0[i].swap(0, Ordering::Acquire)))
    }

    fn word(&self, i: usize) -> u64 {
        self.0[i].get()
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
    /// Free pages with stale contents.
    pub ndirty: AtomicU16,
    /// Length of the longest free run, as far as the lists know.
    pub free_longest: AtomicU16,
    /// Length of the longest dirty run, as far as the lists know.
    pub dirty_longest: AtomicU16,
    free_node: Node<Block>,
    dirty_node: Node<Block>,
    /// Used pages that came back without the lock ([`Late`](super::late::Late)).
    pub late: BitsCell,
    /// Whether it is on the list of blocks with such.
    pub waits: AtomicBool,
    late_node: Node<Block>,
}

// SAFETY: numbers, null pointers and empty links are all zero.
unsafe impl Zeroable for Block {}

/// Key of the lists by longest free run.
pub struct ByFree;
/// Key of the lists by longest dirty run.
pub struct ByDirty;
/// Key of the blocks to which pages came back without the lock.
pub struct ByLate;

impl Listed<ByFree> for Block {
    fn node(&self) -> &Node<Block> {
        &self.free_node
    }
}

impl Listed<ByLate> for Block {
    fn node(&self) -> &Node<Block> {
        &self.late_node
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

    /// Which block of its region it is.
    pub fn index(&self) -> usize {
        self.index.get()
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

    /// Free pages in a state. Used pages are in none.
    pub fn bits_in(&self, state: Free) -> Bits {
        match state {
            Free::Dirty => self.dirty.get(),
            Free::Muzzy => self.muzzy.get(),
            Free::Retained => self.free_bits().without(self.dirty.get()).without(self.muzzy.get()),
        }
    }

    /// How many pages side by side would be dirty if the `n` from `page` on were, which are used.
    pub fn dirty_with(&self, page: usize, n: usize) -> usize {
        let (dirty, end) = (|i: usize| self.dirty.word(i), page + n);
        let is_dirty = |page: usize| dirty(page / 64) >> (page % 64) & 1 != 0;
        let before = if page != 0 && is_dirty(page - 1) { around(dirty, page - 1).1 } else { 0 };
        let behind = if end != BLOCK_PAGES && is_dirty(end) { around(dirty, end).1 } else { 0 };
        before + n + behind
    }

    /// Marks `n` free pages from `page` on as used. Where no page is muzzy, `any_muzzy` may be `false`.
    pub fn occupy(&self, page: usize, n: usize, any_muzzy: bool) -> Occupied {
        if n == BLOCK_PAGES {
            return self.occupy_all(any_muzzy);
        }
        let free = (self.free_longest.get() as usize, self.nfree.get() as usize);
        let longest_free = longest_without(|i| !self.used.word(i), free, page, n);
        self.used.fill(page, n, true);
        self.nfree.change(|free| free - n as u16);
        let muzzy = if any_muzzy { self.muzzy.count_in(page, n) } else { 0 };
        if muzzy != 0 {
            self.muzzy.fill(page, n, false);
        }
        let dirty = if self.ndirty.get() == 0 { 0 } else { self.dirty.count_in(page, n) };
        let mut longest_dirty = Some(self.dirty_longest.get() as usize);
        if dirty != 0 {
            let all = (self.dirty_longest.get() as usize, self.ndirty.get() as usize);
            let at_once = dirty == n;
            longest_dirty = at_once.then(|| longest_without(|i| self.dirty.word(i), all, page, n)).flatten();
            self.dirty.fill(page, n, false);
            self.ndirty.change(|all| all - dirty as u16);
        }
        Occupied {
            dirty,
            muzzy,
            longest_free: longest_free.unwrap_or_else(|| self.free_bits().longest()),
            longest_dirty: longest_dirty.unwrap_or_else(|| self.dirty.get().longest()),
        }
    }

    /// [`Block::occupy`] for all pages.
    fn occupy_all(&self, any_muzzy: bool) -> Occupied {
        let dirty = self.ndirty.get() as usize;
        let muzzy = if any_muzzy { self.muzzy.count_in(0, BLOCK_PAGES) } else { 0 };
        self.used.fill_all(true);
        self.nfree.set(0);
        if dirty != 0 {
            self.dirty.fill_all(false);
            self.ndirty.set(0);
        }
        if muzzy != 0 {
            self.muzzy.fill_all(false);
        }
        Occupied { dirty, muzzy, longest_free: 0, longest_dirty: 0 }
    }

    /// Marks `n` used pages from `page` on as free, in `state`; answers how long the free and the dirty run are that they
    /// belong to now, the latter 0 when they are not dirty.
    pub fn vacate(&self, page: usize, n: usize, state: Free) -> (usize, usize) {
        if n == BLOCK_PAGES {
            self.used.fill_all(false);
            self.nfree.set(n as u16);
            match state {
                Free::Dirty => {
                    self.dirty.fill_all(true);
                    self.ndirty.set(n as u16);
                }
                Free::Muzzy => self.muzzy.fill_all(true),
                Free::Retained => {}
            }
            return (n, if state == Free::Dirty { n } else { 0 });
        }
        self.used.fill(page, n, false);
        self.nfree.change(|free| free + n as u16);
        let mut dirty = 0;
        match state {
            Free::Dirty => {
                self.dirty.fill(page, n, true);
                self.ndirty.change(|all| all + n as u16);
                dirty = around(|i| self.dirty.word(i), page).1;
            }
            Free::Muzzy => self.muzzy.fill(page, n, true),
            Free::Retained => {}
        }
        (around(|i| !self.used.word(i), page).1, dirty)
    }
}

/// What [`Block::occupy`] found.
pub struct Occupied {
    /// How many of the pages were dirty.
    pub dirty: usize,
    /// How many were muzzy.
    pub muzzy: usize,
    /// Length of the longest free run that is left.
    pub longest_free: usize,
    /// Length of the longest dirty run that is left.
    pub longest_dirty: usize,
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
            block.ndirty.set(0);
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
