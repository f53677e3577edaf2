//! Locks under many threads: which programs run, what is taken from an allocator's statistics, the tables.

use std::fmt::Write;

use crate::bench::figures::{Figures, Metric, spread};
use crate::json::Json;

/// A run of the server of `tests/bench/programs/server.c`.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// In the samples.
    pub name: &'static str,
    /// Threads of the program.
    pub threads: u64,
    /// Options besides those that print the statistics.
    pub conf: &'static str,
}

/// Requests that all threads of a load serve together.
pub const REQUESTS: u64 = 1_000_000;

/// The loads: as programs run by default, and with one arena for all, which is where more cores than arenas lead to.
pub const LOADS: &[Load] = &[
    Load { name: "locks-2", threads: 2, conf: "" },
    Load { name: "locks-8", threads: 8, conf: "" },
    Load { name: "locks-32", threads: 32, conf: "" },
    Load { name: "locks-128", threads: 128, conf: "" },
    Load { name: "one-arena-2", threads: 2, conf: "narenas:1" },
    Load { name: "one-arena-8", threads: 8, conf: "narenas:1" },
    Load { name: "one-arena-32", threads: 32, conf: "narenas:1" },
    Load { name: "one-arena-128", threads: 128, conf: "narenas:1" },
];

/// A kind of lock.
struct Kind {
    name: &'static str,
    /// Rows of `stats.arenas.<i>.mutexes`; those of the bins and of the process are found where they are.
    rows: &'static [&'static str],
    what: &'static str,
}

const BINS: &str = "bins";
const PROCESS: &str = "process";

const KINDS: &[Kind] = &[
    Kind { name: BINS, rows: &[], what: "slabs of a small class of an arena" },
    Kind {
        name: "tcache_list",
        rows: &["tcache_list"],
        what: "jemalloc: caches of an arena; ours: its depots, and with the first arena the table of arenas",
    },
    Kind {
        name: "extents",
        rows: &["extents_dirty", "extents_muzzy", "extents_retained"],
        what: "unused pages of an arena",
    },
    Kind {
        name: "extent_avail",
        rows: &["extent_avail"],
        what: "descriptors of an arena; ours: counts of large objects, too",
    },
    Kind { name: "large", rows: &["large"], what: "jemalloc: the list of large objects of an arena" },
    Kind { name: "decay", rows: &["decay_dirty", "decay_muzzy"], what: "when pages go back" },
    Kind { name: "base", rows: &["base"], what: "memory for an arena's own structures" },
    Kind {
        name: "hpa",
        rows: &["hpa_shard", "hpa_shard_grow", "hpa_sec"],
        what: "the huge page allocator, which is off",
    },
    Kind { name: PROCESS, rows: &[], what: "statistics, the profiler, background threads" },
];

/// The metrics of a lock with their rows in the statistics.
const COUNTS: [(Metric, &str); 3] =
    [(Metric::Taken, "num_ops"), (Metric::Slept, "num_wait"), (Metric::Spun, "num_spin_acq")];

/// The samples' name of a kind of lock under a load.
fn part(load: &str, kind: &str) -> String {
    format!("{load}:{kind}")
}

/// Adds what an allocator counted in a run of so many operations: of each kind of lock and of all, per million operations.
///
/// # Errors
/// When `statistics`, which its JSON report is, has no such rows.
pub fn record(
    figures: &mut Figures,
    load: &Load,
    peer: &str,
    statistics: &str,
    operations: f64,
) -> Result<(), String> {
    let start = statistics.find('{').ok_or("no statistics were printed")?;
    let report = Json::read(statistics[start..].trim_end());
    let report = report.find("jemalloc").ok_or("no statistics of jemalloc")?;
    let merged = report.get("stats.arenas").get("merged");
    let bins: Vec<&Json> = merged.get("bins").items().iter().map(|bin| bin.get("mutex")).collect();
    let process = report.get("stats").get("mutexes");
    for (metric, row) in COUNTS {
        let mut all = 0.0;
        for kind in KINDS {
            let locks: Vec<&Json> = match kind.name {
                BINS => bins.clone(),
                PROCESS => process.keys().into_iter().map(|name| process.get(name)).collect(),
                _ => kind.rows.iter().map(|name| merged.get("mutexes").get(name)).collect(),
            };
            let count: u64 = locks.iter().map(|lock| lock.get(row).number()).sum();
            let rate = count as f64 / operations * 1e6;
            figures.add(&part(load.name, kind.name), metric, peer, rate);
            all += rate;
        }
        figures.add(load.name, metric, peer, all);
    }
    Ok(())
}

/// Takes the samples of a load away, before it runs anew.
pub fn forget(figures: &mut Figures, load: &Load, peer: &str) {
    figures.forget(load.name, peer);
    KINDS.iter().for_each(|kind| figures.forget(&part(load.name, kind.name), peer));
}

