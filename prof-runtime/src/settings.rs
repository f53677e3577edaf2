//! What the host's options say, and the copy of it that the profiler keeps.

use core::ops::Range;

use prof_format::{totals::Totals, vocab::Format};

use crate::{
    clock::{Clock, nanos},
    memory::Rows,
    reach,
    unwind::{Limits, STACK_FRAMES_MAX},
};

/// How full a slab is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fullness {
    /// Regions that are taken.
    pub used: u32,
    /// All regions.
    pub nregs: u32,
}

/// Asks the host how full the slab at an address is that [`crate::Profiler::born`] was given; `None` when it is none any more.
/// The object may die meanwhile. Must neither allocate nor wait.
pub type Ask = fn(usize) -> Option<Fullness>;

/// The host's options, read once by [`crate::Profiler::boot`].
pub struct Settings<'a> {
    /// Log2 of the mean number of bytes between samples (`lg_prof_sample`); 0 samples every allocation. At most 63,
    /// which counts as 62.
    pub lg_sample: u8,
    /// Most samples per second (`prof_target_samples_per_sec`), which the mean distance is raised for; 0 for no limit.
    pub samples_per_second: u64,
    /// Whether sampling is on at the start (`prof_active`).
    pub active: bool,
    /// Whether dumps show accumulated figures (`prof_accum`).
    pub accum: bool,
    /// Whether dumps show what was alive when most was (`prof_peak`).
    pub peak: bool,
    /// How full slabs are, where dumps are to tell that (`prof_frag`).
    pub fullness: Option<Ask>,
    /// Dump at exit (`prof_final`).
    pub final_dump: bool,
    /// Print the leak summary at exit, after the final dump (`prof_leak`).
    pub leak: bool,
    /// Say in the summary that the program will end with an error (`prof_leak_error`); the host ends it.
    pub leak_error: bool,
    /// Bytes below which what leaked is no error (`prof_leak_threshold`).
    pub leak_threshold: u64,
    /// Whether it is found out at exit which objects the program can still reach (`prof_leak_reach`): only the others are
    /// leaks then. The host has called [`crate::own_pages::track`] before.
    pub reach: bool,
    /// For how many bytes from the start of a page of the host's memory objects in use lie that were not sampled; 0 where there
    /// are none. Called while other threads are stopped: must neither allocate nor wait.
    pub unrecorded: fn(usize) -> usize,
    /// Asks the program, when it ends, for leaks that it says are none: rules as `prof_format::suppression` reads them. May
    /// allocate.
    pub suppressions: fn() -> &'static [u8],
    /// Dump whenever active memory reaches a new maximum (`prof_gdump`).
    pub gdump: bool,
    /// Log2 of the bytes between interval dumps (`lg_prof_interval`); `None`: no interval dumps.
    pub lg_interval: Option<u8>,
    /// Start of the names of dumps (`prof_prefix`) at first; empty: no automatic dumps. Cut at 4095 bytes.
    pub prefix: &'a [u8],
    /// Format of the files that the profiler names itself.
    pub format: Format,
    /// Frames kept per stack (`prof_bt_max`), at most 128.
    pub bt_max: u16,
    /// How many distinct stacks are kept (`prof_max_stacks`); 0 for any number. Samples of others count under one that has
    /// a function `prof_dropped_stacks` as its only frame.
    pub max_stacks: u32,
    /// Whether new threads sample (`prof_thread_active_init`).
    pub thread_active_init: bool,
    /// Whether threads have the operating system's names instead of the program's (`prof_sys_thread_name`).
    pub sys_thread_name: bool,
    /// Whether times of samples are exact wall-clock time, instead of the coarse monotonic clock's
    /// (`prof_time_resolution:high`).
    pub exact_time: bool,
    /// Whether dumps correct what viewers get wrong when a stack mixes sizes (`prof_unbias`).
    pub unbias: bool,
    /// How many of the newest samples are kept one by one (`prof_recent_alloc_max`); -1 for all.
    pub recent_max: i64,
    /// Whether a log of samples is kept from the start (`prof_log`).
    pub log: bool,
    /// The options that somebody set, for dumps.
    pub conf: &'a [u8],
    /// The host's version, for the log.
    pub version: &'static str,
    /// Whether names of files tell the namespace of process ids (`prof_pid_namespace`).
    pub pid_namespace: bool,
    /// Whether a dump that fails ends the process, unless the program asked for it (`abort`).
    pub abort: bool,
    /// Code of the allocator itself. Frames from the leaf up to and including the outermost frame (within the first
    /// 16) whose address lies here are never stored.
    pub own_text: Range<usize>,
    /// Hands one whole line, newline included, to the user.
    pub message: fn(&[u8]),
    /// Adds the host's sums to those that a dump tells; the kernel's are there already. Called once per dump, by the
    /// thread that writes it, which may be any and holds no lock of the host's unless a signal interrupted it. Must
    /// neither allocate nor wait for long.
    pub totals: fn(&mut Totals),
}

