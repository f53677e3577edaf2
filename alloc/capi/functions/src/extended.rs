//! jemalloc's own functions: the `*allocx` family.

use core::ffi::{c_int, c_void};

use jealloc::entry::{self, Request};

/// Ends the process when memory ran out in the function of that name and `xmalloc` says so.
#[inline(always)]
fn or_told(object: *mut u8, function: &'static str) -> *mut c_void {
    if object.is_null() {
        entry::safety::out_of_memory(function);
    }
    object.cast()
}

/// `mallocx`
#[inline(always)]
pub fn mallocx(size: usize, flags: c_int) -> *mut c_void {
    let object = match alignment(flags) {
        Some(align) => entry::malloc_aligned(size, align),
        None => entry::alloc(Request::from_flags(size, flags)),
    };
    or_told(object, "mallocx")
}

/// What flags ask for, when that is nothing but an alignment.
#[inline(always)]
fn alignment(flags: c_int) -> Option<usize> {
    if flags as u32 <= 0x3f { Some(1 << flags) } else { None }
}

/// `rallocx`
///
/// # Safety
/// `object` is allocated and not freed.
#[inline(always)]
pub unsafe fn rallocx(object: *mut c_void, size: usize, flags: c_int) -> *mut c_void {
    // SAFETY: by the caller's promise.
    or_told(unsafe { entry::realloc(object.cast(), Request::from_flags(size, flags)) }, "rallocx")
}

/// `xallocx`
///
/// # Safety
/// `object` is allocated and not freed.
#[inline(always)]
pub unsafe fn xallocx(object: *mut c_void, size: usize, extra: usize, flags: c_int) -> usize {
    // SAFETY: by the caller's promise.
    unsafe { entry::resize_in_place(object.cast(), size, extra, Request::from_flags(size, flags).zero) }
}

/// `sallocx`
///
/// # Safety
/// `object` is allocated and not freed.
#[inline(always)]
pub unsafe fn sallocx(object: *const c_void, _flags: c_int) -> usize {
    // SAFETY: by the caller's promise.
    unsafe { jealloc::usable_size(object) }
}

/// `dallocx`
///
/// # Safety
/// `object` is allocated and not freed.
#[inline(always)]
pub unsafe fn dallocx(object: *mut c_void, flags: c_int) {
    if alignment(flags).is_some() {
        // SAFETY: by the caller's promise.
        return unsafe { entry::free(object.cast()) };
    }
    // SAFETY: by the caller's promise.
    unsafe { entry::free_through(object.cast(), Request::from_flags(0, flags).cache) }
}

/// `sdallocx`
///
/// # Safety
/// `object` is allocated and not freed, with this size and these flags.
#[inline(always)]
pub unsafe fn sdallocx(object: *mut c_void, size: usize, flags: c_int) {
    if let Some(align) = alignment(flags) {
        // SAFETY: by the caller's promise.
        return unsafe { entry::free_sized(object.cast(), size, align) };
    }
    let request = Request::from_flags(size, flags);
    // SAFETY: by the caller's promise.
    unsafe { entry::free_sized_through(object.cast(), size, request.align, request.cache) }
}

/// `nallocx`: the usable size that `mallocx` would give, 0 when it would fail.
#[inline(always)]
pub fn nallocx(size: usize, flags: c_int) -> usize {
    jealloc::usable_of_aligned(size, Request::from_flags(size, flags).align).unwrap_or(0)
}
