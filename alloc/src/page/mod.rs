//! The page layer: which pages of an arena are used, dirty, muzzy or retained, where new ones come from, and when
//! unused ones go back to the kernel.
//!
//! Memory is managed in blocks of 2 MiB, each described by three bitmaps. A free page is *dirty* (backed, stale
//! contents), *muzzy* (`MADV_FREE`d) or *retained* (neither: reads as zero, costs no memory). Neighbouring free
//! pages need no merging: a run is whatever the bitmap shows.

pub mod advice;
mod beside;
pub mod bits;
pub mod block;
pub mod caretaker;
pub mod census;
mod churn;
pub mod classes;
pub mod decay;
pub mod default_hooks;
pub mod dss;
mod ebb;
pub mod growth;
pub mod hooks;
mod late;
pub mod layer;
mod pac;
mod parked;
pub mod pressure;
pub mod purge;
pub mod run;
pub mod settings;
pub mod state;
pub mod supply;
mod tree;
pub mod turn;
