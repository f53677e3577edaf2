//! Time.

use rustix::time::{ClockId, clock_gettime};

use crate::units::Ns;

/// The coarse monotonic clock: a few milliseconds of resolution, no system call.
pub fn now() -> Ns {
    let t = clock_gettime(ClockId::MonotonicCoarse);
    Ns(t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64)
}