/// The tables of the documentation.
pub fn markdown(figures: &Figures, base: &str, ours: &str) -> String {
    let mut text = format!("| load | threads |{}\n|---|---|", heads(base, ours));
    text += &"---|".repeat(2 * COUNTS.len());
    text.push('\n');
    for load in LOADS {
        let what = if load.conf.is_empty() { "default" } else { load.conf };
        let _ = writeln!(text, "| {what} | {} |{}", load.threads, cells(figures, load.name, base, ours));
    }
    for load in LOADS.iter().filter(|load| load.threads == 128) {
        let _ = write!(text, "\nWhere, with {} threads", load.threads);
        let _ = write!(text, "{}{}:\n\n", if load.conf.is_empty() { "" } else { " and " }, load.conf);
        let _ = write!(text, "| lock |{} what it guards |\n|---|", heads(base, ours));
        text += &"---|".repeat(2 * COUNTS.len() + 1);
        text.push('\n');
        for kind in KINDS {
            let cells = cells(figures, &part(load.name, kind.name), base, ours);
            let _ = writeln!(text, "| {} |{cells} {} |", kind.name, kind.what);
        }
    }
    text
}

fn heads(base: &str, ours: &str) -> String {
    let two = |what: &str| format!(" {what}: {base} | {ours} |");
    ["taken", "slept for", "spun for"].map(two).concat()
}

/// Both allocators' medians of each metric; of waits, which are rare, with their spread in percent.
fn cells(figures: &Figures, row: &str, base: &str, ours: &str) -> String {
    let cell = |metric: Metric, peer: &str| match figures.median(row, metric, peer) {
        Some(rate) if metric == Metric::Taken => format!(" {rate:.0} |"),
        Some(rate) => {
            let spread = spread(figures.samples(row, metric, peer));
            format!(" {rate:.3}{} |", spread.map(|part| format!(" ±{:.0}", part * 100.0)).unwrap_or_default())
        }
        None => " - |".to_owned(),
    };
    COUNTS.iter().flat_map(|(metric, _)| [cell(*metric, base), cell(*metric, ours)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Statistics in which every lock was taken `ops` times, and slept for a tenth of them.
    fn statistics(ops: u64) -> String {
        let lock = format!("{{\"num_ops\":{ops},\"num_wait\":{},\"num_spin_acq\":1}}", ops / 10);
        let rows: Vec<String> =
            KINDS.iter().flat_map(|kind| kind.rows).map(|row| format!("\"{row}\":{lock}")).collect();
        let bin = format!("{{\"mutex\":{lock}}}");
        format!(
            "<jemalloc>: hello\n{{\"jemalloc\":{{\"stats\":{{\"mutexes\":{{\"ctl\":{lock},\"prof\":{lock}}}}},\
             \"stats.arenas\":{{\"merged\":{{\"mutexes\":{{{}}},\"bins\":[{bin},{bin},{bin}]}}}}}}}}\n",
            rows.join(",")
        )
    }

    #[test]
    fn locks_are_summed_by_kind_and_told_per_million_operations() {
        let mut figures = Figures::default();
        for (peer, ops) in [("base", 100), ("ours", 10)] {
            let recorded = record(&mut figures, &LOADS[3], peer, &statistics(ops), 2e6);
            assert_eq!(recorded, Ok(()));
        }
        let rows: usize = KINDS.iter().map(|kind| kind.rows.len()).sum();
        let all = (rows + 3 + 2) as f64 * 50.0;
        assert_eq!(figures.median("locks-128", Metric::Taken, "base"), Some(all));
        let text = markdown(&figures, "base", "ours");
        assert!(
            text.contains("| bins | 150 | 15 | 15.000 ±0 | 1.500 ±0 | 1.500 ±0 | 1.500 ±0 | slabs"),
            "{text}"
        );
        assert!(
            text.contains("| process | 100 | 10 | 10.000 ±0 | 1.000 ±0 | 1.000 ±0 | 1.000 ±0 | stat"),
            "{text}"
        );
        assert!(text.contains("| narenas:1 | 2 | - | - |"), "{text}");
        assert!(text.contains("Where, with 128 threads and narenas:1:"), "{text}");
        forget(&mut figures, &LOADS[3], "base");
        assert_eq!(figures.samples("locks-128:bins", Metric::Taken, "base"), &[] as &[f64]);
    }

    #[test]
    fn a_program_without_statistics_is_no_measurement() {
        let mut figures = Figures::default();
        assert!(record(&mut figures, &LOADS[0], "base", "", 1e6).is_err());
        assert!(record(&mut figures, &LOADS[0], "base", "{\"other\":1}", 1e6).is_err());
        assert_eq!(figures, Figures::default());
    }
}
