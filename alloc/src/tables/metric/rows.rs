//! The rows, scope by scope. Names and their order are jemalloc 5.3.1's; rows of ours come last in each scope.

use prof_format::metrics;

use super::{Merge, Metric, Scope, Unit, bytes, counter, gauge, pages, typed};
use crate::tables::value::Type;

/// Declares the rows of a scope: a list, and a module with the number of each.
macro_rules! metrics {
    ($(#[$doc:meta])* $list:ident, $numbers:ident, $scope:ident: $($name:ident = $row:expr;)*) => {
        #[doc = concat!("Numbers of the rows of [`", stringify!($list), "`].")]
        #[allow(missing_docs, reason = "the rows say what they are")]
        #[allow(dead_code, reason = "every row has a number, whether or not code names it")]
        pub mod $numbers {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            enum Number { $($name,)* COUNT }
            $(pub const $name: usize = Number::$name as usize;)*
            /// How many there are.
            pub const COUNT: usize = Number::COUNT as usize;
        }
        $(#[$doc])*
        pub static $list: [Metric; $numbers::COUNT] = [$($row.at(Scope::$scope, $numbers::$name)),*];
    };
}

metrics! {
    /// The process.
    PROCESS, process, Process:
    ALLOCATED = bytes("allocated", "Usable bytes of all objects that the program holds or that lie in caches.")
        .open(&metrics::ALLOCATED);
    ACTIVE = bytes("active", "Bytes of pages that hold objects.")
        .open(&metrics::ACTIVE);
    METADATA = bytes("metadata", "Bytes of the allocator's own structures.")
        .open(&metrics::METADATA);
    METADATA_EDATA = bytes("metadata_edata", "Of these, bytes of descriptors of slabs and large objects.");
    METADATA_RTREE = bytes("metadata_rtree", "Of these, bytes of the map from addresses to descriptors.");
    METADATA_THP = typed(gauge("metadata_thp", "Huge pages that back the allocator's own structures."), Unit::HugePages, Type::Size)
        .open(&metrics::METADATA_THP);
    RESIDENT = bytes("resident", "Bytes of pages that memory backs: active, dirty and metadata.")
        .open(&metrics::RESIDENT);
    MAPPED = bytes("mapped", "Bytes of address space in use: active, dirty, muzzy and metadata.")
        .open(&metrics::MAPPED);
    RETAINED = bytes("retained", "Bytes of address space kept for reuse that no memory backs.")
        .open(&metrics::RETAINED);
    ZERO_REALLOCS = typed(counter("zero_reallocs", "Calls of realloc with an object and size 0."), Unit::Count, Type::Size)
        .open(&metrics::ZERO_REALLOCS);
    TCACHE_BYTES = bytes("tcache_bytes", "Usable bytes of objects in thread caches.").ours();
    DIRTY = bytes("dirty", "Bytes of unused pages that were not given back.").ours();
    MUZZY = bytes("muzzy", "Bytes of unused pages that the kernel may take at any time.").ours();
    REQUESTED = bytes("requested", "Bytes that the program asked for, estimated: sizes within a class count as evenly spread.")
        .ours().open(&metrics::REQUESTED);
    OOM = typed(counter("oom", "Requests for objects that were refused: too large, or no memory."), Unit::Count, Type::Size)
        .ours().open(&metrics::OOM);
    FRAGMENTATION = typed(gauge("fragmentation", "Share of active that no object takes: 1 - allocated / active."), Unit::Ratio, Type::Double)
        .ours().open(&metrics::FRAGMENTATION);
}

metrics! {
    /// Background threads.
    BACKGROUND, background, Background:
    NUM_THREADS = gauge("num_threads", "Background threads that run.")
        .open(&metrics::BACKGROUND_THREADS);
    NUM_RUNS = counter("num_runs", "Times that background threads looked for work.")
        .open(&metrics::BACKGROUND_THREAD_RUNS);
    RUN_INTERVAL = typed(gauge("run_interval", "Nanoseconds that background threads slept between two such times, in the mean."), Unit::Nanoseconds, Type::U64);
}

/// Declares the rows of a lock; the same for each kind of lock.
macro_rules! mutex_metrics {
    ($(#[$doc:meta])* $list:ident, $numbers:ident, $scope:ident) => {
        metrics! {
            $(#[$doc])* $list, $numbers, $scope:
            NUM_OPS = counter("num_ops", "Times that the lock was taken.").column("n_lock_ops", 16, 8)
                .open(&metrics::MUTEX_OPS);
            NUM_WAIT = counter("num_wait", "Times that a thread slept for the lock.").column("n_waiting", 16, 8);
            NUM_SPIN_ACQ = counter("num_spin_acq", "Times that a thread got the lock while spinning.").column("n_spin_acq", 16, 8);
            NUM_OWNER_SWITCH = counter("num_owner_switch", "Times that another thread took the lock than the time before.")
                .column("n_owner_switch", 16, 8);
            TOTAL_WAIT_TIME = typed(counter("total_wait_time", "Nanoseconds that threads slept for the lock."), Unit::Nanoseconds, Type::U64)
                .column("total_wait_ns", 16, 10)
                .open(&metrics::MUTEX_WAIT);
            MAX_WAIT_TIME = typed(counter("max_wait_time", "Nanoseconds of the longest such sleep."), Unit::Nanoseconds, Type::U64)
                .merged(Merge::Max).column("max_wait_ns", 16, 0);
            MAX_NUM_THDS = typed(counter("max_num_thds", "Most threads that slept for the lock at once."), Unit::Count, Type::U32)
                .merged(Merge::Max).column("max_n_thds", 12, 0);
        }
    };
}

mutex_metrics! {
    /// A lock of the process.
    MUTEX, mutex, Mutex
}
mutex_metrics! {
    /// A lock of an arena.
    ARENA_MUTEX, arena_mutex, ArenaMutex
}
mutex_metrics! {
    /// The lock of a small class of an arena.
    BIN_MUTEX, bin_mutex, BinMutex
}

/// The locks of the process, in the order of the reference.
pub static MUTEX_NAMES: [&str; 9] = [
    "background_thread",
    "max_per_bg_thd",
    "ctl",
    "prof",
    "prof_thds_data",
    "prof_dump",
    "prof_recent_alloc",
    "prof_recent_dump",
    "prof_stats",
];

/// The locks of an arena, in the order of the reference.
pub static ARENA_MUTEX_NAMES: [&str; 12] = [
    "large",
    "extent_avail",
    "extents_dirty",
    "extents_muzzy",
    "extents_retained",
    "decay_dirty",
    "decay_muzzy",
    "base",
    "tcache_list",
    "hpa_shard",
    "hpa_shard_grow",
    "hpa_sec",
];

metrics! {
    /// An arena.
    ARENA, arena, Arena:
    NTHREADS = typed(gauge("nthreads", "Threads that allocate from the arena."), Unit::Count, Type::Unsigned)
        .open(&metrics::ARENA_THREADS);
    UPTIME = typed(gauge("uptime", "Nanoseconds since the arena was made."), Unit::Nanoseconds, Type::U64).json("uptime_ns").merged(Merge::First);
    DSS = typed(gauge("dss", "What the arena uses sbrk for."), Unit::Word, Type::Text).merged(Merge::Apart);
    DIRTY_DECAY_MS = typed(gauge("dirty_decay_ms", "Decay time of dirty pages."), Unit::Milliseconds, Type::SSize).merged(Merge::Apart);
    MUZZY_DECAY_MS = typed(gauge("muzzy_decay_ms", "Decay time of muzzy pages."), Unit::Milliseconds, Type::SSize).merged(Merge::Apart);
    PACTIVE = pages("pactive", "Pages that hold objects.")
        .open(&metrics::ARENA_ACTIVE);
    PDIRTY = pages("pdirty", "Unused pages that were not given back.")
        .open(&metrics::ARENA_DIRTY);
    PMUZZY = pages("pmuzzy", "Unused pages that the kernel may take at any time.")
        .open(&metrics::ARENA_MUZZY);
    MAPPED = bytes("mapped", "Bytes of address space in use.");
    RETAINED = bytes("retained", "Bytes of address space kept for reuse that no memory backs.");
    EXTENT_AVAIL = gauge("extent_avail", "Descriptors that describe nothing now.");
    DIRTY_NPURGE = counter("dirty_npurge", "Passes that purged dirty pages.")
        .labelled(&metrics::PURGES, "kind=\"dirty\"");
    DIRTY_NMADVISE = counter("dirty_nmadvise", "System calls that purged dirty pages.");
    DIRTY_PURGED = typed(counter("dirty_purged", "Dirty pages purged."), Unit::Pages, Type::U64)
        .labelled(&metrics::PURGED, "kind=\"dirty\"");
    MUZZY_NPURGE = counter("muzzy_npurge", "Passes that purged muzzy pages.")
        .labelled(&metrics::PURGES, "kind=\"muzzy\"");
    MUZZY_NMADVISE = counter("muzzy_nmadvise", "System calls that purged muzzy pages.");
    MUZZY_PURGED = typed(counter("muzzy_purged", "Muzzy pages purged."), Unit::Pages, Type::U64)
        .labelled(&metrics::PURGED, "kind=\"muzzy\"");
    BASE = bytes("base", "Bytes of the arena's own structures.");
    INTERNAL = bytes("internal", "Bytes of objects that the allocator made for itself; it makes none.");
    METADATA_EDATA = bytes("metadata_edata", "Of base, bytes of descriptors of slabs and large objects.");
    METADATA_RTREE = bytes("metadata_rtree", "Of base, bytes of the map from addresses to descriptors.");
    METADATA_THP = gauge("metadata_thp", "Huge pages that back base.");
    TCACHE_BYTES = bytes("tcache_bytes", "Usable bytes of objects in caches of the arena's threads.")
        .open(&metrics::TCACHE);
    TCACHE_STASHED_BYTES = bytes("tcache_stashed_bytes", "Bytes of freed objects kept back to find uses after free; there are none.")
        .open(&metrics::TCACHE_STASHED);
    RESIDENT = bytes("resident", "Bytes of pages that memory backs.");
    ABANDONED_VM = typed(counter("abandoned_vm", "Bytes of address space that the kernel refused to take back."), Unit::Bytes, Type::Size);
    REQUESTED = bytes("requested", "Bytes that the program asked for, estimated.").ours();
}

/// Declares the rows of all small or all large classes of an arena.
macro_rules! group_metrics {
    ($(#[$doc:meta])* $list:ident, $numbers:ident, $scope:ident, $class:literal) => {
        metrics! {
            $(#[$doc])* $list, $numbers, $scope:
            ALLOCATED = bytes("allocated", "Usable bytes of objects.").column("allocated", 16, 0)
                .labelled(&metrics::ARENA_ALLOCATED, concat!("class=\"", $class, "\""));
            NMALLOC = counter("nmalloc", "Objects taken from the arena.").column("nmalloc", 16, 10)
                .labelled(&metrics::ARENA_OPERATIONS, concat!("class=\"", $class, "\",op=\"malloc\""));
            NDALLOC = counter("ndalloc", "Objects given back to the arena.").column("ndalloc", 16, 10)
                .labelled(&metrics::ARENA_OPERATIONS, concat!("class=\"", $class, "\",op=\"dalloc\""));
            NREQUESTS = counter("nrequests", "Requests, those that thread caches served included.").column("nrequests", 16, 10)
                .labelled(&metrics::ARENA_OPERATIONS, concat!("class=\"", $class, "\",op=\"request\""));
            NFILLS = counter("nfills", "Fills of thread caches.").column("nfill", 16, 10)
                .labelled(&metrics::ARENA_OPERATIONS, concat!("class=\"", $class, "\",op=\"fill\""));
            NFLUSHES = counter("nflushes", "Flushes of thread caches.").column("nflush", 16, 10)
                .labelled(&metrics::ARENA_OPERATIONS, concat!("class=\"", $class, "\",op=\"flush\""));
        }
    };
}

group_metrics! {
    /// The small classes of an arena together.
    SMALL, small, Small, "small"
}
group_metrics! {
    /// The large classes of an arena together.
    LARGE, large, Large, "large"
}

metrics! {
    /// A small class of an arena.
    BIN, bin, Bin:
    NMALLOC = counter("nmalloc", "Regions taken from slabs.").column("nmalloc", 14, 8);
    NDALLOC = counter("ndalloc", "Regions given back to slabs.").column("ndalloc", 14, 8);
    NREQUESTS = counter("nrequests", "Requests, those that thread caches served included.").column("nrequests", 15, 10);
    CURREGS = gauge("curregs", "Regions taken now.").column("curregs", 13, 0);
    NFILLS = counter("nfills", "Fills of thread caches.").column("nfills", 13, 8);
    NFLUSHES = counter("nflushes", "Flushes of thread caches.").column("nflushes", 13, 8);
    NSLABS = counter("nslabs", "Slabs ever made.").column("nslabs", 13, 0);
    NRESLABS = counter("nreslabs", "Slabs that became current again.").column("nreslabs", 13, 8);
    CURSLABS = gauge("curslabs", "Slabs now.").column("curslabs", 13, 0);
    NONFULL_SLABS = gauge("nonfull_slabs", "Slabs with free and taken regions that are not current.").column("nonfull_slabs", 15, 0);
    NCACHED = gauge("ncached", "Of curregs, regions in thread caches.").ours();
}

metrics! {
    /// A large class of an arena.
    LEXTENT, lextent, Lextent:
    NMALLOC = counter("nmalloc", "Objects made.").column("nmalloc", 13, 8);
    NDALLOC = counter("ndalloc", "Objects freed.").column("ndalloc", 13, 8);
    NREQUESTS = counter("nrequests", "Requests, those that thread caches served included.").column("nrequests", 13, 8);
    CURLEXTENTS = gauge("curlextents", "Objects now.").column("curlextents", 13, 0);
    NCACHED = gauge("ncached", "Of curlextents, objects in thread caches.").ours();
}

metrics! {
    /// Runs of free pages of an arena, by the class of their length.
    EXTENT, extent, Extent:
    NDIRTY = gauge("ndirty", "Runs of dirty pages.").column("ndirty", 13, 0);
    NMUZZY = gauge("nmuzzy", "Runs of muzzy pages.").column("nmuzzy", 13, 0);
    NRETAINED = gauge("nretained", "Runs of retained pages.").column("nretained", 13, 0);
    DIRTY_BYTES = bytes("dirty_bytes", "Bytes of the runs of dirty pages.").column("dirty", 13, 0);
    MUZZY_BYTES = bytes("muzzy_bytes", "Bytes of the runs of muzzy pages.").column("muzzy", 13, 0);
    RETAINED_BYTES = bytes("retained_bytes", "Bytes of the runs of retained pages.").column("retained", 13, 0);
}

metrics! {
    /// The small extent cache of the huge page allocator, which is not here.
    SEC, sec, Absent:
    BYTES = bytes("hpa_sec_bytes", "Bytes in the small extent cache.").json("sec_bytes").column("Bytes in small extent cache", 0, 0);
    HITS = gauge("hpa_sec_hits", "Hits in the small extent cache.").json("sec_hits").column("Total hits in small extent cache", 0, 0);
    MISSES = gauge("hpa_sec_misses", "Misses in the small extent cache.").json("sec_misses").column("Total misses in small extent cache", 0, 0);
    NOFLUSH = gauge("hpa_sec_dalloc_noflush", "Frees into the small extent cache without a flush.").json("sec_dalloc_noflush")
        .column("Dalloc calls without flush in small extent cache", 0, 0);
    FLUSH = gauge("hpa_sec_dalloc_flush", "Frees into the small extent cache with a flush.").json("sec_dalloc_flush")
        .column("Dalloc calls with flush in small extent cache", 0, 0);
    OVERFILLS = gauge("hpa_sec_overfills", "Fills of the small extent cache that went too far.").json("sec_overfills")
        .column("sec_fill calls that went over max_bytes", 0, 0);
}

metrics! {
    /// Totals of the huge page allocator, which is not here.
    HPA_TOTALS, hpa_totals, Absent:
    NPAGESLABS = gauge("npageslabs", "Page slabs.");
    NACTIVE = gauge("nactive", "Pages in use in page slabs.");
    NDIRTY = gauge("ndirty", "Dirty pages in page slabs.");
}

metrics! {
    /// Events of the huge page allocator, which is not here.
    HPA_EVENTS, hpa_events, Absent:
    NPURGE_PASSES = counter("npurge_passes", "Passes over page slabs.").column("Purge passes", 0, 0);
    NPURGES = counter("npurges", "Page slabs purged.").column("Purges", 0, 0);
    NHUGIFIES = counter("nhugifies", "Page slabs made huge.").column("Hugeifies", 0, 0);
    NHUGIFY_FAILURES = counter("nhugify_failures", "Page slabs that the kernel did not make huge.").column("Hugify failures", 0, 0);
    NDEHUGIFIES = counter("ndehugifies", "Page slabs split.").column("Dehugifies", 0, 0);
}

metrics! {
    /// Page slabs of one kind of the huge page allocator, which is not here.
    HPA_SLABS, hpa_slabs, Absent:
    NPAGESLABS_NONHUGE = gauge("npageslabs_nonhuge", "Page slabs that are not huge.");
    NPAGESLABS_HUGE = gauge("npageslabs_huge", "Huge page slabs.");
    NACTIVE_NONHUGE = gauge("nactive_nonhuge", "Pages in use in page slabs that are not huge.");
    NACTIVE_HUGE = gauge("nactive_huge", "Pages in use in huge page slabs.");
    NDIRTY_NONHUGE = gauge("ndirty_nonhuge", "Dirty pages in page slabs that are not huge.");
    NDIRTY_HUGE = gauge("ndirty_huge", "Dirty pages in huge page slabs.");
}

/// Lists by the free pages of page slabs that the reference's statistics have.
pub const HPA_LISTS: usize = 64;

/// Every list of rows.
#[cfg(test)]
pub fn lists() -> std::vec::Vec<&'static [Metric]> {
    std::vec![
        &PROCESS,
        &BACKGROUND,
        &MUTEX,
        &ARENA_MUTEX,
        &BIN_MUTEX,
        &ARENA,
        &SMALL,
        &LARGE,
        &BIN,
        &LEXTENT,
        &EXTENT,
        &SEC,
        &HPA_TOTALS,
        &HPA_EVENTS,
        &HPA_SLABS
    ]
}

#[cfg(test)]
extern crate std;

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    #[test]
    fn rows_are_documented_and_know_their_place() {
        for list in lists() {
            for (index, metric) in list.iter().enumerate() {
                assert!(metric.doc.ends_with('.'), "{}", metric.name);
                assert_eq!(metric.index, index, "{}", metric.name);
                assert!(
                    !list[..index].iter().any(|other| other.name == metric.name),
                    "{} twice",
                    metric.name
                );
                assert!(!list[..index].iter().any(|other| other.own && !metric.own), "{}", metric.name);
                assert!(metric.merge != Merge::Max || metric.kind == Kind::Counter, "{}", metric.name);
            }
        }
    }

    #[test]
    fn families_in_open_metrics_have_the_rows_unit_and_meaning_over_time() {
        for metric in lists().into_iter().flatten() {
            let Some(open) = metric.open else { continue };
            let unit = match metric.unit {
                Unit::Bytes | Unit::Pages | Unit::HugePages => metrics::Unit::Bytes,
                Unit::Nanoseconds => metrics::Unit::Seconds,
                Unit::Ratio => metrics::Unit::Ratio,
                Unit::Count | Unit::Milliseconds | Unit::Word => metrics::Unit::None,
            };
            let kind = match metric.kind {
                Kind::Gauge => metrics::Kind::Gauge,
                Kind::Counter => metrics::Kind::Counter,
            };
            assert_eq!((open.family.unit, open.family.kind), (unit, kind), "{}", open.family.name);
        }
    }
}
