//! The malloc family of the C standard, POSIX and glibc.

use core::ffi::{c_int, c_void};

use jealloc::entry;
use jealloc::entry::safety::{self, ZeroRealloc};

use crate::set_errno;

/// Sets `errno` when memory ran out in the function of that name, or ends the process (`xmalloc`).
#[inline(always)]
fn or_told(object: *mut u8, function: &'static str) -> *mut c_void {
    if object.is_null() {
        no_memory(function);
    }
    object.cast()
}

#[cold]
fn no_memory(function: &str) {
    safety::out_of_memory(function);
    set_errno(libc::ENOMEM);
}

/// `malloc(3)`
#[inline(always)]
pub fn malloc(size: usize) -> *mut c_void {
    entry::malloc::<true>(size).cast()
}

/// `calloc(3)`
#[inline(always)]
pub fn calloc(n: usize, size: usize) -> *mut c_void {
    or_told(entry::calloc(n, size), "calloc")
}

/// `realloc(3)`. Size 0 does what `zero_realloc` says: it frees by default.
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
        if safety::zero_realloc(object.cast()) == ZeroRealloc::Alloc {
            // SAFETY: by the caller's promises.
            return unsafe { realloc(object, 1) };
        }
        // SAFETY: by the caller's promises.
        unsafe { entry::free(object.cast()) };
        return core::ptr::null_mut();
    }
    // SAFETY: by the caller's promises.
    or_told(unsafe { entry::realloc_plain(object.cast(), size) }, "realloc")
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
pub unsafe fn free_sized(object: *mut c_void, size: usize) {
    // SAFETY: by the caller's promises.
    unsafe { entry::free_sized(object.cast(), size, 1) }
}

/// `free_aligned_sized` of C23.
///
/// # Safety
/// As free(3); alignment and size are what was asked for.
#[inline(always)]
pub unsafe fn free_aligned_sized(object: *mut c_void, align: usize, size: usize) {
    // SAFETY: by the caller's promises.
    unsafe { entry::free_sized(object.cast(), size, align) }
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
    let object = entry::malloc_aligned(size, align);
    if object.is_null() {
        safety::out_of_memory("posix_memalign");
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
    or_told(entry::malloc_aligned(size, align), "aligned_alloc")
}

/// `memalign(3)`
#[inline(always)]
pub fn memalign(align: usize, size: usize) -> *mut c_void {
    aligned_alloc(align, size)
}

/// `valloc(3)`
#[inline(always)]
pub fn valloc(size: usize) -> *mut c_void {
    or_told(entry::malloc_aligned(size, PAGE), "valloc")
}

/// `pvalloc(3)`
#[inline(always)]
pub fn pvalloc(size: usize) -> *mut c_void {
    match size.max(1).checked_next_multiple_of(PAGE) {
        Some(size) => or_told(entry::malloc_aligned(size, PAGE), "pvalloc"),
        None => or_told(entry::refuse(size), "pvalloc"),
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
