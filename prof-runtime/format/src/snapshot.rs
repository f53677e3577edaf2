//! What a writer is given: a frozen view of the profiler's tables, by index, without allocation.
//!
//! The runtime implements [`Snapshot`] over its own tables; tests implement it over vectors.

use crate::totals::Totals;
use crate::vocab::{BuildId, Tally};

/// Where the bytes of a dump go. Called with pieces of any length; the implementor buffers.
pub trait Sink {
    /// Why a write failed.
    type Error;
    /// Takes all of `bytes` or fails.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

impl<S: Sink + ?Sized> Sink for &mut S {
    type Error = S::Error;

    fn write(&mut self, bytes: &[u8]) -> Result<(), S::Error> {
        (**self).write(bytes)
    }
}

#[cfg(feature = "read")]
impl Sink for alloc::vec::Vec<u8> {
    type Error = core::convert::Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// Facts about the whole dump.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Mean sampling distance in bytes, `2^lg_prof_sample`. 1 means that every allocation was recorded.
    pub period: u64,
    /// Whether accumulated figures were kept (`prof_accum:true`); without, they are not written.
    pub accum: bool,
    /// Whether heap_v2 shows what was sampled as it is, its sums without correction for mixed sizes
    /// (`prof_unbias:false`).
    pub raw: bool,
    /// Wall clock at the dump, nanoseconds since the epoch.
    pub time_nanos: u64,
    /// Nanoseconds since sampling began (start, or the last `prof.reset`).
    pub duration_nanos: u64,
    /// Process id.
    pub pid: u32,
    /// The program's path, empty when unknown.
    pub program: &'a [u8],
    /// How it was started.
    pub about: About<'a>,
    /// Whether stacks have [`Row`]s, which tell ages and ends.
    pub detail: bool,
    /// Whether it is told how full the slabs are in which objects live (`prof_frag:true`).
    pub pinned: bool,
    /// Whether what was alive at the peak was kept (`prof_peak:true`).
    pub peak: bool,
    /// Whether viewers of profile.proto show accumulated bytes first, when there are any, and not live ones.
    pub allocated_first: bool,
    /// Sums over the whole process.
    pub totals: Totals,
}

/// How the process was started; empty or 0 where it is not known.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// Program and arguments, with zeros between them.
    pub command: &'a [u8],
    /// Name of the machine.
    pub host: &'a [u8],
    /// When profiling began, nanoseconds since the epoch.
    pub start_nanos: u64,
    /// The options in effect that somebody set (`MALLOC_CONF` and its like).
    pub conf: &'a [u8],
    /// Leaks that the program itself says are none: the text of its `__lsan_default_suppressions`, LeakSanitizer's rules and
    /// comments, a line each.
    pub suppressions: &'a [u8],
    /// How many objects were sampled since sampling began, whether they live or not: a dump without samples is of a program
    /// that holds little when there were some, and else perhaps of one that was not profiled.
    pub samples: u64,
    /// Whether it was found out what the program can still reach, `done` and sums or `unknown` and why; empty where nobody asked.
    pub reach: &'a [u8],
}

/// Name of [`About::samples`].
pub const SAMPLES: &str = "samples";

/// Name of [`About::reach`].
pub const REACH: &str = "reach";

/// Name of each line of [`About::suppressions`].
pub const SUPPRESSION: &str = "suppression";

impl<'a> About<'a> {
    /// What is known, by name, as a text; not what is a number.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &'a [u8])> {
        let all = [("command", self.command), ("host", self.host), ("conf", self.conf), (REACH, self.reach)];
        let rules =
            self.suppressions.split(|byte| *byte == b'\n').map(|line| (SUPPRESSION, line.trim_ascii()));
        all.into_iter().chain(rules).filter(|(_, text)| !text.is_empty())
    }

    /// What is known, by name, as a number.
    pub fn numbers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [("start_nanos", self.start_nanos), (SAMPLES, self.samples)]
            .into_iter()
            .filter(|(_, number)| *number != 0)
    }
}

/// One thread that ever sampled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thread<'a> {
    /// Counter from 0, never reused.
    pub uid: u64,
    /// Name given by the program; may be empty. Any bytes but newline.
    pub name: &'a [u8],
    /// Name that the system had for it; may be empty. Only for formats that tell more than the reference's.
    pub system_name: &'a [u8],
    /// Live samples of the thread.
    pub live: Tally,
    /// Accumulated samples of the thread.
    pub accum: Tally,
}

