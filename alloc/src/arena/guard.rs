//! Which slabs and large objects get guard pages (`san_guard_small`, `san_guard_large`).

use core::sync::atomic::*;

use crate::extent::Kind;
use crate::os::tls::{self, Counter};
use crate::page::layer::PageLayer;
use crate::relaxed::Relaxed;

static SMALL: AtomicUsize = AtomicUsize::new(0);
static LARGE: AtomicUsize = AtomicUsize::new(0);

/// Sets that every `small`-th slab and every `large`-th large object that a thread takes is guarded; 0 for none.
pub fn configure(small: usize, large: usize) {
    SMALL.set(small);
    LARGE.set(large);
}

/// Whether the extent that the calling thread is about to take is to be guarded. As in the reference, nothing is in an
/// arena with hooks of its own, nor counts; what has an alignment above a page counts, and leaves its turn to the next.
#[inline(always)]
pub(super) fn wanted(kind: Kind, align: usize, pages: &PageLayer) -> bool {
    let (n, counter) = match kind {
        Kind::Large => (LARGE.get(), Counter::Large),
        Kind::Slab | Kind::SampledSlab => (SMALL.get(), Counter::Slabs),
    };
    n != 0 && !pages.has_hooks() && tls::every(n, counter, align == 1)
}
