//! Keys that people write and that are no options: one row each.

/// One such key.
#[derive(Debug)]
pub struct Mistake {
    /// As it is written; `*` stands for anything.
    pub written: &'static str,
    /// What is true.
    pub truth: &'static str,
    /// What to write instead.
    pub instead: Instead,
}

/// What stands in the corrected string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Nothing.
    Nothing,
    /// The same value under this key.
    Key(&'static str),
    /// The number times this, under this key.
    Times(&'static str, i128),
    /// This pair.
    Pair(&'static str),
    /// The same value under what `*` stands for.
    Rest,
}

const fn row(written: &'static str, instead: Instead, truth: &'static str) -> Mistake {
    Mistake { written, truth, instead }
}

/// Every row; the first that fits counts.
pub const ROWS: &[Mistake] = &[
    row(
        "arena.*.dirty_decay_ms",
        Instead::Nothing,
        "an arena's decay time is a mallctl name, not an option: set arena.<i>.dirty_decay_ms from the program (since 5.0); dirty_decay_ms here is for all arenas",
    ),
    row(
        "arena.*.muzzy_decay_ms",
        Instead::Nothing,
        "an arena's decay time is a mallctl name, not an option: set arena.<i>.muzzy_decay_ms from the program (since 5.0); muzzy_decay_ms here is for all arenas",
    ),
    row(
        "arena.*.nthreads",
        Instead::Nothing,
        "not an option, nor can the threads of an arena be limited: narenas sets how many arenas there are, thread.arena (mallctl) which one a thread uses",
    ),
    row("arena.*", Instead::Nothing, "a mallctl name of one arena, not an option: set it from the program"),
    row(
        "arenas.dirty_decay_ms",
        Instead::Key("dirty_decay_ms"),
        "that is the mallctl name; the option is dirty_decay_ms",
    ),
    row(
        "arenas.muzzy_decay_ms",
        Instead::Key("muzzy_decay_ms"),
        "that is the mallctl name; the option is muzzy_decay_ms",
    ),
    row("arenas.narenas", Instead::Key("narenas"), "that is the mallctl name; the option is narenas"),
    row(
        "background_threads",
        Instead::Key("background_thread"),
        "the option is background_thread; max_background_threads limits their number",
    ),
    row(
        "cgroup_aware",
        Instead::Nothing,
        "jemalloc does not look at cgroup limits; dirty_decay_ms decides how fast memory is returned",
    ),
    row(
        "cgroup_purge_ratio",
        Instead::Nothing,
        "jemalloc does not look at cgroup limits; dirty_decay_ms decides how fast memory is returned",
    ),
    row("decay_ms", Instead::Key("dirty_decay_ms"), "there are two: dirty_decay_ms and muzzy_decay_ms"),
    row(
        "decay_time",
        Instead::Times("dirty_decay_ms", 1000),
        "gone since 5.0: it was in seconds, dirty_decay_ms is in milliseconds",
    ),
    row(
        "experimental_prof_recent.alloc_max",
        Instead::Key("prof_recent_alloc_max"),
        "the option is prof_recent_alloc_max; experimental.prof_recent.alloc_max is the mallctl name",
    ),
    row(
        "experimental.prof_recent.alloc_max",
        Instead::Key("prof_recent_alloc_max"),
        "that is the mallctl name; the option is prof_recent_alloc_max",
    ),
    row("lg_chunk", Instead::Nothing, "gone since 5.0, which has no chunks"),
    row(
        "lg_dirty_mult",
        Instead::Nothing,
        "gone since 5.0: dirty pages are purged by time, see dirty_decay_ms",
    ),
    row(
        "lg_tcache_gc_sweep",
        Instead::Nothing,
        "gone since 3.0: tcache_gc_incr_bytes says after how many bytes a thread's cache is collected",
    ),
    row("lg_tcache_gc_incr_bytes", Instead::Nothing, "the option is tcache_gc_incr_bytes, in bytes"),
    row(
        "lg_prof_bt_max",
        Instead::Nothing,
        "gone since 5.0 as an option: prof_bt_max of 5.3.1 is the number of frames itself",
    ),
    row("lg_prof_tcmax", Instead::Nothing, "gone since 3.0"),
    row(
        "mutex_profiling",
        Instead::Nothing,
        "no such option: statistics of mutexes are always kept, x in stats_print_opts leaves them out",
    ),
    row(
        "prof_thread_name",
        Instead::Key("prof_sys_thread_name"),
        "no such option: prof_sys_thread_name:true takes the system's names, thread.prof.name (mallctl) sets one",
    ),
    row("prof.active", Instead::Key("prof_active"), "that is the mallctl name; the option is prof_active"),
    row(
        "prof.dump",
        Instead::Pair("prof_final:true"),
        "that is the mallctl name that writes a dump; the option for one at exit is prof_final",
    ),
    row("prof.gdump", Instead::Key("prof_gdump"), "that is the mallctl name; the option is prof_gdump"),
    row(
        "prof.lg_sample",
        Instead::Key("lg_prof_sample"),
        "that is the mallctl name; the option is lg_prof_sample",
    ),
    row("prof_lg_sample", Instead::Key("lg_prof_sample"), "the option is lg_prof_sample"),
    row(
        "prof_sample",
        Instead::Key("lg_prof_sample"),
        "the option is lg_prof_sample, the power of two of the bytes between samples",
    ),
    row(
        "prof_interval",
        Instead::Key("lg_prof_interval"),
        "the option is lg_prof_interval, the power of two of the bytes between dumps",
    ),
    row("lg_sample", Instead::Key("lg_prof_sample"), "the option is lg_prof_sample"),
    row(
        "prof.recent_alloc_max",
        Instead::Key("prof_recent_alloc_max"),
        "the option is prof_recent_alloc_max, the mallctl name experimental.prof_recent.alloc_max",
    ),
    row("prof.*", Instead::Nothing, "a mallctl name, not an option"),
    row("purge", Instead::Nothing, "gone since 5.0: pages are always purged by time, see dirty_decay_ms"),
    row("quarantine", Instead::Nothing, "gone since 5.0"),
    row("redzone", Instead::Nothing, "gone since 5.0"),
    row(
        "stats_print_interval",
        Instead::Nothing,
        "no such option: stats_interval:N prints statistics each time N bytes (not milliseconds) have been allocated, for example stats_interval:1073741824; for a period of time the program must call malloc_stats_print",
    ),
    row("stats.*", Instead::Nothing, "a mallctl name that is only read, not an option"),
    row(
        "tcache_gc_interval",
        Instead::Nothing,
        "no such option: tcache_gc_incr_bytes:N collects a thread's cache each time it allocated or freed N bytes (not operations; 65536 is the default)",
    ),
    row("thread.*", Instead::Nothing, "a mallctl name for the calling thread, not an option"),
    row(
        "trim",
        Instead::Nothing,
        "no such option: arena.<i>.purge (mallctl) returns unused pages, dirty_decay_ms does so by itself",
    ),
    row("valgrind", Instead::Nothing, "gone since 5.0"),
    row(
        "opt.*",
        Instead::Rest,
        "opt.* are the mallctl names that tell the options, read-only; the key here goes without that",
    ),
];

/// The row for a key, and what its `*` stands for.
pub fn find(key: &str) -> Option<(&'static Mistake, &str)> {
    ROWS.iter().find_map(|row| fits(row.written, key).map(|rest| (row, rest)))
}

fn fits<'k>(written: &str, key: &'k str) -> Option<&'k str> {
    match written.split_once('*') {
        None => (written == key).then_some(""),
        Some((front, back)) => {
            let rest = key.strip_prefix(front)?.strip_suffix(back)?;
            (!rest.is_empty()).then_some(rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::jemalloc;

    #[test]
    fn no_mistake_is_an_option_and_each_is_reached() {
        for row in ROWS {
            assert!(jemalloc::ROWS.iter().all(|option| option.name != row.written), "{}", row.written);
            let key = row.written.replace('*', "0");
            assert_eq!(find(&key).map(|(found, _)| found.written), Some(row.written));
            assert!(!row.truth.ends_with('.'), "{}", row.written);
        }
    }

    #[test]
    fn what_is_to_be_written_instead_is_an_option() {
        for row in ROWS {
            let key = match row.instead {
                Instead::Key(key) | Instead::Times(key, _) => key,
                Instead::Pair(pair) => pair.split_once(':').unwrap().0,
                Instead::Nothing | Instead::Rest => continue,
            };
            assert!(jemalloc::ROWS.iter().any(|option| option.name == key), "{key}");
        }
    }
}
