//! The one internal interface that every front calls: the C functions, Rust's `GlobalAlloc`.
//!
//! A null pointer is the answer when memory has run out or a request is too large; fronts turn it into `errno`.
//! Functions that may lie on the stack when a sample is taken are placed in the section [`TEXT`](text), so that
//! the profiler can tell the allocator's frames from the program's: see [`text`].

mod alloc;
mod dalloc;
mod realloc;
mod request;
pub mod safety;

pub use alloc::{alloc, calloc, malloc, malloc_aligned, malloc_or, refusals, refuse, resume};
pub use dalloc::{free, free_sized, free_sized_through, free_through, usable_size};
pub use realloc::{
    note_zero_realloc, realloc, realloc_plain, realloc_plain_or, resize_in_place, zero_reallocs,
};
pub use request::{Cache, Request};

/// Addresses of the code that the section `jealloc_text` collects.
///
/// The linker defines the two symbols for any section whose name is a C identifier.
pub fn text() -> core::ops::Range<usize> {
    unsafe extern "C" {
        static __start_jealloc_text: u8;
        static __stop_jealloc_text: u8;
    }
    // Keeps the section in programs that allocate elsewhere: the linker would drop it, and then miss the symbols.
    core::hint::black_box(alloc as fn(Request) -> *mut u8);
    (&raw const __start_jealloc_text).addr()..(&raw const __stop_jealloc_text).addr()
}