/// One distinct stack with its totals.
#[derive(Clone, Copy, Debug)]
pub struct Stack<'a> {
    /// Indices for [`Snapshot::address`], leaf first. Return addresses of the program's own frames: allocator
    /// frames were left out.
    pub frames: &'a [u32],
    /// Live samples.
    pub live: Tally,
    /// Accumulated samples; empty without `prof_accum`.
    pub accum: Tally,
    /// How many [`Part`]s there are.
    pub parts: usize,
    /// How many [`Row`]s there are: none unless [`Facts::detail`].
    pub rows: usize,
}

/// The share of one thread in a stack.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Index for [`Snapshot::thread`].
    pub thread: usize,
    /// Live samples.
    pub live: Tally,
    /// Accumulated samples.
    pub accum: Tally,
}

/// What distinguishes the objects of a [`Row`] from others of the same stack, thread and label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Span {
    /// Nothing.
    #[default]
    Any,
    /// They are alive, and this old: log2 of nanoseconds, 0 for less than two.
    Age(u8),
    /// They ended.
    Lifetime {
        /// When this old, as above.
        lg_nanos: u8,
        /// By another thread than the one that allocated them.
        elsewhere: bool,
    },
}

/// How objects are lost to which the program has no way any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leak {
    /// Nothing leads to them, or only what they lead to themselves.
    Direct,
    /// Only other lost ones lead to them.
    Indirect,
}

/// Some of the objects of a stack. All rows together make the stack: each sample is in one, and what was alive at the peak
/// is told once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row {
    /// Index for [`Snapshot::thread`]; `None` when threads are not known.
    pub thread: Option<usize>,
    /// Index for [`Snapshot::label`].
    pub label: Option<usize>,
    /// Which ones.
    pub span: Span,
    /// How they are lost; `None` for those that are not, or where nobody knows.
    pub leak: Option<Leak>,
    /// Those that are alive.
    pub live: Tally,
    /// All of them, the living included.
    pub accum: Tally,
    /// Those that were alive at the peak.
    pub peak: Tally,
    /// Bytes that the program asked for, of those that are alive: an estimate as that of the usable bytes.
    pub requested: u64,
    /// Bytes of free regions in the slabs that the living keep: of each slab the part that falls to one of its objects.
    pub pinned: u64,
    /// Variance of the estimate of the living bytes ([`crate::unbias::variance`]).
    pub variance: f64,
}

/// One executable mapping of a file.
#[derive(Clone, Copy, Debug)]
pub struct Module<'a> {
    /// First address.
    pub start: u64,
    /// First address past the end.
    pub end: u64,
    /// Offset in the file of `start`.
    pub file_offset: u64,
    /// Path as in the process map.
    pub path: &'a [u8],
    /// Build id, empty when the file has none.
    pub build_id: BuildId,
}

/// A frozen view of the profiler. Indices run from 0; the same index gives the same answer for the whole dump.
///
/// Stacks with neither live nor accumulated samples are not shown. The main program's module comes first.
pub trait Snapshot {
    /// Facts about the whole dump.
    fn facts(&self) -> Facts<'_>;
    /// Number of distinct return addresses.
    fn addresses(&self) -> usize;
    /// A return address as it was on the stack (not lowered by one).
    fn address(&self, index: usize) -> u64;
    /// Number of threads.
    fn threads(&self) -> usize;
    /// A thread.
    fn thread(&self, index: usize) -> Thread<'_>;
    /// Number of stacks.
    fn stacks(&self) -> usize;
    /// A stack.
    fn stack(&self, index: usize) -> Stack<'_>;
    /// Part `part` (below `Stack::parts`) of stack `index`.
    fn part(&self, index: usize, part: usize) -> Part;
    /// Row `row` (below `Stack::rows`) of stack `index`.
    fn row(&self, _index: usize, _row: usize) -> Row {
        Row::default()
    }
    /// Number of labels.
    fn labels(&self) -> usize {
        0
    }
    /// A label that threads had.
    fn label(&self, _index: usize) -> &[u8] {
        b""
    }
    /// Number of executable mappings.
    fn modules(&self) -> usize;
    /// An executable mapping.
    fn module(&self, index: usize) -> Module<'_>;
    /// Hands over the text of the process's maps file in pieces. Stops at the first error of `piece`.
    fn maps<E>(&self, piece: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E>
    where
        Self: Sized;
}
