//! The page layer: which pages of an arena are used, dirty, muzzy or retained, where new ones come from, and when
//! unused ones go back to the kernel.
//!
//! Memory is managed in blocks of 2 MiB, each described by three bitmaps. A free page is *dirty* (backed, stale
//! contents), *muzzy* (`MADV_FREE`d) or *retained* (neither: reads as zero, costs no memory). Neighbouring free
//! pages need no merging: a run is whatever the bitmap shows.

#[allow(dead_code, reason = "arenas with hooks of their own come next")]
pub mod advice;
pub mod bits;
pub mod block;
pub mod caretaker;
pub mod decay;
#[allow(dead_code, reason = "arenas with hooks of their own come next")]
pub mod default_hooks;
#[allow(dead_code, reason = "arenas with hooks of their own come next")]
pub mod hooks;
pub mod layer;
pub mod pressure;
pub mod purge;
#[allow(dead_code, reason = "arenas with hooks of their own come next")]
pub mod settings;
pub mod supply;
