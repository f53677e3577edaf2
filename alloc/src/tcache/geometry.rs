//! How large the pieces of a thread cache are. Pure.

use crate::arena::batch::batch;
use crate::size_class::{NBINS, NCACHED_MAX, class_size};
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
pub const fn first_fill(class: SzInd) -> u16 {
    FIRST_FILLS[class.idx()]
}

/// Requests between two events at most: an event comes at least every 256 KiB, or every 64 requests of 4 KiB and more, and
/// every 4096 requests. Collection and decay wait for events, and so do changes of the sampling rate.
pub const fn event_distance(class: SzInd) -> u64 {
    DISTANCES[class.idx()] as u64
}

/// [`event_distance`] in a thread whose peak is watched: an event comes every [`TICK_BYTES`].
pub fn watched_distance(class: SzInd) -> u64 {
    (TICK_BYTES as u64 / class_size(class.idx()) as u64).clamp(1, event_distance(class))
}

/// [`first_fill`] of each class: a thread that starts asks for all of them, and divisions would be most of what that takes.
static FIRST_FILLS: [u16; NCACHED_MAX] = {
    let mut fills = quotients(4096, 1, 8);
    let mut class = NBINS;
    while class < NCACHED_MAX {
        fills[class] = 1;
        class += 1;
    }
    fills
};

/// [`event_distance`] of each class.
static DISTANCES: [u16; NCACHED_MAX] = quotients(256 << 10, 64, 4096);

/// How many objects of each class are so many bytes, but `least` to `most`.
const fn quotients(bytes: usize, least: u16, most: u16) -> [u16; NCACHED_MAX] {
    let mut all = [least; NCACHED_MAX];
    let mut class = 0;
    while class < NCACHED_MAX {
        let n = bytes / class_size(class);
        if n > most as usize {
            all[class] = most;
        } else if n > least as usize {
            all[class] = n as u16;
        }
        class += 1;
    }
    all
}

/// Bytes that a thread allocates between two looks at what decayed, and by default between two collection steps, as in
/// jemalloc (`tcache_gc_incr_bytes`).
pub const TICK_BYTES: i64 = 64 << 10;

/// Most objects that any bin can hold: the low 16 bits of a pointer tell the positions in one bin's array apart.
pub const CAPACITY_MAX: usize = (1 << 16) / size_of::<*mut u8>() - 1;

const _: () = assert!(slots(SzInd(0)) <= CAPACITY_MAX);
