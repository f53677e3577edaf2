//! The report as text: sections, labels and columns of jemalloc 5.3.1, and some lines of ours.

mod classes;
mod columns;
mod huge;

use core::fmt::{self, Display};

use self::columns::{cell, number, titles};
use super::Parts;
use super::fragmentation;
use super::general::{self, Shown};
use super::out::{ArenaName, Escaped, Out, put};
use crate::arena::table;
use crate::os::pages::HUGE_PAGE;
use crate::size_class::{NBINS, NLEXTENTS, QUANTUM};
use crate::stats::Reading;
use crate::stats::values::{ArenaValues, Values};
use crate::tables::metric::Metric;
use crate::tables::metric::rows::*;
use crate::tcache::settings;
use crate::units::PAGE;

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
        classes::bins(out, values, parts, uptime);
    }
    if parts.large {
        classes::large(out, values, uptime);
    }
    if parts.extents {
        classes::extents(out, values);
    }
    if parts.huge {
        huge::write(out);
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

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;

    #[test]
    fn fractions_look_as_in_the_reference() {
        let fixed = [0x4000, 0x1_8000, 0x2_0000, 0].map(|bits| format!("{}", Fixed(bits)));
        assert_eq!(fixed, ["0.25", "1.5", "2", "0"]);
    }
}
