//! Reads the options at the first allocation of the process, and starts the profiler when it is wanted.

use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::OnceLock;

use prof_options::at;
use prof_runtime::{Format, Settings};

use crate::options::Options;
use crate::profiler::{self, PROFILER};
use crate::{alignment, end, report};

const NEW: u8 = 0;
const READING: u8 = 1;
const READY: u8 = 2;

/// `NEW` -> `READING` -> `READY`, by one thread. Others go on meanwhile, unsampled.
static STATE: AtomicU8 = AtomicU8::new(NEW);
static OPTIONS: OnceLock<Options> = OnceLock::new();
static REGISTERED: AtomicBool = AtomicBool::new(false);

/// Reads the options if that was not done yet.
pub fn ensure(conf: &str) {
    // Acquire: pairs with the release below.
    if STATE.load(Ordering::Acquire) == READY
        || STATE.compare_exchange(NEW, READING, Ordering::Relaxed, Ordering::Relaxed).is_err()
    {
        return;
    }
    let program = ("text given to Profiled::with_conf", conf.as_bytes());
    let environment = ("value of the environment variable MALLOC_CONF", environment());
    let options = OPTIONS.get_or_init(|| Options::read(&[program, environment]));
    STATE.store(READY, Ordering::Release);
    if options.on(const { at("prof") }) {
        begin();
    }
}

/// `MALLOC_CONF`, unless the process gained privileges at exec: then its environment is not to be trusted.
fn environment() -> &'static [u8] {
    // SAFETY: getauxval reads a vector that the kernel wrote before the process began.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        return b"";
    }
    // SAFETY: the name is a C string. Nobody changes the environment before the first allocation of the process is over.
    let text = unsafe { libc::getenv(c"MALLOC_CONF".as_ptr()) };
    // SAFETY: null, or a C string in the environment; it is copied before anybody else could change it, as above.
    if text.is_null() { b"" } else { unsafe { CStr::from_ptr(text) }.to_bytes() }
}

/// Starts the profiler, if it has not been yet; whether it is on. Later calls do nothing.
pub fn begin() -> bool {
    let Some(options) = OPTIONS.get() else { return false };
    if PROFILER.enabled() {
        return true;
    }
    let lg_sample = options.get(const { at("lg_prof_sample") }) as u8;
    alignment::prepare(lg_sample);
    if PROFILER.boot(&settings(options, lg_sample)).is_err() {
        report::message(format_args!("No memory for the profiler's tables; profiling is off"));
        return false;
    }
    if !REGISTERED.swap(true, Ordering::Relaxed) {
        end::register(leak_error_code(options));
    }
    PROFILER.enabled()
}

/// Status that the process ends with when it is to end with an error because memory leaked; `None` when it never is.
fn leak_error_code(options: &Options) -> Option<c_int> {
    let error = options.on(const { at("prof_leak_error") });
    error.then(|| options.get(const { at("prof_leak_error_code") }) as c_int)
}

/// Leaks that the program says are none.
fn suppressions() -> &'static [u8] {
    let function = prof_options::weak_symbol!("__lsan_default_suppressions");
    // SAFETY: null, or the address of the program's symbol of this name, which is reserved for such a function.
    unsafe { prof_runtime::default_suppressions(function) }
}

fn settings(options: &Options, lg_sample: u8) -> Settings<'_> {
    let final_dump = options.on(const { at("prof_final") });
    Settings {
        lg_sample,
        samples_per_second: options.get(const { at("prof_target_samples_per_sec") }) as u64,
        active: options.on(const { at("prof_active") }),
        accum: options.on(const { at("prof_accum") }),
        peak: options.on(const { at("prof_peak") }),
        final_dump,
        leak: options.on(const { at("prof_leak") }),
        // Without a final dump the user was told that it has no effect.
        leak_error: options.on(const { at("prof_leak_error") }) && final_dump,
        leak_threshold: options.get(const { at("prof_leak_threshold") }) as u64,
        suppressions,
        lg_interval: u8::try_from(options.get(const { at("lg_prof_interval") })).ok(),
        prefix: options.prefix(),
        format: Format::ALL[options.get(const { at("prof_dump_format") }) as usize],
        bt_max: options.get(const { at("prof_bt_max") }) as u16,
        max_stacks: options.get(const { at("prof_max_stacks") }) as u32,
        thread_active_init: options.on(const { at("prof_thread_active_init") }),
        sys_thread_name: options.on(const { at("prof_sys_thread_name") }),
        exact_time: options.get(const { at("prof_time_resolution") }) == 1,
        unbias: options.on(const { at("prof_unbias") }),
        recent_max: options.get(const { at("prof_recent_alloc_max") }),
        log: options.on(const { at("prof_log") }),
        conf: options.conf(),
        version: env!("CARGO_PKG_VERSION"),
        pid_namespace: options.on(const { at("prof_pid_namespace") }),
        abort: options.on(const { at("abort") }),
        own_text: profiler::text(),
        message: report::write,
        // None of that is known of the allocator below.
        gdump: false,
        fullness: None,
        reach: false,
        unrecorded: |_| 0,
        totals: |_| (),
    }
}
