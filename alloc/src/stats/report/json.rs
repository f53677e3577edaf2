//! The report as JSON: every key of jemalloc 5.3.1, and keys of ours. One line; numbers are integers but for shares, texts
//! are escaped, no key comes twice.

use core::fmt::Display;

use super::general::{self, Shown};
use super::out::{ArenaName, Escaped, Out, put};
use super::text::Fixed;
use super::{Parts, per_mille};
use crate::arena::table;
use crate::os::pages::HUGE_PAGE;
use crate::size_class::{NBINS, NLEXTENTS, QUANTUM, SLABS, class_size};
use crate::stats::Reading;
use crate::stats::values::{ArenaValues, Values};
use crate::tables::metric::Metric;
use crate::tables::metric::Unit;
use crate::tables::metric::rows::*;
use crate::tcache::settings;
use crate::units::PAGE;

/// Writes objects and arrays with the commas that they need.
struct Json<'a, 'b> {
    out: &'a mut Out<'b>,
    first: bool,
}

impl Json<'_, '_> {
    fn comma(&mut self) {
        if !core::mem::take(&mut self.first) {
            put!(self.out, ",");
        }
    }

    fn key(&mut self, key: impl Display) {
        self.comma();
        put!(self.out, "\"{key}\":");
    }

    /// A value that is written in JSON as it is displayed.
    fn plain(&mut self, key: impl Display, value: impl Display) {
        self.key(key);
        put!(self.out, "{value}");
    }

    fn shown(&mut self, key: &str, shown: Shown) {
        match shown {
            Shown::Switch(on) => self.plain(key, on),
            Shown::Number(number) => self.plain(key, number),
            Shown::Text(text) => self.plain(key, format_args!("\"{}\"", Escaped(text.to_bytes()))),
            Shown::Fixed(bits) => self.plain(key, format_args!("\"{}\"", Fixed(bits))),
            Shown::Unset => self.plain(key, "null"),
        }
    }

    fn enclosed(&mut self, [open, close]: [char; 2], inside: impl FnOnce(&mut Self)) {
        put!(self.out, "{open}");
        self.first = true;
        inside(self);
        put!(self.out, "{close}");
        self.first = false;
    }

    fn object(&mut self, key: impl Display, inside: impl FnOnce(&mut Self)) {
        self.key(key);
        self.enclosed(['{', '}'], inside);
    }

    fn array(&mut self, key: &str, inside: impl FnOnce(&mut Self)) {
        self.key(key);
        self.enclosed(['[', ']'], inside);
    }

    /// An object of an array.
    fn element(&mut self, inside: impl FnOnce(&mut Self)) {
        self.comma();
        self.enclosed(['{', '}'], inside);
    }

    /// All values of a scope but words.
    fn values<const N: usize>(&mut self, rows: &[Metric; N], values: &Values<N>) {
        for (row, metric) in rows.iter().enumerate() {
            let value = values.get(row);
            match metric.unit {
                Unit::Word => {}
                Unit::Ratio => self.plain(metric.json, Share(f64::from_bits(value))),
                Unit::Milliseconds => self.plain(metric.json, value as i64),
                _ => self.plain(metric.json, value),
            }
        }
    }

    fn zeros(&mut self, rows: &[Metric]) {
        rows.iter().for_each(|metric| self.plain(metric.json, 0));
    }
}

/// A share of 1 with six decimals, without the formatting of floating point.
struct Share(f64);

impl Display for Share {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let millionths = (self.0 * 1e6) as u64;
        write!(f, "{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)
    }
}

/// Writes the whole report.
pub fn write(out: &mut Out, snapshot: &Reading, parts: Parts) {
    let mut json = Json { out, first: true };
    json.enclosed(['{', '}'], |json| {
        json.object("jemalloc", |json| {
            if parts.general {
                write_general(json);
            }
            if cfg!(feature = "stats") {
                json.object("stats", |json| write_process(json, snapshot, parts));
                if parts.merged || parts.destroyed || parts.arenas {
                    json.object("stats.arenas", |json| write_arenas(json, snapshot, parts));
                }
            }
        });
    });
}

fn write_general(json: &mut Json) {
    json.plain("version", format_args!("\"{}\"", crate::VERSION));
    json.object("config", |json| general::config(|name, shown| json.shown(name, shown)));
    json.object("system", |json| json.shown("thp_mode", Shown::Text(general::thp_mode())));
    json.object("opt", |json| {
        general::sources().into_iter().for_each(|(name, _, text)| json.shown(name, text));
        general::options(|name, shown, _| json.shown(name, shown));
    });
    if cfg!(feature = "prof") {
        json.object("prof", |json| general::profiling(|name, shown| json.shown(name, shown)));
    }
    json.object("arenas", |json| {
        json.plain("narenas", table::total());
        for (name, path) in
            [("dirty_decay_ms", "arenas.dirty_decay_ms"), ("muzzy_decay_ms", "arenas.muzzy_decay_ms")]
        {
            // An allocator of which arenas are all set one by one has no such value.
            json.shown(
                name,
                general::leaf(path).or_else(|| general::leaf_of_option(name)).unwrap_or(Shown::Unset),
            );
        }
        json.plain("quantum", QUANTUM);
        json.plain("page", PAGE);
        json.plain("hugepage", HUGE_PAGE);
        json.plain("tcache_max", settings::max());
        json.plain("nbins", NBINS);
        json.plain("nhbins", settings::last().0 + 1);
        json.array("bin", |json| {
            for slab in &SLABS {
                json.element(|json| {
                    json.plain("size", slab.size);
                    json.plain("nregs", slab.nregs);
                    json.plain("slab_size", slab.npages as usize * PAGE);
                    json.plain("nshards", 1);
                });
            }
        });
        json.plain("nlextents", NLEXTENTS);
        json.array("lextent", |json| {
            (0..NLEXTENTS)
                .for_each(|index| json.element(|json| json.plain("size", class_size(NBINS + index))));
        });
    });
}

