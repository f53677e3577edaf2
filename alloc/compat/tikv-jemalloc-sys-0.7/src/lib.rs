//! Stands in for the crate `tikv-jemalloc-sys` in a program's dependencies: the same names, types and features, with
//! jealloc behind them and no C to compile.
//!
//! ```toml
//! # Cargo.toml of the program; `tikv-jemalloc-sys-0.6` for 0.6.
//! [patch.<the registry of the original>]
//! tikv-jemalloc-sys = { path = "jeprof-rs/alloc/compat/tikv-jemalloc-sys-0.7" }
//! ```
//!
//! As there, the C symbols begin with `_rjem_` unless the feature `unprefixed_malloc_on_supported_platforms` is on; then
//! they have their plain names, and the whole program allocates here.
#![no_std]
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals)]
#![warn(missing_docs)]

mod extent;
mod targets;

use core::ffi::{c_char, c_int, c_void};

pub use extent::*;
pub use functions::*;
pub use targets::*;

/// The functions, each also a C symbol.
mod functions {
    #[cfg(prefixed)]
    jealloc_c::export!("_rjem_");
    #[cfg(not(prefixed))]
    jealloc_c::export!("");
}

/// A program whose `malloc` is ours asks these about its own heap.
#[cfg(not(prefixed))]
mod glibc {
    jealloc_c::export_glibc!();
}

/// Flag of the `*allocx` functions: alignment, by its binary logarithm.
#[inline]
pub const fn MALLOCX_LG_ALIGN(la: usize) -> c_int {
    la as c_int
}

/// Flag: alignment, a power of two.
#[inline]
pub const fn MALLOCX_ALIGN(align: usize) -> c_int {
    align.trailing_zeros() as c_int
}

/// Flag: the memory is zero; when resizing, what lies beyond the old usable size.
pub const MALLOCX_ZERO: c_int = 0x40;

/// Flag: the cache that `tcache.create` made.
#[inline]
pub const fn MALLOCX_TCACHE(tc: usize) -> c_int {
    (tc.wrapping_add(2) << 8) as c_int
}

/// Flag: no cache.
pub const MALLOCX_TCACHE_NONE: c_int = MALLOCX_TCACHE(usize::MAX);

/// Flag: the arena of this index.
#[inline]
pub const fn MALLOCX_ARENA(a: usize) -> c_int {
    (a as c_int).wrapping_add(1) << 20
}

/// The program's receiver of messages; `None` for standard error.
#[cfg_attr(prefixed, unsafe(export_name = "_rjem_malloc_message"))]
#[cfg_attr(not(prefixed), unsafe(no_mangle))]
pub static mut malloc_message: Option<unsafe extern "C" fn(cbopaque: *mut c_void, s: *const c_char)> = None;

unsafe extern "C" {
    /// Options that the program brings with it, which it does by defining this symbol; `None` when it does not.
    #[cfg_attr(prefixed, link_name = "_rjem_malloc_conf")]
    pub static malloc_conf: Option<&'static c_char>;
}
