//! Threads: what the host embeds per thread ([`ThreadProf`]), and the record that outlives it ([`Threads`]).

use core::{
    cell::Cell,
    sync::atomic::{AtomicU32, AtomicU64, Ordering, compiler_fence, fence},
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
    memory::{Array, Zeroed},
    sampler::Prng,
    stack_table::StackId,
    unwind::again::Again,
    weights::Weights,
};

/// Longest thread name, without a terminating zero.
pub const NAME_MAX: usize = 15;

/// The name has a character that is neither printable nor blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadName;

/// Name bytes, zero-padded, and their number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; 16],
    length: u8,
}

impl Name {
    /// The name that jemalloc would keep: at most 15 characters, graphic ones, blanks and tabs.
    pub fn new(name: &[u8]) -> Result<Name, BadName> {
        if !name.iter().all(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t')) {
            return Err(BadName);
        }
        let length = name.len().min(NAME_MAX);
        let mut bytes = [0; 16];
        bytes[..length].copy_from_slice(&name[..length]);
        Ok(Name { bytes, length: length as u8 })
    }

    /// The name that the operating system knows the calling thread by; one system call.
    pub fn of_system() -> Name {
        let mut bytes = [0_u8; 16];
        // SAFETY: the kernel writes at most 16 bytes, zero included, to the place that it is given; errno is left
        // alone, since a valid place can not fail.
        unsafe { libc::prctl(libc::PR_GET_NAME, bytes.as_mut_ptr()) };
        let word = |at: usize| u64::from_le_bytes(core::array::from_fn(|byte| bytes[at + byte]));
        Name::from_words([word(0), word(8)])
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length as usize]
    }

    /// A name has no zero byte, so the first one tells its length.
    fn from_words(words: [u64; 2]) -> Name {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&words[0].to_le_bytes());
        bytes[8..].copy_from_slice(&words[1].to_le_bytes());
        let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(NAME_MAX);
        bytes[length..].fill(0);
        Name { bytes, length: length as u8 }
    }

    fn to_words(self) -> [u64; 2] {
        let word = |at: usize| u64::from_le_bytes(core::array::from_fn(|byte| self.bytes[at + byte]));
        [word(0), word(8)]
    }
}

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
            name: Cell::new(Name { bytes: [0; 16], length: 0 }),
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

/// What dumps tell about a thread.
#[derive(Default)]
struct Record {
    /// Odd while the name is being written.
    version: AtomicU32,
    exited: AtomicU32,
    name: [AtomicU64; 2],
    /// What the system called it at its first sample; never changes.
    system: [AtomicU64; 2],
}

// SAFETY: atomics only, for which zero is a value.
unsafe impl Zeroed for Record {}

/// Records of all threads that ever sampled; they stay when the thread ends. The index is the thread's uid.
pub struct Threads(Array<Record, 256>);

impl Threads {
    /// None; maps nothing.
    pub const fn new() -> Threads {
        Threads(Array::new())
    }

    /// The uid of a thread, given at its first sample; `None` when memory is out.
    #[inline]
    pub fn uid(&self, thread: &ThreadProf) -> Option<u32> {
        thread.uid().or_else(|| self.give_uid(thread))
    }

    #[cold]
    #[inline(never)]
    fn give_uid(&self, thread: &ThreadProf) -> Option<u32> {
        let (uid, made) = self.0.alloc(1)?;
        let [first, second] = &made.first()?.system;
        let words = Name::of_system().to_words();
        second.store(words[1], Ordering::Relaxed);
        // Release: who sees how the name begins sees all of it.
        first.store(words[0], Ordering::Release);
        thread.uid.set(uid + 1);
        self.publish_name(thread);
        Some(uid)
    }

    /// Names the thread, in its record too when it has one.
    pub fn set_name(&self, thread: &ThreadProf, name: Name) {
        if thread.name() == name {
            return;
        }
        thread.name.set(name);
        self.publish_name(thread);
    }

    fn publish_name(&self, thread: &ThreadProf) {
        let Some(record) = thread.uid().and_then(|uid| self.0.get(uid)) else { return };
        // A sequence lock with one writer, the thread itself.
        let version = record.version.load(Ordering::Relaxed);
        record.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        for (word, value) in record.name.iter().zip(thread.name().to_words()) {
            word.store(value, Ordering::Relaxed);
        }
        record.version.store(version.wrapping_add(2), Ordering::Release);
    }

    /// The thread ends.
    pub fn exit(&self, thread: &ThreadProf) {
        if let Some(record) = thread.uid().and_then(|uid| self.0.get(uid)) {
            record.exited.store(1, Ordering::Relaxed);
        }
    }

    /// How many uids were given.
    pub fn len(&self) -> u32 {
        self.0.len()
    }

    /// Whether the thread has ended.
    pub fn exited(&self, uid: u32) -> bool {
        self.0.get(uid).is_some_and(|record| record.exited.load(Ordering::Relaxed) != 0)
    }

    /// What the system called a thread at its first sample.
    pub fn system_name(&self, uid: u32) -> Name {
        let Some(Record { system: [first, second], .. }) = self.0.get(uid) else { return Name::default() };
        // Acquire: pairs with the release in `uid`.
        match first.load(Ordering::Acquire) {
            0 => Name::default(),
            word => Name::from_words([word, second.load(Ordering::Relaxed)]),
        }
    }

    /// The name of a thread as of now. A name that changes all the time is given up on: then it is empty.
    pub fn name(&self, uid: u32) -> Name {
        let Some(record) = self.0.get(uid) else { return Name::default() };
        for _ in 0..100 {
            let before = record.version.load(Ordering::Acquire);
            let words = record.name.each_ref().map(|word| word.load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && record.version.load(Ordering::Relaxed) == before {
                return Name::from_words(words);
            }
            core::hint::spin_loop();
        }
        Name::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_at_fifteen_characters_and_unprintable_ones_refused() {
        assert_eq!(Name::new(b"worker a\t7").unwrap().as_bytes(), b"worker a\t7");
        assert_eq!(Name::new(b"a rather long name").unwrap().as_bytes(), b"a rather long n");
        assert_eq!(Name::new(b"").unwrap().as_bytes(), b"");
        for bad in [&b"two\nlines"[..], b"\x7f", b"caf\xc3\xa9", b"a\0"] {
            assert_eq!(Name::new(bad), Err(BadName));
        }
        for length in 0..=20 {
            let name = Name::new(&std::vec![b'x'; length]).unwrap();
            assert_eq!(Name::from_words(name.to_words()), name);
        }
    }

    #[test]
    fn uids_count_from_zero_and_the_record_outlives_the_thread() {
        let threads = Threads::new();
        let (first, second) = (ThreadProf::new(), ThreadProf::new());
        threads.set_name(&second, Name::new(b"early").unwrap());
        assert_eq!(
            (threads.uid(&first), threads.uid(&second), threads.uid(&first)),
            (Some(0), Some(1), Some(0))
        );
        assert_eq!(threads.name(1).as_bytes(), b"early");
        threads.set_name(&second, Name::new(b"late").unwrap());
        threads.exit(&second);
        assert_eq!((threads.name(0).as_bytes(), threads.name(1).as_bytes()), (&b""[..], &b"late"[..]));
        assert_eq!((threads.exited(0), threads.exited(1)), (false, true));
    }

    #[test]
    fn the_system_s_name_of_a_thread_is_found() {
        let thread = std::thread::Builder::new().name("a name that is too long".into());
        let name = thread.spawn(Name::of_system).unwrap().join().unwrap();
        assert_eq!(name.as_bytes(), b"a name that is ");
    }

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
