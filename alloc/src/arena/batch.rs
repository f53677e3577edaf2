//! How many objects of a class move together between caches, and how many such batches a depot has room for.

use crate::size_class::{NCACHED_MAX, class_size};
use crate::units::SzInd;

/// Most objects in a batch.
pub const BATCH_MAX: usize = 64;

/// Objects in a batch of a class that can be cached: 32 KiB worth, 4 to 64.
pub const fn batch(class: SzInd) -> usize {
    BATCHES[class.idx()] as usize
}

/// Batches that a depot has room for at first: 256 KiB worth, 4 to 32.
pub(super) const fn capacity_min(class: SzInd) -> usize {
    CAPACITIES[class.idx()] as usize
}

/// Batches that a depot has room for at most: 8 MiB worth, or 8192 objects.
pub(super) const fn capacity_max(class: SzInd) -> usize {
    let objects = (8 << 20) / class_size(class.idx());
    (if objects < 8192 { objects } else { 8192 }) / batch(class)
}

/// [`batch`] of each class: refills and flushes ask for it more than once, and a division takes as long as a lock.
static BATCHES: [u8; NCACHED_MAX] = quotients(32 << 10, &[1; NCACHED_MAX], BATCH_MAX as u8);

static CAPACITIES: [u8; NCACHED_MAX] = quotients(256 << 10, &BATCHES, 32);

/// How often `n` objects of each class fit into so many bytes, but 4 to `most`.
const fn quotients(bytes: usize, n: &[u8; NCACHED_MAX], most: u8) -> [u8; NCACHED_MAX] {
    let mut all = [4; NCACHED_MAX];
    let mut class = 0;
    while class < NCACHED_MAX {
        let times = bytes / (n[class] as usize * class_size(class));
        if times > most as usize {
            all[class] = most;
        } else if times > 4 {
            all[class] = times as u8;
        }
        class += 1;
    }
    all
}
