//! The life of a sampled object.

use core::{
    ffi::{c_uint, c_void},
    ptr::null_mut,
    sync::atomic::Ordering,
};

use prof_format::unbias::Weight;

use super::Profiler;
use crate::{
    arch::{self, Regs},
    clock::{Clock, nanos},
    context::Context,
    errno::keeping_errno,
    hooks::{BacktraceHook, SampleHook},
    lifetimes::{Counting, End},
    live::{Birth, SampleRef},
    log::Freed,
    name::Name,
    probe,
    recent::{Death, Entry},
    sampler::Rate,
    stack_table::StackId,
    thread::{Inside, ThreadProf},
    unwind::{Limits, STACK_FRAMES_MAX, cache::Site, ids::Ids},
};

impl Profiler {
    /// Records one sampled allocation of `usize_` usable bytes, for which `requested` were asked, with the stack of the
    /// caller. `rate` is that of its draw. The caller holds no lock: an interval dump may be written here. It then calls [`Profiler::born`] or
    /// [`Profiler::retract`].
    ///
    /// `None` when sampling is off, the thread is inside the profiler already, or memory for tables is out: then the
    /// object is an ordinary one.
    ///
    /// **Cost:** 5 ns per frame and about 80 ns; no lock, no allocation.
    #[inline(never)]
    pub fn sample(&self, thread: &ThreadProf, rate: Rate, requested: u64, usize_: u64) -> Option<SampleRef> {
        if !self.samples(thread) {
            return None;
        }
        // Until the end of this function: it also keeps the frame, whose registers are captured next, alive.
        let inside = thread.enter()?;
        let regs = arch::capture();
        // A hook in the unwinder's place is to be asked each time.
        let again = self.hooks.backtrace.get().is_none().then(|| inside.again());
        let stack = match again.and_then(|again| again.stack(regs)) {
            Some(stack) => stack,
            None => {
                let stack = self.stack(regs)?;
                // Another time there may be memory for it.
                let is_own = stack.to_bits() != self.dropped.load(Ordering::Relaxed);
                if let Some(again) = again.filter(|_| is_own) {
                    again.found(&self.unwinder, regs, stack);
                }
                stack
            }
        };
        self.record(&inside, thread, stack, rate, requested, usize_)
    }

    /// The stack above the frame of the registers, which is to be alive.
    #[inline(always)]
    pub(super) fn stack(&self, regs: Regs) -> Option<StackId> {
        let mut ids = Ids::new();
        if let Some(hook) = self.hooks.backtrace.get() {
            self.hooked_stack(hook, &mut ids);
            return self.intern(ids.all(), false);
        }
        let walk = self.unwinder.walk(regs, &self.kept_now().limits, &mut ids);
        self.intern(ids.kept(&walk)?, walk.truncated)
    }

    /// The stack of these frames, or the one that stands for all that are too many.
    #[inline(always)]
    fn intern(&self, frames: &[u32], truncated: bool) -> Option<StackId> {
        let dropped = || StackId::from_bits(self.dropped.load(Ordering::Relaxed));
        self.stacks.intern(frames, truncated).or_else(dropped)
    }

    /// The stack that the program's own unwinder tells; a null address ends it.
    #[cold]
    #[inline(never)]
    fn hooked_stack(&self, hook: BacktraceHook, ids: &mut Ids) {
        let mut addresses = [null_mut::<c_void>(); STACK_FRAMES_MAX];
        let (mut count, most) = (0, self.kept_now().limits.frames);
        // SAFETY: a program that sets the hook promises that it can be called by any thread with room for as many
        // addresses as it is told.
        keeping_errno(|| unsafe { hook(addresses.as_mut_ptr(), &raw mut count, most as c_uint) });
        let found = addresses.iter().take(most.min(count as usize)).map(|address| address.addr());
        let mut known = found.take_while(|address| *address != 0).map_while(|address| {
            self.unwinder.addresses().entry(Site::returning(address)).map(|entry| entry.id)
        });
        // More than there is room for were not asked for.
        let _ = known.try_for_each(|id| ids.push(id));
    }

