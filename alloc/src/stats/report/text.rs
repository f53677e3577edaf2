//! The report as text: sections, labels and columns of jemalloc 5.3.1, and some lines of ours.

use core::fmt::{self, Display};

use super::fragmentation;
use super::general::{self, Shown};
use super::out::{ArenaName, Escaped, Out, put};
use super::{Parts, per_mille, rate};
use crate::arena::table;
use crate::os::pages::HUGE_PAGE;
use crate::page::classes::pages_of;
use crate::size_class::{NBINS, NLEXTENTS, QUANTUM, SLABS, class_size};
use crate::stats::Reading;
use crate::stats::values::{ArenaValues, Values};
use crate::tables::metric::rows::*;
use crate::tables::metric::{Metric, Unit};
use crate::tcache::settings;
use crate::units::PAGE;

/// Stands for a run of classes that nothing has used.
const GAP: &str = "                     ---\n";

/// Writes the whole report.
pub fn write(out: &mut Out, snapshot: &Reading, parts: Parts) {
    put!(out, "___ Begin jemalloc statistics ___\n");
    if parts.general {
        write_general(out);
    }
    if cfg!(feature = "stats") {
        write_process(out, snapshot, parts);
        write_arenas(out, snapshot, parts);
    }
    put!(out, "--- End jemalloc statistics ---\n");
}

impl Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Shown::Switch(on) => write!(f, "{on}"),
            Shown::Number(number) => write!(f, "{number}"),
            Shown::Text(text) => write!(f, "\"{}\"", Escaped(text.to_bytes())),
            Shown::Fixed(bits) => write!(f, "\"{}\"", Fixed(bits)),
            Shown::Unset => f.write_str("\"\""),
        }
    }
}

/// A number of 16.16 bits, with as many decimals as it has, six at most.
pub struct Fixed(pub u32);

impl Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, mut rest) = (self.0 >> 16, (u64::from(self.0 & 0xffff) * 1_000_000) >> 16);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let mut digits = 6;
        while rest.is_multiple_of(10) {
            (rest, digits) = (rest / 10, digits - 1);
        }
        write!(f, "{whole}.{rest:0digits$}")
    }
}

fn write_general(out: &mut Out) {
    put!(out, "Version: \"{}\"\n", crate::VERSION);
    put!(out, "Build-time option settings\n");
    general::config(|name, shown| put!(out, "  config.{name}: {shown}\n"));
    put!(out, "System configuration\n  system.thp_mode: {}\n", Shown::Text(general::thp_mode()));
    put!(out, "Run-time option settings\n");
    for (_, label, text) in general::sources() {
        put!(out, "  {label}: {text}\n");
    }
    general::options(|name, shown, now| {
        put!(out, "  opt.{name}: {shown}");
        if let Some((other, now)) = now {
            put!(out, " ({other}: {now})");
        }
        put!(out, "\n");
    });
    if cfg!(feature = "prof") {
        put!(out, "Profiling settings\n");
        general::profiling(|name, shown| put!(out, "  prof.{name}: {shown}\n"));
    }
    put!(out, "Arenas: {}\n", table::total());
    put!(out, "Quantum size: {QUANTUM}\nPage size: {PAGE}\nHugepage size: {HUGE_PAGE}\n");
    put!(out, "Maximum thread-cached size class: {}\n", settings::max());
    put!(out, "Number of bin size classes: {NBINS}\n");
    put!(out, "Number of thread-cache bin size classes: {}\n", settings::last().0 + 1);
    put!(out, "Number of large size classes: {NLEXTENTS}\n");
}

