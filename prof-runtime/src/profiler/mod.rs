//! The profiler: owns every table and is all that a host sees.
//!
//! The host counts allocations (or bytes) down from a distance drawn here, calls [`Profiler::sample`] for the
//! allocation that reaches zero, keeps the [`crate::SampleRef`] with the object, and gives it back to
//! [`Profiler::unsample`] when the object dies.

mod files;
mod sampling;

use core::{
    cell::UnsafeCell,
    ffi::CStr,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
};

use prof_format::vocab::Tally;

use crate::{
    arch,
    clock::{Clock, nanos},
    context::Contexts,
    dump::Dumps,
    hooks::Hooks,
    labels::{BadLabel, Labels},
    live::Live,
    log::Log,
    markers,
    name::{BadName, Name},
    pace::Pace,
    reach::Ended,
    recent::Recent,
    sampler::{self, Draw, Rate},
    settings::{Kept, Settings},
    stack_table::{StackId, StackTable},
    thread::ThreadProf,
    threads::Threads,
    unwind::{Unwinder, cache::Site},
};

/// What the samples say of the program's memory since the start, or the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimates {
    /// What is alive.
    pub live: Tally,
    /// Everything that was allocated.
    pub allocated: Tally,
}

/// The kernel gave no memory for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

const OFF: u8 = 0;
const BOOTING: u8 = 1;
const ON: u8 = 2;

/// Largest rate that can be set. The largest that counts is a half of it.
const LG_SAMPLE_LIMIT: u8 = 63;

/// The profiler of a process. Lives in a static; its tables stay mapped for the life of the process.
///
/// **Synchronization:** every method may be called by any thread at any time. Sampling and un-sampling take no lock;
/// dumps take one that they alone use.
pub struct Profiler {
    /// `OFF` -> `BOOTING` -> `ON`, or back to `OFF` when memory is out.
    state: AtomicU8,
    active: AtomicBool,
    gdump: AtomicBool,
    thread_active_init: AtomicBool,
    lg_sample: AtomicU8,
    exited: AtomicBool,
    epoch: AtomicU32,
    /// Which counts hold; from 1, advanced by `reset`. Never 0.
    generation: AtomicU32,
    since_nanos: AtomicU64,
    /// Most active bytes seen.
    high_water: AtomicU64,
    kept: UnsafeCell<Kept>,
    unwinder: Unwinder,
    stacks: StackTable,
    /// Bits of the stack that stands for those that are too many; 0 for none.
    dropped: AtomicU32,
    /// Id of the address that stands for what is missing of a cut stack; 0 for none.
    truncated: AtomicU32,
    contexts: Contexts,
    threads: Threads,
    labels: Labels,
    live: Live,
    ended: Ended,
    recent: Recent,
    log: Log,
    dumps: Dumps,
    hooks: Hooks,
    pace: Pace,
}

// SAFETY: all parts are `Sync` by themselves but `kept`. That is written by `boot` alone, while the state is `BOOTING`,
// which one caller reaches (compare-and-swap); everybody else reads it only after seeing `ON` (acquire), which `boot`
// stores last (release).
unsafe impl Sync for Profiler {}

impl Default for Profiler {
    fn default() -> Self {
        Profiler::new()
    }
}

impl Profiler {
    /// A profiler that is off; maps nothing.
    pub const fn new() -> Profiler {
        Profiler {
            state: AtomicU8::new(OFF),
            active: AtomicBool::new(false),
            gdump: AtomicBool::new(false),
            thread_active_init: AtomicBool::new(true),
            lg_sample: AtomicU8::new(19),
            exited: AtomicBool::new(false),
            epoch: AtomicU32::new(0),
            generation: AtomicU32::new(1),
            since_nanos: AtomicU64::new(0),
            high_water: AtomicU64::new(0),
            kept: UnsafeCell::new(Kept::new()),
            unwinder: Unwinder::new(),
            stacks: StackTable::new(),
            dropped: AtomicU32::new(0),
            truncated: AtomicU32::new(0),
            contexts: Contexts::new(),
            threads: Threads::new(),
            labels: Labels::new(),
            live: Live::new(),
            ended: Ended::new(),
            recent: Recent::new(),
            log: Log::new(),
            dumps: Dumps::new(),
            hooks: Hooks::new(),
            pace: Pace::new(),
        }
    }

