//! Families of metrics as monitoring systems read them: one row each, with name, type, unit and words. The allocator
//! writes them of itself, the viewer makes them of a report; both know a family by its row here.

use core::fmt;

/// What a family's numbers mean over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// How much there is now.
    Gauge,
    /// How much there was since the start.
    Counter,
    /// What does not change; told by labels.
    Info,
}

/// The unit of a family, which is the last part of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things, events, yes or no.
    None,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// A share of 1.
    Ratio,
}

impl Unit {
    /// As it is written; empty for none.
    pub const fn word(self) -> &'static str {
        match self {
            Unit::None => "",
            Unit::Bytes => "bytes",
            Unit::Seconds => "seconds",
            Unit::Ratio => "ratio",
        }
    }
}

/// A family of metrics. Displayed, it is its head in OpenMetrics 1.0: the lines `TYPE`, `UNIT` and `HELP`.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name, without the suffix of a counter's values.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its unit.
    pub unit: Unit,
    /// What it is.
    pub help: &'static str,
}

impl Family {
    const fn new(name: &'static str, kind: Kind, unit: Unit, help: &'static str) -> Family {
        Family { name, kind, unit, help }
    }

    /// What stands behind the name in lines of values.
    pub const fn suffix(&self) -> &'static str {
        match self.kind {
            Kind::Gauge => "",
            Kind::Counter => "_total",
            Kind::Info => "_info",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Family { name, kind, unit, help } = self;
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Info => "info",
        };
        writeln!(f, "# TYPE {name} {kind}")?;
        if *unit != Unit::None {
            writeln!(f, "# UNIT {name} {}", unit.word())?;
        }
        writeln!(f, "# HELP {name} {help}")
    }
}

