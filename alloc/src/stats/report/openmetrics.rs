//! The report as OpenMetrics text, version 1.0.0, for monitoring systems.
//!
//! A family is what the rows with one family name make up, in the order in which the first of them is declared. Arenas
//! are told apart by labels, and `arena="merged"` is all of them; classes and locks of arenas are shown for all arenas
//! together, since each by itself would be thousands of series.

use core::fmt::{self, Display};

use super::Parts;
use super::general;
use super::out::{ArenaName, Escaped, Out, put};
use crate::arena::table;
use crate::cgroup;
use crate::os::pages::HUGE_PAGE;
use crate::size_class::SLABS;
use crate::stats::Reading;
use crate::stats::values::{ArenaValues, Values};
use crate::tables::metric::rows::*;
use crate::tables::metric::{Kind, Metric, Scope, Unit};
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
            let first = rows().find(|other| other.open.is_some_and(|other| other.family == open.family));
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

fn wanted(metric: &Metric, parts: Parts) -> bool {
    match metric.scope {
        Scope::Mutex | Scope::ArenaMutex => parts.mutexes,
        Scope::Arena | Scope::Small | Scope::Large => parts.arenas || parts.merged,
        _ => true,
    }
}

/// `TYPE`, `UNIT` and `HELP`. The unit is the last part of the name.
fn head(out: &mut Out, family: &str, kind: &str, unit: &str, help: &str) {
    put!(out, "# TYPE {family} {kind}\n");
    if !unit.is_empty() {
        put!(out, "# UNIT {family} {unit}\n");
    }
    put!(out, "# HELP {family} {help}\n");
}

fn unit_of(metric: &Metric) -> &'static str {
    match metric.unit {
        Unit::Bytes | Unit::Pages | Unit::HugePages => "bytes",
        Unit::Nanoseconds => "seconds",
        Unit::Ratio => "ratio",
        Unit::Count | Unit::Milliseconds | Unit::Word => "",
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

fn write_family(out: &mut Out, family: &str, snapshot: &Reading, parts: Parts) {
    let members = || rows().filter(|metric| metric.open.is_some_and(|open| open.family == family));
    let Some((first, open)) = members().find_map(|metric| Some((metric, metric.open?))) else { return };
    let kind = if first.kind == Kind::Counter { "counter" } else { "gauge" };
    head(out, family, kind, unit_of(first), open.help);
    for metric in members() {
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
    let total = if metric.kind == Kind::Counter { "_total" } else { "" };
    let mut line = Labels::new(labels);
    line.join(open.label);
    put!(out, "{}{total}{line} {}\n", open.family, Scaled(metric.unit, value));
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

/// A gauge without labels that is no row.
fn gauge(out: &mut Out, family: &str, unit: &str, help: &str, value: impl Display) {
    head(out, family, "gauge", unit, help);
    put!(out, "{family} {value}\n");
}

fn write_info(out: &mut Out) {
    head(out, "jemalloc", "info", "", "The allocator.");
    put!(
        out,
        "jemalloc_info{{version=\"{}\",page_size=\"{PAGE}\",narenas=\"{}\",thp_mode=\"{}\"}} 1\n",
        crate::VERSION,
        table::total(),
        Escaped(general::thp_mode().to_bytes())
    );
}

fn write_counts(out: &mut Out, snapshot: &Reading) {
    let threads = snapshot.merged.own.get(arena::NTHREADS);
    gauge(out, "jemalloc_threads", "", "Threads that have allocated and not ended.", threads);
    gauge(out, "jemalloc_arenas", "", "Arenas in use.", snapshot.slot().each().count());
    if let Some(bytes) = general::kernel_rss() {
        let help = "Bytes of the process that are in memory, by the kernel.";
        gauge(out, "jemalloc_kernel_rss_bytes", "bytes", help, bytes);
    }
    // A group without a limit has no series of it.
    if let Some(bytes) = cgroup::limit().filter(|&bytes| bytes != usize::MAX) {
        let help = "Bytes that the control group may use.";
        gauge(out, "jemalloc_cgroup_limit_bytes", "bytes", help, bytes);
    }
    if let Some(bytes) = cgroup::current() {
        let help = "Bytes that the control group uses.";
        gauge(out, "jemalloc_cgroup_usage_bytes", "bytes", help, bytes);
    }
}

/// The classes of all arenas together, those that nothing has used left out.
fn write_bins(out: &mut Out, merged: &ArenaValues) {
    type Of = fn(&Values<{ bin::COUNT }>, &crate::size_class::Slab) -> u64;
    let room: Of = |of, slab| of.get(bin::CURSLABS) * u64::from(slab.nregs);
    let used = || merged.bins.iter().zip(&SLABS).filter(|(of, _)| of.get(bin::NSLABS) != 0);
    head(out, "jemalloc_bin_slabs", "gauge", "", "Slabs of a size class.");
    for (of, slab) in used() {
        put!(out, "jemalloc_bin_slabs{{bin_size=\"{}\"}} {}\n", slab.size, of.get(bin::CURSLABS));
    }
    head(
        out,
        "jemalloc_bin_utilization_ratio",
        "gauge",
        "ratio",
        "Share of the regions in slabs that are taken.",
    );
    for (of, slab) in used() {
        let share = super::per_mille(of.get(bin::CURREGS), room(of, slab)).unwrap_or(1000);
        let (whole, rest) = (share / 1000, share % 1000);
        put!(out, "jemalloc_bin_utilization_ratio{{bin_size=\"{}\"}} {whole}.{rest:03}\n", slab.size);
    }
    head(out, "jemalloc_bin_wasted_bytes", "gauge", "bytes", "Bytes of free regions in slabs.");
    for (of, slab) in used() {
        let free = room(of, slab).saturating_sub(of.get(bin::CURREGS)) * u64::from(slab.size);
        put!(out, "jemalloc_bin_wasted_bytes{{bin_size=\"{}\"}} {free}\n", slab.size);
    }
}

#[cfg(feature = "prof")]
fn write_profiler(out: &mut Out) {
    use crate::sampling::PROFILER;
    let on = PROFILER.enabled();
    gauge(
        out,
        "jemalloc_prof_active",
        "",
        "Whether the profiler samples.",
        u8::from(on && PROFILER.is_active()),
    );
    if on {
        let help = "Mean number of bytes between two samples.";
        gauge(
            out,
            "jemalloc_prof_sample_interval_bytes",
            "bytes",
            help,
            1u64 << PROFILER.lg_sample().min(63),
        );
        let help = "Sampled objects that are alive.";
        gauge(out, "jemalloc_prof_samples_live", "", help, PROFILER.live_samples());
        let help = "Distinct stacks that the profiler has recorded.";
        gauge(out, "jemalloc_prof_stacks", "", help, PROFILER.stacks());
        head(out, "jemalloc_prof_dumps", "counter", "", "Dumps written.");
        put!(out, "jemalloc_prof_dumps_total {}\n", PROFILER.dumps_written());
    }
}

#[cfg(not(feature = "prof"))]
fn write_profiler(_: &mut Out) {}
