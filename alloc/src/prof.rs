//! The profiler's controls: starts it from the options, and what mallctl asks of it.

use core::ffi::{CStr, c_char, c_int};
use core::sync::atomic::Ordering;

use prof_options::SIGNALS;
use prof_runtime::{DumpError, Fullness, Settings};

use crate::VERSION;
use crate::arena::inspect;
use crate::arena::settings::hold_stand_ins;
use crate::arena::table;
use crate::boot;
use crate::conf::{self, Place};
use crate::entry;
use crate::extent::{Kind, map};
use crate::os::pages;
use crate::report;
use crate::sampling::{CLASSES, PROFILER};
use crate::stats;
use crate::sync::Patience;
use crate::tables::option;
use crate::tables::value::CtlError;
use crate::thread::block::Block;
use crate::units::{Ns, PAGE};

/// What has to be done before the allocator takes memory for more than the texts of the options, if these ask for it.
pub fn prepare() {
    if option::PROF.on() && option::PROF_LEAK_REACH.on() {
        prof_runtime::own_pages::track();
        // The texts of the options took memory before they could ask for this, and our structures follow in the same chunk.
        let begun = table::BASE.rest();
        pages::owned(begun.start, begun.len());
        // A sample has room for one address: the object's, or that of what tells how full its slab would be.
        option::PROF_FRAG.resolve(0);
    }
}

/// Starts the profiler if the options ask for it.
pub fn boot() {
    if !option::PROF.on() {
        return;
    }
    let mut buffer = [0; CONF_MAX];
    let conf = conf_text(&mut buffer);
    let format = prof_runtime::Format::ALL[option::PROF_DUMP_FORMAT.get() as usize];
    let settings = Settings {
        lg_sample: option::LG_PROF_SAMPLE.get() as u8,
        samples_per_second: option::PROF_TARGET_SAMPLES_PER_SEC.get() as u64,
        active: option::PROF_ACTIVE.on(),
        accum: option::PROF_ACCUM.on(),
        peak: option::PROF_PEAK.on(),
        fullness: option::PROF_FRAG.on().then(|| {
            hold_stand_ins();
            fullness as fn(usize) -> Option<Fullness>
        }),
        final_dump: option::PROF_FINAL.on(),
        leak: option::PROF_LEAK.on(),
        // Without a final dump the user was told that it has no effect.
        leak_error: option::PROF_LEAK_ERROR.on() && option::PROF_FINAL.on(),
        leak_threshold: option::PROF_LEAK_THRESHOLD.get() as u64,
        reach: option::PROF_LEAK_REACH.on(),
        unrecorded,
        suppressions,
        gdump: option::PROF_GDUMP.on(),
        lg_interval: u8::try_from(option::LG_PROF_INTERVAL.get()).ok(),
        prefix: option::PROF_PREFIX.as_cstr().to_bytes(),
        format,
        bt_max: u16::try_from(option::PROF_BT_MAX.get()).unwrap_or(u16::MAX),
        max_stacks: u32::try_from(option::PROF_MAX_STACKS.get()).unwrap_or(0),
        thread_active_init: option::PROF_THREAD_ACTIVE_INIT.on(),
        sys_thread_name: option::PROF_SYS_THREAD_NAME.on(),
        exact_time: option::PROF_TIME_RESOLUTION.get() == 1,
        unbias: option::PROF_UNBIAS.on(),
        recent_max: option::PROF_RECENT_ALLOC_MAX.get(),
        log: option::PROF_LOG.on(),
        conf,
        version: VERSION,
        pid_namespace: option::PROF_PID_NAMESPACE.on(),
        abort: option::ABORT.on(),
        own_text: entry::text(),
        message: report::write,
        totals,
    };
    if option::PROF_STATS.on() {
        CLASSES.enable();
    }
    if PROFILER.boot(&settings).is_err() {
        report::message(format_args!("No memory for the profiler's tables; profiling is off"));
        option::PROF.resolve(0);
    }
}

/// Leaks that the program says are none. A preloaded library sees the function when the program exports it (`-rdynamic`).
fn suppressions() -> &'static [u8] {
    let function = crate::weak_symbol!("__lsan_default_suppressions");
    // SAFETY: null, or the address of the program's symbol of this name, which is reserved for such a function.
    unsafe { prof_runtime::default_suppressions(function) }
}

