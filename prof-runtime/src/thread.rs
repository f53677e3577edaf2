//! What the host embeds per thread.

use core::{
    cell::Cell,
    sync::atomic::{Ordering, compiler_fence},
};

use prof_format::unbias::Weight;

use crate::{
    clock::{Clock, nanos},
    context::ContextId,
    errno::keeping_errno,
    index::mix,
    labels::LabelId,
    lifetimes::Met,
    live::{SampleRef, Spares},
    name::Name,
    sampler::Prng,
    stack_table::StackId,
    unwind::again::Again,
    weights::Weights,
};

/// The profiler's part of the host's per-thread block. Only its own thread, and signal handlers on it, may use it, with one
/// and the same profiler: it remembers where things are in its tables.
pub struct ThreadProf {
    /// Whether the thread is inside the profiler: a handler that interrupts it there must stay out.
    busy: Cell<bool>,
    /// Whether the thread is in a function of the program's that the profiler called.
    hooked: Cell<bool>,
    /// `None` until the profiler's initial value was taken over.
    active: Cell<Option<bool>>,
    /// Uid plus one; 0 before the first sample.
    uid: Cell<u32>,
    /// State of the random numbers, meaningful once `seeded`.
    prng: Cell<u64>,
    seeded: Cell<bool>,
    name: Cell<Name>,
    weights: Weights,
    /// Bits of the newest sample, 0 for none; its usable bytes, and what it stands for.
    newest: Cell<(u64, u64, Weight)>,
    /// Where what it freed was counted.
    met: Met,
    /// Bits of the label that its samples get.
    label: Cell<u32>,
    /// Records for its next samples.
    spares: Spares,
    /// The stacks of its last samples.
    again: Again,
    /// The contexts of its last samples.
    contexts: [Cell<Option<Sampled>>; CONTEXTS],
}

/// Contexts that a thread remembers.
const CONTEXTS: usize = 8;

/// What a thread's context was found by, and the context.
#[derive(Clone, Copy)]
struct Sampled {
    stack: StackId,
    label: Option<LabelId>,
    context: ContextId,
}

impl Default for ThreadProf {
    fn default() -> Self {
        ThreadProf::new()
    }
}

impl ThreadProf {
    /// State of a thread that did nothing yet.
    pub const fn new() -> ThreadProf {
        ThreadProf {
            busy: Cell::new(false),
            hooked: Cell::new(false),
            active: Cell::new(None),
            uid: Cell::new(0),
            prng: Cell::new(0),
            seeded: Cell::new(false),
            name: Cell::new(Name::NONE),
            weights: Weights::new(),
            newest: Cell::new((0, 0, Weight { objs_q16: 0, bytes: 0 })),
            met: Met::new(),
            label: Cell::new(0),
            spares: Spares::new(),
            again: Again::new(),
            contexts: [const { Cell::new(None) }; CONTEXTS],
        }
    }

    /// Makes it that of a thread that did nothing yet, whatever it was: also zeroed memory. What is true of any thread, as sizes' weights,
    /// stays. No thread uses it.
    pub fn restart(&self) {
        if self.busy.replace(false) {
            // The thread ended inside of the profiler, and may have written half of an answer.
            self.weights.forget();
            self.met.forget();
        }
        self.hooked.set(false);
        self.active.set(None);
        self.uid.set(0);
        self.seeded.set(false);
        self.name.set(Name::default());
        self.newest.set((0, 0, Weight::default()));
        self.label.set(0);
        self.spares.restart();
        self.again.forget();
        self.contexts.iter().for_each(|context| context.set(None));
    }

    /// Marks the thread as inside the profiler; `None` when it is already.
    pub(crate) fn enter(&self) -> Option<Inside<'_>> {
        if self.busy.replace(true) {
            return None;
        }
        // A handler on this thread must not see what follows before the flag.
        compiler_fence(Ordering::SeqCst);
        Some(Inside(self))
    }

    /// Calls a function of the program's: what it allocates is not sampled, and what it does is not told to such
    /// functions again.
    pub(crate) fn call_out(thread: Option<&ThreadProf>, call: impl FnOnce()) {
        let Some(thread) = thread else { return keeping_errno(call) };
        if thread.hooked.replace(true) {
            return;
        }
        let inside = thread.enter();
        keeping_errno(call);
        drop(inside);
        thread.hooked.set(false);
    }

    pub(crate) fn active(&self) -> Option<bool> {
        self.active.get()
    }

    pub(crate) fn set_active(&self, on: bool) {
        self.active.set(Some(on));
    }

    /// Its uid, if it has one.
    pub(crate) fn uid(&self) -> Option<u32> {
        self.uid.get().checked_sub(1)
    }

    pub(crate) fn label(&self) -> Option<LabelId> {
        LabelId::from_bits(self.label.get())
    }

    pub(crate) fn set_label(&self, label: Option<LabelId>) {
        self.label.set(LabelId::to_bits(label));
    }

    pub(crate) fn set_uid(&self, uid: u32) {
        self.uid.set(uid + 1);
    }

    pub(crate) fn set_name(&self, name: Name) {
        self.name.set(name);
    }

    pub(crate) fn name(&self) -> Name {
        self.name.get()
    }

    /// An exponential number of this thread's own sequence.
    ///
    /// A handler that draws in the middle may repeat a number: harmless, no two sequences are correlated by it.
    pub(crate) fn exponential(&self) -> f64 {
        if !self.seeded.replace(true) {
            self.prng.set(self.seed());
        }
        let mut prng = Prng::new(self.prng.get());
        let drawn = prng.exponential();
        self.prng.set(prng.state());
        drawn
    }

    /// Differs between threads (address and thread id), runs (time), and reused blocks (time).
    fn seed(&self) -> u64 {
        let thread = rustix::thread::gettid().as_raw_nonzero().get();
        let parts = [self as *const Self as u64, thread as u64, nanos(Clock::Monotonic)];
        parts.iter().fold(0, |hash, part| mix(hash, *part))
    }

    #[cfg(test)]
    pub(crate) fn with_seed(seed: u64) -> ThreadProf {
        let thread = ThreadProf::new();
        thread.prng.set(seed);
        thread.seeded.set(true);
        thread
    }
}

