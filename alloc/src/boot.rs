//! Start-up: reads the options and prepares everything, at the first allocation of the process.
//!
//! Two steps: [`ensure`] before the first thread gets its block, which calls nothing that could allocate;
//! [`complete`] right after, when allocation works, for what registers itself with libc.

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, Ordering::*};

use crate::arena::binding;
use crate::arena::choice::PerCpu;
use crate::arena::guard;
use crate::arena::settings::{self as starting, Decaying};
use crate::arena::table::{self, Plan};
use crate::base::{self, MetadataThp};
use crate::entry::safety::{self, Fill, ZeroRealloc};
use crate::os::aside::Aside;
use crate::os::{cpu, environment};
use crate::page::advice::Thp;
use crate::page::default_hooks;
use crate::page::settings::{self as page_settings, Dss, Settings};
use crate::report;
use crate::sampling;
use crate::size_class::LARGE_MIN;
use crate::sync::Mutex;
use crate::tables::option;
use crate::tcache::settings;
use crate::thread::block::{Block, current};
use crate::thread::lifecycle;
use crate::units::ARENAS_MAX;
use crate::units::PAGE;
use crate::{background, cgroup, conf, fork, size_class, stats, sync};

static DONE: AtomicBool = AtomicBool::new(false);
static STARTING: Mutex<()> = Mutex::new(());
static COMPLETED: AtomicBool = AtomicBool::new(false);
static WATCHING_EXIT: AtomicBool = AtomicBool::new(false);

/// Prepares the allocator if that was not done yet. Other threads wait meanwhile.
pub fn ensure() {
    // Acquire pairs with the Release below.
    if DONE.load(Acquire) {
        return;
    }
    let _starting = STARTING.lock();
    if DONE.load(Acquire) {
        return;
    }
    if !PAGE.is_multiple_of(environment::page_size()) {
        report::fatal(format_args!("Unsupported system page size"));
    }
    conf::read();
    #[cfg(feature = "prof")]
    crate::prof::prepare();
    sync::configure(option::MUTEX_MAX_SPIN.get(), cpu::count());
    cgroup::boot();
    base::configure(metadata_thp());
    configure_arenas();
    configure_caches();
    guard::configure(option::SAN_GUARD_SMALL.size(), option::SAN_GUARD_LARGE.size());
    safety::configure(safety_options());
    #[cfg(feature = "prof")]
    crate::prof::boot();
    DONE.store(true, Release);
}

fn configure_caches() {
    let options = settings::Options {
        caching: option::TCACHE.on(),
        max: option::TCACHE_MAX.size(),
        small_min: option::TCACHE_NSLOTS_SMALL_MIN.get() as u32,
        small_max: option::TCACHE_NSLOTS_SMALL_MAX.get() as u32,
        large: option::TCACHE_NSLOTS_LARGE.get() as u32,
        lg_mul: option::LG_TCACHE_NSLOTS_MUL.get() as i32,
        ncached_max: option::TCACHE_NCACHED_MAX.as_cstr().to_bytes(),
        gc_bytes: option::TCACHE_GC_INCR_BYTES.get() as u64,
        gc_requests: option::TCACHE_GC_INTERVAL.get() as u64,
        gc_delay: option::TCACHE_GC_DELAY_BYTES.size(),
        flush_small: option::LG_TCACHE_FLUSH_SMALL_DIV.get() as u32,
        flush_large: option::LG_TCACHE_FLUSH_LARGE_DIV.get() as u32,
        adaptive: option::TCACHE_GC.on(),
    };
    settings::configure(&options);
    if options.caching && settings::max() > size_class::TCACHE_MAX {
        size_class::round_to_classes(settings::max());
    }
    if option::CACHE_OBLIVIOUS.on() {
        size_class::pad_large();
    }
    if !option::DISABLE_LARGE_SIZE_CLASSES.on() {
        size_class::round_to_classes(size_class::LARGE_MAX);
    }
}

fn safety_options() -> safety::Options {
    let junk = option::JUNK.as_cstr().to_bytes();
    let new = match junk {
        b"true" | b"alloc" => Fill::Junk,
        _ if option::ZERO.on() => Fill::Zeros,
        _ => Fill::None,
    };
    safety::Options {
        new,
        junk_freed: matches!(junk, b"true" | b"free"),
        xmalloc: option::XMALLOC.on(),
        zero_realloc: match option::ZERO_REALLOC.as_cstr().to_bytes() {
            b"alloc" => ZeroRealloc::Alloc,
            b"abort" => ZeroRealloc::Abort,
            _ => ZeroRealloc::Free,
        },
        scan: option::DOUBLE_FREE_SCAN.get() as u32,
        sizes: option::SIZE_CHECKS.on(),
    }
}

fn metadata_thp() -> MetadataThp {
    let modes = [MetadataThp::Disabled, MetadataThp::Auto, MetadataThp::Always];
    modes[option::METADATA_THP.size().min(modes.len() - 1)]
}

fn page_options() -> Settings {
    let thp = [Thp::Default, Thp::Always, Thp::Never];
    Settings {
        retain: option::RETAIN.on(),
        dss: Dss::ALL[option::DSS.size().min(Dss::ALL.len() - 1)],
        thp: thp[option::THP.size().min(thp.len() - 1)],
        oversize_threshold: option::OVERSIZE_THRESHOLD.size(),
        lg_extent_max_active_fit: option::LG_EXTENT_MAX_ACTIVE_FIT.size(),
        lg_chunk: option::LG_CHUNK.get() as u32,
        process_madvise_max_batch: option::PROCESS_MADVISE_MAX_BATCH.size(),
        trust_madvise: option::TRUST_MADVISE.on(),
        calloc_threshold: option::CALLOC_MADVISE_THRESHOLD.size(),
    }
}

