//! Size classes: which sizes exist, which class serves a request, how a slab of a class is laid out. Pure.
//!
//! Source: jemalloc's manual ("Implementation notes"): 8; 16 to 64 in steps of 16; then four classes per doubling.
//! Small classes (up to 14 KiB) live in slabs. Larger requests get whole pages: as in 5.3.1, the usable size of a
//! large object is its page multiple, and its class (the next one up) serves statistics and caching only; up to
//! [`round_to_classes`]'s bound it is the size of its class, as before 5.3.1.

use core::sync::atomic::AtomicUsize;

use crate::relaxed::Relaxed;
use crate::units::{PAGE, SzInd};

/// Smallest distance between two sizes from 16 bytes up, and the alignment every object over 8 bytes has.
pub const QUANTUM: usize = 16;
/// Number of small classes.
pub const NBINS: usize = 36;
/// Number of classes that thread caches cover by default, all up to [`TCACHE_MAX`]; depots exist for these alone.
pub const NCACHED: usize = 41;
/// Number of classes that thread caches can be made to cover: all up to [`TCACHE_LIMIT`].
pub const NCACHED_MAX: usize = 73;
/// Number of classes.
pub const NSIZES: usize = 232;
/// Largest small class.
pub const SMALL_MAX: usize = class_size(NBINS - 1);
/// Smallest large class.
pub const LARGE_MIN: usize = class_size(NBINS);
/// Largest class that threads cache by default.
pub const TCACHE_MAX: usize = class_size(NCACHED - 1);
/// Largest class that threads can be made to cache.
pub const TCACHE_LIMIT: usize = class_size(NCACHED_MAX - 1);
/// Largest size that can be asked for.
pub const LARGE_MAX: usize = class_size(NSIZES - 1);
/// Largest size that [`index_small`] answers: whatever threads always have bins for. Up to there the usable size of a request
/// is that of its class, since the distance of the large ones among these classes is a page.
pub const LOOKUP_MAX: usize = TCACHE_MAX;
/// Most regions that a slab has (class 8 in one page).
pub const SLAB_REGIONS_MAX: usize = 512;

const _: () = assert!(SMALL_MAX == 14336 && LARGE_MIN == 16384 && TCACHE_MAX == 32768);
const _: () = assert!(TCACHE_LIMIT == 8 << 20);
const _: () = assert!(LARGE_MAX == 7 << 60);

/// Number of large classes.
pub const NLEXTENTS: usize = NSIZES - NBINS;

/// Size of class `index`.
pub const fn class_size(index: usize) -> usize {
    match index {
        0 => 8,
        1..=4 => 16 * index,
        _ => {
            let group = (index - 5) / 4;
            let step = (index - 5) % 4 + 1;
            (64 << group) + step * (16 << group)
        }
    }
}

/// Class that serves `size` bytes. `size` is at most [`LARGE_MAX`].
pub const fn index_of(size: usize) -> SzInd {
    if size <= 8 {
        return SzInd(0);
    }
    if size <= 64 {
        return SzInd(size.div_ceil(16) as u8);
    }
    let last = size - 1;
    let lg = last.ilog2();
    let step = (last >> (lg - 2)) & 3;
    SzInd((5 + (lg as usize - 6) * 4 + step) as u8)
}

static LOOKUP: [u8; LOOKUP_MAX / 8 + 1] = {
    let mut table = [0; LOOKUP_MAX / 8 + 1];
    let mut i = 0;
    while i < table.len() {
        table[i] = index_of(i * 8).0;
        assert!(table[i] < NCACHED as u8);
        i += 1;
    }
    table
};

/// [`index_of`] for `size` up to [`LOOKUP_MAX`], by one table load.
#[inline(always)]
pub fn index_small(size: usize) -> SzInd {
    let class = LOOKUP[(size + 7) >> 3];
    // The compiler sees through small tables only, and would check the index of each bin.
    // SAFETY: no entry of the table is larger (asserted where it is made).
    unsafe { core::hint::assert_unchecked(class < NCACHED as u8) };
    SzInd(class)
}

