//! The program's `errno`, which nothing here may change.

/// Calls `act` and puts `errno` back.
pub fn keeping_errno<R>(act: impl FnOnce() -> R) -> R {
    // SAFETY: the address of the calling thread's errno is always valid.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    let answer = act();
    // SAFETY: as above.
    unsafe { *errno = before };
    answer
}
