//! Threads: the block of a live one, how it comes and goes, the events of its allocations.

pub mod block;
pub mod counters;
pub mod event;
pub mod lifecycle;