/// Least distance between the offsets at which large objects begin.
pub const CACHE_LINE: usize = 64;

/// Largest request whose usable size is that of its class although it is large.
static ROUNDED: AtomicUsize = AtomicUsize::new(0);

static LARGE_PAD: AtomicUsize = AtomicUsize::new(0);

/// Makes the usable sizes of requests up to `bytes` those of their classes, so that thread caches can serve any of
/// them. Called before the first allocation: objects that exist would change their size otherwise.
pub fn round_to_classes(bytes: usize) {
    ROUNDED.set(bytes);
}

/// Bytes that large objects have beyond their usable size.
pub fn large_pad() -> usize {
    LARGE_PAD.get()
}

/// Gives large objects a page beyond their usable size, within which they begin anywhere (`cache_oblivious`). Called
/// before the first allocation.
pub fn pad_large() {
    LARGE_PAD.set(PAGE);
}

/// Whether every object of `usable` bytes that was made without regard to alignment has this one, a power of two.
#[inline]
pub fn always_aligned(usable: usize, align: usize) -> bool {
    align <= PAGE && (align <= CACHE_LINE || usable < LARGE_MIN || large_pad() == 0)
}

/// Whether the usable sizes of large requests are page multiples, not all those of their classes.
pub fn pages_are_sizes() -> bool {
    ROUNDED.get() < LARGE_MAX
}

/// Usable size of a request of `size` bytes without alignment; `None` past the largest class.
pub fn usable(size: usize) -> Option<usize> {
    if size <= SMALL_MAX || size <= ROUNDED.get() && size <= LARGE_MAX {
        Some(class_size(index_of(size).idx()))
    } else if size <= LARGE_MAX {
        Some(size.next_multiple_of(PAGE))
    } else {
        None
    }
}

/// The least size of at least `size` bytes (1 to [`SMALL_MAX`]) whose class is a multiple of `align`, a power of two up to
/// a page, if that is small at all.
///
/// The classes between two powers of two have one distance, itself a power of two. An alignment up to the distance divides
/// all of these classes; a multiple of a larger one is a class itself.
#[inline(always)]
pub const fn aligned_size(size: usize, align: usize) -> usize {
    (size + align - 1) & !(align - 1)
}

/// Usable size of a request with an alignment (a power of two); `None` when nothing that large is served.
///
/// Small requests get the smallest class that is a multiple of the alignment (its slab then places every object
/// right, since slabs start on pages); anything else becomes a large object.
pub fn usable_aligned(size: usize, align: usize) -> Option<usize> {
    if align <= QUANTUM {
        return usable(if size < align { align } else { size });
    }
    if align <= PAGE && size <= SMALL_MAX {
        let rounded = aligned_size(if size == 0 { 1 } else { size }, align);
        if rounded <= SMALL_MAX {
            return Some(class_size(index_of(rounded).idx()));
        }
    }
    let large = if size < LARGE_MIN { LARGE_MIN } else { size };
    match usable(large) {
        Some(size) if align <= LARGE_MAX && size.checked_add(align).is_some() => Some(size),
        _ => None,
    }
}

/// The classes that thread caches cover by default, and that have depots.
pub fn cached_classes() -> impl Iterator<Item = SzInd> {
    (0..NCACHED as u8).map(SzInd)
}

/// The class of objects of `usable` bytes, when thread caches can be made to cover it: all its objects must be of one
/// size.
pub const fn cacheable(usable: usize) -> Option<SzInd> {
    if usable > TCACHE_LIMIT {
        return None;
    }
    let class = index_of(usable);
    if class_size(class.idx()) == usable { Some(class) } else { None }
}

