//! The way to null: the program's new-handler is asked to make room as well, and what it throws is caught.

use core::ffi::c_void;
use core::ptr::null_mut;

use jealloc::entry;

use super::cxx;

/// `operator new(size_t, const std::nothrow_t &)`
type New = extern "C" fn(usize, *const c_void) -> *mut u8;
/// `operator new(size_t, std::align_val_t, const std::nothrow_t &)`
type NewAligned = extern "C" fn(usize, usize, *const c_void) -> *mut u8;

/// Stands for a reference to `std::nothrow`, an empty structure that nobody reads.
const NOTHROW: *const c_void = core::ptr::dangling();

/// The slow path of the forms without an alignment.
#[cold]
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
pub extern "C" fn slow(size: usize) -> *mut u8 {
    let object = entry::resume::<false>(size);
    if !object.is_null() {
        return object;
    }
    cxx::refuse_to_fail(size);
    if cxx::handler().is_none() {
        return null_mut();
    }
    // The C++ library's own operator of this form calls the throwing one, which is ours, and catches what that or the
    // handler throws: catching is beyond us.
    // SAFETY: the C++ library's function of this name has this type.
    match unsafe { cxx::library_function::<New>(c"_ZnwmRKSt9nothrow_t") } {
        Some(new) => new(size, NOTHROW),
        None => null_mut(),
    }
}

/// The forms with an alignment when memory has run out.
#[cold]
#[inline(never)]
pub fn aligned(size: usize, align: usize) -> *mut u8 {
    cxx::refuse_to_fail(size);
    if cxx::handler().is_none() {
        return null_mut();
    }
    // SAFETY: the C++ library's function of this name has this type.
    match unsafe { cxx::library_function::<NewAligned>(c"_ZnwmSt11align_val_tRKSt9nothrow_t") } {
        Some(new) => new(size, align, NOTHROW),
        None => null_mut(),
    }
}
