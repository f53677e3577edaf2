//! The C++ operators new and delete in all their forms, under their mangled names, without the C++ library.

mod cxx;
mod nothrow;
mod throwing;

use core::ffi::c_void;

use jealloc::entry;

/// The forms that throw when memory runs out.
macro_rules! throwing {
    ($($name:ident)*) => {$(
        /// `operator new(size_t)` or `operator new[](size_t)`
        #[unsafe(no_mangle)]
        #[unsafe(link_section = "jealloc_text")]
        pub extern "C" fn $name(size: usize) -> *mut c_void {
            entry::malloc_or(size, throwing::slow).cast()
        }
    )*};
}

/// The forms that answer null.
macro_rules! nothrow {
    ($($name:ident)*) => {$(
        /// `operator new(size_t, const std::nothrow_t &)` or the same of `new[]`.
        #[unsafe(no_mangle)]
        #[unsafe(link_section = "jealloc_text")]
        pub extern "C" fn $name(size: usize, _: *const c_void) -> *mut c_void {
            entry::malloc_or(size, nothrow::slow).cast()
        }
    )*};
}

/// The forms that throw, with an alignment.
macro_rules! throwing_aligned {
    ($($name:ident)*) => {$(
        throwing::body! {
            /// `operator new(size_t, std::align_val_t)` or the same of `new[]`.
            #[unsafe(no_mangle)]
            pub fn $name(size: usize, align: usize) = aligned, aligned
        }
    )*};
}

/// The forms that answer null, with an alignment.
macro_rules! nothrow_aligned {
    ($($name:ident)*) => {$(
        /// `operator new(size_t, std::align_val_t, const std::nothrow_t &)` or the same of `new[]`.
        #[unsafe(no_mangle)]
        #[unsafe(link_section = "jealloc_text")]
        pub extern "C" fn $name(size: usize, align: usize, _: *const c_void) -> *mut c_void {
            let object = aligned(size, align);
            if object.is_null() { nothrow::aligned(size, align).cast() } else { object.cast() }
        }
    )*};
}

/// The forms of delete: further arguments, and the function of C that it is.
macro_rules! delete {
    ($($name:ident($($argument:ident: $type:ty),*) = $function:ident($($passed:ident),*);)*) => {$(
        /// A form of `operator delete` or `operator delete[]`; null is ignored.
        ///
        /// # Safety
        /// The object came from the matching form of new, with the size and alignment that are given, and nobody uses
        /// it any more.
        #[unsafe(no_mangle)]
        #[unsafe(link_section = "jealloc_text")]
        pub unsafe extern "C" fn $name(object: *mut c_void, $($argument: $type),*) {
            // SAFETY: by the caller's promises.
            unsafe { jealloc_c::standard::$function(object, $($passed),*) }
        }
    )*};
}

throwing!(_Znwm _Znam);
nothrow!(_ZnwmRKSt9nothrow_t _ZnamRKSt9nothrow_t);
throwing_aligned!(_ZnwmSt11align_val_t _ZnamSt11align_val_t);
nothrow_aligned!(_ZnwmSt11align_val_tRKSt9nothrow_t _ZnamSt11align_val_tRKSt9nothrow_t);

delete! {
    _ZdlPv() = free();
    _ZdaPv() = free();
    _ZdlPvRKSt9nothrow_t(_nothrow: *const c_void) = free();
    _ZdaPvRKSt9nothrow_t(_nothrow: *const c_void) = free();
    _ZdlPvm(size: usize) = free_sized(size);
    _ZdaPvm(size: usize) = free_sized(size);
    _ZdlPvSt11align_val_t(_align: usize) = free();
    _ZdaPvSt11align_val_t(_align: usize) = free();
    _ZdlPvSt11align_val_tRKSt9nothrow_t(_align: usize, _nothrow: *const c_void) = free();
    _ZdaPvSt11align_val_tRKSt9nothrow_t(_align: usize, _nothrow: *const c_void) = free();
    _ZdlPvmSt11align_val_t(size: usize, align: usize) = free_aligned_sized(align, size);
    _ZdaPvmSt11align_val_t(size: usize, align: usize) = free_aligned_sized(align, size);
}

/// Memory with an alignment; null also for one that is no power of two.
extern "C" fn aligned(size: usize, align: usize) -> *mut u8 {
    if !align.is_power_of_two() {
        return core::ptr::null_mut();
    }
    entry::malloc_aligned(size, align)
}
