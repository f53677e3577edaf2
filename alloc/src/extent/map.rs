//! Address to class byte and to extent, read without a lock.
//!
//! A root table of 65,536 entries covers 48 bits of address, 4 GiB an entry; a leaf holds a class byte and an
//! extent pointer per page. A root entry is the distance of its leaf from [`NOWHERE`], a leaf of zeros that is never
//! written, so an untouched entry needs no test and the table no initialisation. `free` reads one byte.
//!
//! **Synchronization**: entries of a page are written before the pointer into the page is handed out and after it
//! came back, so whoever legitimately holds a pointer sees its entries; a leaf is published with Release and its
//! bytes are zero before that.

use core::sync::atomic::*;

use super::Extent;
use crate::os::pages;
use crate::relaxed::Relaxed;
use crate::size_class::NCACHED_MAX;
use crate::units::{LG_PAGE, PAGE};

const LEAF_PAGES: usize = 1 << 20;
const LG_LEAF: u32 = LG_PAGE + 20;
const ROOTS: usize = 1 << (48 - LG_LEAF);

/// Class byte of an address that is not ours.
pub const NONE: u8 = 0;
/// Class byte of objects that only the slow path of `free` may handle: sampled ones, uncached large ones. The greatest.
pub const SPECIAL: u8 = NCACHED_MAX as u8 + 1;

#[repr(C, align(4096))]
struct Leaf {
    class: [AtomicU8; LEAF_PAGES],
    extent: [AtomicPtr<Extent>; LEAF_PAGES],
}

#[repr(C, align(4096))]
struct Zeros([AtomicU8; LEAF_PAGES]);

static NOWHERE: Zeros = Zeros([const { AtomicU8::new(0) }; LEAF_PAGES]);
static ROOT: [AtomicUsize; ROOTS] = [const { AtomicUsize::new(0) }; ROOTS];

#[inline(always)]
fn root_of(address: usize) -> &'static AtomicUsize {
    &ROOT[(address >> LG_LEAF) & (ROOTS - 1)]
}

#[inline(always)]
fn page_of(address: usize) -> usize {
    (address >> LG_PAGE) & (LEAF_PAGES - 1)
}

/// Class byte of the page that `p` points into: [`NONE`], [`SPECIAL`], or the index of a cached class plus one.
#[inline(always)]
pub fn class_byte(p: *const u8) -> u8 {
    let address = p.addr();
    let distance = root_of(address).load(Ordering::Relaxed);
    let classes = NOWHERE.0.as_ptr().addr().wrapping_add(distance);
    let entry = core::ptr::with_exposed_provenance::<AtomicU8>(classes + page_of(address));
    // SAFETY: a root entry is zero (NOWHERE itself) or leads to a leaf that lives for ever and whose provenance
    // was exposed when it was made; the page index is below the length of both. The relaxed load suffices: a
    // thread that holds a pointer into the page got it by some synchronisation after the leaf was published.
    let byte = unsafe { (*entry).load(Ordering::Relaxed) };
    // SAFETY: leaves begin as zeros, and `write` stores nothing greater.
    unsafe { core::hint::assert_unchecked(byte <= SPECIAL) };
    byte
}

fn leaf(address: usize) -> Option<&'static Leaf> {
    // Acquire pairs with the Release in `leaf_make`.
    let distance = root_of(address).load(Ordering::Acquire);
    if distance == 0 {
        return None;
    }
    let at = NOWHERE.0.as_ptr().addr().wrapping_add(distance);
    // SAFETY: a non-zero entry is the distance of a leaf that was made, exposed and never freed.
    unsafe { core::ptr::with_exposed_provenance::<Leaf>(at).as_ref() }
}

#[cold]
fn leaf_make(address: usize) -> Option<&'static Leaf> {
    let at = pages::reserve(size_of::<Leaf>())?.as_ptr();
    let distance = at.expose_provenance().wrapping_sub(NOWHERE.0.as_ptr().expose_provenance());
    if root_of(address).compare_exchange(0, distance, Ordering::AcqRel, Ordering::Acquire).is_err() {
        // SAFETY: the mapping was made above, and the entry that would have published it was not written.
        unsafe { pages::release(at, size_of::<Leaf>()) };
    }
    leaf(address)
}

/// Makes sure that `register` works for every page of the range. `false` when there is no memory for a leaf.
pub fn prepare(base: *mut u8, npages: usize) -> bool {
    let first = base.addr();
    let last = first + npages * PAGE - 1;
    ((first >> LG_LEAF)..=(last >> LG_LEAF)).all(|root| {
        let address = root << LG_LEAF;
        leaf(address).or_else(|| leaf_make(address)).is_some()
    })
}

fn write(address: usize, class: u8, extent: *mut Extent) {
    if let Some(leaf) = leaf(address) {
        let page = page_of(address);
        leaf.extent[page].set(extent);
        leaf.class[page].set(class.min(SPECIAL));
    }
}

/// Enters `extent` for its first `npages` pages. The range was prepared.
pub fn register(extent: &'static Extent, npages: usize, class: u8) {
    let first = extent.base().addr();
    for page in 0..npages {
        write(first + page * PAGE, class, core::ptr::from_ref(extent).cast_mut());
    }
}

/// Removes the entries of `npages` pages from `base` on.
pub fn unregister(base: *mut u8, npages: usize) {
    for page in 0..npages {
        write(base.addr() + page * PAGE, NONE, core::ptr::null_mut());
    }
}

/// The extent that the page of `p` belongs to. For a large extent only its first page knows.
#[inline]
pub fn extent_of(p: *const u8) -> Option<&'static Extent> {
    let address = p.addr();
    let entry = leaf(address)?.extent[page_of(address)].get();
    // SAFETY: entries are null or descriptors in base memory, which live for ever.
    unsafe { entry.as_ref() }
}

/// Bytes of the map that describe `npages` pages: what of it is backed, but for rounding.
pub fn bytes_for(npages: usize) -> usize {
    npages * (size_of::<AtomicU8>() + size_of::<AtomicPtr<Extent>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_addresses_have_no_class_and_no_extent() {
        let local = 1u8;
        for p in [core::ptr::null(), &raw const local, core::ptr::without_provenance(0x7fff_ffff_f000)] {
            assert_eq!(class_byte(p), NONE);
            assert!(extent_of(p).is_none());
        }
    }
}
