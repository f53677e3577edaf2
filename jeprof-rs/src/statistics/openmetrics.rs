//! OpenMetrics text, version 1.0.0: the families that the allocator itself writes (`malloc_stats_print` with the letter
//! `o`), by the same names, as far as the document has the figures.

use std::fmt::Write;

use super::document::{Arena, Document};

/// A family: a name, a type, a unit and what it is.
struct Family {
    name: &'static str,
    counter: bool,
    unit: &'static str,
    help: &'static str,
    samples: Samples,
}

enum Samples {
    /// One number of the process.
    Process(&'static [&'static str]),
    /// For each arena and for all: labels beyond the arena's, the field, and whether it counts pages.
    Arenas(&'static [(&'static str, &'static [&'static str], bool)]),
    /// For each lock of the process: the field, and what it is to be divided by.
    Mutexes(&'static str, f64),
}

use Samples::{Arenas, Mutexes, Process};

const fn gauge(name: &'static str, unit: &'static str, help: &'static str, samples: Samples) -> Family {
    Family { name, counter: false, unit, help, samples }
}

const fn counter(name: &'static str, unit: &'static str, help: &'static str, samples: Samples) -> Family {
    Family { name, counter: true, unit, help, samples }
}

const FAMILIES: &[Family] = &[
    gauge(
        "allocated_bytes",
        "bytes",
        "Usable bytes of objects, those in thread caches included.",
        Process(&["stats", "allocated"]),
    ),
    gauge("active_bytes", "bytes", "Bytes of pages that hold objects.", Process(&["stats", "active"])),
    gauge(
        "metadata_bytes",
        "bytes",
        "Bytes of the allocator's own structures.",
        Process(&["stats", "metadata"]),
    ),
    gauge(
        "resident_bytes",
        "bytes",
        "Bytes of pages that memory backs: active, dirty and metadata.",
        Process(&["stats", "resident"]),
    ),
    gauge(
        "mapped_bytes",
        "bytes",
        "Bytes of address space in use: active, dirty, muzzy and metadata.",
        Process(&["stats", "mapped"]),
    ),
    gauge(
        "retained_bytes",
        "bytes",
        "Bytes of address space kept for reuse that no memory backs.",
        Process(&["stats", "retained"]),
    ),
    counter(
        "zero_reallocs",
        "",
        "Calls of realloc with an object and size 0.",
        Process(&["stats", "zero_reallocs"]),
    ),
    gauge(
        "requested_bytes",
        "bytes",
        "Bytes asked for, estimated from size classes.",
        Process(&["stats", "requested"]),
    ),
    gauge(
        "background_threads",
        "",
        "Background threads that run.",
        Process(&["stats", "background_thread", "num_threads"]),
    ),
    counter(
        "background_thread_runs",
        "",
        "Times that background threads looked for work.",
        Process(&["stats", "background_thread", "num_runs"]),
    ),
    gauge(
        "kernel_rss_bytes",
        "bytes",
        "Bytes of the process that are in memory, by the kernel.",
        Process(&["stats", "kernel_rss"]),
    ),
    gauge(
        "arena_threads",
        "",
        "Threads that allocate from the arena.",
        Arenas(&[("", &["nthreads"], false)]),
    ),
    gauge(
        "arena_active_bytes",
        "bytes",
        "Bytes of pages that hold objects.",
        Arenas(&[("", &["pactive"], true)]),
    ),
    gauge(
        "arena_dirty_bytes",
        "bytes",
        "Bytes of unused pages that were not given back.",
        Arenas(&[("", &["pdirty"], true)]),
    ),
    gauge(
        "arena_muzzy_bytes",
        "bytes",
        "Bytes of unused pages that the kernel may take at any time.",
        Arenas(&[("", &["pmuzzy"], true)]),
    ),
    counter(
        "purges",
        "",
        "Passes that purged unused pages.",
        Arenas(&[
            (",kind=\"dirty\"", &["dirty_npurge"], false),
            (",kind=\"muzzy\"", &["muzzy_npurge"], false),
        ]),
    ),
    counter(
        "purged_bytes",
        "bytes",
        "Bytes of unused pages that were purged.",
        Arenas(&[(",kind=\"dirty\"", &["dirty_purged"], true), (",kind=\"muzzy\"", &["muzzy_purged"], true)]),
    ),
    gauge(
        "tcache_bytes",
        "bytes",
        "Usable bytes of objects in thread caches.",
        Arenas(&[("", &["tcache_bytes"], false)]),
    ),
    gauge(
        "tcache_stashed_bytes",
        "bytes",
        "Usable bytes of freed objects that are kept back.",
        Arenas(&[("", &["tcache_stashed_bytes"], false)]),
    ),
    gauge(
        "arena_allocated_bytes",
        "bytes",
        "Usable bytes of objects.",
        Arenas(&[
            (",class=\"small\"", &["small", "allocated"], false),
            (",class=\"large\"", &["large", "allocated"], false),
        ]),
    ),
    counter(
        "arena_operations",
        "",
        "What arenas did.",
        Arenas(&[
            (",class=\"small\",op=\"malloc\"", &["small", "nmalloc"], false),
            (",class=\"small\",op=\"dalloc\"", &["small", "ndalloc"], false),
            (",class=\"small\",op=\"request\"", &["small", "nrequests"], false),
            (",class=\"small\",op=\"fill\"", &["small", "nfills"], false),
            (",class=\"small\",op=\"flush\"", &["small", "nflushes"], false),
            (",class=\"large\",op=\"malloc\"", &["large", "nmalloc"], false),
            (",class=\"large\",op=\"dalloc\"", &["large", "ndalloc"], false),
            (",class=\"large\",op=\"request\"", &["large", "nrequests"], false),
            (",class=\"large\",op=\"fill\"", &["large", "nfills"], false),
            (",class=\"large\",op=\"flush\"", &["large", "nflushes"], false),
        ]),
    ),
    counter("mutex_ops", "", "Times that the lock was taken.", Mutexes("num_ops", 1.0)),
    counter(
        "mutex_wait_seconds",
        "seconds",
        "Time that threads slept for the lock.",
        Mutexes("total_wait_time", 1e9),
    ),
];

