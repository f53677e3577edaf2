//! Large objects: an extent each.

use core::sync::atomic::*;

use super::Arena;
use super::extents::{Wanted, run_of};
use crate::extent::{Extent, Kind, map};
use crate::page::settings;
use crate::relaxed::Relaxed;
use crate::size_class::{CACHE_LINE, NBINS, NSIZES, cacheable, class_size, index_of, large_pad};
use crate::units::{PAGE, SzInd, pages_ceil};

/// Counters of the large objects of an arena, by class, and their bytes.
///
/// **Synchronization**: all are added to atomically. Readers see recent values.
pub struct LargeCounts {
    classes: [LargeClass; NSIZES - NBINS],
    /// Usable bytes now.
    pub bytes: AtomicUsize,
}

/// Counters of one large class.
pub struct LargeClass {
    /// Objects ever made.
    pub nmalloc: AtomicU64,
    /// Objects freed.
    pub ndalloc: AtomicU64,
    /// Requests past any cache that objects were made for.
    pub ndirect: AtomicU64,
    /// Requests of threads that have ended or left the arena, and others past its cache.
    pub nrequests: AtomicU64,
    /// Objects made to fill thread caches.
    pub nfills: AtomicU64,
    /// Batches that came back from thread caches.
    pub nflushes: AtomicU64,
}

impl LargeClass {
    const fn new() -> LargeClass {
        LargeClass {
            nmalloc: AtomicU64::new(0),
            ndalloc: AtomicU64::new(0),
            ndirect: AtomicU64::new(0),
            nrequests: AtomicU64::new(0),
            nfills: AtomicU64::new(0),
            nflushes: AtomicU64::new(0),
        }
    }
}

impl Default for LargeCounts {
    fn default() -> Self {
        LargeCounts { classes: [const { LargeClass::new() }; NSIZES - NBINS], bytes: AtomicUsize::new(0) }
    }
}

impl LargeCounts {
    /// Counters of a large class.
    pub fn class(&self, class: SzInd) -> &LargeClass {
        &self.classes[class.idx() - NBINS]
    }

    /// Every large class with its counters.
    pub(super) fn all(&self) -> &[LargeClass] {
        &self.classes
    }

    /// An object was made; `direct`: for a request that no cache counts.
    pub(super) fn born(&self, class: SzInd, bytes: usize, direct: bool) {
        let counts = self.class(class);
        counts.nmalloc.fetch_add(1, Ordering::Relaxed);
        if direct {
            counts.ndirect.fetch_add(1, Ordering::Relaxed);
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// An object is about to go.
    pub(super) fn died(&self, class: SzInd, bytes: usize) {
        self.class(class).ndalloc.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What a large object is to be.
#[derive(Clone, Copy, Debug)]
pub struct LargeRequest {
    /// Usable bytes, a page multiple.
    pub usable: usize,
    /// Alignment in bytes, a power of two.
    pub align: usize,
    /// Bits of its sample reference, 0 for none.
    pub sample: u64,
    /// Whether this is a request of the program that no cache counts.
    pub direct: bool,
    /// Whether it takes the place of a smaller object, and may soon be too small in turn.
    pub grows: bool,
}

impl LargeRequest {
    /// For a cached class, whose requests caches count.
    pub fn cached(class: SzInd, sample: u64) -> LargeRequest {
        LargeRequest { usable: class_size(class.idx()), align: 1, sample, direct: false, grows: false }
    }
}

impl Arena {
    /// Map byte of a large object: its cache class, or the slow path's.
    fn byte_of_large(&self, usable: usize, sample: u64) -> u8 {
        match cacheable(usable) {
            Some(class) if sample == 0 => self.byte(class),
            _ => map::SPECIAL,
        }
    }

    /// Makes a large object; answers also whether it is all zero.
    pub fn alloc_large(&self, request: LargeRequest) -> Option<(*mut u8, bool)> {
        let class = index_of(request.usable);
        let npages = pages_ceil(request.usable + large_pad()).0;
        let align = pages_ceil(request.align).0.max(1);
        let wanted =
            Wanted { npages, align, class, kind: Kind::Large, direct: request.direct, grows: request.grows };
        let (extent, zeroed) = self.take_extent(wanted)?;
        extent.set_object_at(offset(request.align));
        extent.sample.set(request.sample);
        map::register(extent, 1, self.byte_of_large(request.usable, request.sample));
        Some((extent.object(), zeroed))
    }

    /// Notes that a large object is sampled (`sample` not 0) or not.
    pub fn set_sample(&self, extent: &'static Extent, sample: u64) {
        extent.sample.set(sample);
        map::register(extent, 1, self.byte_of_large(extent.usable(), sample));
    }

    /// Gives the pages of a fresh large object back, so that they read as zero, when it has as many as `calloc_madvise_threshold`
    /// asks for; answers whether it did.
    pub fn zero_large(&self, extent: &'static Extent) -> bool {
        let enough = extent.usable() >= settings::calloc_threshold();
        // SAFETY: the pages belong to this object alone, whose owner has not got it yet.
        enough && unsafe { self.pages.zero(extent.base(), extent.npages() * PAGE) }
    }

    /// Frees a large object.
    pub fn free_large(&self, extent: &'static Extent) {
        self.give_extent(extent);
    }

    /// Grows or shrinks a large object in place to `usable` bytes (a page multiple, [`index_of`] of which is
    /// large). `None` when the pages behind it are taken, when it is guarded, or the arena's hooks refuse; otherwise whether grown pages are zero. `leave` is called
    /// when it is certain that the object shrinks, and all of it still is the caller's.
    pub fn resize_large(
        &self,
        extent: &'static Extent,
        usable: usize,
        sample: u64,
        leave: impl FnOnce(),
    ) -> Option<bool> {
        if extent.is_guarded() {
            return None;
        }
        let (old, new) = (extent.npages(), pages_ceil(usable + large_pad()).0);
        // The rest of what an object has beyond its usable size is of no known contents.
        let mut zeroed = large_pad() == 0;
        // Forgotten before its pages go, so that objects never count as more bytes than the pages that hold them.
        let cut = old.saturating_sub(new) * PAGE;
        if new > old {
            zeroed &= self.pages.extend(run_of(extent, 0, old), new - old, &self.base)?;
        } else if new < old {
            self.large.bytes.fetch_sub(cut, Ordering::Relaxed);
            if !self.pages.shrink(run_of(extent, 0, old), new, &self.base, leave) {
                self.large.bytes.fetch_add(cut, Ordering::Relaxed);
                return None;
            }
        }
        let class = index_of(usable);
        self.large.died(extent.class(), extent.usable() - cut);
        self.large.born(class, usable, true);
        extent.resize(new, class);
        extent.sample.set(sample);
        map::register(extent, 1, self.byte_of_large(usable, sample));
        Some(zeroed)
    }
}

/// How far into its first page a large object of an alignment begins (`cache_oblivious`): anywhere, so that the first bytes of
/// many do not share few lines of a cache. 0 without the option, and for whole pages.
fn offset(align: usize) -> usize {
    /// A linear congruential sequence over 64 bits, whose upper bits are good enough here. Threads that meet may get the
    /// same offset.
    static STATE: AtomicU64 = AtomicU64::new(0);
    if large_pad() == 0 || align >= PAGE {
        return 0;
    }
    let next = STATE.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    STATE.set(next);
    let line = (next >> 32) as usize % (PAGE / CACHE_LINE);
    (line * CACHE_LINE) & !(align.max(1) - 1)
}
