//! Tables of size classes: slabs, large objects, free pages.

use core::fmt::{self, Display};

use super::columns::{GAP, cell, number, titles};
use crate::page::classes::pages_of;
use crate::size_class::{NBINS, SLABS, class_size};
use crate::stats::report::out::{Out, put};
use crate::stats::report::{Parts, per_mille};
use crate::stats::values::ArenaValues;
use crate::tables::metric::Unit;
use crate::tables::metric::rows::*;
use crate::units::PAGE;

/// The share of taken regions, as the reference writes it.
struct Utilisation(u64, u64);

impl Display for Utilisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(share @ ..1000) = per_mille(self.0, self.1) else { return f.pad("1") };
        let digit = |n: u64| b'0' + (n % 10) as u8;
        let text = [b'0', b'.', digit(share / 100), digit(share / 10), digit(share)];
        f.pad(core::str::from_utf8(&text).unwrap_or("?"))
    }
}

/// Small classes.
pub fn bins(out: &mut Out, values: &ArenaValues, parts: Parts, uptime: u64) {
    const BEFORE: [usize; 3] = [bin::NMALLOC, bin::NDALLOC, bin::NREQUESTS];
    const MIDDLE: [usize; 3] = [bin::CURREGS, bin::CURSLABS, bin::NONFULL_SLABS];
    const AFTER: [usize; 4] = [bin::NFILLS, bin::NFLUSHES, bin::NSLABS, bin::NRESLABS];
    put!(out, "bins:{:>15}{:>4}{:>14}", "size", "ind", "allocated");
    titles(out, BEFORE.iter().map(|&row| &BIN[row]));
    cell(out, 9, "nshards");
    titles(out, MIDDLE.iter().map(|&row| &BIN[row]));
    put!(out, "{:>5}{:>4} {:>6}", "regs", "pgs", "util");
    titles(out, AFTER.iter().map(|&row| &BIN[row]));
    if parts.mutexes {
        titles(out, &BIN_MUTEX);
    }
    put!(out, "\n");
    let mut gap = false;
    for (class, of) in values.bins.iter().enumerate() {
        let (was_gap, slab) = (gap, &SLABS[class]);
        gap = of.get(bin::NSLABS) == 0;
        if gap {
            continue;
        }
        if was_gap {
            put!(out, "{GAP}");
        }
        let current = of.get(bin::CURREGS);
        put!(out, "{:>20}{class:>4}{:>14}", slab.size, current * u64::from(slab.size));
        BEFORE.iter().for_each(|&row| number(out, &BIN[row], of.get(row), uptime));
        cell(out, 9, 1);
        MIDDLE.iter().for_each(|&row| number(out, &BIN[row], of.get(row), uptime));
        let room = of.get(bin::CURSLABS) * u64::from(slab.nregs);
        put!(out, "{:>5}{:>4} {:>6}", slab.nregs, slab.npages, Utilisation(current, room));
        AFTER.iter().for_each(|&row| number(out, &BIN[row], of.get(row), uptime));
        if parts.mutexes {
            let mutex = &values.bin_mutexes[class];
            BIN_MUTEX
                .iter()
                .enumerate()
                .for_each(|(row, metric)| number(out, metric, mutex.get(row), uptime));
        }
        put!(out, "\n");
    }
    if gap {
        put!(out, "{GAP}");
    }
}

/// Large classes.
pub fn large(out: &mut Out, values: &ArenaValues, uptime: u64) {
    let shown = || LEXTENT.iter().enumerate().filter(|(_, metric)| !metric.own);
    put!(out, "large:{:>14}{:>4}{:>13}", "size", "ind", "allocated");
    titles(out, shown().map(|(_, metric)| metric));
    put!(out, "\n");
    let mut gap = false;
    for (index, of) in values.lextents.iter().enumerate() {
        let was_gap = gap;
        gap = of.get(lextent::NREQUESTS) == 0 && of.get(lextent::NMALLOC) == 0;
        if gap {
            continue;
        }
        if was_gap {
            put!(out, "{GAP}");
        }
        let size = class_size(NBINS + index) as u64;
        put!(out, "{size:>20}{:>4}{:>13}", NBINS + index, of.get(lextent::CURLEXTENTS).saturating_mul(size));
        shown().for_each(|(row, metric)| number(out, metric, of.get(row), uptime));
        put!(out, "\n");
    }
    if gap {
        put!(out, "{GAP}");
    }
}

/// Free pages by the length of their runs.
pub fn extents(out: &mut Out, values: &ArenaValues) {
    const ORDER: [usize; 6] = [
        extent::NDIRTY,
        extent::DIRTY_BYTES,
        extent::NMUZZY,
        extent::MUZZY_BYTES,
        extent::NRETAINED,
        extent::RETAINED_BYTES,
    ];
    put!(out, "extents:{:>12}{:>4}", "size", "ind");
    titles(out, ORDER.iter().map(|&row| &EXTENT[row]));
    put!(out, "{:>13}{:>13}\n", "ntotal", "total");
    let mut gap = false;
    for (index, of) in values.extents.iter().enumerate() {
        let was_gap = gap;
        let sum = |unit| {
            EXTENT
                .iter()
                .enumerate()
                .filter(move |(_, metric)| metric.unit == unit)
                .map(|(row, _)| of.get(row))
        };
        let (count, bytes) = (sum(Unit::Count).sum::<u64>(), sum(Unit::Bytes).sum::<u64>());
        gap = count == 0;
        if gap {
            continue;
        }
        if was_gap {
            put!(out, "{GAP}");
        }
        put!(out, "{:>20}{index:>4}", pages_of(index) * PAGE);
        ORDER.iter().for_each(|&row| cell(out, 13, of.get(row)));
        put!(out, "{count:>13}{bytes:>13}\n");
    }
    if gap {
        put!(out, "{GAP}");
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;

    #[test]
    fn shares_look_as_in_the_reference() {
        assert_eq!(
            format!("{:>6}|{:>6}|{:>6}", Utilisation(999, 1000), Utilisation(3, 3), Utilisation(0, 0)),
            " 0.999|     1|     1"
        );
        assert_eq!(format!("{:>6}", Utilisation(1, 512)), " 0.001");
    }
}
