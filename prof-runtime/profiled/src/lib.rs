//! A sampling heap profiler over any Rust allocator.
//!
//! ```
//! use std::alloc::System;
//! use profiled::Profiled;
//!
//! #[global_allocator]
//! static ALLOC: Profiled<System> = Profiled::new(System);
//! # fn main() { assert_eq!(vec![1u8; 100].len(), 100); }
//! ```
//!
//! It is the profiler of the allocator in this repository, with the same options, estimates and files: perl `jeprof`,
//! `go tool pprof` and `jeprof-rs` open its dumps. Run the program with `MALLOC_CONF=prof:true,prof_final:true` for a dump
//! at its end, put the options into the program ([`Profiled::with_conf`]), or switch sampling on and ask for a dump when
//! there is something to look at ([`Profiled::activate`], [`Profiled::dump`]).
//!
//! # What is sampled
//!
//! Each allocated byte is a sample point with probability `1/R`, with `R` = 2^`lg_prof_sample` bytes (512 KiB); an object
//! that covers one is sampled, and counts for `1/(1 - exp(-size/R))` objects. Estimates are unbiased, whatever the sizes,
//! threads and changes of the rate. The size is that of the layout: a wrapped allocator does not tell how much more of it is
//! usable, so that requested and usable bytes are the same here. A `realloc` is the death of an object and the birth of
//! another one.
//!
//! # How a sampled object is known again
//!
//! A foreign allocator has no room for a mark. So small sampled objects (below 32 KiB) are asked for with a greater
//! alignment, of a page at the default rate, and at least as many bytes: whether an object might be sampled is seen by its
//! address, without a look at memory, and few others have such an address. Large objects might always be. Only for these a
//! lock-free table of addresses is asked. At finer rates, where there are more samples, the alignment is smaller, so that
//! samples take about 1/64 more than the memory that they stand for; a finer rate set at run time lowers it for the objects
//! from then on.
//!
//! # What it costs
//!
//! An allocation that is not sampled subtracts from a number of its thread, a free looks at the address and the size: 11
//! instructions for both together, with sampling on or off, where `System` takes 152 for 100 bytes. With all samples at the
//! default rate they are 12 to 13. Large objects take a look-up more (85 for 40,000 bytes and off). `docs/performance.md` of the
//! repository has the figures. A sample walks the stack without a lock and without allocating.
//!
//! # Edges
//!
//! * The profiler takes no memory from the wrapped allocator, and none from `malloc`: it has mappings of its own.
//! * The wrapped allocator may allocate through the global one while it serves a request; that is counted, and sampled, like
//!   other allocations.
//! * Threads are counted until their very end, also what destructors of thread-local values allocate and free. A thread
//!   that never ends is in each dump.
//! * A forked child keeps all counts and dumps under its own pid.
//! * An allocation that fails counts neither as live nor as allocated. Where only the greater alignment is not to be had,
//!   the object is not sampled.
//! * There is one profiler in a process; several `Profiled` share it. What the first of them to allocate was told counts.
//!
//! # Options
//!
//! All `prof*` and `lg_prof*` options of jemalloc and of this repository's allocator, and `abort`, `abort_conf`,
//! `confirm_conf`; the text given to [`Profiled::with_conf`] comes first, then the environment's `MALLOC_CONF`. Those that
//! need to look into the allocator, or a thread of its own, are refused with a message: `prof_frag`, `prof_gdump`, `prof_interval_ms`,
//! `prof_leak_reach`, `prof_listen`, `prof_signal`, `prof_stats`.
#![warn(missing_docs)]

#[cfg(not(target_os = "linux"))]
compile_error!("the profiler runs on Linux only");

mod alignment;
mod allocator;
mod control;
mod end;
mod options;
mod profiler;
mod report;
mod sampling;
mod start;
mod thread;

pub use allocator::Profiled;
pub use control::{Error, Totals};
