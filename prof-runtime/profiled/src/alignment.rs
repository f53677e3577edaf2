//! By what address a sampled object is known: small ones are asked for with a greater alignment than others have.

use core::alloc::Layout;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Objects of so many bytes have the alignment that they were asked for with, and their addresses tell nothing: about as
/// many as this have mappings of their own in glibc, that are moved instead of copied when they grow. Asking the table for each
/// of them costs little beside what such an object costs.
const LARGE: usize = 32 << 10;

/// Greatest alignment of small sampled objects, log2.
const LG_ALIGN_MAX: u8 = 12;
/// Least one. Every object of 16 bytes has it where `malloc` is below; at such rates one of a few dozen is sampled.
const LG_ALIGN_MIN: u8 = 4;
/// Log2 of the mean number of bytes between two samples for each byte of alignment.
const LG_SHARE: u8 = 6;

/// Bits that are zero in the address of a small sampled object. It only ever loses bits: what was sampled before keeps
/// being recognised. All of them until the first rate is known, which no address satisfies.
///
/// **Synchronization:** relaxed. Whoever frees an object came by it, in the order of the program, after it was allocated, and so
/// sees at most the bits that the allocation saw.
static MASK: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Before objects are sampled at a rate.
pub fn prepare(lg_sample: u8) {
    let lg = lg_sample.saturating_sub(LG_SHARE).clamp(LG_ALIGN_MIN, LG_ALIGN_MAX);
    MASK.fetch_min((1 << lg) - 1, Ordering::Relaxed);
}

/// Whether an object may be a sampled one; else it is none.
#[inline(always)]
pub fn may_be_sampled(object: *mut u8, size: usize) -> bool {
    object.addr() & MASK.load(Ordering::Relaxed) == 0 || size >= LARGE
}

/// With what layout a sampled object is to be asked for.
pub fn layout(layout: Layout) -> Layout {
    let align = MASK.load(Ordering::Relaxed).wrapping_add(1);
    if layout.size() >= LARGE || align <= layout.align() {
        return layout;
    }
    with_align(layout, align)
}

/// A layout with a greater alignment, and at least as many bytes. With fewer, an allocator that keeps what was freed by its
/// size would give the place to small objects from then on, with the rest of it unused beside: after enough samples
/// one object in each page (in glibc a thousand live objects of 100 bytes took 4.5 MB).
pub fn with_align(layout: Layout, align: usize) -> Layout {
    // Fails for nothing that an object was allocated with.
    Layout::from_size_align(layout.size().max(align), align).unwrap_or(layout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finer_rate_lowers_the_alignment_of_what_is_sampled_and_no_rate_raises_it() {
        let asked = Layout::from_size_align(100, 8).unwrap();
        for (lg, align) in [(19, 4096), (18, 4096), (30, 4096), (16, 1024), (19, 1024), (12, 64), (0, 16)] {
            prepare(lg);
            let padded = Layout::from_size_align(align.max(100), align).unwrap();
            assert_eq!(layout(asked), padded, "{lg}");
        }
        let greater = asked.align_to(1 << 16).unwrap();
        assert_eq!(layout(greater), greater);
        let large = Layout::from_size_align(LARGE, 8).unwrap();
        assert_eq!(layout(large), large);
        assert!(may_be_sampled(core::ptr::without_provenance_mut(0x7010), 1));
        assert!(!may_be_sampled(core::ptr::without_provenance_mut(0x7008), 1));
        assert!(may_be_sampled(core::ptr::without_provenance_mut(0x7008), LARGE));
    }
}
