//! Sampling heap profiler runtime, for an allocator to embed.
//!
//! It works inside of `malloc`: no allocation from any heap, no lock while a stack is walked or counted, no panic, no
//! change of `errno`; memory comes from mappings of its own, system calls bypass the C library. It knows no allocator:
//! the host decides when to ask, embeds a [`ThreadProf`] per thread and keeps a [`SampleRef`] per sampled object.
//!
//! Rooms, each using only those above it: `arch`, `probe`, `errno`, `mapping`, `own_pages`, `memory`, `sync`, `descriptors`
//! (closed in children of forks), `procmaps`, `elf`, `dynamic_symbols` (machine, kernel, file facts) - `index` - `sampler` (pure) - `unwind` - `stack_table`, `markers` (what stands for missing stacks and frames) - `labels` - `thread` - `sums` - `lifetimes` (how objects
//! ended) - `peak` - `context` (live and accumulated) - `live`
//! (one record per sampled object) - `objects` (the addresses of sampled objects, for hosts that need it) - `reach` (which of the living the program can still reach) - `hooks` (the program's functions) - `deque`, `numbering`, `pieces` (tools) -
//! `recent` (the newest samples one by one) - `dump` (naming, triggers, writing) - `log` (freed samples one by one) -
//! `leak` (exit report) - `profiler` (owns all).
#![no_std]
#![warn(missing_docs)]

#[cfg(test)]
extern crate std;

mod arch;
mod clock;
mod context;
mod deque;
pub mod descriptors;
mod dump;
mod dynamic_symbols;
mod elf;
mod errno;
pub mod fleeting;
pub mod hooks;
mod index;
mod labels;
mod leak;
mod lifetimes;
mod live;
mod log;
mod mapping;
mod markers;
mod memory;
mod name;
mod numbering;
mod objects;
pub mod own_pages;
mod pace;
mod peak;
mod pieces;
mod probe;
mod procmaps;
mod profiler;
mod reach;
mod recent;
mod sampler;
mod settings;
mod stack_table;
mod sums;
mod sync;
mod thread;
mod threads;
mod unwind;
mod weights;

pub use dump::{DumpError, Form, names::Trigger};
pub use labels::{BadLabel, LABEL_MAX};
pub use leak::default_suppressions;
pub use live::SampleRef;
pub use name::BadName;
pub use objects::{Objects, Sampled};
pub use prof_format::{
    totals::Totals,
    vocab::{Counts, Format, Tally},
};
pub use profiler::{Estimates, OutOfMemory, Profiler};
pub use sampler::{Draw, Rate};
pub use settings::{Fullness, Settings};
pub use thread::ThreadProf;
