//! How many bytes the program asked for. Neither `malloc` nor `free` keeps that, so it is an estimate: the sizes asked for
//! of one class count as evenly spread between the class below and the class itself.

use super::values::ArenaValues;
use crate::size_class::class_size;
use crate::tables::metric::rows::{bin, large, lextent};
use crate::units::PAGE;

/// Twice the mean of the sizes that a small class serves.
fn twice_mean(class: usize) -> u64 {
    let below = if class == 0 { 0 } else { class_size(class - 1) };
    (below + 1 + class_size(class)) as u64
}

/// Bytes asked for by the objects that the program holds: those in thread caches are left out. Large objects are page
/// multiples, so half a page each is unused in the mean.
pub fn estimate(values: &ArenaValues) -> u64 {
    let small = values.bins.iter().enumerate().map(|(class, values)| {
        let held = values.get(bin::CURREGS).saturating_sub(values.get(bin::NCACHED));
        held * twice_mean(class) / 2
    });
    let (mut held, mut cached) = (0, 0);
    for (index, values) in values.lextents.iter().enumerate() {
        let here = values.get(lextent::NCACHED);
        held += values.get(lextent::CURLEXTENTS).saturating_sub(here);
        cached += here * class_size(crate::size_class::NBINS + index) as u64;
    }
    let large = values.large.get(large::ALLOCATED).saturating_sub(cached + held * (PAGE / 2) as u64);
    small.sum::<u64>() + large
}
