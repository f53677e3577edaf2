//! Rust's global allocator.

use core::alloc::{GlobalAlloc, Layout};

use crate::entry::{self, Request};
use crate::size_class::QUANTUM;

/// The allocator as Rust's global one:
///
/// ```
/// #[global_allocator]
/// static ALLOC: jealloc::Jealloc = jealloc::Jealloc;
/// # fn main() { assert_eq!(vec![1u8; 100].len(), 100); }
/// ```
///
/// Options come from the environment variable `MALLOC_CONF` and the other sources that jemalloc reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jealloc;

fn request(layout: Layout, size: usize, zero: bool) -> Request {
    Request { size, align: layout.align(), zero, ..Request::PLAIN }
}

/// Whether every object of the class of `size` bytes is aligned as the layout asks.
#[inline(always)]
fn plain(layout: Layout, size: usize) -> bool {
    layout.align() <= 8 || layout.align() <= QUANTUM && size > 8
}

// SAFETY: objects are aligned and sized as asked, live until freed, and nothing here unwinds.
unsafe impl GlobalAlloc for Jealloc {
    #[inline]
    #[unsafe(link_section = "jealloc_text")]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if plain(layout, layout.size()) {
            return entry::malloc::<false>(layout.size());
        }
        entry::malloc_aligned(layout.size(), layout.align())
    }

    #[inline]
    #[unsafe(link_section = "jealloc_text")]
    unsafe fn dealloc(&self, object: *mut u8, layout: Layout) {
        // SAFETY: by the caller's promises to GlobalAlloc.
        unsafe { entry::free_sized(object, layout.size(), layout.align()) }
    }

    #[inline]
    #[unsafe(link_section = "jealloc_text")]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if plain(layout, layout.size()) {
            return entry::calloc(1, layout.size());
        }
        entry::alloc(request(layout, layout.size(), true))
    }

    #[inline]
    #[unsafe(link_section = "jealloc_text")]
    unsafe fn realloc(&self, object: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let general = || {
            entry::safety::check_size(object, layout.size(), layout.align());
            // SAFETY: by the caller's promises to GlobalAlloc.
            unsafe { entry::realloc(object, request(layout, size, false)) }
        };
        if plain(layout, size) {
            // SAFETY: by the caller's promises to GlobalAlloc.
            return unsafe { entry::realloc_plain_or(object, size, general) };
        }
        general()
    }
}
