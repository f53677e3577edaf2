//! Checks of what programs do wrong, and filling: what the options ask of every call.
//!
//! Nothing of it is looked for on the fast paths. With any check of freed objects, all objects have the map byte that sends
//! `free` to its slow path, which caches them all the same; with filling of new memory, bins count to their next request only,
//! so that each allocation takes the slow path, which serves it from the cache all the same.

use core::sync::atomic::*;

use super::dalloc::{cacheable_class, usable_of};
use crate::arena::bin::extent_of_object;
use crate::arena::settings::{frees_are_watched, watch_frees};
use crate::extent::{Extent, Kind, map};
use crate::relaxed::Relaxed;
use crate::report;
use crate::size_class::{LOOKUP_MAX, SLABS, class_size, index_small, usable_aligned};
use crate::tcache::settings;
use crate::thread::block::{Block, current};
use crate::thread::event;
use crate::units::SzInd;

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
/// What it is filled with, where it is filled.
static NEW_BYTE: AtomicU8 = AtomicU8::new(0);
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
    NEW_BYTE.set(if options.new == Fill::Junk { JUNK_NEW } else { 0 });
    JUNK_FREED.set(options.junk_freed);
    XMALLOC.set(options.xmalloc);
    ZERO_REALLOC.set(options.zero_realloc as u8);
    SCAN.set(options.scan);
    SIZES.set(options.sizes);
    settings::watch_each_call(options.new != Fill::None);
    if options.junk_freed || options.scan != 0 || options.sizes {
        watch_frees();
    }
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
    // SAFETY: by the caller's promise (1).
    unsafe { p.write_bytes(NEW_BYTE.get(), bytes) };
    fill == Fill::Zeros as u8
}

/// The common allocation while new memory is filled: an object of the thread's cache, filled, for a request that was counted and
/// on which no event falls. `None`: it is for the general way.
#[inline(always)]
pub(super) fn filled(thread: &Block, class: SzInd) -> Option<*mut u8> {
    if thread.exact.get() || !event::passes(thread, class) {
        return None;
    }
    let object = thread.bin(class).pop()?;
    let byte = NEW_BYTE.get();
    // Its answer is the object, which therefore has to be kept nowhere.
    // SAFETY: the object has so many bytes, and is not handed out yet.
    Some(unsafe { libc::memset(object.cast(), byte.into(), size_of_class(class)) }.cast())
}

/// Bytes of an object of a class; of a small one as its slab tells, which is quicker than to work it out.
#[inline(always)]
fn size_of_class(class: SzInd) -> usize {
    SLABS.get(class.idx()).map_or_else(|| class_size(class.idx()), |slab| slab.size as usize)
}

/// Looks at an object that is being freed, and fills it, as the options say.
#[inline(always)]
pub(super) fn freed(object: *mut u8) {
    if frees_are_watched() {
        check_freed(object);
    }
}

#[cold]
#[inline(never)]
fn check_freed(object: *mut u8) {
    check(object);
    if JUNK_FREED.get() {
        let bytes = usable_of(extent_of_object(object));
        // SAFETY: an object begins here (just checked), it has so many bytes, and its owner gave it up.
        unsafe { object.write_bytes(JUNK_FREE, bytes) };
    }
}

/// The common free while frees are watched: an object of a small class goes to the thread's cache, after the same looks as in
/// [`freed`] and [`check_size`]. `false`: it is for the general way, and nothing was done.
///
/// This is what checks cost in production: some fifty instructions, without a lock or a call.
#[inline(always)]
pub(super) fn freed_to_cache(thread: &Block, object: *mut u8, told: Option<(usize, usize)>) -> bool {
    let Some(extent) = map::extent_of(object) else { return false };
    if extent.kind() != Kind::Slab || !extent.is_shared() {
        return false;
    }
    let class = extent.class();
    if let Some((size, align)) = told {
        let right = align <= 8 && size <= LOOKUP_MAX && index_small(size) == class;
        if !right && SIZES.get() {
            return false;
        }
    }
    let bin = thread.bin(class);
    check_region(extent, class, object);
    check_newest(object, |n| bin.holds(object, n));
    let cached = bin.push(object);
    if cached && JUNK_FREED.get() {
        junk_freed(object, class);
    }
    cached
}

/// Fills an object that this thread has just cached. In that order there is nothing left to do behind it, so that nothing has to
/// be kept; apart, so that checks without it need no registers for it.
#[cold]
#[inline(never)]
fn junk_freed(object: *mut u8, class: SzInd) {
    // SAFETY: an object of the class begins here, as the caller has checked, its owner gave it up, and only this thread
    // takes what it caches.
    unsafe { object.write_bytes(JUNK_FREE, size_of_class(class)) };
}

/// Looks at an object that is about to be resized, as the options say for frees.
#[inline(always)]
pub(super) fn resized(object: *mut u8) {
    if frees_are_watched() {
        check(object);
    }
}

/// Ends the process when the pointer is not that of an object that is in use, as far as can be seen: it must be the start of
/// one, which is neither free in its slab nor among the newest of the thread's cache, where it would be if it was freed.
#[cold]
#[inline(never)]
fn check(object: *mut u8) {
    let extent = extent_of_object(object);
    if extent.kind() != Kind::Large {
        check_region(extent, extent.class(), object);
    } else if extent.object() != object {
        report::inside_object(object, usable_of(extent));
    }
    if let Some((thread, class)) = current().zip(cacheable_class(extent))
        && thread.caches(class)
    {
        check_newest(object, |n| thread.bin(class).holds(object, n));
    }
}

/// Ends the process when the pointer is not the start of a region of a slab, or of one that is free.
#[inline(always)]
fn check_region(extent: &Extent, class: SzInd, object: *mut u8) {
    let slab = &SLABS[class.idx()];
    let offset = object.addr() - extent.base().addr();
    let region = slab.region(offset);
    if region * slab.size as usize != offset {
        report::inside_object(object, slab.size as usize);
    }
    // Bits of other regions may change at any time; the one of an object in use is not set.
    if extent.free.get(region / 64).is_some_and(|word| word.get() >> (region % 64) & 1 != 0) {
        report::double_free(object);
    }
}

/// Ends the process when a cache `holds` the object among its newest, as many as are to be looked at.
#[inline(always)]
pub(super) fn check_newest(object: *mut u8, holds: impl FnOnce(usize) -> bool) {
    let scan = SCAN.get();
    if scan != 0 && holds(scan as usize) {
        report::double_free(object);
    }
}

/// Fills bytes of an object that shrinks, as the options say.
///
/// # Safety
/// 1. The `bytes` bytes at `p` belong to the caller, who gave them up.
pub(super) unsafe fn shrunk(p: *mut u8, bytes: usize) {
    if JUNK_FREED.get() {
        // SAFETY: by the caller's promise (1).
        unsafe { p.write_bytes(JUNK_FREE, bytes) };
    }
}

/// Ends the process when the options ask for it and an object is freed, or moved, with a size that it cannot have been
/// asked for with.
#[inline(always)]
pub fn check_size(object: *mut u8, size: usize, align: usize) {
    if !SIZES.get() || map::class_byte(object) == map::NONE {
        return;
    }
    let actual = usable_of(extent_of_object(object));
    if usable_aligned(size, align) != Some(actual) {
        report::size_mismatch(object, size, actual);
    }
}
