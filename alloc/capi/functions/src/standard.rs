//! The malloc family of the C standard, POSIX and glibc.

use core::ffi::{c_int, c_void};

use jealloc::entry::{self, Request};

use crate::set_errno;

/// Sets `errno` when memory ran out.
#[inline(always)]
fn or_enomem(object: *mut u8) -> *mut c_void {
    if object.is_null() {
        no_memory();
    }
    object.cast()
}

#[cold]
fn no_memory() {
    set_errno(libc::ENOMEM);
}

fn aligned(align: usize, size: usize) -> *mut u8 {
    entry::alloc(Request { size, align, ..Request::PLAIN })
}

/// `malloc(3)`
#[inline(always)]
pub fn malloc(size: usize) -> *mut c_void {
    entry::malloc::<true>(size).cast()
}

/// `calloc(3)`
#[inline(always)]
pub fn calloc(n: usize, size: usize) -> *mut c_void {
    or_enomem(entry::calloc(n, size))
}

/// `realloc(3)`. Size 0 frees, as `zero_realloc:free` on Linux.
///
/// # Safety
/// As realloc(3).
#[inline(always)]
pub unsafe fn realloc(object: *mut c_void, size: usize) -> *mut c_void {
    if object.is_null() {
        return malloc(size);
    }
    if size == 0 {
        entry::note_zero_realloc();
        // SAFETY: by the caller's promises.
        unsafe { entry::free(object.cast()) };
        return core::ptr::null_mut();
    }
    let request = Request { size, ..Request::PLAIN };
    // SAFETY: by the caller's promises.
    or_enomem(unsafe { entry::realloc(object.cast(), request) })
}

/// `free(3)`
///
/// # Safety
/// As free(3).
#[inline(always)]
pub unsafe fn free(object: *mut c_void) {
    // SAFETY: by the caller's promises.
    unsafe { entry::free(object.cast()) }
}

/// `free_sized` of C23.
///
/// # Safety
/// As free(3); `size` is what was asked for.
#[inline(always)]
pub unsafe fn free_sized(object: *mut c_void, _size: usize) {
    // SAFETY: by the caller's promises. The class byte is read anyway: it tells sampled objects.
    unsafe { entry::free(object.cast()) }
}

/// `free_aligned_sized` of C23.
///
/// # Safety
/// As free(3); alignment and size are what was asked for.
#[inline(always)]
pub unsafe fn free_aligned_sized(object: *mut c_void, _align: usize, _size: usize) {
    // SAFETY: by the caller's promises.
    unsafe { entry::free(object.cast()) }
}

/// `posix_memalign(3)`: 0, `EINVAL` or `ENOMEM`; leaves `errno` alone.
///
/// # Safety
/// `to` is valid for a pointer.
#[inline(always)]
pub unsafe fn posix_memalign(to: *mut *mut c_void, align: usize, size: usize) -> c_int {
    if !align.is_power_of_two() || align < size_of::<*mut c_void>() {
        return libc::EINVAL;
    }
    let object = aligned(align, size);
    if object.is_null() {
        return libc::ENOMEM;
    }
    // SAFETY: by the caller's promise.
    unsafe { *to = object.cast() };
    0
}

/// `aligned_alloc(3)`
#[inline(always)]
pub fn aligned_alloc(align: usize, size: usize) -> *mut c_void {
    if !align.is_power_of_two() {
        set_errno(libc::EINVAL);
        return core::ptr::null_mut();
    }
    or_enomem(aligned(align, size))
}

/// `memalign(3)`
#[inline(always)]
pub fn memalign(align: usize, size: usize) -> *mut c_void {
    aligned_alloc(align, size)
}

/// `valloc(3)`
#[inline(always)]
pub fn valloc(size: usize) -> *mut c_void {
    or_enomem(aligned(PAGE, size))
}

/// `pvalloc(3)`
#[inline(always)]
pub fn pvalloc(size: usize) -> *mut c_void {
    match size.max(1).checked_next_multiple_of(PAGE) {
        Some(size) => or_enomem(aligned(PAGE, size)),
        None => or_enomem(core::ptr::null_mut()),
    }
}

const PAGE: usize = 4096;

/// `malloc_usable_size(3)`
///
/// # Safety
/// `object` is null or allocated and not freed.
#[inline(always)]
pub unsafe fn malloc_usable_size(object: *const c_void) -> usize {
    // SAFETY: by the caller's promise.
    unsafe { jealloc::usable_size(object) }
}