fn write_process(out: &mut Out, snapshot: &Reading, parts: Parts) {
    let of = |row| snapshot.process.get(row);
    put!(
        out,
        "Allocated: {}, active: {}, metadata: {} (n_thp {}, edata {}, rtree {}), resident: {}, mapped: {}, retained: {}\n",
        of(process::ALLOCATED),
        of(process::ACTIVE),
        of(process::METADATA),
        of(process::METADATA_THP),
        of(process::METADATA_EDATA),
        of(process::METADATA_RTREE),
        of(process::RESIDENT),
        of(process::MAPPED),
        of(process::RETAINED)
    );
    put!(
        out,
        "Thread caches: {}, dirty: {}, muzzy: {}, requested: {} (estimated), refused requests: {}",
        of(process::TCACHE_BYTES),
        of(process::DIRTY),
        of(process::MUZZY),
        of(process::REQUESTED),
        of(process::OOM)
    );
    match general::kernel_rss() {
        Some(bytes) => put!(out, ", kernel RSS: {bytes}\n"),
        None => put!(out, ", kernel RSS: unknown\n"),
    }
    put!(out, "Count of realloc(non-null-ptr, 0) calls: {}\n", of(process::ZERO_REALLOCS));
    let threads = |row| snapshot.background.get(row);
    put!(
        out,
        "Background threads: {}, num_runs: {}, run_interval: {} ns\n",
        threads(background::NUM_THREADS),
        threads(background::NUM_RUNS),
        threads(background::RUN_INTERVAL)
    );
    if parts.mutexes {
        let uptime = snapshot.merged.own.get(arena::UPTIME);
        write_mutexes(out, &MUTEX, &MUTEX_NAMES, &snapshot.mutexes, uptime);
    }
    fragmentation::write(out, "all arenas", &snapshot.merged);
}

fn write_arenas(out: &mut Out, snapshot: &Reading, parts: Parts) {
    let several = snapshot.slot().each().nth(1).is_some();
    if parts.merged && (several || !parts.arenas) {
        put!(out, "Merged arenas stats:\n");
        write_arena(out, &snapshot.merged, parts);
    }
    if parts.destroyed && snapshot.destroyed.is_there() {
        put!(out, "Destroyed arenas stats:\n");
        write_arena(out, &snapshot.destroyed, parts);
    }
    if parts.arenas {
        for (index, values) in snapshot.slot().each() {
            put!(out, "arenas[{index}]:\nname: \"{}\"\n", ArenaName(index));
            write_arena(out, values, parts);
            fragmentation::write(out, format_args!("arena {index}"), values);
        }
    }
}

/// One cell, with the blank in front of it.
fn cell(out: &mut Out, width: usize, value: impl Display) {
    put!(out, "{value:>width$}");
}

fn titles<'a>(out: &mut Out, metrics: impl IntoIterator<Item = &'a Metric>) {
    for metric in metrics {
        cell(out, metric.column.width, metric.column.title);
        if metric.column.rate != 0 {
            cell(out, metric.column.rate, "(#/sec)");
        }
    }
}

/// The value of a metric, and how often a second.
fn number(out: &mut Out, metric: &Metric, value: u64, uptime: u64) {
    cell(out, metric.column.width, value);
    if metric.column.rate != 0 {
        cell(out, metric.column.rate, rate(value, uptime));
    }
}

fn write_mutexes<const N: usize>(
    out: &mut Out,
    rows: &[Metric; N],
    names: &[&str],
    mutexes: &[Values<N>],
    uptime: u64,
) {
    put!(out, "{:21}", "");
    titles(out, rows);
    put!(out, "\n");
    for (name, values) in names.iter().zip(mutexes) {
        put!(out, "{name:21}");
        rows.iter().enumerate().for_each(|(row, metric)| number(out, metric, values.get(row), uptime));
        put!(out, "\n");
    }
}

/// Lines of an arena behind its tables, in the order of the reference.
const LINES: [usize; 12] = [
    arena::MAPPED,
    arena::RETAINED,
    arena::BASE,
    arena::INTERNAL,
    arena::METADATA_EDATA,
    arena::METADATA_RTREE,
    arena::METADATA_THP,
    arena::TCACHE_BYTES,
    arena::TCACHE_STASHED_BYTES,
    arena::RESIDENT,
    arena::ABANDONED_VM,
    arena::EXTENT_AVAIL,
];

fn write_arena(out: &mut Out, values: &ArenaValues, parts: Parts) {
    let own = |row| values.own.get(row);
    let uptime = own(arena::UPTIME);
    put!(out, "assigned threads: {}\nuptime: {uptime}\n", own(arena::NTHREADS));
    put!(out, "dss allocation precedence: {}\n", Shown::Text(values.dss()));
    write_decay(out, values);
    write_groups(out, values, uptime);
    put!(out, "{:37}\n{:21}{:>16}\n", "", "active:", own(arena::PACTIVE) * PAGE as u64);
    for row in LINES {
        put!(out, "{}:{:>width$}\n", ARENA[row].name, own(row), width = 36 - ARENA[row].name.len());
    }
    put!(out, "{:21}{:>16}\n", "requested:", own(arena::REQUESTED));
    if parts.mutexes {
        write_mutexes(out, &ARENA_MUTEX, &ARENA_MUTEX_NAMES, &values.mutexes, uptime);
    }
    if parts.bins {
        write_bins(out, values, parts, uptime);
    }
    if parts.large {
        write_large(out, values, uptime);
    }
    if parts.extents {
        write_extents(out, values);
    }
    if parts.huge {
        write_huge(out);
    }
}

