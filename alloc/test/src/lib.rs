//! Assertions on memory, for `cargo test`:
//!
//! ```
//! use jealloc_test::{assert_allocs, assert_no_growth};
//!
//! #[global_allocator]
//! static ALLOC: jealloc_test::Jealloc = jealloc_test::Jealloc;
//!
//! # fn parse(text: &str) -> Vec<&str> { text.split(' ').collect() }
//! # fn handle(request: &str) { drop(std::hint::black_box(request.to_owned())); }
//! # fn main() {
//! // In a #[test]:
//! assert_no_growth!(iterations = 1000, warmup = 100, || handle("GET /"));
//! let words = assert_allocs!(bytes <= 4096, blocks <= 3, || parse("one two three"));
//! assert_eq!(words.len(), 3);
//! # }
//! ```
//!
//! [`assert_no_growth!`] runs a closure many times and fails when the thread holds more memory after the last run than
//! before the first. [`assert_allocs!`] runs it once and fails when it allocated more than allowed. Each `[[test]]` file,
//! and the library itself for its unit tests (under `#[cfg(test)]`), needs the two lines of the global allocator; without
//! them both assertions fail and say so.
//!
//! # What is counted
//!
//! What the calling thread allocated and freed, exactly, by the counts of the allocator (`thread.allocated`,
//! `thread.deallocated`), so tests may run in parallel. Bytes are usable bytes: a request of 100 is an object of 112.
//!
//! * Threads that the closure starts count for themselves: what they leak is not seen, and neither is what they keep of
//!   what the closure gave them.
//! * **What another thread frees is that thread's free.** A closure that sends its memory away for another thread to free
//!   looks as if it grew by all of it; one that frees what others allocated looks as if it shrank, which hides a leak.
//!   Test the two ends of such a channel on one thread.
//! * What a test prints is kept in memory by the harness, and grows: run such a test with `--nocapture`.
//! * The first calls build things once (thread-locals, tables, capacities). That is what `warmup` is for; for
//!   [`assert_allocs!`], call the code once before.
//!
//! # From a failure to the stacks
//!
//! The message says how much, how many blocks, and in which iterations. Run that test again by itself under the profiler:
//!
//! ```text
//! MALLOC_CONF=prof:true,lg_prof_sample:0 cargo test -- --exact cache::tests::no_leak_per_request
//! ```
//!
//! The failing assertion then writes a dump, runs the iterations once more, writes another, and its message has the line
//! `jeprof-rs --base=... ...` that shows what lies between them. A test that wants dumps of its own, such as one for every
//! thousand iterations of a long run, calls [`checkpoint`].

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod allocs;
mod counts;
mod dump;
mod growth;

pub use allocs::{Limits, assert_allocs};
pub use dump::checkpoint;
pub use growth::{Growth, Runs, assert_no_growth, growth};
pub use jealloc::Jealloc;
