//! The report as OpenMetrics text, version 1.0.0, for monitoring systems.
//!
//! A family is what the rows with one family name make up, in the order in which the first of them is declared. Arenas
//! are told apart by labels, and `arena="merged"` is all of them; classes and locks of arenas are shown for all arenas
//! together, since each by itself would be thousands of series.

use core::fmt::{self, Display};

use prof_format::metrics::{self, Family};

use super::Parts;
use super::general;
use super::out::{ArenaName, Escaped, Out, put};
use crate::arena::table;
use crate::cgroup;
use crate::os::pages::HUGE_PAGE;
use crate::size_class::{SLABS, Slab};
use crate::stats::Reading;
use crate::stats::values::{ArenaValues, Values};
use crate::tables::metric::rows::*;
use crate::tables::metric::{Metric, Scope, Unit};
use crate::units::PAGE;

/// Rows that are shown, in the order of their families.
const SHOWN: [&[Metric]; 7] = [&PROCESS, &BACKGROUND, &ARENA, &SMALL, &LARGE, &MUTEX, &ARENA_MUTEX];

/// Writes the whole report.
pub fn write(out: &mut Out, snapshot: &Reading, parts: Parts) {
    if parts.general {
        write_info(out);
    }
    if cfg!(feature = "stats") {
        for metric in rows() {
            let Some(open) = &metric.open else { continue };
            let first = members(open.family).next();
            if first.is_some_and(|first| core::ptr::eq(first, metric)) && wanted(metric, parts) {
                write_family(out, open.family, snapshot, parts);
            }
        }
        write_counts(out, snapshot);
        if parts.bins {
            write_bins(out, &snapshot.merged);
        }
    }
    write_profiler(out);
    put!(out, "# EOF\n");
}

fn rows() -> impl Iterator<Item = &'static Metric> {
    SHOWN.into_iter().flatten()
}

/// The rows of a family.
fn members(family: &Family) -> impl Iterator<Item = &'static Metric> {
    rows().filter(move |metric| metric.open.is_some_and(|open| core::ptr::eq(open.family, family)))
}

fn wanted(metric: &Metric, parts: Parts) -> bool {
    match metric.scope {
        Scope::Mutex | Scope::ArenaMutex => parts.mutexes,
        Scope::Arena | Scope::Small | Scope::Large => parts.arenas || parts.merged,
        _ => true,
    }
}

/// A value in the unit that OpenMetrics wants.
struct Scaled(Unit, u64);

impl Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unit::Pages => write!(f, "{}", self.1 * PAGE as u64),
            Unit::HugePages => write!(f, "{}", self.1 * HUGE_PAGE as u64),
            Unit::Nanoseconds => write!(f, "{}.{:09}", self.1 / 1_000_000_000, self.1 % 1_000_000_000),
            Unit::Ratio => {
                let millionths = (f64::from_bits(self.1) * 1e6) as u64;
                write!(f, "{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)
            }
            _ => write!(f, "{}", self.1),
        }
    }
}

fn write_family(out: &mut Out, family: &'static Family, snapshot: &Reading, parts: Parts) {
    put!(out, "{family}");
    for metric in members(family) {
        match metric.scope {
            Scope::Process => sample(out, metric, "", snapshot.process.get(metric.index)),
            Scope::Background => sample(out, metric, "", snapshot.background.get(metric.index)),
            Scope::Mutex => locks(out, metric, "", &MUTEX_NAMES, &snapshot.mutexes),
            Scope::ArenaMutex => {
                locks(out, metric, "arena=\"merged\",", &ARENA_MUTEX_NAMES, &snapshot.merged.mutexes);
            }
            _ => arenas(out, metric, snapshot, parts),
        }
    }
}

fn locks<const N: usize>(
    out: &mut Out,
    metric: &Metric,
    labels: &str,
    names: &[&str],
    mutexes: &[Values<N>],
) {
    for (name, values) in names.iter().zip(mutexes) {
        sample(out, metric, format_args!("{labels}mutex=\"{name}\""), values.get(metric.index));
    }
}

fn arenas(out: &mut Out, metric: &Metric, snapshot: &Reading, parts: Parts) {
    let value = |values: &ArenaValues| values.value(metric, &[]).unwrap_or(0);
    if parts.merged {
        sample(out, metric, "arena=\"merged\",name=\"\"", value(&snapshot.merged));
    }
    if parts.arenas {
        for (index, values) in snapshot.slot().each() {
            let name = ArenaName(index);
            sample(out, metric, format_args!("arena=\"{index}\",name=\"{name}\""), value(values));
        }
    }
}