    /// Fills `addresses` with the stack of the caller, leaf first, without the host's own frames; how many there are.
    ///
    /// This is what is stored for samples while there is no hook in its place.
    #[inline(never)]
    pub fn backtrace(&self, addresses: &mut [*mut c_void]) -> usize {
        let Some(kept) = self.kept() else { return 0 };
        let mut ids = Ids::new();
        let limits = Limits { frames: addresses.len().min(STACK_FRAMES_MAX), ..kept.limits.clone() };
        let walk = self.unwinder.walk(arch::capture(), &limits, &mut ids);
        let frames = ids.kept(&walk).unwrap_or(&[]);
        addresses.iter_mut().zip(frames).map(|(slot, id)| *slot = self.address(*id)).count()
    }

    fn address(&self, id: u32) -> *mut c_void {
        let site = self.unwinder.addresses().site(id);
        core::ptr::without_provenance_mut(site.map_or(0, |site| site.as_return_address() as usize))
    }

    #[inline]
    fn record(
        &self,
        inside: &Inside,
        thread: &ThreadProf,
        stack: StackId,
        rate: Rate,
        requested: u64,
        usize_: u64,
    ) -> Option<SampleRef> {
        let generation = self.generation.load(Ordering::Acquire);
        let period = rate.period();
        let kept = self.kept_now();
        if kept.sys_thread_name {
            self.threads.set_name(thread, Name::of_system());
        }
        let uid = self.threads.uid(thread)?;
        let context =
            inside.context(stack, |label| self.contexts.find_or_make(stack, uid, label, &self.stacks))?;
        let nanos = nanos(kept.clock);
        let birth = Birth { context, generation, requested, usize_, period, nanos };
        let weight = inside.weight(usize_, period);
        let sample = self.live.add(birth, Some(inside.spares()))?;
        self.contexts.add(self.contexts.get(context)?, generation, usize_, weight);
        inside.recorded(sample, usize_, weight);
        if let Some(lg_interval) = kept.lg_interval {
            self.dumps.advance_interval(|| self.job(Some(thread)), lg_interval, weight.bytes);
        }
        if self.pace.is_on() {
            self.keep_pace();
        }
        Some(sample)
    }

    #[cold]
    #[inline(never)]
    fn keep_pace(&self) {
        if self.pace.sampled(nanos(Clock::Coarse)) {
            self.advance_epoch();
        }
    }

