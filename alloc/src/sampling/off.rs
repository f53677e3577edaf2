//! The profiler is not built in.

use crate::sync::MutexCounts;

/// Nothing.
pub struct Thread;

impl Thread {
    /// Nothing.
    pub fn restart(&self) {}
}

/// Nothing is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rate;

impl Rate {
    /// Nothing.
    pub fn new(_: u8) -> Rate {
        Rate
    }

    /// Nothing.
    pub fn lg(self) -> u8 {
        0
    }
}

/// Never made.
#[derive(Clone, Copy)]
pub struct Draw {
    /// Nothing.
    pub distance: u64,
    /// Nothing.
    pub rate: Rate,
}

/// Never changes.
#[inline]
pub fn epoch() -> u32 {
    0
}

/// Sampling is off.
pub fn draw_allocs(_: &Thread, _: usize) -> Option<Draw> {
    None
}

/// Sampling is off.
pub fn draw_bytes(_: &Thread) -> Option<Draw> {
    None
}

/// Nothing is sampled.
#[inline]
pub fn sample(_: &Thread, _: Rate, _: usize, _: usize) -> u64 {
    0
}

/// Nothing was sampled.
#[inline]
pub fn born(_: &Thread, _: u64, _: *const u8, _: *const u8, _: usize, _: usize) {}

/// Nothing was sampled.
pub fn retract(_: u64) {}

/// Nothing was sampled.
pub fn unsample(_: Option<&Thread>, _: u64, _: *const u8, _: usize) {}

/// There are no locks.
pub fn mutex_counts() -> [(&'static str, MutexCounts); 0] {
    []
}

/// There are none.
pub fn reset_mutex_counts() {}

/// Nobody asks.
pub fn wants_growth() -> bool {
    false
}

/// Nobody asked.
pub fn grown(_: &Thread, _: usize) {}

/// Nothing to end.
pub fn exit(_: &Thread) {}

/// Nothing to do.
pub fn at_exit(_: Option<&Thread>, _: i32) -> bool {
    false
}
