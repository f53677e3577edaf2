//! `mallctl` and the statistics report.

use core::ffi::{CStr, c_char, c_int, c_void};

use jealloc::ctl::{self, Arguments, CtlError};
use jealloc::stats::{self, Parts};

use crate::WriteCb;

fn number(result: Result<(), CtlError>) -> c_int {
    result.map_or_else(CtlError::errno, |()| 0)
}

/// `mallctl`: 0 or an error number.
///
/// # Safety
/// As jemalloc's manual: `name` is a C string, the others are null or valid for their lengths.
pub unsafe fn mallctl(
    name: *const c_char,
    old: *mut c_void,
    old_len: *mut usize,
    new: *mut c_void,
    new_len: usize,
) -> c_int {
    // SAFETY: by the caller's promise.
    let name = unsafe { CStr::from_ptr(name) };
    // SAFETY: by the caller's promise.
    number(unsafe { ctl::by_name(name, Arguments { old, old_len, new, new_len }) })
}

/// `mallctlnametomib`
///
/// # Safety
/// `mib` has room for `*len` components.
pub unsafe fn mallctlnametomib(name: *const c_char, mib: *mut usize, len: *mut usize) -> c_int {
    // SAFETY: by the caller's promise.
    let (name, room) = unsafe { (CStr::from_ptr(name), &mut *len) };
    // SAFETY: by the caller's promise.
    let mib = unsafe { core::slice::from_raw_parts_mut(mib, *room) };
    match ctl::name_to_mib(name.to_bytes(), mib) {
        Ok(n) => {
            *room = n;
            0
        }
        Err(error) => error.errno(),
    }
}

/// `mallctlbymib`
///
/// # Safety
/// `mib` has `mib_len` components; the rest as `mallctl`.
pub unsafe fn mallctlbymib(
    mib: *const usize,
    mib_len: usize,
    old: *mut c_void,
    old_len: *mut usize,
    new: *mut c_void,
    new_len: usize,
) -> c_int {
    // SAFETY: by the caller's promise.
    let mib = unsafe { core::slice::from_raw_parts(mib, mib_len) };
    // SAFETY: by the caller's promise.
    number(unsafe { ctl::access(mib, Arguments { old, old_len, new, new_len }) })
}

/// `malloc_stats_print`: the report, in pieces of less than 64 KiB, to `write` or, if null, to where messages go. Of the
/// letters of `options`, `J` makes it JSON, `o` OpenMetrics, and each of `gmdablxeh` leaves a part out.
///
/// # Safety
/// `write` may be called with `opaque`; `options` is null or a C string.
pub unsafe fn malloc_stats_print(write: Option<WriteCb>, opaque: *mut c_void, options: *const c_char) {
    // SAFETY: by the caller's promise.
    let letters = (!options.is_null()).then(|| unsafe { CStr::from_ptr(options) }.to_bytes());
    stats::report(Parts::of(letters.unwrap_or_default()), &mut |piece| match write {
        // SAFETY: by the caller's promise; a piece is a C string.
        Some(write) => unsafe { write(opaque, piece.as_ptr()) },
        None => stats::write_for(opaque, piece.to_bytes()),
    });
}