    /// Turns the profiler on (`prof:true`). Lists the loaded modules and maps the first tables; later calls do nothing.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the kernel gives no memory; the profiler stays off.
    pub fn boot(&self, settings: &Settings) -> Result<(), OutOfMemory> {
        if self.state.compare_exchange(OFF, BOOTING, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return Ok(());
        }
        // SAFETY: see the `Sync` above: nobody else looks at it while the state is `BOOTING`, and only we are here.
        unsafe { &mut *self.kept.get() }.set(settings);
        self.active.store(settings.active, Ordering::Relaxed);
        self.gdump.store(settings.gdump, Ordering::Relaxed);
        self.thread_active_init.store(settings.thread_active_init, Ordering::Relaxed);
        self.lg_sample.store(settings.lg_sample.min(LG_SAMPLE_LIMIT), Ordering::Relaxed);
        // Nobody else is here yet that could be changing it.
        let _ = self.dumps.prefix().set(settings.prefix);
        self.since_nanos.store(nanos(Clock::Monotonic), Ordering::Relaxed);
        self.pace.start(settings.samples_per_second, nanos(Clock::Coarse));
        self.unwinder.prime();
        // A first walk maps the tables and makes the rules of the frames that every sample begins with.
        let ready = self.stack(arch::capture()).is_some() && self.unwinder.is_mapped();
        self.make_markers();
        self.stacks.set_limit(settings.max_stacks);
        if settings.peak {
            self.contexts.peak().turn_on();
        }
        self.recent.set_max(settings.recent_max);
        if settings.log {
            // A log that can not be begun for want of memory is none.
            let _ = self.start_log(self.kept_now(), None);
        }
        self.state.store(if ready { ON } else { OFF }, Ordering::Release);
        self.epoch.fetch_add(1, Ordering::Relaxed);
        if ready { Ok(()) } else { Err(OutOfMemory) }
    }

    /// Makes what stands for missing stacks and frames. Without memory for it they are missing without a word.
    fn make_markers(&self) {
        let id = |address| self.unwinder.addresses().entry(Site::returning(address)).map(|entry| entry.id);
        let [dropped, truncated] = markers::addresses().map(id);
        let stack = dropped.and_then(|id| self.stacks.intern(&[id], false));
        self.dropped.store(stack.map_or(0, StackId::to_bits), Ordering::Relaxed);
        self.truncated.store(truncated.unwrap_or(0), Ordering::Relaxed);
    }

    /// The settings; only while `BOOTING` by the booting thread, or after it.
    fn kept_now(&self) -> &Kept {
        // SAFETY: see the `Sync` above: written before, by this thread or before the `ON` that was seen.
        unsafe { &*self.kept.get() }
    }

    /// The settings when the profiler is on.
    fn kept(&self) -> Option<&Kept> {
        self.enabled().then(|| self.kept_now())
    }

    /// Whether it was booted.
    pub fn enabled(&self) -> bool {
        self.state.load(Ordering::Acquire) == ON
    }

    /// Whether sampling is on for the process (`prof.active`).
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Switches sampling on or off for the process; returns what it was.
    pub fn set_active(&self, on: bool) -> bool {
        let old = self.active.swap(on, Ordering::Relaxed);
        if old != on {
            self.advance_epoch();
        }
        old
    }

