//! Time, by libc's `clock_gettime`: rustix finds the vDSO by reading the auxiliary vector, and panics where it cannot,
//! as under valgrind.

use crate::units::Ns;

/// The coarse monotonic clock: a few milliseconds of resolution, no system call.
pub fn now() -> Ns {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the result. The clock exists on every Linux, so that errno is not set.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) };
    Ns(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