    /// The object that this thread has just sampled is at `object`: lists it among the recent ones, and tells whoever
    /// watches the probe and the program's hook. `place` is the address by which a dump asks the host how full its slab is.
    pub fn born(&self, thread: &ThreadProf, sample: SampleRef, object: *const u8, place: usize) {
        let Some(held) = self.live.hold(sample) else { return };
        held.set_place(place);
        // Another one is the newest when a handler has come between.
        let newest = thread.enter().and_then(|inside| inside.newest(sample));
        let known = newest.or_else(|| held.birth().map(|birth| (birth.usize_, birth.weight())));
        let Some((size, weight)) = known else { return };
        // Bytes of the size class: by these it was drawn, and so `weighted_bytes / size` is how many objects it stands for.
        probe!(
            "otel_memory",
            "alloc",
            ptr = object.addr() as u64,
            size = size,
            weighted_bytes = weight.bytes
        );
        let hook = self.hooks.sample.get();
        if (self.contexts.peak().is_on() || self.recent.max() != 0 || hook.is_some())
            && let Some(birth) = held.birth()
        {
            self.tell_all(thread, sample, &birth, weight, object, hook);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_all(
        &self,
        thread: &ThreadProf,
        sample: SampleRef,
        birth: &Birth,
        weight: Weight,
        object: *const u8,
        hook: Option<SampleHook>,
    ) {
        if self.contexts.peak().is_on() {
            self.contexts.born(birth.generation, weight);
        }
        if self.recent.max() != 0 {
            self.list(sample, birth);
        }
        if let Some(hook) = hook {
            self.tell_born(thread, birth, object, hook);
        }
    }

    fn list(&self, sample: SampleRef, birth: &Birth) {
        let &Birth { context, requested, usize_, nanos, .. } = birth;
        let entry = Entry { sample, context, requested, usize_, nanos, death: None };
        if let Some(ticket) = self.recent.push(&entry) {
            self.live.set_ticket(sample, ticket);
        }
    }

    fn tell_born(&self, thread: &ThreadProf, birth: &Birth, object: *const u8, hook: SampleHook) {
        let stack = self.contexts.get(birth.context).and_then(Context::stack);
        let mut addresses = [null_mut(); STACK_FRAMES_MAX];
        let frames = stack.into_iter().flat_map(|stack| self.stacks.frames(stack));
        let count = addresses.iter_mut().zip(frames).map(|(slot, id)| *slot = self.address(id)).count();
        // SAFETY: a program that sets the hook promises that it can be called by any thread with such arguments.
        ThreadProf::call_out(Some(thread), || unsafe {
            let (object, requested) = (object.cast(), birth.requested as usize);
            hook(object, requested, addresses.as_mut_ptr(), count as c_uint, birth.usize_ as usize);
        });
    }

    /// A sampled object of `usize_` usable bytes is about to be freed by this thread, whose state is `None` when it has
    /// none (any more); tells whoever watches the probe and the program's hook. The bytes that were asked for, `None` when the reference is a
    /// dead one.
    ///
    /// Takes no lock, unless the object is among the recent ones or a log is kept: then the stack is walked, too.
    #[inline(never)]
    pub fn unsample(
        &self,
        thread: Option<&ThreadProf>,
        sample: SampleRef,
        object: *const u8,
        usize_: u64,
    ) -> Option<u64> {
        let held = self.live.hold(sample)?;
        let birth = held.birth()?;
        probe!("otel_memory", "free", ptr = object.addr() as u64);
        if let Some(hook) = self.hooks.sample_free.get() {
            // SAFETY: as for the hook of births.
            ThreadProf::call_out(thread, || unsafe { hook(object.cast(), usize_ as usize) });
        }
        // `None` in a handler that interrupted the profiler, too.
        let inside = thread.and_then(ThreadProf::enter);
        if let Some(context) = self.counted(&birth) {
            let owns = thread.is_none_or(|thread| thread.uid() == Some(context.thread()));
            // A clock that can be set may have gone back.
            let lived = nanos(self.kept_now().clock).saturating_sub(birth.nanos);
            // One that has no state any more counts as the one that allocated.
            let end = End::of(lived, !owns);
            let (weight, thread) = match &inside {
                Some(inside) => (inside.weight(birth.usize_, birth.period), Some((inside.met(), owns))),
                None => (birth.weight(), None),
            };
            let counting = Counting { context: birth.context.to_bits(), thread };
            self.contexts.remove(context, birth.generation, (birth.usize_, weight), end, counting);
        }
        let ticket = held.ticket().filter(|ticket| self.recent.holds(*ticket));
        if ticket.is_some() || self.log.is_on() {
            let death = inside.as_ref().and_then(|inside| self.death(inside, arch::capture()));
            death.into_iter().for_each(|death| self.remember(&birth, ticket, death, usize_));
        }
        self.live.release(held, inside.as_ref().map(Inside::spares));
        Some(birth.requested)
    }

    /// Where and how an object ends that this thread frees; `None` when memory is out.
    #[inline(always)]
    fn death(&self, inside: &Inside, regs: Regs) -> Option<Death> {
        let thread = inside.thread();
        let kept = self.kept_now();
        let stack = self.stack(regs)?;
        if kept.sys_thread_name {
            self.threads.set_name(thread, Name::of_system());
        }
        Some(Death { thread: self.threads.uid(thread)?, stack, nanos: nanos(kept.clock) })
    }

    #[cold]
    #[inline(never)]
    fn remember(&self, birth: &Birth, ticket: Option<u64>, death: Death, usize_: u64) {
        if let Some(ticket) = ticket {
            self.recent.died(ticket, death);
        }
        if self.log.is_on()
            && let Some(context) = self.contexts.get(birth.context)
            && let Some(stack) = context.stack()
        {
            self.log.push(&Freed { usize_, nanos: birth.nanos, death, stack, thread: context.thread() });
        }
    }

    /// There was no memory for the object that this thread has just sampled: it counts neither as live nor as
    /// accumulated.
    pub fn retract(&self, sample: SampleRef) {
        let Some(birth) = self.live.get(sample) else { return };
        if let Some(context) = self.counted(&birth) {
            self.contexts.retract(context, birth.generation, birth.usize_, birth.weight());
        }
        self.live.remove(sample, None);
    }

    /// Where a sample is counted. `None` after a reset: the object is not counted any more.
    fn counted(&self, birth: &Birth) -> Option<&Context> {
        let current = birth.generation == self.generation.load(Ordering::Acquire);
        if current { self.contexts.get(birth.context) } else { None }
    }
}
