//! Checks of what programs do wrong, and filling: what the options ask of every call.
//!
//! With any check or filling on, threads take the slow path at every call, as those do that count exactly. So none of it
//! costs anything while it is off.

use core::sync::atomic::*;

use super::dalloc::usable_of;
use crate::arena::bin::extent_of_object;
use crate::extent::{Extent, Kind};
use crate::relaxed::Relaxed;
use crate::report;
use crate::size_class::{SLABS, usable_aligned};
use crate::tcache::bin::CacheBin;
use crate::tcache::settings;

/// What new memory is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fill {
    /// Nothing.
    None,
    /// Zeros (`zero`).
    Zeros,
    /// Bytes 0xa5 (`junk:true`, `junk:alloc`).
    Junk,
}

/// What `realloc` does with an object and size 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZeroRealloc {
    /// As with size 1.
    Alloc,
    /// Frees.
    Free,
    /// Ends the process.
    Abort,
}

/// The options.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Filling of new memory.
    pub new: Fill,
    /// Whether freed memory is filled with bytes 0x5a (`junk:true`, `junk:free`).
    pub junk_freed: bool,
    /// Whether running out of memory ends the process (`xmalloc`).
    pub xmalloc: bool,
    /// `realloc` with size 0 (`zero_realloc`).
    pub zero_realloc: ZeroRealloc,
    /// How many of the newest objects of a bin a freed one is compared with (`debug_double_free_max_scan`).
    pub scan: u32,
    /// Whether sizes given to frees are checked, and that pointers are those of whole objects (`size_checks`).
    pub sizes: bool,
}

static NEW: AtomicU8 = AtomicU8::new(Fill::None as u8);
static JUNK_FREED: AtomicBool = AtomicBool::new(false);
static XMALLOC: AtomicBool = AtomicBool::new(false);
static ZERO_REALLOC: AtomicU8 = AtomicU8::new(ZeroRealloc::Free as u8);
static SCAN: AtomicU32 = AtomicU32::new(0);
static SIZES: AtomicBool = AtomicBool::new(false);

const JUNK_NEW: u8 = 0xa5;
const JUNK_FREE: u8 = 0x5a;

/// Sets the options. Called before the first thread starts.
pub fn configure(options: Options) {
    NEW.set(options.new as u8);
    JUNK_FREED.set(options.junk_freed);
    XMALLOC.set(options.xmalloc);
    ZERO_REALLOC.set(options.zero_realloc as u8);
    SCAN.set(options.scan);
    SIZES.set(options.sizes);
    let each_call = options.new != Fill::None || options.junk_freed || options.scan != 0 || options.sizes;
    settings::watch_each_call(each_call);
}

/// Called when `function` is about to answer that memory has run out; does not return when that is to end the process.
#[cold]
pub fn out_of_memory(function: &str) {
    if XMALLOC.get() {
        report::fatal(format_args!("Error in {function}(): out of memory"));
    }
}

/// What `realloc` with an object and size 0 is to do; does not return when it is to end the process.
pub fn zero_realloc(object: *const u8) -> ZeroRealloc {
    match ZERO_REALLOC.get() {
        mode if mode == ZeroRealloc::Alloc as u8 => ZeroRealloc::Alloc,
        mode if mode == ZeroRealloc::Abort as u8 => {
            report::fatal(format_args!("Called realloc({object:p}, 0) with zero_realloc:abort set"))
        }
        _ => ZeroRealloc::Free,
    }
}

/// Fills bytes that were just allocated, as the options say; answers whether they are zero now, given that they were
/// known to be.
///
/// # Safety
/// 1. The `bytes` bytes at `p` belong to an object that nobody uses yet.
pub(super) unsafe fn fill_new(p: *mut u8, bytes: usize, zero: bool) -> bool {
    let fill = NEW.get();
    if fill == Fill::None as u8 || fill == Fill::Zeros as u8 && zero {
        return zero;
    }
    let byte = if fill == Fill::Zeros as u8 { 0 } else { JUNK_NEW };
    // SAFETY: by the caller's promise (1).
    unsafe { p.write_bytes(byte, bytes) };
    byte == 0
}

/// Looks at an object that is being freed, and fills it, as the options say. `bin` is the one that it would go to.
pub(super) fn freed(extent: &Extent, object: *mut u8, bin: Option<&CacheBin>) {
    let (scan, junk) = (SCAN.get(), JUNK_FREED.get());
    if scan == 0 && !junk && !SIZES.get() {
        return;
    }
    if !is_start(extent, object) {
        report::inside_object(object, usable_of(extent));
    }
    if bin.is_some_and(|bin| bin.holds(object, scan as usize)) {
        report::double_free(object);
    }
    if junk {
        // SAFETY: an object of this extent begins here (just checked), it has `usable_of` bytes, and its owner gave it up.
        unsafe { object.write_bytes(JUNK_FREE, usable_of(extent)) };
    }
}

fn is_start(extent: &Extent, object: *mut u8) -> bool {
    if extent.kind() == Kind::Large {
        return extent.object() == object;
    }
    let slab = &SLABS[extent.class().idx()];
    let offset = object.addr() - extent.base().addr();
    slab.region(offset) * slab.size as usize == offset
}

/// Ends the process when the options ask for it and an object was freed with a size that it cannot have been asked for
/// with.
pub(super) fn check_size(object: *mut u8, size: usize, align: usize) {
    if !SIZES.get() {
        return;
    }
    let actual = usable_of(extent_of_object(object));
    if usable_aligned(size, align) != Some(actual) {
        report::size_mismatch(object, size, actual);
    }
}
