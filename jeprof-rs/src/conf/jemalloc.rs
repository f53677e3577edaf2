//! jemalloc's options, 5.3.0 and 5.3.1: one row each, two where the versions differ.
//!
//! Ranges as measured on Debian's 5.3.0 and on 5.3.1 built from its sources (`malloc_conf_init_helper`, 4 KiB pages,
//! 2 MiB huge pages); the outside tests repeat that.

use super::option::{Row, Says, clipped, row, switch, within, words};
use super::readable::Unit::{Bytes, Count, LgBytes, LgCount, Milliseconds};
use super::value::Kind;

const I64: i128 = i64::MAX as i128;
const U64: i128 = u64::MAX as i128;
const U32: i128 = u32::MAX as i128;
/// Largest size class.
const LARGEST: i128 = 7 << 60;
const PAGE: i128 = 4096;
const HUGE: i128 = 2 << 20;
/// 584 million years in milliseconds: what nanoseconds in 64 bits hold.
const DECAY_MAX: i128 = 18_446_744_072_000;
const RATIO: Kind = Kind::Fraction { max: Some(1), minus_one: false };
const ANY_RATIO: Kind = Kind::Fraction { max: None, minus_one: false };
const LETTERS: &str = "letters for the statistics: {} (J JSON; g general, m merged, d destroyed, a per arena, b bins, l large, x mutexes, e extents, h huge pages are left out)";