/// A line, with the labels of the caller and of the row.
fn sample(out: &mut Out, metric: &Metric, labels: impl Display, value: u64) {
    let Some(open) = metric.open else { return };
    let (name, suffix) = (open.family.name, open.family.suffix());
    let mut line = Labels::new(labels);
    line.join(open.label);
    put!(out, "{name}{suffix}{line} {}\n", Scaled(metric.unit, value));
}

/// Labels in braces, or nothing.
struct Labels {
    text: crate::report::Line,
}

impl Labels {
    fn new(labels: impl Display) -> Labels {
        let mut text = crate::report::Line::new();
        let _ = fmt::Write::write_fmt(&mut text, format_args!("{labels}"));
        Labels { text }
    }

    fn join(&mut self, label: &str) {
        if !self.text.as_bytes().is_empty() && !label.is_empty() {
            self.text.bytes(b",");
        }
        self.text.bytes(label.as_bytes());
    }
}

impl Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = core::str::from_utf8(self.text.as_bytes()).unwrap_or_default();
        if text.is_empty() { Ok(()) } else { write!(f, "{{{text}}}") }
    }
}

/// A family of one number without labels that is no row.
fn single(out: &mut Out, family: &Family, value: impl Display) {
    put!(out, "{family}{}{} {value}\n", family.name, family.suffix());
}

fn write_info(out: &mut Out) {
    let family = &metrics::INFO;
    put!(
        out,
        "{family}{}{}{{version=\"{}\",page_size=\"{PAGE}\",narenas=\"{}\",thp_mode=\"{}\"}} 1\n",
        family.name,
        family.suffix(),
        crate::VERSION,
        table::total(),
        Escaped(general::thp_mode().to_bytes())
    );
}

fn write_counts(out: &mut Out, snapshot: &Reading) {
    single(out, &metrics::THREADS, snapshot.merged.own.get(arena::NTHREADS));
    single(out, &metrics::ARENAS, snapshot.slot().each().count());
    if let Some(bytes) = general::kernel_rss() {
        single(out, &metrics::KERNEL_RSS, bytes);
    }
    // A group without a limit has no series of it.
    if let Some(bytes) = cgroup::limit().filter(|&bytes| bytes != usize::MAX) {
        single(out, &metrics::CGROUP_LIMIT, bytes);
    }
    if let Some(bytes) = cgroup::current() {
        single(out, &metrics::CGROUP_USAGE, bytes);
    }
}

/// The classes of all arenas together, those that nothing has used left out.
fn write_bins(out: &mut Out, merged: &ArenaValues) {
    type Bin = Values<{ bin::COUNT }>;
    fn room(of: &Bin, slab: &Slab) -> u64 {
        of.get(bin::CURSLABS) * u64::from(slab.nregs)
    }
    let mut each = |family: &Family, show: fn(&Bin, &Slab) -> Scaled| {
        put!(out, "{family}");
        for (of, slab) in merged.bins.iter().zip(&SLABS).filter(|(of, _)| of.get(bin::NSLABS) != 0) {
            put!(out, "{}{{bin_size=\"{}\"}} {}\n", family.name, slab.size, show(of, slab));
        }
    };
    each(&metrics::BIN_SLABS, |of, _| Scaled(Unit::Count, of.get(bin::CURSLABS)));
    each(&metrics::BIN_UTILIZATION, |of, slab| {
        let share = super::per_mille(of.get(bin::CURREGS), room(of, slab)).unwrap_or(1000);
        Scaled(Unit::Ratio, (share as f64 / 1e3).to_bits())
    });
    each(&metrics::BIN_WASTED, |of, slab| {
        let free = room(of, slab).saturating_sub(of.get(bin::CURREGS));
        Scaled(Unit::Bytes, free * u64::from(slab.size))
    });
}

#[cfg(feature = "prof")]
fn write_profiler(out: &mut Out) {
    use crate::sampling::PROFILER;
    let on = PROFILER.enabled();
    single(out, &metrics::PROF_ACTIVE, u8::from(on && PROFILER.is_active()));
    if on {
        single(out, &metrics::PROF_SAMPLE_INTERVAL, 1u64 << PROFILER.lg_sample().min(63));
        single(out, &metrics::PROF_SAMPLES_LIVE, PROFILER.live_samples());
        single(out, &metrics::PROF_STACKS, PROFILER.stacks());
        single(out, &metrics::PROF_DUMPS, PROFILER.dumps_written());
    }
}

#[cfg(not(feature = "prof"))]
fn write_profiler(_: &mut Out) {}