fn configure_arenas() {
    for (state, option) in
        [(Decaying::Dirty, &option::DIRTY_DECAY_MS), (Decaying::Muzzy, &option::MUZZY_DECAY_MS)]
    {
        if option.is_given() {
            starting::set_default_decay_ms(state, option.get());
        }
    }
    let mode = match option::PERCPU_ARENA.as_cstr().to_bytes() {
        b"percpu" => Some(PerCpu::Logical),
        b"phycpu" => Some(PerCpu::Physical),
        _ => None,
    };
    let per_cpu = mode.map(|mode| mode.arenas(cpu::numbers()));
    resolve_narenas(per_cpu.unwrap_or(0));
    let oversize = option::OVERSIZE_THRESHOLD.size();
    if oversize < LARGE_MIN {
        option::OVERSIZE_THRESHOLD.resolve(0);
    }
    page_settings::configure(page_options());
    let plan = Plan { automatic: automatic_arenas(), oversize: (oversize >= LARGE_MIN).then_some(oversize) };
    // Only where the system is to be asked, and is not told anything else.
    if option::HUGE_ARENA_PAC_THP.on() && plan.oversize.is_some() && option::THP.get() == Thp::Default as i64
    {
        default_hooks::want_huge_pages(plan.automatic);
    }
    table::configure(plan);
    if let Some(arenas) = per_cpu {
        binding::by_processor(arenas.min(plan.automatic));
    }
}

/// Settles the option: what was asked for, or so many arenas for each processor; at least `least`.
fn resolve_narenas(least: u32) {
    let asked = option::NARENAS.get();
    let wanted = match (asked, cpu::count().min(cgroup::cpus().unwrap_or(u32::MAX))) {
        (0, _) if least != 0 => 0,
        (0, 1) => 1,
        // 16.16 bits, rounded to the nearest.
        (0, cpus) => ((cpus as i64 * option::NARENAS_RATIO.get() + (1 << 15)) >> 16).max(1),
        _ => asked,
    };
    option::NARENAS.resolve(wanted.max(least as i64));
}

/// As many arenas as the option says and indices allow; as in the reference the option still reads as it was.
fn automatic_arenas() -> u32 {
    let (wanted, most) = (option::NARENAS.get(), ARENAS_MAX - 1);
    if wanted > most.into() {
        report::message(format_args!("Reducing narenas to limit ({most})"));
        return most;
    }
    wanted as u32
}

/// Registers with libc, once: thread ends, forks, the exit of the process.
pub fn complete() {
    if COMPLETED.swap(true, AcqRel) {
        return;
    }
    lifecycle::register();
    fork::register();
    let profiler_acts = option::PROF_FINAL.on()
        || option::PROF_LEAK.on()
        || option::PROF_LOG.on()
        || option::PROF_SIGNAL.get() != 0
        || option::PROF_INTERVAL_MS.get() != 0
        || option::PROF_LISTEN.on();
    if option::STATS_PRINT.on() || cfg!(feature = "prof") && profiler_acts {
        watch_exit();
    }
    background::start();
}

/// Type of the C library's function of this name.
type OnExit = unsafe extern "C" fn(extern "C" fn(c_int, *mut c_void), *mut c_void) -> c_int;

/// Has the end of the process watched, from the first call on. May allocate.
pub fn watch_exit() {
    if WATCHING_EXIT.swap(true, AcqRel) {
        return;
    }
    // The list of handlers outlives the arena that a program may have bound the thread to.
    let _aside = Aside::step();
    let on_exit: *const () = crate::weak_symbol!("on_exit");
    // It alone tells the status that the program ends with, which goes before an error of ours; musl has none.
    if option::PROF_LEAK_ERROR.on() && !on_exit.is_null() {
        // SAFETY: glibc's function of this name has this type.
        let on_exit = unsafe { core::mem::transmute::<*const (), OnExit>(on_exit) };
        // SAFETY: the handler has the signature that on_exit wants, and this code is never unloaded before exit.
        if unsafe { on_exit(at_exit_with, null_mut()) } == 0 {
            return;
        }
    }
    // SAFETY: `at_exit` has the signature that atexit wants, and this code is never unloaded before exit.
    unsafe { libc::atexit(at_exit) };
}

extern "C" fn at_exit() {
    at_exit_with(0, null_mut());
}

extern "C" fn at_exit_with(status: c_int, _: *mut c_void) {
    let failed = cfg!(feature = "prof") && sampling::at_exit(current().map(Block::prof), status);
    background::at_exit();
    if option::STATS_PRINT.on() {
        stats::print(option::STATS_PRINT_OPTS.as_cstr().to_bytes());
    }
    if failed {
        // The C library goes on with the handlers that are left, flushes its streams, and ends with this status. To end
        // at once, as the reference does, would lose what the program has printed.
        // SAFETY: glibc and musl define this for a handler of atexit.
        unsafe { libc::exit(option::PROF_LEAK_ERROR_CODE.get() as c_int) }
    }
}
