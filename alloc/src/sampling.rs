//! What the data plane asks the profiler: when the next sample is due, to take one, to forget one. Without the
//! feature `prof` the answers are constants.

#[cfg(feature = "prof")]
mod with {
    use prof_runtime::{Profiler, SampleRef, ThreadProf};

    /// The profiler of the process.
    pub static PROFILER: Profiler = Profiler::new();

    /// The profiler's part of a thread's block.
    pub type Thread = ThreadProf;

    /// Changes whenever distances drawn earlier are stale.
    #[inline]
    pub fn epoch() -> u32 {
        PROFILER.epoch()
    }

    /// Allocations of `usable` bytes until the next sampled one; `None` while sampling is off.
    pub fn draw_allocs(thread: &Thread, usable: usize) -> Option<u64> {
        PROFILER.draw_allocs(thread, usable as u64)
    }

    /// Bytes until the next sampled one; `None` while sampling is off.
    pub fn draw_bytes(thread: &Thread) -> Option<u64> {
        PROFILER.draw_bytes(thread)
    }

    /// Samples the allocation that the caller is about to make; bits of its reference, 0 when it is not sampled.
    ///
    /// Walks the stack from here; may write a dump. The caller holds no lock.
    #[inline]
    pub fn sample(thread: &Thread, usable: usize) -> u64 {
        PROFILER.sample(thread, usable as u64).map_or(0, SampleRef::to_bits)
    }

    /// There was no memory for the allocation that this thread has just sampled. 0 is none.
    pub fn retract(bits: u64, usable: usize) {
        if let Some(sample) = SampleRef::from_bits(bits) {
            PROFILER.retract(sample, usable as u64);
        }
    }

    /// A sampled object of `usable` bytes died. 0 is no object.
    pub fn unsample(bits: u64, usable: usize) {
        if let Some(sample) = SampleRef::from_bits(bits) {
            PROFILER.unsample(sample, usable as u64);
        }
    }

    /// Whether growth is to be reported to [`grown`].
    pub fn wants_growth() -> bool {
        PROFILER.gdump()
    }

    /// Active memory is now `bytes`; dumps when that is a new maximum. The caller holds no lock.
    pub fn grown(thread: &Thread, bytes: usize) {
        if PROFILER.active_bytes(bytes as u64) {
            PROFILER.dump_growth(thread);
        }
    }

    /// The thread ends.
    pub fn exit(thread: &Thread) {
        PROFILER.thread_exit(thread);
    }
}

#[cfg(not(feature = "prof"))]
mod without {
    /// Nothing.
    pub struct Thread;

    impl Thread {
        /// Nothing.
        pub const fn new() -> Thread {
            Thread
        }
    }

    /// Never changes.
    #[inline]
    pub fn epoch() -> u32 {
        0
    }

    /// Sampling is off.
    pub fn draw_allocs(_: &Thread, _: usize) -> Option<u64> {
        None
    }

    /// Sampling is off.
    pub fn draw_bytes(_: &Thread) -> Option<u64> {
        None
    }

    /// Nothing is sampled.
    #[inline]
    pub fn sample(_: &Thread, _: usize) -> u64 {
        0
    }

    /// Nothing was sampled.
    pub fn retract(_: u64, _: usize) {}

    /// Nothing was sampled.
    pub fn unsample(_: u64, _: usize) {}

    /// Nobody asks.
    pub fn wants_growth() -> bool {
        false
    }

    /// Nobody asked.
    pub fn grown(_: &Thread, _: usize) {}

    /// Nothing to end.
    pub fn exit(_: &Thread) {}
}

#[cfg(feature = "prof")]
pub use with::*;
#[cfg(not(feature = "prof"))]
pub use without::*;
