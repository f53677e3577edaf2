//! Extents: runs of pages that hold a slab or one large object, described out of line.

pub mod map;

use core::sync::atomic::*;

use crate::base::Zeroable;
use crate::page::block::Block;
use crate::relaxed::{Link, Listed, Node, Relaxed};
use crate::size_class::large_pad;
use crate::units::{ArenaInd, PAGE, SzInd};

/// What an extent holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Regions of one small class.
    Slab = 0,
    /// Regions of one small class, each with a side record of its sample.
    SampledSlab = 1,
    /// One large object.
    Large = 2,
}

/// What is stored for a [`Kind::Slab`] of the second bin of its class.
const SECOND_SLAB: u8 = 3;

/// Side record of a region in a sampled slab.
#[derive(Default)]
#[repr(C)]
pub struct SampleRecord {
    /// Bits of the profiler's sample reference, 0 when the profiler is done with it.
    pub sample: AtomicU64,
    /// An ordinary region that is held while the sampled one lives; null for none.
    pub stand_in: AtomicPtr<u8>,
}

// SAFETY: atomics, for which zero is a value.
unsafe impl Zeroable for SampleRecord {}

/// Descriptor of an extent.
///
/// **Synchronization**: from the time that the map shows it until its pages are freed, `base`, `npages`, `arena`,
/// `class`, `kind`, `guarded`, `shared`, `block`, `records` do not change, nor does `nfree` of a large one; `npages` and `class` of a large
/// one change only in a realloc by the object's owner. `nfree`, `free` and the node of a slab are guarded by its bin's lock. Descriptors
/// live in base memory and are recycled by their arena, so a reference is always valid, though it may describe
/// something else later.
#[repr(C, align(64))]
pub struct Extent {
    base: AtomicPtr<u8>,
    npages: AtomicUsize,
    arena: AtomicU16,
    guarded: AtomicBool,
    shared: AtomicBool,
    class: AtomicU8,
    kind: AtomicU8,
    /// Free regions of a slab; of a large extent the bytes before its object.
    pub nfree: AtomicU16,
    block: Link<Block>,
    records: AtomicPtr<SampleRecord>,
    /// Bits of the sample reference of a large object, 0 when it is not sampled.
    pub sample: AtomicU64,
    node: Node<Extent>,
    /// Bit set: region free.
    pub free: [AtomicU64; Extent::HOLDS],
}

const _: () = assert!(size_of::<Extent>() == 128 || size_of::<Extent>() == 192);

// SAFETY: numbers, null pointers and the first `Kind` are all zero.
unsafe impl Zeroable for Extent {}

/// Key of the one list that an extent is on: its bin's, or the arena's free descriptors.
pub struct ByOwner;

impl Listed<ByOwner> for Extent {
    fn node(&self) -> &Node<Extent> {
        &self.node
    }
}

/// What a fresh extent is made of.
pub struct Layout {
    /// First byte.
    pub base: *mut u8,
    /// Length.
    pub npages: usize,
    /// Owner.
    pub arena: ArenaInd,
    /// Size class.
    pub class: SzInd,
    /// What it holds.
    pub kind: Kind,
    /// Whether an inaccessible page lies on either side.
    pub guarded: bool,
    /// Whether the caches of all threads may hold its objects.
    pub shared: bool,
    /// A block at or before its first page, where pages come in blocks.
    pub block: Option<&'static Block>,
}

impl Extent {
    /// How many objects a descriptor has room for that describes nothing.
    pub const HOLDS: usize = 8;

    /// Describes pages that nobody else describes.
    pub fn describe(&self, layout: Layout) {
        self.base.set(layout.base);
        self.npages.set(layout.npages);
        // There are some 4,000 indices.
        self.arena.set(layout.arena.0 as u16);
        self.guarded.set(layout.guarded);
        self.shared.set(layout.shared);
        self.class.set(layout.class.0);
        self.kind.set(layout.kind as u8);
        self.block.set(layout.block);
        self.sample.set(0);
    }

    /// First byte.
    #[inline]
    pub fn base(&self) -> *mut u8 {
        self.base.get()
    }

    /// The object of a large extent, in its first page.
    #[inline]
    pub fn object(&self) -> *mut u8 {
        self.base().wrapping_add(self.nfree.get() as usize)
    }

    /// Usable bytes of the object of a large extent.
    #[inline]
    pub fn usable(&self) -> usize {
        self.npages() * PAGE - large_pad()
    }

    /// Lets the object of a large extent begin so many bytes into it, less than a page.
    pub fn set_object_at(&self, offset: usize) {
        self.nfree.set(offset as u16);
    }

    /// Length in pages.
    #[inline]
    pub fn npages(&self) -> usize {
        self.npages.get()
    }

    /// Size class.
    #[inline]
    pub fn class(&self) -> SzInd {
        SzInd(self.class.get())
    }

    /// Changes length and class of a large extent that was resized in place.
    pub fn resize(&self, npages: usize, class: SzInd) {
        self.npages.set(npages);
        self.class.set(class.0);
    }

    /// Owner.
    #[inline]
    pub fn arena(&self) -> ArenaInd {
        ArenaInd(self.arena.get().into())
    }

    /// Whether an inaccessible page lies on either side, which is not part of it.
    pub fn is_guarded(&self) -> bool {
        self.guarded.get()
    }

    /// Whether the caches of all threads may hold its objects.
    #[inline]
    pub fn is_shared(&self) -> bool {
        self.shared.get()
    }

    /// What it holds.
    #[inline]
    pub fn kind(&self) -> Kind {
        match self.kind.get() {
            1 => Kind::SampledSlab,
            2 => Kind::Large,
            _ => Kind::Slab,
        }
    }

    /// Says that a slab belongs to the second bin of its class, before anybody gets an object of it.
    pub fn set_second(&self) {
        self.kind.set(SECOND_SLAB);
    }

    /// Whether it is a slab of the second bin of its class.
    #[inline]
    pub fn is_second(&self) -> bool {
        self.kind.get() == SECOND_SLAB
    }

    /// A block at or before the first page; `None` where pages do not come in blocks.
    pub fn block(&self) -> Option<&'static Block> {
        self.block.get()
    }

    /// Lets a descriptor that describes nothing hold objects of an arena, at most [`Extent::HOLDS`], and a number.
    pub fn hold(&self, arena: ArenaInd, objects: &[*mut u8], number: u64) {
        self.arena.set(arena.0 as u16);
        self.nfree.set(objects.len() as u16);
        self.sample.set(number);
        self.free.iter().zip(objects).for_each(|(slot, object)| slot.set(object.expose_provenance() as u64));
    }

    /// What [`Extent::hold`] put here.
    pub fn held(&self) -> (impl Iterator<Item = *mut u8>, u64) {
        let objects = self.free.iter().take(self.nfree.get().into());
        (objects.map(|slot| core::ptr::with_exposed_provenance_mut(slot.get() as usize)), self.sample.get())
    }

    /// Gives a sampled slab its records, one per region.
    pub fn set_records(&self, records: &'static [SampleRecord]) {
        self.records.set(records.as_ptr().cast_mut());
    }

    /// Record of a region of a sampled slab.
    pub fn record(&self, region: usize) -> Option<&'static SampleRecord> {
        if self.kind() != Kind::SampledSlab {
            return None;
        }
        // SAFETY: a sampled slab got one record per region before the map showed it, and `region` is below the
        // number of regions because it was computed from a pointer into the slab.
        unsafe { self.records.get().add(region).as_ref() }
    }

    /// First record, to be recycled with the slab.
    pub fn take_records(&self) -> *mut SampleRecord {
        self.records.get()
    }
}
