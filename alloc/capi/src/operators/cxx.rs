//! What the operators need of the C++ library. It is found at run time, so that nothing but C++ programs needs it.

use core::ffi::{CStr, c_void};
use core::ptr::null_mut;

use jealloc::ctl;

/// `std::new_handler`, and `std::__throw_bad_alloc`, which never returns.
pub type Handler = extern "C-unwind" fn();
/// `std::get_new_handler`
type GetHandler = extern "C" fn() -> Option<Handler>;

/// What is to be called now that `size` bytes could not be had: the program's new-handler, after which they are asked for
/// again, or, without one, the function that throws `std::bad_alloc`.
#[cold]
pub extern "C" fn next(size: usize) -> Handler {
    refuse_to_fail(size);
    handler().unwrap_or_else(|| {
        let linked = jealloc::weak_symbol!("_ZSt17__throw_bad_allocv");
        // SAFETY: the C++ library's function of this name has this type.
        unsafe { function::<Handler>(c"_ZSt17__throw_bad_allocv", linked) }.unwrap_or_else(|| {
            jealloc::fatal(format_args!(
                "operator new: out of memory ({size} bytes), and no function to throw std::bad_alloc; \
                 with a static C++ library link with -Wl,-u,_ZSt17__throw_bad_allocv"
            ))
        })
    })
}

/// Ends the process under `experimental_infallible_new`.
pub fn refuse_to_fail(size: usize) {
    if ctl::read::<bool>(c"opt.experimental_infallible_new") == Ok(true) {
        jealloc::fatal(format_args!(
            "Allocation of size {size} failed. opt.experimental_infallible_new is true. Aborting."
        ));
    }
}

/// The program's new-handler.
pub fn handler() -> Option<Handler> {
    let linked = jealloc::weak_symbol!("_ZSt15get_new_handlerv");
    // SAFETY: the C++ library's function of this name has this type.
    let get = unsafe { function::<GetHandler>(c"_ZSt15get_new_handlerv", linked) }?;
    get()
}

/// A function of the C++ library: `linked` when the loader has found it, as in programs of C++; otherwise by its name,
/// for parts in C++ that were loaded later.
///
/// # Safety
/// `F` is the type of a pointer to that function.
unsafe fn function<F: Copy>(name: &CStr, linked: *const c_void) -> Option<F> {
    if linked.is_null() {
        // SAFETY: by the caller's promise.
        return unsafe { library_function(name) };
    }
    // SAFETY: a function pointer is as large as this one, and of type `F` by the caller's promise.
    Some(unsafe { core::mem::transmute_copy(&linked) })
}

/// A function of the shared C++ library that is loaded already.
///
/// # Safety
/// As [`function`].
pub unsafe fn library_function<F: Copy>(name: &CStr) -> Option<F> {
    let symbol = [c"libstdc++.so.6", c"libc++.so.1", c"libc++abi.so.1"].into_iter().find_map(|library| {
        // SAFETY: with RTLD_NOLOAD nothing is loaded and no foreign code runs; both names are C strings.
        let symbol = unsafe {
            let handle = libc::dlopen(library.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD);
            if handle.is_null() { null_mut() } else { libc::dlsym(handle, name.as_ptr()) }
        };
        (!symbol.is_null()).then_some(symbol)
    })?;
    // SAFETY: a function pointer is as large as this one, and of type `F` by the caller's promise.
    Some(unsafe { core::mem::transmute_copy(&symbol) })
}
