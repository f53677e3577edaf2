//! How large the pieces of a thread cache are. Pure.

use crate::arena::depot::batch;
use crate::size_class::{NBINS, class_size};
use crate::units::SzInd;

/// Most objects that the bin of a class holds by default: four batches.
pub const fn slots(class: SzInd) -> usize {
    4 * batch(class)
}

/// Capacity that a bin starts with and shrinks to: two batches, so that a flush leaves one.
pub const fn capacity_min(class: SzInd) -> usize {
    2 * batch(class)
}

/// Objects of the first fill: up to 4 KiB, 1 to 8; later fills double up to a batch.
pub const fn first_fill(class: SzInd) -> usize {
    let n = 4096 / class_size(class.idx());
    if n > 8 {
        8
    } else if n < 1 || class.idx() >= NBINS {
        1
    } else {
        n
    }
}

/// Requests between two events at most, so that an event comes at least every 128 KiB, and every 16 to 4096
/// requests: collection and decay wait for events, and so do changes of the sampling rate.
pub const fn event_distance(class: SzInd) -> u64 {
    let n = (128 << 10) / class_size(class.idx());
    if n > 4096 {
        4096
    } else if n < 16 {
        16
    } else {
        n as u64
    }
}

/// Bytes that a thread allocates between two looks at what decayed, and by default between two collection steps, as in
/// jemalloc (`tcache_gc_incr_bytes`).
pub const TICK_BYTES: i64 = 64 << 10;

/// Most objects that any bin can hold: the low 16 bits of a pointer tell the positions in one bin's array apart.
pub const CAPACITY_MAX: usize = (1 << 16) / size_of::<*mut u8>() - 1;

const _: () = assert!(slots(SzInd(0)) <= CAPACITY_MAX);