impl Default for Settings<'_> {
    /// As jemalloc's options are when nobody sets them, except that nothing is dumped by itself (no prefix) and that
    /// nothing is said.
    fn default() -> Self {
        Settings {
            lg_sample: 19,
            samples_per_second: 0,
            active: true,
            accum: false,
            peak: false,
            fullness: None,
            final_dump: false,
            leak: false,
            leak_error: false,
            leak_threshold: 0,
            reach: false,
            unrecorded: |_| 0,
            suppressions: || b"",
            gdump: false,
            lg_interval: None,
            prefix: b"",
            format: Format::Text,
            bt_max: STACK_FRAMES_MAX as u16,
            max_stacks: 0,
            thread_active_init: true,
            sys_thread_name: false,
            exact_time: false,
            unbias: true,
            recent_max: 0,
            log: false,
            conf: b"",
            version: "",
            pid_namespace: false,
            abort: false,
            own_text: 0..0,
            message: |_| (),
            totals: |_| (),
        }
    }
}

/// What is kept of the settings; never changes after `boot`.
pub struct Kept {
    pub accum: bool,
    pub final_dump: bool,
    pub leak: bool,
    pub leak_error: bool,
    pub leak_threshold: u64,
    /// Set when reach is to be found out.
    pub reach: Option<reach::Host>,
    pub suppressions: fn() -> &'static [u8],
    pub sys_thread_name: bool,
    pub clock: Clock,
    pub unbias: bool,
    /// Wall-clock time of `set`, nanoseconds since the epoch.
    pub start_nanos: u64,
    conf: Option<Rows<u8>>,
    pub version: &'static str,
    pub pid_namespace: bool,
    pub abort: bool,
    pub lg_interval: Option<u8>,
    pub format: Format,
    pub limits: Limits,
    pub message: fn(&[u8]),
    pub totals: fn(&mut Totals),
    pub fullness: Option<Ask>,
}

impl Kept {
    /// Nothing asked for.
    pub const fn new() -> Kept {
        Kept {
            accum: false,
            final_dump: false,
            leak: false,
            leak_error: false,
            leak_threshold: 0,
            reach: None,
            suppressions: || b"",
            sys_thread_name: false,
            clock: Clock::Coarse,
            unbias: true,
            start_nanos: 0,
            conf: None,
            version: "",
            pid_namespace: false,
            abort: false,
            lg_interval: None,
            format: Format::Text,
            limits: Limits { frames: 0, own_text: 0..0 },
            message: |_| (),
            totals: |_| (),
            fullness: None,
        }
    }

    /// The options that somebody set.
    pub fn conf(&self) -> &[u8] {
        self.conf.as_deref().unwrap_or(&[])
    }

    /// Takes over what the settings say.
    pub fn set(&mut self, settings: &Settings) {
        self.accum = settings.accum;
        self.final_dump = settings.final_dump;
        self.leak = settings.leak;
        self.leak_error = settings.leak_error;
        self.leak_threshold = settings.leak_threshold;
        self.reach = settings.reach.then_some(reach::Host { unrecorded: settings.unrecorded });
        self.suppressions = settings.suppressions;
        self.sys_thread_name = settings.sys_thread_name;
        self.clock = if settings.exact_time { Clock::Wall } else { Clock::Coarse };
        // Raw counts are scaled by viewers with one rate; under a ceiling samples are drawn at several.
        self.unbias = settings.unbias || settings.samples_per_second != 0;
        self.start_nanos = nanos(Clock::Wall);
        // Dumps go without it when memory is out.
        self.conf = Rows::zeroed(settings.conf.len());
        if let Some(conf) = &mut self.conf {
            conf.copy_from_slice(settings.conf);
        }
        self.version = settings.version;
        self.pid_namespace = settings.pid_namespace;
        self.abort = settings.abort;
        self.lg_interval = settings.lg_interval;
        self.format = settings.format;
        self.limits = Limits {
            frames: (settings.bt_max as usize).min(STACK_FRAMES_MAX),
            own_text: settings.own_text.clone(),
        };
        self.message = settings.message;
        self.totals = settings.totals;
        self.fullness = settings.fullness;
    }
}
