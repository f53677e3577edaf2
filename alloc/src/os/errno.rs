//! The program's `errno`, which no allocation or free may change but by running out of memory.

use core::ffi::c_int;
use core::marker::PhantomData;

/// The value of `errno`, put back when this is dropped. It cannot be sent to another thread.
pub struct Errno(c_int, PhantomData<*mut c_int>);

fn place() -> *mut c_int {
    // SAFETY: the function has no conditions.
    unsafe { libc::__errno_location() }
}

impl Errno {
    /// As it is now.
    pub fn kept() -> Errno {
        // SAFETY: the address of the calling thread's errno is always valid.
        Errno(unsafe { *place() }, PhantomData)
    }
}

impl Drop for Errno {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { *place() = self.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errno_is_again_what_it_was() {
        // SAFETY: this thread's errno.
        let errno = || unsafe { &mut *place() };
        *errno() = 7;
        {
            let _kept = Errno::kept();
            *errno() = 8;
        }
        assert_eq!(*errno(), 7);
    }
}