    /// Changes whenever distances drawn before are stale: the rate was changed, sampling went on or off.
    pub fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Relaxed)
    }

    fn advance_epoch(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }

    /// Log2 of the mean sampling distance in force.
    pub fn lg_sample(&self) -> u8 {
        self.lg_sample.load(Ordering::Relaxed)
    }

    /// Bytes between interval dumps (`prof.interval`); 0: none.
    pub fn interval_bytes(&self) -> u64 {
        let lg = self.kept().and_then(|kept| kept.lg_interval);
        lg.and_then(|lg| 1u64.checked_shl(lg as u32)).unwrap_or(0)
    }

    /// Sampled objects that are alive. Cost: 1 ns for each.
    pub fn live_samples(&self) -> u64 {
        self.live.count()
    }

    /// Sums over all stacks, as of dumps. Cost: a few loads for each stack of each thread.
    pub fn estimates(&self) -> Estimates {
        let generation = self.generation.load(Ordering::Acquire);
        let contexts = self.contexts.ids().filter_map(|id| self.contexts.get(id));
        contexts.map(|context| self.contexts.tallies(context, generation)).fold(
            Estimates::default(),
            |sum, tallies| Estimates {
                live: sum.live.plus(tallies.live),
                allocated: sum.allocated.plus(tallies.accum),
            },
        )
    }

    /// Distinct stacks that were recorded since the start. Cost: a load.
    pub fn stacks(&self) -> u32 {
        self.stacks.count()
    }

    /// Dumps written since the start, by all triggers. Cost: a load.
    pub fn dumps_written(&self) -> u64 {
        self.dumps.written()
    }

    /// Whether growth causes dumps (`prof.gdump`).
    pub fn gdump(&self) -> bool {
        self.gdump.load(Ordering::Relaxed)
    }

    /// Switches growth dumps; returns what it was.
    pub fn set_gdump(&self, on: bool) -> bool {
        self.gdump.swap(on, Ordering::Relaxed)
    }

    /// Drops all counts (`prof.reset`), with a new rate when one is given. Objects sampled before are forgotten.
    pub fn reset(&self, lg_sample: Option<u8>) {
        if let Some(lg_sample) = lg_sample {
            let new = lg_sample.min(LG_SAMPLE_LIMIT);
            let old = self.lg_sample.swap(new, Ordering::Relaxed);
            if self.pace.is_on() {
                self.pace.asked(old, new);
            }
        }
        let next = |generation: u32| Some(Self::next(generation));
        self.contexts.peak().restart(Self::next(self.generation.load(Ordering::Relaxed)));
        let _ = self.generation.fetch_update(Ordering::Release, Ordering::Relaxed, next);
        self.since_nanos.store(nanos(Clock::Monotonic), Ordering::Relaxed);
        self.advance_epoch();
    }

    /// The generation that follows.
    fn next(generation: u32) -> u32 {
        generation.wrapping_add(1).max(1)
    }

    /// Whether an allocation of this thread may be sampled.
    fn samples(&self, thread: &ThreadProf) -> bool {
        self.enabled() && self.thread_active(thread) && self.is_active()
    }

    /// The mean distance that is drawn with now: that of `lg_prof_sample`, doubled as often as the ceiling on samples per
    /// second takes.
    pub fn rate(&self) -> Rate {
        Rate::new(self.lg_sample().saturating_add(self.pace.raised()))
    }

    /// Allocations of `usize_` bytes until the next sampled one; `None` while sampling is off for this thread or the
    /// process. Each allocation is sampled with probability `1 - exp(-usize_/R)`.
    pub fn draw_allocs(&self, thread: &ThreadProf, usize_: u64) -> Option<Draw> {
        let rate = self.rate();
        self.samples(thread).then(|| Draw {
            rate,
            distance: match rate.lg() {
                0 => 1,
                lg => sampler::allocs_until_sample(thread.exponential(), lg, usize_),
            },
        })
    }

    /// Bytes until the next sample point; `None` while sampling is off.
    pub fn draw_bytes(&self, thread: &ThreadProf) -> Option<Draw> {
        self.draw_allocs(thread, 1)
    }

    /// Functions that the program wants to be called.
    pub fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// Whether the thread samples (`thread.prof.active`): what the profiler's initial value was when this was first
    /// asked, or what was set since.
    pub fn thread_active(&self, thread: &ThreadProf) -> bool {
        thread.active().unwrap_or_else(|| {
            let initial = self.thread_active_init();
            if self.enabled() {
                thread.set_active(initial);
            }
            initial
        })
    }

    /// Whether new threads sample (`prof.thread_active_init`).
    pub fn thread_active_init(&self) -> bool {
        self.thread_active_init.load(Ordering::Relaxed)
    }

    /// Sets whether they do; returns what it was.
    pub fn set_thread_active_init(&self, on: bool) -> bool {
        self.thread_active_init.swap(on, Ordering::Relaxed)
    }

    /// Switches sampling of the thread; returns what it was.
    pub fn set_thread_active(&self, thread: &ThreadProf, on: bool) -> bool {
        let old = self.thread_active(thread);
        thread.set_active(on);
        if old != on {
            self.advance_epoch();
        }
        old
    }

    /// Copies the thread's name (`thread.prof.name`); its length, at most 15. The rest of `buf` is zero.
    pub fn thread_name(&self, thread: &ThreadProf, buf: &mut [u8; 16]) -> usize {
        let name = thread.name();
        buf.fill(0);
        buf[..name.as_bytes().len()].copy_from_slice(name.as_bytes());
        name.as_bytes().len()
    }

    /// Whether threads have the operating system's names.
    pub fn names_are_the_system_s(&self) -> bool {
        self.kept().is_some_and(|kept| kept.sys_thread_name)
    }

    /// Names the thread; cut to 15 characters.
    ///
    /// # Errors
    /// [`BadName`] when a character is neither printable ASCII nor a blank.
    pub fn set_thread_name(&self, thread: &ThreadProf, name: &[u8]) -> Result<(), BadName> {
        self.threads.set_name(thread, Name::new(name)?);
        Ok(())
    }

    /// The thread's label (`thread.prof.label`), empty for none; stays where it is.
    pub fn thread_label(&self, thread: &ThreadProf) -> &CStr {
        self.labels.text(thread.label())
    }

    /// Labels what the thread samples from now on, for a request or a tenant; an empty text ends that.
    ///
    /// # Errors
    /// See [`BadLabel`]; the label stays as it was.
    pub fn set_thread_label(&self, thread: &ThreadProf, label: &[u8]) -> Result<(), BadLabel> {
        thread.set_label(self.labels.intern(label)?);
        Ok(())
    }

    /// The thread ends. Its record stays for its samples.
    pub fn thread_exit(&self, thread: &ThreadProf) {
        if self.kept().is_some_and(|kept| kept.reach.is_some()) {
            self.ended.add(arch::thread_pointer());
        }
        self.threads.exit(thread);
        // A handler that interrupted the profiler, and ends its thread, leaves them.
        if let Some(inside) = thread.enter() {
            self.live.give_up(inside.spares());
        }
    }
}
