//! The profiler: owns every table and is all that a host sees.
//!
//! The host counts allocations (or bytes) down from a distance drawn here, calls [`Profiler::sample`] for the
//! allocation that reaches zero, keeps the [`SampleRef`] with the object, and gives it back to
//! [`Profiler::unsample`] when the object dies.

use core::{
    cell::UnsafeCell,
    ffi::{c_uint, c_void},
    ptr::null_mut,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
};

use prof_format::unbias::{self, Weight};

use crate::{
    arch::{self, Regs},
    clock::{Clock, nanos},
    context::{Context, Contexts},
    dump::{DumpError, Dumps, Job, frozen::Tables, names::Trigger},
    errno::keeping_errno,
    hooks::{BacktraceHook, Hooks},
    live::{Birth, Live, SampleRef},
    sampler,
    settings::{Kept, Settings},
    stack_table::{StackId, StackTable},
    sync::Mutex,
    thread::{BadName, Inside, Name, ThreadProf, Threads},
    unwind::{Limits, STACK_FRAMES_MAX, Unwinder, WALK_FRAMES_MAX, cache::Site},
};

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
    contexts: Contexts,
    threads: Threads,
    live: Live,
    dumps: Dumps,
    hooks: Hooks,
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
            contexts: Contexts::new(),
            threads: Threads::new(),
            live: Live::new(),
            dumps: Dumps::new(),
            hooks: Hooks::new(),
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
        self.unwinder.prime();
        // A first walk maps the tables and makes the rules of the frames that every sample begins with.
        let ready = self.stack(arch::capture()).is_some() && self.unwinder.is_mapped();
        self.state.store(if ready { ON } else { OFF }, Ordering::Release);
        self.epoch.fetch_add(1, Ordering::Relaxed);
        if ready { Ok(()) } else { Err(OutOfMemory) }
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

    /// Sampled objects that are alive. Cost: a load.
    pub fn live_samples(&self) -> u64 {
        self.live.count()
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
            self.lg_sample.store(lg_sample.min(LG_SAMPLE_LIMIT), Ordering::Relaxed);
        }
        let next = |generation: u32| Some(generation.wrapping_add(1).max(1));
        // Release: who samples in the new generation samples at the new rate; pairs with the acquire in `record`.
        let _ = self.generation.fetch_update(Ordering::Release, Ordering::Relaxed, next);
        self.since_nanos.store(nanos(Clock::Monotonic), Ordering::Relaxed);
        self.advance_epoch();
    }

    /// Whether an allocation of this thread may be sampled.
    fn samples(&self, thread: &ThreadProf) -> bool {
        self.enabled() && self.thread_active(thread) && self.is_active()
    }

    /// Allocations of `usize_` bytes until, and including, the next sampled one, at least 1; `None` while sampling is
    /// off for this thread or the process. Each allocation is sampled with probability `1 - exp(-usize_/R)`.
    pub fn draw_allocs(&self, thread: &ThreadProf, usize_: u64) -> Option<u64> {
        let lg_sample = self.lg_sample();
        self.samples(thread).then(|| sampler::allocs_until_sample(thread.exponential(), lg_sample, usize_))
    }

    /// Bytes until, and including, the next sample point, at least 1; `None` while sampling is off.
    pub fn draw_bytes(&self, thread: &ThreadProf) -> Option<u64> {
        let lg_sample = self.lg_sample();
        self.samples(thread).then(|| sampler::bytes_until_sample(thread.exponential(), lg_sample))
    }

    /// Records one sampled allocation of `usize_` usable bytes, for which `requested` were asked, with the stack of the
    /// caller. The caller holds no lock: an interval dump may be written here. It then calls [`Profiler::born`] or
    /// [`Profiler::retract`].
    ///
    /// `None` when sampling is off, the thread is inside the profiler already, or memory for tables is out: then the
    /// object is an ordinary one.
    ///
    /// **Cost:** 5 ns per frame and about 80 ns; no lock, no allocation.
    #[inline(never)]
    pub fn sample(&self, thread: &ThreadProf, requested: u64, usize_: u64) -> Option<SampleRef> {
        if !self.samples(thread) {
            return None;
        }
        // Until the end of this function: it also keeps the frame, whose registers are captured next, alive.
        let inside = thread.enter()?;
        let stack = self.stack(arch::capture())?;
        self.record(&inside, thread, stack, requested, usize_)
    }

    /// The stack above the frame of the registers, which is to be alive.
    #[inline(always)]
    fn stack(&self, regs: Regs) -> Option<StackId> {
        let mut ids = [0; WALK_FRAMES_MAX];
        if let Some(hook) = self.hooks.backtrace.get() {
            let frames = self.hooked_stack(hook, &mut ids);
            return self.stacks.intern(ids.get(..frames)?, false);
        }
        let walk = self.unwinder.walk(regs, &self.kept_now().limits, &mut ids);
        self.stacks.intern(ids.get(walk.start..walk.end)?, walk.truncated)
    }

    /// The stack that the program's own unwinder tells; a null address ends it.
    #[cold]
    #[inline(never)]
    fn hooked_stack(&self, hook: BacktraceHook, ids: &mut [u32; WALK_FRAMES_MAX]) -> usize {
        let mut addresses = [null_mut::<c_void>(); STACK_FRAMES_MAX];
        let (mut count, most) = (0, self.kept_now().limits.frames);
        // SAFETY: a program that sets the hook promises that it can be called by any thread with room for as many
        // addresses as it is told.
        keeping_errno(|| unsafe { hook(addresses.as_mut_ptr(), &raw mut count, most as c_uint) });
        let found = addresses.iter().take(most.min(count as usize)).map(|address| address.addr());
        let known = found.take_while(|address| *address != 0).map_while(|address| {
            self.unwinder.addresses().entry(Site::returning(address)).map(|entry| entry.id)
        });
        ids.iter_mut().zip(known).map(|(slot, id)| *slot = id).count()
    }

    /// Fills `addresses` with the stack of the caller, leaf first, without the host's own frames; how many there are.
    ///
    /// This is what is stored for samples while there is no hook in its place.
    #[inline(never)]
    pub fn backtrace(&self, addresses: &mut [*mut c_void]) -> usize {
        let Some(kept) = self.kept() else { return 0 };
        let mut ids = [0; WALK_FRAMES_MAX];
        let limits = Limits { frames: addresses.len().min(STACK_FRAMES_MAX), ..kept.limits.clone() };
        let walk = self.unwinder.walk(arch::capture(), &limits, &mut ids);
        let frames = ids.get(walk.start..walk.end).unwrap_or(&[]);
        addresses.iter_mut().zip(frames).map(|(slot, id)| *slot = self.address(*id)).count()
    }

    fn address(&self, id: u32) -> *mut c_void {
        let site = self.unwinder.addresses().site(id);
        core::ptr::without_provenance_mut(site.map_or(0, |site| site.as_return_address() as usize))
    }

    #[inline]
    fn record(
        &self,
        _: &Inside,
        thread: &ThreadProf,
        stack: StackId,
        requested: u64,
        usize_: u64,
    ) -> Option<SampleRef> {
        // The generation before the rate: see `reset`.
        let generation = self.generation.load(Ordering::Acquire);
        let weight = self.weight(usize_);
        let kept = self.kept_now();
        if kept.sys_thread_name {
            self.threads.set_name(thread, Name::of_system());
        }
        let uid = self.threads.uid(thread)?;
        let context = self.contexts.find_or_make(stack, uid, &self.stacks)?;
        let sample = self.live.add(Birth { context, generation, requested, nanos: nanos(kept.clock) })?;
        self.contexts.get(context)?.add(generation, usize_, weight);
        if let Some(lg_interval) = kept.lg_interval {
            self.dumps.advance_interval(|| self.job(Some(thread)), lg_interval, weight.bytes);
        }
        Some(sample)
    }

    fn weight(&self, usize_: u64) -> Weight {
        unbias::weight(usize_, sampler::period(self.lg_sample()))
    }

    /// The object that this thread has just sampled is at `object`; calls the program's hook.
    pub fn born(&self, thread: &ThreadProf, sample: SampleRef, object: *const u8, usize_: u64) {
        let Some(hook) = self.hooks.sample.get() else { return };
        let Some(birth) = self.live.get(sample) else { return };
        let stack = self.contexts.get(birth.context).and_then(Context::stack);
        let mut addresses = [null_mut(); STACK_FRAMES_MAX];
        let frames = stack.into_iter().flat_map(|stack| self.stacks.frames(stack));
        let count = addresses.iter_mut().zip(frames).map(|(slot, id)| *slot = self.address(id)).count();
        // SAFETY: a program that sets the hook promises that it can be called by any thread with such arguments.
        ThreadProf::call_out(Some(thread), || unsafe {
            let (object, requested) = (object.cast(), birth.requested as usize);
            hook(object, requested, addresses.as_mut_ptr(), count as c_uint, usize_ as usize);
        });
    }

    /// A sampled object of `usize_` usable bytes is about to be freed by this thread, whose state is `None` when it has
    /// none (any more); calls the program's hook. The bytes that were asked for, `None` when the reference is a
    /// dead one. Takes no lock.
    pub fn unsample(
        &self,
        thread: Option<&ThreadProf>,
        sample: SampleRef,
        object: *const u8,
        usize_: u64,
    ) -> Option<u64> {
        let birth = self.live.get(sample)?;
        if let Some(hook) = self.hooks.sample_free.get() {
            // SAFETY: as for the hook of births.
            ThreadProf::call_out(thread, || unsafe { hook(object.cast(), usize_ as usize) });
        }
        if let Some(context) = self.counted(&birth) {
            context.remove(birth.generation, usize_, self.weight(usize_));
        }
        self.live.remove(sample);
        Some(birth.requested)
    }

    /// There was no memory for the object that this thread has just sampled: it counts neither as live nor as
    /// accumulated.
    pub fn retract(&self, sample: SampleRef, usize_: u64) {
        let Some(birth) = self.live.get(sample) else { return };
        if let Some(context) = self.counted(&birth) {
            context.retract(birth.generation, usize_, self.weight(usize_));
        }
        self.live.remove(sample);
    }

    /// Where a sample is counted. `None` after a reset: the rate may be another, and the object is not counted any
    /// more.
    fn counted(&self, birth: &Birth) -> Option<&Context> {
        let current = birth.generation == self.generation.load(Ordering::Acquire);
        if current { self.contexts.get(birth.context) } else { None }
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

    /// The thread ends. Its record stays for its samples.
    pub fn thread_exit(&self, thread: &ThreadProf) {
        self.threads.exit(thread);
    }

    /// Takes the sum of active bytes after it grew; true when a growth dump is due: not while
    /// sampling is off.
    pub fn active_bytes(&self, bytes: u64) -> bool {
        // Most calls do not reach the maximum: those only read.
        bytes > self.high_water.load(Ordering::Relaxed)
            && bytes > self.high_water.fetch_max(bytes, Ordering::Relaxed)
            && self.gdump()
            && self.is_active()
            && self.enabled()
    }

    /// Writes the growth dump that [`Profiler::active_bytes`] asked for. The caller holds no lock.
    pub fn dump_growth(&self, thread: &ThreadProf) {
        if let (true, Some(_inside)) = (self.enabled(), thread.enter()) {
            // The user was told of a failure; there is nobody else to tell.
            let _ = self.dumps.automatic(&self.job(Some(thread)), Trigger::Growth);
        }
    }

    /// Writes a dump (`prof.dump`): without `path` a file named by the profiler in its format; with one, jemalloc's
    /// format, or profile.proto when the name ends in `.pb` or `.pb.gz`.
    ///
    /// # Errors
    /// See [`DumpError`].
    pub fn dump(&self, thread: Option<&ThreadProf>, path: Option<&[u8]>) -> Result<(), DumpError> {
        if !self.enabled() {
            return Err(DumpError::Disabled);
        }
        let inside = thread.map(ThreadProf::enter);
        if matches!(inside, Some(None)) {
            return Err(DumpError::Reentered);
        }
        match path {
            Some(path) => self.dumps.given(&self.job(thread), path),
            None => self.dumps.automatic(&self.job(thread), Trigger::Manual),
        }
    }

    /// Sets how names of the profiler's own files start (`prof.prefix`), cut at 4095 bytes.
    ///
    /// # Errors
    /// [`DumpError::Disabled`], or [`DumpError::Reentered`] inside of another such call.
    pub fn set_prefix(&self, prefix: &[u8]) -> Result<(), DumpError> {
        self.kept().ok_or(DumpError::Disabled)?;
        self.dumps.prefix().set(prefix).map_err(|_| DumpError::Reentered)
    }

    /// The program ends: the final dump, then the leak summary, as the settings say. The first call only.
    ///
    /// True when it is to end with an error because memory leaked (`prof_leak_error`).
    pub fn at_exit(&self, thread: Option<&ThreadProf>) -> bool {
        let Some(kept) = self.kept() else { return false };
        if self.exited.swap(true, Ordering::Relaxed) {
            return false;
        }
        let _inside = thread.and_then(ThreadProf::enter);
        if kept.final_dump {
            // The user was told of a failure; the program ends as it would have.
            let _ = self.dumps.automatic(&self.job(thread), Trigger::Final);
        }
        let leaked = kept.leak && self.dumps.leak_summary(&self.job(thread));
        if leaked && kept.leak_error {
            (kept.message)(b"<jemalloc>: Exiting with error code because memory leaks were detected\n");
        }
        leaked && kept.leak_error
    }

    fn job<'a>(&'a self, thread: Option<&'a ThreadProf>) -> Job<'a> {
        let kept = self.kept_now();
        Job {
            tables: Tables {
                addresses: self.unwinder.addresses(),
                stacks: &self.stacks,
                contexts: &self.contexts,
                threads: &self.threads,
                generation: self.generation.load(Ordering::Acquire),
                accum: kept.accum,
            },
            period: sampler::period(self.lg_sample()),
            since_nanos: self.since_nanos.load(Ordering::Relaxed),
            kept,
            hook: self.hooks.dump.get(),
            thread,
        }
    }

    /// Before `fork`, in the forking thread.
    pub fn fork_prepare(&self) {
        self.dumps.locks().into_iter().for_each(Mutex::hold_for_fork);
    }

    /// After `fork`, in the parent.
    pub fn fork_parent(&self) {
        self.dumps.locks().into_iter().for_each(Mutex::release_after_fork);
    }

    /// After `fork`, in the child: it keeps all counts and numbers, and dumps under its own pid. Samples of threads
    /// that are not in the child stay counted.
    pub fn fork_child(&self) {
        self.dumps.locks().into_iter().for_each(Mutex::release_after_fork);
    }
}
