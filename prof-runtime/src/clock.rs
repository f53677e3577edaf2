//! Time, by libc's `clock_gettime`: rustix finds the vDSO by reading the auxiliary vector, and panics where it cannot,
//! as under valgrind.

/// Which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Since some time before the process began; never goes back.
    Monotonic,
    /// The same clock as of the last tick, 1 to 10 ms ago, at a third of the cost.
    Coarse,
    /// Since 1970.
    Wall,
}

/// Nanoseconds of a clock.
pub fn nanos(clock: Clock) -> u64 {
    let id = match clock {
        Clock::Monotonic => libc::CLOCK_MONOTONIC,
        Clock::Coarse => libc::CLOCK_MONOTONIC_COARSE,
        Clock::Wall => libc::CLOCK_REALTIME,
    };
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the result. All of them exist on every Linux, so that errno is not set.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}
