//! Threads: the block of a live one with its cache, how it comes and goes, the events of its allocations, and how its
//! cache exchanges objects with arenas and gives back what it does not need.

pub mod block;
pub mod cache;
pub mod counters;
pub mod event;
pub mod exchange;
pub mod gc;
pub mod lifecycle;
pub mod registry;
pub mod start;
pub mod used;
pub mod watch;