macro_rules! families {
    ($($row:ident = $name:literal, $kind:ident, $unit:ident, $help:literal;)*) => {
        $(#[doc = $help] pub static $row: Family = Family::new($name, Kind::$kind, Unit::$unit, $help);)*

        /// Every family.
        pub static ALL: &[&Family] = &[$(&$row),*];
    };
}

families! {
    INFO = "jemalloc", Info, None, "The allocator.";

    ALLOCATED = "jemalloc_allocated_bytes", Gauge, Bytes, "Usable bytes of objects, those in thread caches included.";
    ACTIVE = "jemalloc_active_bytes", Gauge, Bytes, "Bytes of pages that hold objects.";
    METADATA = "jemalloc_metadata_bytes", Gauge, Bytes, "Bytes of the allocator's own structures.";
    METADATA_THP = "jemalloc_metadata_thp_bytes", Gauge, Bytes, "Bytes of huge pages that back the allocator's own structures.";
    RESIDENT = "jemalloc_resident_bytes", Gauge, Bytes, "Bytes of pages that memory backs: active, dirty and metadata.";
    MAPPED = "jemalloc_mapped_bytes", Gauge, Bytes, "Bytes of address space in use: active, dirty, muzzy and metadata.";
    RETAINED = "jemalloc_retained_bytes", Gauge, Bytes, "Bytes of address space kept for reuse that no memory backs.";
    REQUESTED = "jemalloc_requested_bytes", Gauge, Bytes, "Bytes asked for, estimated from size classes.";
    FRAGMENTATION = "jemalloc_fragmentation_ratio", Gauge, Ratio, "Share of active pages that no object takes: (active - allocated) / active.";
    ZERO_REALLOCS = "jemalloc_zero_reallocs", Counter, None, "Calls of realloc with an object and size 0.";
    OOM = "jemalloc_oom", Counter, None, "Requests for objects that were refused: too large, or no memory.";

    BACKGROUND_THREADS = "jemalloc_background_threads", Gauge, None, "Background threads that run.";
    BACKGROUND_THREAD_RUNS = "jemalloc_background_thread_runs", Counter, None, "Times that background threads looked for work.";

    ARENA_THREADS = "jemalloc_arena_threads", Gauge, None, "Threads that allocate from the arena.";
    ARENA_ACTIVE = "jemalloc_arena_active_bytes", Gauge, Bytes, "Bytes of pages that hold objects.";
    ARENA_DIRTY = "jemalloc_arena_dirty_bytes", Gauge, Bytes, "Bytes of unused pages that were not given back.";
    ARENA_MUZZY = "jemalloc_arena_muzzy_bytes", Gauge, Bytes, "Bytes of unused pages that the kernel may take at any time.";
    PURGES = "jemalloc_purges", Counter, None, "Passes that purged unused pages.";
    PURGED = "jemalloc_purged_bytes", Counter, Bytes, "Bytes of unused pages that were purged.";
    TCACHE = "jemalloc_tcache_bytes", Gauge, Bytes, "Usable bytes of objects in thread caches.";
    TCACHE_STASHED = "jemalloc_tcache_stashed_bytes", Gauge, Bytes, "Usable bytes of freed objects that are kept back.";
    ARENA_ALLOCATED = "jemalloc_arena_allocated_bytes", Gauge, Bytes, "Usable bytes of objects.";
    ARENA_OPERATIONS = "jemalloc_arena_operations", Counter, None, "What arenas did.";

    MUTEX_OPS = "jemalloc_mutex_ops", Counter, None, "Times that the lock was taken.";
    MUTEX_WAIT = "jemalloc_mutex_wait_seconds", Counter, Seconds, "Time that threads slept for the lock.";

    THREADS = "jemalloc_threads", Gauge, None, "Threads that have allocated and not ended.";
    ARENAS = "jemalloc_arenas", Gauge, None, "Arenas in use.";
    KERNEL_RSS = "jemalloc_kernel_rss_bytes", Gauge, Bytes, "Bytes of the process that are in memory, by the kernel.";
    CGROUP_LIMIT = "jemalloc_cgroup_limit_bytes", Gauge, Bytes, "Bytes that the control group may use.";
    CGROUP_USAGE = "jemalloc_cgroup_usage_bytes", Gauge, Bytes, "Bytes that the control group uses.";

    BIN_SLABS = "jemalloc_bin_slabs", Gauge, None, "Slabs of a size class.";
    BIN_UTILIZATION = "jemalloc_bin_utilization_ratio", Gauge, Ratio, "Share of the regions in slabs that are taken.";
    BIN_WASTED = "jemalloc_bin_wasted_bytes", Gauge, Bytes, "Bytes of free regions in slabs.";

    PROF_ACTIVE = "jemalloc_prof_active", Gauge, None, "Whether the profiler samples.";
    PROF_SAMPLE_INTERVAL = "jemalloc_prof_sample_interval_bytes", Gauge, Bytes, "Mean number of bytes between two samples.";
    PROF_SAMPLES_LIVE = "jemalloc_prof_samples_live", Gauge, None, "Sampled objects that are alive.";
    PROF_STACKS = "jemalloc_prof_stacks", Gauge, None, "Distinct stacks that the profiler has recorded.";
    PROF_DUMPS = "jemalloc_prof_dumps", Counter, None, "Dumps written.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn names_are_unique_carry_their_units_and_no_suffix_of_counters() {
        for (at, family) in ALL.iter().enumerate() {
            let Family { name, unit, help, .. } = family;
            assert!(name.starts_with("jemalloc") && !name.ends_with("_total"), "{name}");
            assert!(*unit == Unit::None || name.ends_with(&format!("_{}", unit.word())), "{name}");
            assert!(help.ends_with('.') && !help.contains(['\n', '\\']), "{name}");
            assert!(!ALL[..at].iter().any(|other| other.name == *name), "{name} twice");
        }
    }

    #[test]
    fn a_head_tells_type_unit_and_words() {
        let bytes = "# TYPE jemalloc_purged_bytes counter\n# UNIT jemalloc_purged_bytes bytes\n\
                     # HELP jemalloc_purged_bytes Bytes of unused pages that were purged.\n";
        assert_eq!(format!("{PURGED}"), bytes);
        assert_eq!(format!("{INFO}"), "# TYPE jemalloc info\n# HELP jemalloc The allocator.\n");
    }
}