fn write_process(json: &mut Json, snapshot: &Reading, parts: Parts) {
    json.values(&PROCESS, &snapshot.process);
    match general::kernel_rss() {
        Some(bytes) => json.plain("kernel_rss", bytes),
        None => json.plain("kernel_rss", "null"),
    }
    json.object("background_thread", |json| json.values(&BACKGROUND, &snapshot.background));
    if parts.mutexes {
        json.object("mutexes", |json| write_mutexes(json, &MUTEX, &MUTEX_NAMES, &snapshot.mutexes));
    }
}

fn write_mutexes<const N: usize>(json: &mut Json, rows: &[Metric; N], names: &[&str], mutexes: &[Values<N>]) {
    for (name, values) in names.iter().zip(mutexes) {
        json.object(name, |json| json.values(rows, values));
    }
}

fn write_arenas(json: &mut Json, snapshot: &Reading, parts: Parts) {
    let several = snapshot.slot().each().nth(1).is_some();
    if parts.merged && (several || !parts.arenas) {
        json.object("merged", |json| write_arena(json, &snapshot.merged, parts));
    }
    if parts.destroyed && snapshot.destroyed.is_there() {
        json.object("destroyed", |json| write_arena(json, &snapshot.destroyed, parts));
    }
    if parts.arenas {
        for (index, values) in snapshot.slot().each() {
            json.object(index, |json| {
                json.plain("name", format_args!("\"{}\"", ArenaName(index)));
                write_arena(json, values, parts);
            });
        }
    }
}

fn write_arena(json: &mut Json, values: &ArenaValues, parts: Parts) {
    json.values(&ARENA, &values.own);
    json.shown("dss", Shown::Text(values.dss()));
    json.object("small", |json| json.values(&SMALL, &values.small));
    json.object("large", |json| json.values(&LARGE, &values.large));
    if parts.mutexes {
        json.object("mutexes", |json| write_mutexes(json, &ARENA_MUTEX, &ARENA_MUTEX_NAMES, &values.mutexes));
    }
    if parts.bins {
        json.array("bins", |json| write_bins(json, values, parts));
    }
    if parts.large {
        json.array("lextents", |json| {
            values.lextents.iter().for_each(|of| json.element(|json| json.values(&LEXTENT, of)));
        });
    }
    if parts.extents {
        json.array("extents", |json| {
            values.extents.iter().for_each(|of| json.element(|json| json.values(&EXTENT, of)));
        });
    }
    if parts.huge {
        json.object("hpa_shard", write_huge);
    }
}

fn write_bins(json: &mut Json, values: &ArenaValues, parts: Parts) {
    for (class, of) in values.bins.iter().enumerate() {
        json.element(|json| {
            json.values(&BIN, of);
            let room = of.get(bin::CURSLABS) * u64::from(SLABS[class].nregs);
            let util = per_mille(of.get(bin::CURREGS), room).unwrap_or(1000);
            json.plain("util", format_args!("{}.{:03}", util / 1000, util % 1000));
            if parts.mutexes {
                json.object("mutex", |json| json.values(&BIN_MUTEX, &values.bin_mutexes[class]));
            }
        });
    }
}

fn write_huge(json: &mut Json) {
    use hpa_slabs::*;
    const HUGE: [usize; 3] = [NPAGESLABS_HUGE, NACTIVE_HUGE, NDIRTY_HUGE];
    const OTHERS: [usize; 3] = [NPAGESLABS_NONHUGE, NACTIVE_NONHUGE, NDIRTY_NONHUGE];
    let zeros = |json: &mut Json, rows: [usize; 3]| {
        rows.into_iter().for_each(|row| json.plain(HPA_SLABS[row].json, 0));
    };
    let others = |json: &mut Json| {
        zeros(json, OTHERS);
        json.plain("nretained_nonhuge", 0);
    };
    let slabs = |json: &mut Json| {
        zeros(json, HUGE);
        others(json);
    };
    json.zeros(&SEC);
    json.zeros(&HPA_TOTALS);
    json.zeros(&HPA_EVENTS);
    json.object("slabs", |json| {
        others(json);
        zeros(json, HUGE);
    });
    for kind in ["full_slabs", "empty_slabs"] {
        json.object(kind, slabs);
    }
    json.array("nonfull_slabs", |json| (0..HPA_LISTS).for_each(|_| json.element(slabs)));
}
