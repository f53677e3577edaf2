//! The rules that a program has in itself.

use core::ffi::{CStr, c_char};

/// What LeakSanitizer calls in the program, where that has such a function.
type DefaultSuppressions = unsafe extern "C" fn() -> *const c_char;

/// Leaks that the program says are none, where LeakSanitizer asks for it: the text that `__lsan_default_suppressions`
/// answers, empty when `function`, its address, is null.
///
/// # Safety
/// 1. `function` is null, or the address of a function of LeakSanitizer's documented interface with that name: it takes
///    nothing, and answers null or a C string that stays.
///
/// # Source
/// `sanitizer/lsan_interface.h` of LLVM.
pub unsafe fn default_suppressions(function: *const ()) -> &'static [u8] {
    if function.is_null() {
        return b"";
    }
    // SAFETY: not null, so it is of this type (1).
    let function = unsafe { core::mem::transmute::<*const (), DefaultSuppressions>(function) };
    // SAFETY: it has no conditions (1).
    let text = unsafe { function() };
    if text.is_null() {
        return b"";
    }
    // SAFETY: not null, so it is a C string that stays (1).
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" fn some() -> *const c_char {
        c"leak:f\n".as_ptr()
    }

    extern "C" fn none() -> *const c_char {
        core::ptr::null()
    }

    #[test]
    fn a_program_without_the_function_or_without_an_answer_has_no_rules() {
        let function = |function: extern "C" fn() -> *const c_char| function as *const ();
        for (function, text) in
            [(core::ptr::null(), &b""[..]), (function(none), b""), (function(some), b"leak:f\n")]
        {
            // SAFETY: null, or a function of that type whose text is static.
            assert_eq!(unsafe { default_suppressions(function) }, text);
        }
    }
}
