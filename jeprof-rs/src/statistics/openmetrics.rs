//! OpenMetrics text, version 1.0.0: the families that the allocator itself writes (`malloc_stats_print` with the letter
//! `o`), by the same names, as far as the document has the figures.

use std::fmt::Write;

use prof_format::metrics::{self, Family};

use super::document::{Arena, Document};

/// Where the samples of a family are in the document.
enum Samples {
    /// One number of the process.
    Process(&'static [&'static str]),
    /// For each arena and for all: labels beyond the arena's, the field, and whether it counts pages.
    Arenas(&'static [(&'static str, &'static [&'static str], bool)]),
    /// For each lock of the process: the field, and what it is to be divided by.
    Mutexes(&'static str, f64),
}

use Samples::{Arenas, Mutexes, Process};

static FAMILIES: &[(&Family, Samples)] = &[
    (&metrics::ALLOCATED, Process(&["stats", "allocated"])),
    (&metrics::ACTIVE, Process(&["stats", "active"])),
    (&metrics::METADATA, Process(&["stats", "metadata"])),
    (&metrics::RESIDENT, Process(&["stats", "resident"])),
    (&metrics::MAPPED, Process(&["stats", "mapped"])),
    (&metrics::RETAINED, Process(&["stats", "retained"])),
    (&metrics::ZERO_REALLOCS, Process(&["stats", "zero_reallocs"])),
    (&metrics::OOM, Process(&["stats", "oom"])),
    (&metrics::REQUESTED, Process(&["stats", "requested"])),
    (&metrics::BACKGROUND_THREADS, Process(&["stats", "background_thread", "num_threads"])),
    (&metrics::BACKGROUND_THREAD_RUNS, Process(&["stats", "background_thread", "num_runs"])),
    (&metrics::KERNEL_RSS, Process(&["stats", "kernel_rss"])),
    (&metrics::ARENA_THREADS, Arenas(&[("", &["nthreads"], false)])),
    (&metrics::ARENA_ACTIVE, Arenas(&[("", &["pactive"], true)])),
    (&metrics::ARENA_DIRTY, Arenas(&[("", &["pdirty"], true)])),
    (&metrics::ARENA_MUZZY, Arenas(&[("", &["pmuzzy"], true)])),
    (
        &metrics::PURGES,
        Arenas(&[
            (",kind=\"dirty\"", &["dirty_npurge"], false),
            (",kind=\"muzzy\"", &["muzzy_npurge"], false),
        ]),
    ),
    (
        &metrics::PURGED,
        Arenas(&[(",kind=\"dirty\"", &["dirty_purged"], true), (",kind=\"muzzy\"", &["muzzy_purged"], true)]),
    ),
    (&metrics::TCACHE, Arenas(&[("", &["tcache_bytes"], false)])),
    (&metrics::TCACHE_STASHED, Arenas(&[("", &["tcache_stashed_bytes"], false)])),
    (
        &metrics::ARENA_ALLOCATED,
        Arenas(&[
            (",class=\"small\"", &["small", "allocated"], false),
            (",class=\"large\"", &["large", "allocated"], false),
        ]),
    ),
    (
        &metrics::ARENA_OPERATIONS,
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
    (&metrics::MUTEX_OPS, Mutexes("num_ops", 1.0)),
    (&metrics::MUTEX_WAIT, Mutexes("total_wait_time", 1e9)),
];

/// The whole document.
pub fn write(document: &Document) -> String {
    let mut out = String::new();
    let version = escaped(document.text(&["version"]).unwrap_or(""));
    let narenas = document.number(&["arenas", "narenas"]).unwrap_or(0);
    let page = document.page();
    let labels = format!("{{version=\"{version}\",page_size=\"{page}\",narenas=\"{narenas}\"}}");
    out += &metrics::INFO.to_string();
    line(&mut out, &(name_of(&metrics::INFO) + &labels), 1);
    for (family, from) in FAMILIES {
        let samples = samples(family, from, document);
        if !samples.is_empty() {
            out += &family.to_string();
            out += &samples;
        }
    }
    if let Some(share) = super::text::fragmentation(document) {
        out += &metrics::FRAGMENTATION.to_string();
        line(&mut out, &name_of(&metrics::FRAGMENTATION), format!("{share:.6}"));
    }
    out + "# EOF\n"
}

fn name_of(family: &Family) -> String {
    format!("{}{}", family.name, family.suffix())
}

fn line(out: &mut String, start: &str, end: impl std::fmt::Display) {
    // Writing to a string never fails.
    let _ = writeln!(out, "{start} {end}");
}

fn samples(family: &Family, from: &Samples, document: &Document) -> String {
    let name = name_of(family);
    let mut out = String::new();
    match *from {
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