/// Bytes of options that dumps tell; what is more is cut.
const CONF_MAX: usize = 2048;

/// The texts of all sources of options, in the order in which they were applied, with commas between them.
fn conf_text(buffer: &mut [u8; CONF_MAX]) -> &[u8] {
    let mut used = 0;
    for place in Place::ALL {
        let Some(text) = conf::text(place) else { continue };
        // SAFETY: what was read from a place is a C string that stays where it is.
        let text = unsafe { CStr::from_ptr(text) }.to_bytes();
        let comma: &[u8] = if used == 0 || text.is_empty() { b"" } else { b"," };
        for byte in comma.iter().chain(text) {
            if let Some(slot) = buffer.get_mut(used) {
                *slot = *byte;
                used += 1;
            }
        }
    }
    &buffer[..used]
}

/// How full the slab is in which a sampled object, or its stand-in, lies.
fn fullness(place: usize) -> Option<Fullness> {
    let use_ = inspect::use_of(core::ptr::without_provenance(place));
    let nregs = u32::try_from(use_.nregs).ok().filter(|nregs| *nregs != 0)?;
    Some(Fullness { used: nregs.saturating_sub(use_.nfree as u32), nregs })
}

/// Bytes from the start of a page to the end of a slab or a large object that was not sampled.
fn unrecorded(page: usize) -> usize {
    let Some(extent) = map::extent_of(core::ptr::without_provenance(page)) else { return 0 };
    match extent.kind() {
        Kind::SampledSlab => 0,
        Kind::Large if extent.sample.load(Ordering::Relaxed) != 0 => 0,
        _ => (extent.base().addr() + extent.npages() * PAGE).saturating_sub(page),
    }
}

/// Our sums, for a dump. What `stats.*` shows stays as it is. Nothing when a lock is not to be had in time: a signal
/// handler that dumps may have interrupted its holder.
fn totals(into: &mut prof_runtime::Totals) {
    let Some(sums) = stats::gather(Patience::Short) else { return };
    let known = |bytes: usize| Some(bytes as u64);
    into.allocated = known(sums.allocated);
    into.active = known(sums.active);
    into.metadata = known(sums.metadata);
    into.resident = known(sums.resident);
    into.mapped = known(sums.mapped);
    into.retained = known(sums.retained);
    into.tcache_bytes = known(sums.tcache_bytes);
    into.dirty = known(sums.dirty);
    into.muzzy = known(sums.muzzy);
}

/// `prof.active` and the like: refused while the profiler is not there.
pub fn require() -> Result<(), CtlError> {
    if PROFILER.enabled() { Ok(()) } else { Err(CtlError::NotFound) }
}

/// `prof.dump`. A null name stands for a generated one.
pub fn dump(thread: Option<&Block>, name: *const c_char) -> Result<(), CtlError> {
    require()?;
    // SAFETY: by the documented interface of `prof.dump` the value is null or a C string.
    let path = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_bytes());
    PROFILER.dump(thread.map(Block::prof), path).map_err(failure)
}

/// `prof.log_start`. A null name stands for a generated one.
pub fn log_start(name: *const c_char) -> Result<(), CtlError> {
    // SAFETY: by the documented interface of `prof.log_start` the value is null or a C string.
    let path = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_bytes());
    PROFILER.log_start(path).map_err(failure)?;
    boot::watch_exit();
    Ok(())
}

/// The signal upon which a dump is written, when there is one.
pub fn signal() -> Option<c_int> {
    let (_, signal) = SIGNALS[option::PROF_SIGNAL.size()];
    (signal != 0 && PROFILER.enabled()).then_some(signal)
}

/// The time between dumps by the clock, when there are any.
pub fn interval() -> Option<Ns> {
    let ms = option::PROF_INTERVAL_MS.get() as u64;
    (ms != 0 && PROFILER.enabled()).then(|| Ns::from_ms(ms))
}

/// What `mallctl` answers when a file was not written.
pub fn failure(error: DumpError) -> CtlError {
    match error {
        DumpError::Disabled => CtlError::NotFound,
        _ => CtlError::Failed,
    }
}