/// The thread leaves the profiler when this is dropped.
pub(crate) struct Inside<'a>(&'a ThreadProf);

impl Inside<'_> {
    /// Which thread.
    pub(crate) fn thread(&self) -> &ThreadProf {
        self.0
    }

    /// The stacks of the thread's last samples.
    pub(crate) fn again(&self) -> &Again {
        &self.0.again
    }

    /// The context of the thread's samples in a stack, under its label: one of the last ones, or what `find` finds.
    #[inline(always)]
    pub(crate) fn context(
        &self,
        stack: StackId,
        find: impl FnOnce(Option<LabelId>) -> Option<ContextId>,
    ) -> Option<ContextId> {
        let label = self.0.label();
        let slot = &self.0.contexts[stack.to_bits() as usize % CONTEXTS];
        if let Some(last) = slot.get()
            && (last.stack, last.label) == (stack, label)
        {
            return Some(last.context);
        }
        let context = find(label)?;
        slot.set(Some(Sampled { stack, label, context }));
        Some(context)
    }

    /// Records that the thread keeps for its next samples.
    pub(crate) fn spares(&self) -> &Spares {
        &self.0.spares
    }

    /// Where what the thread freed was counted.
    pub(crate) fn met(&self) -> &Met {
        &self.0.met
    }

    /// Usable bytes of a sample, and what it stands for, if it is the newest.
    pub(crate) fn newest(&self, sample: SampleRef) -> Option<(u64, Weight)> {
        let (newest, usize_, weight) = self.0.newest.get();
        (newest == sample.to_bits()).then_some((usize_, weight))
    }

    /// A sample was recorded.
    pub(crate) fn recorded(&self, sample: SampleRef, usize_: u64, weight: Weight) {
        self.0.newest.set((sample.to_bits(), usize_, weight));
    }

    /// What an object stands for that was drawn at this mean distance.
    pub(crate) fn weight(&self, usize_: u64, period: u64) -> Weight {
        self.0.weights.of(usize_, period)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst);
        self.0.busy.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::Threads;

    #[test]
    fn a_function_of_the_program_is_not_called_by_itself_and_keeps_errno() {
        let (thread, mut calls) = (ThreadProf::new(), 0);
        // SAFETY: this thread's errno.
        let errno = || unsafe { &mut *libc::__errno_location() };
        *errno() = 7;
        ThreadProf::call_out(Some(&thread), || {
            *errno() = 8;
            calls += 1;
            assert!(thread.enter().is_none());
            ThreadProf::call_out(Some(&thread), || calls += 10);
        });
        assert!(thread.enter().is_some());
        ThreadProf::call_out(None, || calls += 100);
        assert_eq!((calls, *errno()), (101, 7));
    }

    #[test]
    fn a_thread_enters_once_and_may_enter_again_when_it_left() {
        let thread = ThreadProf::new();
        let inside = thread.enter();
        assert!(inside.is_some() && thread.enter().is_none());
        drop(inside);
        assert!(thread.enter().is_some());
    }

    #[test]
    fn what_was_restarted_is_a_new_thread_s_whatever_it_was() {
        // SAFETY: numbers and options of numbers.
        let zeroed: ThreadProf = unsafe { core::mem::zeroed() };
        let (used, threads) = (ThreadProf::new(), Threads::new());
        used.set_active(true);
        used.set_label(LabelId::from_bits(3));
        threads.set_name(&used, Name::new(b"before").unwrap());
        threads.uid(&used);
        used.exponential();
        let stack = StackId::from_bits(5).unwrap();
        let context = |thread: &ThreadProf, found| {
            let inside = thread.enter().unwrap();
            inside.context(stack, |_| ContextId::from_bits(found)).map(ContextId::to_bits)
        };
        assert_eq!((context(&used, 7), context(&used, 8)), (Some(7), Some(7)));
        let weight = Weight { objs_q16: 1, bytes: 1 };
        let sample = SampleRef::from_bits(9).unwrap();
        let inside = used.enter().unwrap();
        inside.recorded(sample, 16, weight);
        let right = inside.weight(16, 4096);
        // It ends inside.
        used.weights.tear();
        core::mem::forget(inside);
        used.hooked.set(true);
        for thread in [&zeroed, &used] {
            thread.restart();
            assert_eq!((thread.active(), thread.uid(), thread.label()), (None, None, None));
            assert_eq!(
                (thread.name(), thread.seeded.get(), thread.hooked.get()),
                (Name::default(), false, false)
            );
            let inside = thread.enter().unwrap();
            assert_eq!((inside.newest(sample), inside.weight(16, 4096)), (None, right));
            drop(inside);
            assert_eq!(context(thread, 9), Some(9));
        }
    }

    #[test]
    fn threads_draw_different_numbers_unless_their_seed_is_the_same() {
        let (a, b) = (ThreadProf::new(), ThreadProf::new());
        assert_ne!(a.exponential(), b.exponential());
        let (a, b) = (ThreadProf::with_seed(5), ThreadProf::with_seed(5));
        assert!((0..10).all(|_| a.exponential() == b.exponential()));
    }
}