/// Every option, sorted by name.
pub const ROWS: &[Row] = &[
    switch("abort", "false", "abort on most internal warnings", "internal warnings do not end the program"),
    switch("abort_conf", "false", "abort when an option is invalid", "an invalid option is only reported"),
    switch(
        "background_thread",
        "false",
        "threads of jemalloc's own return unused pages to the system in the background",
        "unused pages are returned by the program's own threads, while they allocate and free",
    ),
    row(
        "bin_shards",
        Kind::Ranges { min: 1, max: 64, word: false },
        "",
        Says::Any("bins per size class in each arena: {} (FROM-TO bytes:N bins)"),
    ),
    switch(
        "cache_oblivious",
        "true",
        "large objects start at random offsets of a page, which costs a page each",
        "large objects start on page boundaries",
    )
    .since_531(),
    row(
        "calloc_madvise_threshold",
        within(0, LARGEST),
        "8388608",
        Says::Amount(
            Bytes,
            "calloc of {} and more gets clean pages from the system instead of writing zeros",
            &[],
        ),
    )
    .since_531(),
    switch(
        "confirm_conf",
        "false",
        "print every source of options and each accepted pair at start",
        "options are not printed at start",
    ),
    row(
        "debug_double_free_max_scan",
        within(0, U32),
        "",
        Says::Amount(
            Count,
            "free looks through {} cached pointers for the same one; only in debug builds, 0 otherwise",
            &[],
        ),
    )
    .since_531(),
    row(
        "dirty_decay_ms",
        within(-1, DECAY_MAX),
        "10000",
        Says::Amount(
            Milliseconds,
            "unused dirty pages are returned to the system little by little within {}",
            &[
                (-1, "unused dirty pages are never purged: memory stays with the process"),
                (
                    0,
                    "unused dirty pages are returned to the system at once, at the price of a system call and new page faults each time",
                ),
            ],
        ),
    ),
    switch(
        "disable_large_size_classes",
        "true",
        "large requests are rounded up to whole pages only",
        "large requests are rounded up to size classes",
    )
    .since_531(),
    words(
        "dss",
        true,
        "secondary",
        "disabled|primary|secondary",
        &[
            "memory comes from mmap only",
            "memory comes from sbrk first, then mmap",
            "memory comes from mmap first, then sbrk",
        ],
    ),
    switch(
        "experimental_hpa_enforce_hugify",
        "false",
        "huge pages are asked for even where the system gives them anyway",
        "huge pages are asked for where the system does not give them anyway",
    )
    .since_531(),
    row(
        "experimental_hpa_max_purge_nhp",
        within(-1, I64),
        "-1",
        Says::Amount(
            Count,
            "at most {} huge pages are purged in one go",
            &[(-1, "any number of huge pages is purged in one go")],
        ),
    )
    .since_531(),
    switch(
        "experimental_hpa_start_huge_if_thp_always",
        "true",
        "new pages count as huge where the system's setting is always",
        "new pages count as small",
    )
    .since_531(),
    switch(
        "experimental_infallible_new",
        "false",
        "operator new ends the program when memory runs out",
        "operator new throws when memory runs out",
    ),
    switch(
        "experimental_tcache_gc",
        "true",
        "thread caches shrink by time and place",
        "thread caches shrink by the older rule",
    )
    .since_531(),
    switch(
        "hpa",
        "false",
        "small and medium pages come from the huge page allocator",
        "the huge page allocator is off",
    ),
    row(
        "hpa_dirty_mult",
        Kind::Fraction { max: None, minus_one: true },
        "0.25",
        Says::Any("dirty pages of a huge page shard, as a share of the active ones: at most {} (-1 for any)"),
    ),
    row(
        "hpa_hugification_threshold",
        clipped(PAGE, HUGE),
        "1992294",
        Says::Amount(Bytes, "a huge page is asked for from {} of active memory in it", &[]),
    ),
    row(
        "hpa_hugification_threshold_ratio",
        RATIO,
        "0.95",
        Says::Any("a huge page is asked for when this share of it is active: {}"),
    ),
    row(
        "hpa_hugify_delay_ms",
        within(0, U64),
        "10000",
        Says::Amount(
            Milliseconds,
            "a huge page is asked for {} after it became worth it",
            &[(0, "a huge page is asked for as soon as it is worth it")],
        ),
    ),
    words(
        "hpa_hugify_style",
        true,
        "lazy",
        "auto|none|eager|lazy",
        &[
            "huge pages are asked for as the system's setting suggests",
            "huge pages are never asked for",
            "huge pages are asked for from the beginning",
            "huge pages are asked for when they are full enough",
        ],
    )
    .since_531(),
    switch(
        "hpa_hugify_sync",
        "false",
        "huge pages are made at once (MADV_COLLAPSE)",
        "huge pages are made when the kernel gets to it",
    )
    .since_531(),
    row(
        "hpa_min_purge_delay_ms",
        within(0, U64),
        "0",
        Says::Amount(
            Milliseconds,
            "a huge page is purged only when idle for {}",
            &[(0, "a huge page may be purged as soon as it is idle")],
        ),
    )
    .since_531(),
    row(
        "hpa_min_purge_interval_ms",
        within(0, U64),
        "5000",
        Says::Amount(
            Milliseconds,
            "at least {} lie between two purges of a shard",
            &[(0, "a shard is purged as often as it likes")],
        ),
    ),
    row(
        "hpa_purge_threshold",
        clipped(PAGE, HUGE),
        "4096",
        Says::Amount(Bytes, "a huge page is purged only from {} of dirty memory in it", &[]),
    )
    .since_531(),
    row(
        "hpa_purge_threshold_ratio",
        RATIO,
        "",
        Says::Any("a huge page is purged only when this share of it is dirty: {}"),
    )
    .since_531(),
    row(
        "hpa_sec_batch_fill_extra",
        clipped(0, 512),
        "0",
        Says::Amount(Count, "a miss of the small extent cache fetches {} extents more", &[]),
    )
    .until_530(),
    row(
        "hpa_sec_batch_fill_extra",
        clipped(1, 512),
        "3",
        Says::Amount(Count, "a miss of the small extent cache fetches {} extents more", &[]),
    )
    .since_531(),
    row(
        "hpa_sec_bytes_after_flush",
        clipped(PAGE, U64),
        "131072",
        Says::Amount(Bytes, "a flush of the small extent cache leaves {}", &[]),
    )
    .until_530(),
    row(
        "hpa_sec_max_alloc",
        clipped(PAGE, U64),
        "32768",
        Says::Amount(Bytes, "the small extent cache keeps extents up to {}", &[]),
    )
    .until_530(),
    row(
        "hpa_sec_max_alloc",
        clipped(PAGE, 32_768),
        "32768",
        Says::Amount(Bytes, "the small extent cache keeps extents up to {}", &[]),
    )
    .since_531(),
    row(
        "hpa_sec_max_bytes",
        clipped(PAGE, U64),
        "262144",
        Says::Amount(Bytes, "a shard of the small extent cache is flushed at {}", &[]),
    )
    .until_530(),
    row(
        "hpa_sec_max_bytes",
        clipped(262_144, U64),
        "262144",
        Says::Amount(Bytes, "a shard of the small extent cache is flushed at {}", &[]),
    )
    .since_531(),
    row(
        "hpa_sec_nshards",
        within(0, U64),
        "4",
        Says::Amount(Count, "the small extent cache has {} shards", &[(0, "the small extent cache is off")]),
    )
    .until_530(),
    row(
        "hpa_sec_nshards",
        within(0, U64),
        "2",
        Says::Amount(Count, "the small extent cache has {} shards", &[(0, "the small extent cache is off")]),
    )
    .since_531(),
    row(
        "hpa_slab_max_alloc",
        clipped(PAGE, HUGE),
        "65536",
        Says::Amount(Bytes, "the huge page allocator serves extents up to {}", &[]),
    ),
    switch(
        "huge_arena_pac_thp",
        "false",
        "the arena of oversize requests asks for huge pages",
        "the arena of oversize requests does not ask for huge pages",
    )
    .since_531(),
    words(
        "junk",
        false,
        "false",
        "true|false|alloc|free",
        &[
            "new memory is filled with 0xa5, freed memory with 0x5a",
            "memory is not filled",
            "new memory is filled with 0xa5",
            "freed memory is filled with 0x5a",
        ],
    ),
    row(
        "lg_extent_max_active_fit",
        within(0, 64),
        "6",
        Says::Amount(LgCount, "a dirty extent is reused for a request up to {} times smaller", &[]),
    ),
    row(
        "lg_prof_interval",
        within(-1, 63),
        "-1",
        Says::Amount(
            LgBytes,
            "a dump each time {} have been allocated",
            &[(-1, "no dumps by allocated bytes")],
        ),
    )
    .built_with(PROF),
    row(
        "lg_prof_sample",
        clipped(0, 63),
        "19",
        Says::Amount(
            LgBytes,
            "one sample per {} allocated on average",
            &[(0, "every allocation is sampled: exact, and slow")],
        ),
    )
    .built_with(PROF),
    row(
        "lg_san_uaf_align",
        clipped(-1, 63),
        "-1",
        Says::Amount(
            LgBytes,
            "freed objects aligned to {} are kept back and checked for late writes",
            &[(-1, "freed objects are not checked for late writes")],
        ),
    )
    .built_with("--enable-uaf-detection"),
    row(
        "lg_tcache_flush_large_div",
        clipped(1, 16),
        "1",
        Says::Amount(
            LgCount,
            "a full cache of a large class gives back one {}th",
            &[(1, "a full cache of a large class gives back half")],
        ),
    ),
    row(
        "lg_tcache_flush_small_div",
        clipped(1, 16),
        "1",
        Says::Amount(
            LgCount,
            "a full cache of a small class gives back one {}th",
            &[(1, "a full cache of a small class gives back half")],
        ),
    ),
    row(
        "lg_tcache_max",
        clipped(0, 23),
        "15",
        Says::Amount(LgBytes, "threads cache objects up to {}; tcache_max says the same in bytes", &[]),
    )
    .until_530(),
    row(
        "lg_tcache_max",
        clipped(0, 15),
        "15",
        Says::Amount(LgBytes, "threads cache objects up to {}; tcache_max says the same in bytes", &[]),
    )
    .since_531(),
    row(
        "lg_tcache_nslots_mul",
        within(-16, 16),
        "1",
        Says::Amount(
            Count,
            "the cache of a class starts at a slab's objects times two to the power of {}",
            &[],
        ),
    ),
    row("log", Kind::Text, "", Says::Any("internal log points that are printed: {}"))
        .built_with("--enable-log"),
    row(
        "max_background_threads",
        clipped(1, 4096),
        "4",
        Says::Amount(Count, "at most {} background threads; of several values the least counts", &[]),
    ),
    words(
        "metadata_thp",
        true,
        "disabled",
        "disabled|auto|always",
        &[
            "no huge pages for jemalloc's own data",
            "huge pages for jemalloc's own data once there is much of it",
            "huge pages for jemalloc's own data",
        ],
    ),
    row(
        "mutex_max_spin",
        within(-1, I64),
        "600",
        Says::Amount(
            Count,
            "a thread tries {} times to get a lock before it sleeps",
            &[(-1, "a thread never sleeps for a lock, it keeps trying")],
        ),
    ),
    row(
        "muzzy_decay_ms",
        within(-1, DECAY_MAX),
        "0",
        Says::Amount(
            Milliseconds,
            "pages already offered to the system (MADV_FREE) are given up for good within {}",
            &[
                (-1, "pages already offered to the system (MADV_FREE) are never given up for good"),
                (
                    0,
                    "dirty pages are given up for good, without the muzzy state between (the default since 5.2.0)",
                ),
            ],
        ),
    ),
    row(
        "narenas",
        within(1, U32),
        "",
        Says::Amount(
            Count,
            "threads are spread over {} arenas",
            &[(1, "all threads share one arena: less memory, more waiting")],
        ),
    ),
    row("narenas_ratio", ANY_RATIO, "4.0", Says::Any("arenas per processor: {}")),
    row(
        "oversize_threshold",
        within(0, LARGEST),
        "8388608",
        Says::Amount(
            Bytes,
            "requests of {} and more have an arena of their own, which purges at once",
            &[(0, "large requests have no arena of their own")],
        ),
    ),
    words(
        "percpu_arena",
        true,
        "disabled",
        "percpu|phycpu|disabled",
        &[
            "a thread uses the arena of the processor that it runs on",
            "a thread uses the arena of the core that it runs on; hyperthreads share one",
            "arenas are not tied to processors",
        ],
    ),
    row(
        "process_madvise_max_batch",
        within(0, U64),
        "0",
        Says::Amount(
            Count,
            "up to {} ranges are purged with one system call, as far as the kernel allows",
            &[(0, "ranges are purged one by one")],
        ),
    )
    .since_531(),
    switch(
        "prof",
        "false",
        "the sampling heap profiler is on",
        "the heap profiler is off; it cannot be turned on later",
    )
    .built_with(PROF),
    switch(
        "prof_accum",
        "false",
        "dumps also tell what was allocated and freed since the start; every stack is kept for good",
        "dumps tell what is live only",
    )
    .built_with(PROF),
    switch(
        "prof_active",
        "true",
        "sampling begins at start",
        "nothing is sampled until the program sets prof.active",
    )
    .built_with(PROF),
    row(
        "prof_bt_max",
        clipped(1, 256),
        "128",
        Says::Amount(Count, "stacks are kept with up to {} frames", &[]),
    )
    .built_with(PROF)
    .since_531(),
    switch("prof_final", "false", "a dump when the program exits", "no dump at exit").built_with(PROF),
    switch(
        "prof_gdump",
        "false",
        "a dump whenever memory in use reaches a new maximum",
        "no dumps at new maxima",
    )
    .built_with(PROF),
    switch(
        "prof_leak",
        "false",
        "a summary on stderr of what is still live at exit; turns profiling on",
        "no leak summary",
    )
    .built_with(PROF),
    switch(
        "prof_leak_error",
        "false",
        "exit status 1 when something is still live at exit; turns prof_leak on",
        "leaks do not change the exit status",
    )
    .built_with(PROF),
    switch(
        "prof_log",
        "false",
        "a JSON log of the sampled allocations from the start",
        "no log of sampled allocations",
    )
    .built_with(PROF),
    switch(
        "prof_pid_namespace",
        "false",
        "names of dumps hold the pid namespace's number",
        "names of dumps hold the pid only",
    )
    .built_with(PROF)
    .since_531(),
    row("prof_prefix", Kind::Text, "jeprof", Says::Any("dumps are called {}.PID.NUMBER.REASON.heap"))
        .built_with(PROF),
    row(
        "prof_recent_alloc_max",
        within(-1, I64),
        "0",
        Says::Amount(
            Count,
            "the last {} sampled allocations are remembered",
            &[(-1, "all sampled allocations are remembered"), (0, "recent allocations are not remembered")],
        ),
    )
    .built_with(PROF),
    switch(
        "prof_stats",
        "false",
        "sampled counts per size class under prof.stats",
        "no sampled counts per size class",
    )
    .built_with(PROF),
    switch(
        "prof_sys_thread_name",
        "false",
        "threads have the system's names in dumps; prof.name cannot be set",
        "threads have the names that the program gave through thread.prof.name",
    )
    .built_with(PROF),
    switch(
        "prof_thread_active_init",
        "true",
        "new threads sample",
        "new threads do not sample until they set thread.prof.active",
    )
    .built_with(PROF),
    words(
        "prof_time_resolution",
        false,
        "default",
        "default|high",
        &["times in logs are about 4 ms exact", "times in logs are nanoseconds"],
    )
    .built_with(PROF),
    switch(
        "prof_unbias",
        "true",
        "dumps are scaled so that viewers' estimates come out right",
        "dumps hold raw figures",
    )
    .built_with(PROF),
    switch(
        "retain",
        "true",
        "unused address ranges are kept for reuse; virtual size never shrinks, memory does",
        "unused address ranges are unmapped",
    ),
    row(
        "san_guard_large",
        within(0, U64),
        "0",
        Says::Amount(
            Count,
            "every {}th large extent gets guard pages",
            &[(0, "no guard pages at large extents"), (1, "every large extent gets guard pages")],
        ),
    ),
    row(
        "san_guard_small",
        within(0, U64),
        "0",
        Says::Amount(
            Count,
            "every {}th slab gets guard pages",
            &[(0, "no guard pages at slabs"), (1, "every slab gets guard pages")],
        ),
    ),
    row(
        "slab_sizes",
        Kind::Ranges { min: 0, max: u32::MAX, word: true },
        "default",
        Says::Any("pages per slab: {} (FROM-TO bytes:N pages)"),
    ),
    row(
        "stats_interval",
        within(-1, I64),
        "-1",
        Says::Amount(
            Bytes,
            "statistics are printed each time {} have been allocated",
            &[(-1, "statistics are not printed while the program runs")],
        ),
    ),
    row("stats_interval_opts", Kind::Text, "", Says::Any(LETTERS)),
    switch(
        "stats_print",
        "false",
        "statistics are printed at normal exit (not after _exit or a signal)",
        "no statistics at exit",
    ),
    row("stats_print_opts", Kind::Text, "", Says::Any(LETTERS)),
    switch("tcache", "true", "threads cache freed objects", "threads do not cache: every call takes a lock"),
    row(
        "tcache_gc_delay_bytes",
        within(0, U64),
        "0",
        Says::Amount(
            Bytes,
            "a class is spared by the cache's collection until {} of it were allocated",
            &[(0, "every collection may shrink any class's cache")],
        ),
    ),
    row(
        "tcache_gc_incr_bytes",
        clipped(1024, U64),
        "65536",
        Says::Amount(Bytes, "a thread's cache is collected each time it allocated or freed {}", &[]),
    ),
    row(
        "tcache_max",
        clipped(0, 8_388_608),
        "32768",
        Says::Amount(Bytes, "threads cache objects up to {}", &[]),
    )
    .until_530(),
    row(
        "tcache_max",
        clipped(0, 32_768),
        "32768",
        Says::Amount(Bytes, "threads cache objects up to {}", &[]),
    )
    .since_531(),
    row(
        "tcache_ncached_max",
        Kind::Ranges { min: 0, max: u32::MAX, word: false },
        "",
        Says::Any("cached objects per size class, at most: {} (FROM-TO bytes:N objects)"),
    )
    .since_531(),
    row(
        "tcache_nslots_large",
        clipped(1, 2048),
        "20",
        Says::Amount(Count, "a thread caches up to {} objects of a large class", &[]),
    ),
    row(
        "tcache_nslots_small_max",
        clipped(1, 2048),
        "200",
        Says::Amount(Count, "a thread caches at most {} objects of a small class", &[]),
    ),
    row(
        "tcache_nslots_small_min",
        clipped(1, 2048),
        "20",
        Says::Amount(Count, "a thread may cache at least {} objects of a small class", &[]),
    ),
    words(
        "thp",
        true,
        "default",
        "default|always|never",
        &[
            "huge pages as the system decides",
            "huge pages are asked for everywhere",
            "huge pages are refused everywhere",
        ],
    ),
    switch(
        "trust_madvise",
        "false",
        "MADV_DONTNEED is believed to clear pages, without the test at start",
        "whether MADV_DONTNEED clears pages is tested at start",
    ),
    switch("utrace", "false", "calls are recorded by utrace(2)", "calls are not recorded")
        .built_with("--enable-utrace"),
    switch(
        "xmalloc",
        "false",
        "running out of memory ends the program with a message",
        "running out of memory returns null",
    )
    .built_with("--enable-xmalloc"),
    switch("zero", "false", "new memory is filled with zeros, malloc's too", "only calloc clears memory"),
    words(
        "zero_realloc",
        false,
        "free",
        "alloc|free|abort",
        &[
            "realloc to 0 bytes keeps an object of the least size",
            "realloc to 0 bytes frees and returns null",
            "realloc to 0 bytes ends the program",
        ],
    ),
];

/// The configure option of the profiler.
pub const PROF: &str = "--enable-prof";