/// The whole document.
pub fn write(document: &Document) -> String {
    let mut out = String::new();
    let version = escaped(document.text(&["version"]).unwrap_or(""));
    let narenas = document.number(&["arenas", "narenas"]).unwrap_or(0);
    head(&mut out, "jemalloc", "info", "", "The allocator.");
    let page = document.page();
    line(
        &mut out,
        &format!("jemalloc_info{{version=\"{version}\",page_size=\"{page}\",narenas=\"{narenas}\"}}"),
        1,
    );
    for family in FAMILIES {
        let samples = samples(family, document);
        if !samples.is_empty() {
            let kind = if family.counter { "counter" } else { "gauge" };
            head(&mut out, &format!("jemalloc_{}", family.name), kind, family.unit, family.help);
            out += &samples;
        }
    }
    if let Some(share) = super::text::fragmentation(document) {
        let (name, help) = (
            "jemalloc_fragmentation_ratio",
            "Share of active pages that no object takes: (active - allocated) / active.",
        );
        head(&mut out, name, "gauge", "ratio", help);
        line(&mut out, name, format!("{share:.6}"));
    }
    out + "# EOF\n"
}

fn head(out: &mut String, name: &str, kind: &str, unit: &str, help: &str) {
    line(out, &format!("# TYPE {name}"), kind);
    if !unit.is_empty() {
        line(out, &format!("# UNIT {name}"), unit);
    }
    line(out, &format!("# HELP {name}"), help);
}

fn line(out: &mut String, start: &str, end: impl std::fmt::Display) {
    // Writing to a string never fails.
    let _ = writeln!(out, "{start} {end}");
}

fn samples(family: &Family, document: &Document) -> String {
    let name = format!("jemalloc_{}{}", family.name, if family.counter { "_total" } else { "" });
    let mut out = String::new();
    match family.samples {
        Process(path) => document.number(path).into_iter().for_each(|value| line(&mut out, &name, value)),
        Mutexes(field, unit) => {
            for (mutex, of) in document.mutexes() {
                let start = format!("{name}{{mutex=\"{}\"}}", escaped(mutex));
                if let Some(value) = of.get(field).and_then(serde_json::Value::as_u64) {
                    if unit == 1.0 {
                        line(&mut out, &start, value);
                    } else {
                        line(&mut out, &start, format!("{:.9}", value as f64 / unit));
                    }
                }
            }
        }
        Arenas(rows) => {
            for arena in document.merged().into_iter().chain(document.arenas()) {
                rows.iter().for_each(|&(labels, path, pages)| {
                    if let Some(value) = arena.number(path) {
                        let value = if pages { value.saturating_mul(document.page()) } else { value };
                        line(&mut out, &format!("{name}{{{}{labels}}}", of_arena(&arena)), value);
                    }
                });
            }
        }
    }
    out
}

fn of_arena(arena: &Arena) -> String {
    format!("arena=\"{}\",name=\"{}\"", escaped(arena.index), escaped(arena.name))
}

/// The value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
