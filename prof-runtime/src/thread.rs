//! What the profiler keeps per thread, inside the host's per-thread block.

/// The name is not printable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadName;

/// The profiler's part of the host's per-thread block. Only its own thread (and signal handlers on it) uses it.
pub struct ThreadProf {
    busy: core::cell::Cell<bool>,
}

impl ThreadProf {
    /// State of a thread that did nothing yet.
    pub const fn new() -> ThreadProf { ThreadProf { busy: core::cell::Cell::new(false) } }
}
