//! jealloc's functions with C's conventions: pointers, `errno`, numbers for errors. Each checks its arguments, calls one
//! function of `jealloc::entry` or `jealloc::ctl`, and turns the answer into what C expects.
//!
//! Nothing here is a symbol: a package that wants C symbols calls [`export!`] with the prefix of their names. So one
//! list serves `libjemalloc` (plain names, `je_` and `_rjem_`) and the packages that stand in for other bindings.
#![no_std]

pub mod control;
pub mod extended;
pub mod glibc;
mod names;
pub mod standard;

pub use core::ffi::{c_char, c_int, c_void};

/// Receives a piece of text: what `malloc_message` is, and the first argument of `malloc_stats_print`.
pub type WriteCb = unsafe extern "C" fn(*mut c_void, *const c_char);

/// Starts the allocator, so that options are read and handlers registered before `main`. Later calls cost a malloc.
pub extern "C" fn start() {
    // The first allocation starts everything.
    let object = jealloc::entry::malloc::<false>(1);
    // SAFETY: just allocated.
    unsafe { jealloc::entry::free(object) };
}

/// Sets `errno`.
fn set_errno(number: i32) {
    // SAFETY: the address of the calling thread's errno is always valid.
    unsafe { *libc::__errno_location() = number }
}