fn write_decay(out: &mut Out, values: &ArenaValues) {
    put!(
        out,
        "{:>9}{:>6}{:>13}{:>13}{:>13}{:>13}\n",
        "decaying:",
        "time",
        "npages",
        "sweeps",
        "madvises",
        "purged"
    );
    let dirty = [
        arena::DIRTY_DECAY_MS,
        arena::PDIRTY,
        arena::DIRTY_NPURGE,
        arena::DIRTY_NMADVISE,
        arena::DIRTY_PURGED,
    ];
    let muzzy = [
        arena::MUZZY_DECAY_MS,
        arena::PMUZZY,
        arena::MUZZY_NPURGE,
        arena::MUZZY_NMADVISE,
        arena::MUZZY_PURGED,
    ];
    for (label, [time, counts @ ..]) in [("dirty:", dirty), ("muzzy:", muzzy)] {
        put!(out, "{label:>9}");
        match values.own.get(time) as i64 {
            ..0 => cell(out, 6, "N/A"),
            ms => cell(out, 6, ms),
        }
        counts.iter().for_each(|&row| cell(out, 13, values.own.get(row)));
        put!(out, "\n");
    }
}

fn write_groups(out: &mut Out, values: &ArenaValues, uptime: u64) {
    put!(out, "{:21}", "");
    titles(out, &SMALL);
    put!(out, "\n");
    let line = |out: &mut Out, label: &str, of: &dyn Fn(usize) -> u64| {
        put!(out, "{label:21}");
        SMALL.iter().enumerate().for_each(|(row, metric)| number(out, metric, of(row), uptime));
        put!(out, "\n");
    };
    // Both have the same rows.
    line(out, "small:", &|row| values.small.get(row));
    line(out, "large:", &|row| values.large.get(row));
    line(out, "total:", &|row| values.small.get(row) + values.large.get(row));
}

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

fn write_bins(out: &mut Out, values: &ArenaValues, parts: Parts, uptime: u64) {
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

fn write_large(out: &mut Out, values: &ArenaValues, uptime: u64) {
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

fn write_extents(out: &mut Out, values: &ArenaValues) {
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

/// The huge page allocator, which is not here: zeros, under the reference's labels.
fn write_huge(out: &mut Out) {
    for metric in &SEC {
        put!(out, "{}: 0\n", metric.column.title);
    }
    put!(out, "HPA shard stats:\n");
    for label in ["Pageslabs", "Active pages", "Dirty pages"] {
        put!(out, "  {label}: 0 (0 huge, 0 nonhuge)\n");
    }
    put!(out, "  Retained pages: 0\n");
    for metric in &HPA_EVENTS {
        put!(out, "  {}: 0 (0 / sec)\n", metric.column.title);
    }
    put!(out, "\n");
    for kind in ["full", "empty"] {
        put!(out, "  In {kind} slabs:\n");
        put!(out, "      npageslabs: 0 huge, 0 nonhuge\n");
        for label in ["nactive", "ndirty", "nretained"] {
            put!(out, "      {label}: 0 huge, 0 nonhuge \n");
        }
    }
    put!(out, "  In nonfull slabs:\n{:>20}{:>4}", "size", "ind");
    for (title, width) in [
        ("npageslabs_huge", 16),
        ("nactive_huge", 16),
        ("ndirty_huge", 16),
        ("npageslabs_nonhuge", 20),
        ("nactive_nonhuge", 20),
        ("ndirty_nonhuge", 20),
        ("nretained_nonhuge", 20),
    ] {
        cell(out, width, title);
    }
    put!(out, "\n{GAP}");
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;

    #[test]
    fn shares_and_fractions_look_as_in_the_reference() {
        assert_eq!(
            format!("{:>6}|{:>6}|{:>6}", Utilisation(999, 1000), Utilisation(3, 3), Utilisation(0, 0)),
            " 0.999|     1|     1"
        );
        assert_eq!(format!("{:>6}", Utilisation(1, 512)), " 0.001");
        let fixed = [0x4000, 0x1_8000, 0x2_0000, 0].map(|bits| format!("{}", Fixed(bits)));
        assert_eq!(fixed, ["0.25", "1.5", "2", "0"]);
    }
}
