//! The profiler is built in.

pub use prof_runtime::{Draw, Rate};
use prof_runtime::{Profiler, SampleRef, ThreadProf};

use super::CLASSES;
use crate::sync::MutexCounts;

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
pub fn draw_allocs(thread: &Thread, usable: usize) -> Option<Draw> {
    PROFILER.draw_allocs(thread, usable as u64)
}

/// Bytes until the next sampled one; `None` while sampling is off.
pub fn draw_bytes(thread: &Thread) -> Option<Draw> {
    PROFILER.draw_bytes(thread)
}

/// Samples, with the rate of its draw, the allocation of `usable` bytes that the caller is about to make, of which the program asked for `requested`;
/// bits of its reference, 0 when it is not sampled. Then comes [`born`] or [`retract`].
///
/// Walks the stack from here; may write a dump. The caller holds no lock.
#[inline]
pub fn sample(thread: &Thread, rate: Rate, requested: usize, usable: usize) -> u64 {
    PROFILER.sample(thread, rate, requested as u64, usable as u64).map_or(0, SampleRef::to_bits)
}

/// The object that this thread has just sampled exists now. 0 is none. Calls a function of the program's, which may
/// allocate; the caller holds no lock and is done with its caches. How full the slab of `place` is counts for the object.
#[inline]
pub fn born(
    thread: &Thread,
    bits: u64,
    object: *const u8,
    place: *const u8,
    requested: usize,
    usable: usize,
) {
    if let Some(sample) = SampleRef::from_bits(bits) {
        CLASSES.add(usable, requested);
        PROFILER.born(thread, sample, object, place.addr());
    }
}

/// There was no memory for the allocation that this thread has just sampled. 0 is none.
pub fn retract(bits: u64) {
    if let Some(sample) = SampleRef::from_bits(bits) {
        PROFILER.retract(sample);
    }
}

/// A sampled object of `usable` bytes is about to be freed by this thread. 0 is no sample. Calls a function of the
/// program's, as [`born`] does; walks the stack when its end is to be remembered.
pub fn unsample(thread: Option<&Thread>, bits: u64, object: *const u8, usable: usize) {
    if let Some(sample) = SampleRef::from_bits(bits)
        && let Some(requested) = PROFILER.unsample(thread, sample, object, usable as u64)
    {
        CLASSES.remove(usable, requested as usize);
    }
}

/// What the profiler's locks counted, by the names that the reference's locks of the same work have.
pub fn mutex_counts() -> [(&'static str, MutexCounts); 2] {
    [("prof_dump", PROFILER.dump_lock_counts()), ("prof_recent_alloc", PROFILER.recent_lock_counts())]
}

/// Sets these to zero.
pub fn reset_mutex_counts() {
    PROFILER.reset_lock_counts();
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

/// The process ends with this status, as far as that is known: final dump, leak summary. Whether it is to end with an error.
pub fn at_exit(thread: Option<&Thread>, status: i32) -> bool {
    PROFILER.at_exit(thread, status)
}