/// Layout of a slab of one small class.
#[derive(Clone, Copy, Debug)]
pub struct Slab {
    /// Size of a region.
    pub size: u32,
    /// Regions in a slab.
    pub nregs: u32,
    /// Pages in a slab: the least common multiple of page and size.
    pub npages: u32,
    /// `ceil(2^32 / size)`: multiplying an offset that is a multiple of `size` by it and shifting right by 32
    /// divides exactly for slabs below 64 KiB.
    pub inverse: u32,
}

/// Slab layouts of all small classes.
pub static SLABS: [Slab; NBINS] = {
    let mut slabs = [Slab { size: 0, nregs: 0, npages: 0, inverse: 0 }; NBINS];
    let mut i = 0;
    while i < NBINS {
        let size = class_size(i);
        let mut npages = 1;
        while !(npages * PAGE).is_multiple_of(size) {
            npages += 1;
        }
        slabs[i] = Slab {
            size: size as u32,
            nregs: (npages * PAGE / size) as u32,
            npages: npages as u32,
            inverse: ((1u64 << 32).div_ceil(size as u64)) as u32,
        };
        i += 1;
    }
    slabs
};

impl Slab {
    /// Region that starts `offset` bytes into the slab, or that contains it.
    pub const fn region(&self, offset: usize) -> usize {
        ((offset as u64 * self.inverse as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn every_size_maps_to_the_smallest_class_that_holds_it() {
        for size in 0..200_000 {
            let index = index_of(size).idx();
            assert!(size > LOOKUP_MAX || usable(size) == Some(class_size(index)), "{size}");
            assert!(class_size(index) >= size, "{size}");
            assert!(index == 0 || class_size(index - 1) < size, "{size}");
            if size <= LOOKUP_MAX {
                assert_eq!(index_small(size), index_of(size), "{size}");
            }
        }
        for index in 0..NSIZES {
            assert_eq!(index_of(class_size(index)).idx(), index);
        }
    }

    #[test]
    fn slabs_are_those_of_the_reference() {
        // size, slab bytes, regions; from the table of jemalloc 5.3's bins.
        for (index, slab_bytes, nregs) in
            [(0, 4096, 512), (3, 12288, 256), (7, 28672, 256), (20, 4096, 4), (33, 20480, 2), (35, 28672, 2)]
        {
            assert_eq!(SLABS[index].npages as usize * PAGE, slab_bytes);
            assert_eq!(SLABS[index].nregs, nregs);
        }
        assert!(SLABS.iter().all(|s| s.nregs as usize <= SLAB_REGIONS_MAX));
    }

    #[test]
    fn region_division_is_exact_for_every_offset_of_every_slab() {
        for slab in &SLABS {
            for offset in 0..slab.npages as usize * PAGE {
                assert_eq!(slab.region(offset), offset / slab.size as usize);
            }
        }
    }

    #[test]
    fn usable_sizes_are_those_that_the_reference_reports() {
        for (size, want) in [(0, 8), (1, 8), (17, 32), (4097, 5120), (14337, 16384), (32769, 36864)] {
            assert_eq!(usable(size), Some(want), "{size}");
        }
        assert_eq!(usable(1_000_001), Some(1_003_520));
        assert_eq!(usable(LARGE_MAX + 1), None);
        for (size, align, want) in [(1, 4096, 4096), (5000, 4096, 8192), (20000, 16384, 20480), (0, 64, 64)] {
            assert_eq!(usable_aligned(size, align), Some(want), "{size} {align}");
        }
        assert_eq!(usable_aligned(usize::MAX - 4, 64), None);
    }

    #[test]
    fn an_aligned_request_gets_the_smallest_small_class_that_is_a_multiple_of_the_alignment() {
        for align in (0..=12).map(|lg| 1 << lg) {
            for size in (0..SMALL_MAX).step_by(7) {
                let got = usable_aligned(size, align).unwrap();
                let fits = |&class: &usize| class >= size && class.is_multiple_of(align);
                let want = (0..NBINS).map(class_size).find(fits);
                assert_eq!((got <= SMALL_MAX).then_some(got), want, "{size} {align}");
            }
        }
    }
}
