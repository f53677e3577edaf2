//! How many objects of a class move together between caches, and how many such batches a depot has room for.

use crate::size_class::{NCACHED_MAX, class_size};
use crate::units::{PAGE, SzInd};

/// Most objects in a batch.
pub const BATCH_MAX: usize = 64;

/// Objects in a batch of a class that can be cached: 48 KiB worth, 4 to 64.
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

/// Whether a batch is of short objects that lie far from each other: most are a page or more from the one before, and all together
/// span more than a part of a processor's cache. Who gets them in this order waits for memory at the first write to each.
///
/// Cost: a look at every fourth of them, and at its neighbour where these span as much.
pub(super) fn is_scattered(class: SzInd, objects: &[*mut u8]) -> bool {
    /// Half of the second cache of common processors.
    const WIDE: usize = 512 << 10;
    /// Objects of which eight lie on a page: of longer ones hardly any two would be near each other.
    const SHORT: usize = PAGE / 8;
    if class_size(class.idx()) > SHORT {
        return false;
    }
    let (some, _) = objects.as_chunks::<4>();
    let addresses = || some.iter().map(|four| four[0].addr());
    let (low, high) =
        addresses().fold((usize::MAX, 0), |(low, high), address| (address.min(low), address.max(high)));
    if high <= low.saturating_add(WIDE) {
        return false;
    }
    let near = some.iter().filter(|four| four[0].addr().abs_diff(four[1].addr()) < PAGE).count();
    2 * near < some.len()
}

/// [`batch`] of each class: refills and flushes ask for it more than once, and a division takes as long as a lock.
static BATCHES: [u8; NCACHED_MAX] = quotients(48 << 10, &[1; NCACHED_MAX], BATCH_MAX as u8);

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

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use core::ptr::without_provenance_mut;
    use std::vec::Vec;

    const CLASS: SzInd = SzInd(4);

    /// A batch at these multiples of the class's size.
    fn at(place: impl Fn(usize) -> usize) -> Vec<*mut u8> {
        (0..batch(CLASS))
            .map(|i| without_provenance_mut((1 << 30) + place(i) * class_size(CLASS.idx())))
            .collect()
    }

    #[test]
    fn scattered_is_what_is_far_apart_in_no_order_and_wide_and_short() {
        const FAR: usize = 16_384;
        assert!(is_scattered(CLASS, &at(|i| i * 29 % 64 * FAR)));
        assert!(is_scattered(CLASS, &at(|i| i * FAR)), "each is a page of its own");
        assert!(!is_scattered(CLASS, &at(|i| i)) && !is_scattered(CLASS, &at(|i| 63 - i)));
        assert!(!is_scattered(CLASS, &at(|i| i / 2 * FAR + i)), "pairs");
        assert!(!is_scattered(CLASS, &at(|i| i * 29 % 64 * 64)), "the cache has room for all between");
        assert!(!is_scattered(SzInd(NCACHED_MAX as u8 - 1), &at(|i| i * 29 % 64 * FAR)), "long ones");
        assert!(!is_scattered(CLASS, &[]));
    }
}
