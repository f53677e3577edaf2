//! The rows. Ranges and defaults are those of jemalloc 5.3.1 unless `docs/compat.md` says otherwise.

use core::ffi::CStr;
use core::sync::atomic::AtomicI64;

use prof_options::Range;

use super::{CType, Kind, Letters, Opt, Origin, Text};
use crate::page::decay;
use crate::size_class::LARGE_MAX;
use crate::tables::leaf::{Write, arenas};
use crate::tcache::ranges;

/// Declares options, and a list of them in their order.
///
/// `NAME = make(..), origin;` becomes `pub static NAME: Opt = make("name", ..).of(Origin::..);` and an entry of the list.
macro_rules! options {
    ($(#[$list_doc:meta])* $list:ident: $($name:ident = $make:ident($key:literal $(, $argument:expr)* $(,)?) $(, $origin:ident)?;)*) => {
        $(#[doc = concat!("The option `", $key, "`.")]
          pub static $name: Opt = $make($key $(, $argument)*)$(.of(Origin::$origin))?;)*
        $(#[$list_doc])*
        pub static $list: &[&Opt] = &[$(&$name),*];
    };
}

/// A number's kind.
pub(super) const fn number(min: i128, max: i128, clip: bool, ctype: CType) -> Kind {
    Kind::Number { min, max, clip, ctype }
}

const fn switch(name: &'static str, default: bool, doc: &'static str) -> Opt {
    Opt::new(name, default as i64, Kind::Bool, doc)
}

const fn choice(name: &'static str, words: &'static [&'static CStr], default: i64, doc: &'static str) -> Opt {
    Opt::new(name, default, Kind::Choice(words), doc)
}

pub(super) const fn text(name: &'static str, text: &'static Text, doc: &'static str) -> Opt {
    Opt::new(name, 0, Kind::Text(text), doc)
}

/// A list with `|` between its settings, of which `readable` tells how much it can read; each one that is given adds to
/// those before it.
const fn list(
    name: &'static str,
    value: &'static Text,
    readable: fn(&[u8]) -> usize,
    doc: &'static str,
) -> Opt {
    Opt { readable: Some(readable), ..text(name, value, doc) }
}

const fn letters(name: &'static str, text: &'static Text, doc: &'static str) -> Opt {
    Opt::new(name, 0, Kind::Letters(Letters { known: REPORT_LETTERS, text }), doc)
}

const fn fixed(name: &'static str, default: i64, min: i128, max: i128, doc: &'static str) -> Opt {
    Opt::new(name, default, Kind::Fixed { min, max }, doc)
}

/// Within `min..=max`, refused outside.
const fn strict(
    name: &'static str,
    default: i64,
    (min, max): (i128, i128),
    ctype: CType,
    doc: &'static str,
) -> Opt {
    Opt::new(name, default, number(min, max, false, ctype), doc)
}

/// Within `min..=max`, moved to the nearest bound outside.
const fn clipped(
    name: &'static str,
    default: i64,
    (min, max): (i128, i128),
    ctype: CType,
    doc: &'static str,
) -> Opt {
    Opt::new(name, default, number(min, max, true, ctype), doc)
}

/// As [`clipped`], and each value that is given bounds those behind it.
pub(super) const fn lowered(
    name: &'static str,
    default: i64,
    range: (i128, i128),
    ctype: CType,
    doc: &'static str,
) -> Opt {
    Opt { bound: Some(AtomicI64::new(i64::MAX)), ..clipped(name, default, range, ctype, doc) }
}

/// The default depends on the machine; `default` stands for it.
const fn computed(name: &'static str, (min, max): (i128, i128), ctype: CType, doc: &'static str) -> Opt {
    Opt { default_word: true, computed: true, ..Opt::new(name, 0, number(min, max, false, ctype), doc) }
}

/// As [`computed`], and `opt.<name>` can be written at run time.
const fn written(
    name: &'static str,
    range: (i128, i128),
    ctype: CType,
    write: Write,
    doc: &'static str,
) -> Opt {
    Opt { write: Some(write), ..computed(name, range, ctype, doc) }
}

const fn alias(
    name: &'static str,
    target: &'static Opt,
    of: fn(i64) -> i64,
    source: &'static Kind,
    default: i64,
    doc: &'static str,
) -> Opt {
    Opt::new(name, default, Kind::Alias { target, of, source }, doc)
}

/// One of the profiler's own table that says all in its row.
const fn shared(name: &'static str) -> Opt {
    let row = prof_options::row(name);
    let kind = match row.kind {
        prof_options::Kind::Bool => Kind::Bool,
        prof_options::Kind::Choice(words) => Kind::Choice(words),
        prof_options::Kind::Number(_) | prof_options::Kind::Text => panic!("its leaf needs to be told more"),
    };
    Opt::new(row.name, row.default, kind, row.doc)
}

/// A number of the profiler's own table.
const fn shared_number(name: &'static str, ctype: CType) -> Opt {
    let row = prof_options::row(name);
    let prof_options::Kind::Number(Range { min, max, clip }) = row.kind else { panic!("it is no number") };
    Opt::new(row.name, row.default, number(min, max, clip, ctype), row.doc)
}

/// A text of the profiler's own table.
const fn shared_text(name: &'static str, value: &'static Text) -> Opt {
    text(prof_options::row(name).name, value, prof_options::row(name).doc)
}

/// Only known not to be there.
const fn absent(name: &'static str, ctype: CType, doc: &'static str) -> Opt {
    Opt::new(name, 0, number(0, 0, false, ctype), doc).of(Origin::NotBuilt)
}

/// Of an older jemalloc; without effect.
const fn retired(name: &'static str, min: i128, max: i128, doc: &'static str) -> Opt {
    Opt::new(name, 0, number(min, max, true, CType::SSize), doc).of(Origin::Retired)
}

const UNSIGNED_MAX: i128 = u32::MAX as i128;
const SIZE_MAX: i128 = u64::MAX as i128;
const SSIZE_MAX: i128 = i64::MAX as i128;
const HUGEPAGE: i128 = 2 << 20;
const DECAY: (i128, i128) = (-1, decay::MS_MAX as i128);
const ONE: i64 = 1 << 16;
/// Letters of `malloc_stats_print`.
pub const REPORT_LETTERS: &[u8] = b"Jgmdablxeho";

static STATS_PRINT_LETTERS: Text = Text::holding("");
static STATS_INTERVAL_LETTERS: Text = Text::holding("");
static PREFIX: Text = Text::holding(prof_options::row("prof_prefix").text);
static NCACHED: Text = Text::holding("");
static CGROUP: Text = Text::holding("");

use CType::{I64, SSize, Size, U64, Unsigned};

options! {
    /// Options with a leaf in the reference, in its order.
    LISTED:
    ABORT = shared("abort");
    ABORT_CONF = shared("abort_conf");
    CACHE_OBLIVIOUS = switch("cache_oblivious", false,
        "Large objects start at random offsets, for a page more each; off by default here.");
    TRUST_MADVISE = switch("trust_madvise", false,
        "Believe without a test that MADV_DONTNEED leaves zeros, which emulators may not do.");
    HPA_START_HUGE = switch("experimental_hpa_start_huge_if_thp_always", true, "Of the huge page allocator, which is not there.");
    HPA_ENFORCE_HUGIFY = switch("experimental_hpa_enforce_hugify", false, "Of the huge page allocator, which is not there.");
    CONFIRM_CONF = shared("confirm_conf");
    HPA = switch("hpa", false, "The huge page allocator; it is not there, and asking for it gives a notice.");
    HPA_SLAB_MAX_ALLOC = clipped("hpa_slab_max_alloc", 65536, (4096, HUGEPAGE), Size, "Of the huge page allocator.");
    HPA_HUGIFICATION_THRESHOLD = clipped("hpa_hugification_threshold", 1_992_294, (4096, HUGEPAGE), Size,
        "Of the huge page allocator.");
    HPA_HUGIFY_DELAY_MS = strict("hpa_hugify_delay_ms", 10_000, (0, SIZE_MAX), U64, "Of the huge page allocator.");
    HPA_HUGIFY_SYNC = switch("hpa_hugify_sync", false, "Of the huge page allocator.");
    HPA_MIN_PURGE_INTERVAL_MS = strict("hpa_min_purge_interval_ms", 5_000, (0, SIZE_MAX), U64, "Of the huge page allocator.");
    HPA_MAX_PURGE_NHP = strict("experimental_hpa_max_purge_nhp", -1, (-1, SSIZE_MAX), SSize, "Of the huge page allocator.");
    HPA_PURGE_THRESHOLD = clipped("hpa_purge_threshold", 4096, (4096, HUGEPAGE), Size, "Of the huge page allocator.");
    HPA_MIN_PURGE_DELAY_MS = strict("hpa_min_purge_delay_ms", 0, (0, SIZE_MAX), U64, "Of the huge page allocator.");
    HPA_HUGIFY_STYLE = choice("hpa_hugify_style", &[c"auto", c"none", c"eager", c"lazy"], 3, "Of the huge page allocator.");
    HPA_DIRTY_MULT = fixed("hpa_dirty_mult", ONE / 4, -1, i32::MAX as i128, "Of the huge page allocator.");
    HPA_SEC_NSHARDS = strict("hpa_sec_nshards", 2, (0, SIZE_MAX), Size, "Of the huge page allocator.");
    HPA_SEC_MAX_ALLOC = clipped("hpa_sec_max_alloc", 32768, (4096, 32768), Size, "Of the huge page allocator.");
    HPA_SEC_MAX_BYTES = clipped("hpa_sec_max_bytes", 262_144, (262_144, SIZE_MAX), Size, "Of the huge page allocator.");
    HPA_SEC_BATCH_FILL_EXTRA = clipped("hpa_sec_batch_fill_extra", 3, (1, 512), Size, "Of the huge page allocator.");
    HUGE_ARENA_PAC_THP = switch("huge_arena_pac_thp", false, "Ask for huge pages for the arena of oversize requests.");
    METADATA_THP = choice("metadata_thp", &[c"disabled", c"auto", c"always"], 0,
        "Huge pages for the allocator's own structures; auto begins once there is much of them.");
    RETAIN = switch("retain", true, "Keep unused address space instead of unmapping it.");
    DSS = choice("dss", &[c"disabled", c"primary", c"secondary"], 2, "Whether address space comes from sbrk(2), before or after mmap(2).");
    NARENAS = written("narenas", (1, UNSIGNED_MAX), Unsigned, arenas::write_narenas,
        "Number of automatic arenas; narenas_ratio per processor by default, one on a single processor. Writing opt.narenas adds arenas at run time, an extension.");
    PERCPU_ARENA = choice("percpu_arena", &[c"percpu", c"phycpu", c"disabled"], 2,
        "Threads use the arena of the processor that they run on; phycpu: of its core.");
    OVERSIZE_THRESHOLD = strict("oversize_threshold", 8 << 20, (0, LARGE_MAX as i128), Size,
        "Requests of so many bytes have an arena of their own, whose pages are purged at once; 0 for none.");
    MUTEX_MAX_SPIN = strict("mutex_max_spin", 600, (-1, SSIZE_MAX), I64, "Tries before a thread sleeps for a lock; -1 never sleeps.");
    BACKGROUND_THREAD = switch("background_thread", cfg!(feature = "background-threads"), "Threads of the allocator's own purge what has decayed.");
    MAX_BACKGROUND_THREADS = lowered("max_background_threads", 4, (1, 4096), Size, "Most background threads.");
    DIRTY_DECAY_MS = strict("dirty_decay_ms", 10_000, DECAY, SSize,
        "Milliseconds until unused dirty pages have been purged, along a smoothstep curve; -1 never, 0 at once.");
    MUZZY_DECAY_MS = strict("muzzy_decay_ms", 0, DECAY, SSize,
        "Milliseconds until unused muzzy pages have been purged; -1 never, 0 skips the muzzy state.");
    STATS_PRINT = switch("stats_print", false, "Print statistics at exit.");
    STATS_PRINT_OPTS = letters("stats_print_opts", &STATS_PRINT_LETTERS, "Letters for the statistics at exit.");
    STATS_INTERVAL = strict("stats_interval", -1, (-1, SSIZE_MAX), I64, "Print statistics every so many bytes allocated; -1 for never.");
    STATS_INTERVAL_OPTS = letters("stats_interval_opts", &STATS_INTERVAL_LETTERS, "Letters for these statistics.");
    JUNK = choice("junk", &[c"true", c"false", c"alloc", c"free"], 1, "Fill new memory with 0xa5, freed memory with 0x5a.");
    ZERO = switch("zero", false, "Fill new memory with zeros.");
    UTRACE = absent("utrace", Unsigned, "Trace calls by utrace(2); Linux has none.");
    XMALLOC = switch("xmalloc", false, "Abort with a message when memory runs out.");
    INFALLIBLE_NEW = switch("experimental_infallible_new", false, "C++'s operator new aborts instead of throwing.");
    TCACHE_GC = switch("experimental_tcache_gc", true, "Bins of thread caches grow when they run both empty and full, and shrink when collected; otherwise they always have their full size.");
    TCACHE = switch("tcache", true, "Whether threads cache objects.");
    TCACHE_MAX = clipped("tcache_max", 32768, (0, 8 << 20), Size, "Bytes of the largest objects that threads cache.");
    TCACHE_NSLOTS_SMALL_MIN = clipped("tcache_nslots_small_min", 20, (1, 2048), Unsigned, "Least number of objects of a small class that a thread may cache.");
    TCACHE_NSLOTS_SMALL_MAX = clipped("tcache_nslots_small_max", 200, (1, 2048), Unsigned, "Greatest number of objects of a small class that a thread may cache.");
    TCACHE_NSLOTS_LARGE = clipped("tcache_nslots_large", 20, (1, 2048), Unsigned, "Number of objects of a large class that a thread may cache.");
    LG_TCACHE_NSLOTS_MUL = strict("lg_tcache_nslots_mul", 1, (-16, 16), SSize, "Log2 of the objects that a thread may cache per object in a slab.");
    TCACHE_GC_INCR_BYTES = clipped("tcache_gc_incr_bytes", 65536, (1024, SIZE_MAX), Size, "Bytes that a thread allocates between two collections of its cache.");
    TCACHE_GC_DELAY_BYTES = strict("tcache_gc_delay_bytes", 0, (0, SIZE_MAX), Size, "Bytes of a small class that a thread allocates before it is collected again.");
    LG_TCACHE_FLUSH_SMALL_DIV = clipped("lg_tcache_flush_small_div", 1, (1, 16), Unsigned, "A full bin of a small class gives back one part in 2^this.");
    LG_TCACHE_FLUSH_LARGE_DIV = clipped("lg_tcache_flush_large_div", 1, (1, 16), Unsigned, "A full bin of a large class gives back one part in 2^this.");
    THP = choice("thp", &[c"default", c"always", c"never"], 0, "What the kernel is told of huge pages for the program's memory.");
    LG_EXTENT_MAX_ACTIVE_FIT = strict("lg_extent_max_active_fit", 6, (0, 64), Size,
        "Log2 of how many times larger than the request an unused extent may be that is cut for it; arenas with extent hooks.");
    PROF = shared("prof");
    PROF_PREFIX = shared_text("prof_prefix", &PREFIX);
    PROF_ACTIVE = shared("prof_active");
    PROF_THREAD_ACTIVE_INIT = shared("prof_thread_active_init");
    PROF_BT_MAX = shared_number("prof_bt_max", Unsigned);
    LG_PROF_SAMPLE = shared_number("lg_prof_sample", Size);
    LG_PROF_INTERVAL = shared_number("lg_prof_interval", SSize);
    PROF_GDUMP = shared("prof_gdump");
    PROF_FINAL = shared("prof_final");
    PROF_LEAK = shared("prof_leak");
    PROF_LEAK_ERROR = shared("prof_leak_error");
    PROF_ACCUM = shared("prof_accum");
    PROF_PID_NAMESPACE = shared("prof_pid_namespace");
    PROF_RECENT_ALLOC_MAX = shared_number("prof_recent_alloc_max", SSize);
    PROF_STATS = shared("prof_stats");
    PROF_SYS_THREAD_NAME = shared("prof_sys_thread_name");
    PROF_TIME_RESOLUTION = shared("prof_time_resolution");
    LG_SAN_UAF_ALIGN = absent("lg_san_uaf_align", SSize, "Hold freed objects back to detect writes; not built.");
    ZERO_REALLOC = choice("zero_realloc", &[c"alloc", c"free", c"abort"], 1, "What realloc does with an object and size 0.");
    DOUBLE_FREE_SCAN = strict("debug_double_free_max_scan", 0, (0, UNSIGNED_MAX), Unsigned,
        "How many of the objects that the thread caches a freed or resized one is compared with; one that is found ends the process.");
    DISABLE_LARGE_SIZE_CLASSES = switch("disable_large_size_classes", true, "Large objects have whole pages, instead of the size of their class.");
    PROCESS_MADVISE_MAX_BATCH = clipped("process_madvise_max_batch", 0, (0, 128), Size, "Ranges that one system call purges; 0 for one call each.");
}

options! {
    /// Options without a leaf in the reference: some of its own, retired ones, and ours.
    OTHERS:
    NARENAS_RATIO = fixed("narenas_ratio", 4 * ONE, 1, i32::MAX as i128, "Arenas per processor."), Unlisted;
    LG_TCACHE_MAX = alias("lg_tcache_max", &TCACHE_MAX, |lg| 1 << lg, &number(0, 23, true, Size), 15, "Log2 of tcache_max."), Unlisted;
    TCACHE_NCACHED_MAX = list("tcache_ncached_max", &NCACHED, ranges::readable,
        "Objects that a thread may cache, by sizes: least-greatest:number, with | between several. Given again, it adds to what was given."), Unlisted;
    SAN_GUARD_SMALL = strict("san_guard_small", 0, (0, SIZE_MAX), Size, "Every so manieth slab that a thread takes lies between inaccessible pages; 0 for none."), Unlisted;
    SAN_GUARD_LARGE = strict("san_guard_large", 0, (0, SIZE_MAX), Size, "Every so manieth large object that a thread takes lies between inaccessible pages; 0 for none."), Unlisted;
    PROF_LOG = shared("prof_log"), Unlisted;
    PROF_UNBIAS = shared("prof_unbias"), Unlisted;
    CALLOC_MADVISE_THRESHOLD = strict("calloc_madvise_threshold", 8 << 20, (0, LARGE_MAX as i128), Size,
        "calloc of so many bytes purges pages that are not zero, instead of writing zeros."), Unlisted;
    HPA_HUGIFICATION_RATIO = alias("hpa_hugification_threshold_ratio", &HPA_HUGIFICATION_THRESHOLD, |share| share << 5,
        &Kind::Fixed { min: 0, max: ONE as i128 }, 62259, "The same as a share of a huge page."), Unlisted;
    HPA_PURGE_RATIO = alias("hpa_purge_threshold_ratio", &HPA_PURGE_THRESHOLD, |share| share << 5,
        &Kind::Fixed { min: 0, max: ONE as i128 }, ONE / 512, "The same as a share of a huge page."), Unlisted;
    LG_CHUNK = clipped("lg_chunk", 21, (12, 63), Size, "Log2 of the step by which address space grows; jemalloc has no chunks since 5.0."), Retired;
    DECAY_TIME = alias("decay_time", &DIRTY_DECAY_MS, |s| if s < 0 { -1 } else { s * 1000 },
        &number(-1, decay::MS_MAX as i128 / 1000, false, SSize), 10, "jemalloc counts milliseconds since 5.0: dirty_decay_ms."), Retired;
    LG_DIRTY_MULT = retired("lg_dirty_mult", -1, 63, "jemalloc purges by time since 5.0: dirty_decay_ms.");
    PURGE = choice("purge", &[c"decay", c"ratio"], 0, "jemalloc purges by time since 5.0: dirty_decay_ms."), Retired;
    REDZONE = switch("redzone", false, "jemalloc has no red zones since 5.0: san_guard_small, san_guard_large."), Retired;
    QUARANTINE = retired("quarantine", 0, SSIZE_MAX, "jemalloc has no quarantine since 5.0.");
    LG_TCACHE_GC_SWEEP = retired("lg_tcache_gc_sweep", -1, 63, "jemalloc collects by bytes since 3.0: tcache_gc_incr_bytes.");
    STATS_PRINT_INTERVAL = strict("stats_print_interval", 0, (0, SIZE_MAX), U64, "Print statistics every so many milliseconds; 0 for never."), Extension;
    TCACHE_GC_INTERVAL = strict("tcache_gc_interval", 0, (0, UNSIGNED_MAX), Unsigned,
        "Collect a thread's cache every so many of its events; 0 leaves it to tcache_gc_incr_bytes."), Extension;
    PROF_DUMP_FORMAT = shared("prof_dump_format"), Extension;
    PROF_PEAK = shared("prof_peak"), Extension;
    PROF_LEAK_ERROR_CODE = shared_number("prof_leak_error_code", Unsigned), Extension;
    PROF_LEAK_THRESHOLD = shared_number("prof_leak_threshold", Size), Extension;
    PROF_LEAK_REACH = shared("prof_leak_reach"), Extension;
    PROF_MAX_STACKS = shared_number("prof_max_stacks", Unsigned), Extension;
    PROF_SIGNAL = shared("prof_signal"), Extension;
    PROF_INTERVAL_MS = shared_number("prof_interval_ms", U64), Extension;
    PROF_TARGET_SAMPLES_PER_SEC = shared_number("prof_target_samples_per_sec", U64), Extension;
    PROF_LISTEN = shared("prof_listen"), Extension;
    PROF_FRAG = shared("prof_frag"), Extension;
    CGROUP_AWARE = switch("cgroup_aware", true, "Follow the control group: arenas by its processors, purging as its memory runs short."), Extension;
    CGROUP_PURGE_RATIO = fixed("cgroup_purge_ratio", ONE / 100 * 95, 0, ONE as i128, "Share of the control group's limit at which everything unused is purged."), Extension;
    CGROUP_ROOT = text("cgroup_root", &CGROUP, "Folder with the control group's files, instead of the process's own; for tests and odd mounts."), Extension;
    SIZE_CHECKS = switch("size_checks", false, "Frees that tell a size are checked, and that what is freed or resized is the start of an object in use; a wrong one ends the process."), Extension;
}
