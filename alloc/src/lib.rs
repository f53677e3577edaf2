//! A drop-in for jemalloc in Rust: arenas, thread caches, decay, statistics, and a sampling heap profiler.
//!
//! ```
//! #[global_allocator]
//! static ALLOC: jealloc::Jealloc = jealloc::Jealloc;
//! # fn main() {}
//! ```
//!
//! Rooms: `docs/architecture.md` has their order; a room imports only from rooms listed before it there.
#![no_std]
#![warn(missing_docs)]

#[cfg(feature = "std")]
extern crate std;

// Data plane.
mod arena;
mod base;
pub mod entry;
mod extent;
mod os;
mod page;
mod relaxed;
mod report;
mod sampling;
mod size_class;
mod sync;
mod tcache;
mod thread;
mod units;
// Control plane.
mod background;
mod boot;
mod cgroup;
mod conf;
pub mod ctl;
mod fork;
mod global;
#[cfg(feature = "prof")]
mod prof;
#[cfg(feature = "prof")]
pub mod profile;
pub mod stats;
mod tables;

pub use global::Jealloc;
pub use page::hooks::{AllocHook, DallocHook, DestroyHook, ExtentHooks, MergeHook, RangeHook, SplitHook};
#[doc(hidden)]
pub use prof_options::weak_symbol;
pub use report::fatal;
pub use size_class::{usable as usable_of_size, usable_aligned as usable_of_aligned};
pub use thread::counters::ThreadCounts;

/// Version of jemalloc whose interface this is, in its own scheme.
pub const VERSION: &str = "5.3.1-0-g0";
const VERSION_C: &core::ffi::CStr = c"5.3.1-0-g0";

/// Bytes that the owner of `object` may use; 0 for null.
///
/// # Safety
/// 1. `object` is null, or came from this allocator and was not freed since.
pub unsafe fn usable_size<T>(object: *const T) -> usize {
    // SAFETY: by the caller's promise.
    unsafe { entry::usable_size(object.cast()) }
}

/// What the calling thread has allocated and freed so far, whichever way it called the allocator; `None` when there is no
/// memory for a thread's structures.
///
/// Exact, and what other threads do is not in it. Costs some hundred loads and nothing before or after; a thread that
/// asks for bytes at every step may want [`ctl::thread::allocatedp`].
pub fn thread_counts() -> Option<ThreadCounts> {
    thread::start::current_or_start().map(thread::counters::all)
}
