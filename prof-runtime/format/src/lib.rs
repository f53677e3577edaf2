//! Heap profile file formats, written and read side by side.
//!
//! One module per format: [`text`] (gperftools' `heap profile: ... @ heap_v2/R`, which jeprof and Go pprof both
//! open), [`heap_v2`] (jemalloc's own) and [`pprof`] (profile.proto); [`recent`] and [`sample_log`] are jemalloc's JSON of
//! single samples, [`metrics`] the families that monitoring systems read, [`contention`] what those about locks count, [`wire`] how another process asks for a dump. The writers take a [`snapshot::Snapshot`],
//! never allocate and may run inside an allocator; the readers return a [`dump::Dump`] and may allocate. [`figures`] makes a
//! snapshot of what was read, and [`pprof::encode`] writes a profile with names.
//! The readers are the feature `read`, on by default: without it nothing here can allocate.
//! The crate knows neither files nor compression: it is given and gives bytes.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "read")]
extern crate alloc;
#[cfg(test)]
extern crate std;

#[cfg(feature = "read")]
pub mod dump;
#[cfg(feature = "read")]
pub mod figures;
pub mod snapshot;
pub mod suppression;
pub mod totals;
pub mod unbias;
pub mod vocab;

pub mod any;
pub mod contention;
pub mod gzip;
pub mod heap_v2;
#[cfg(feature = "read")]
pub mod maps;
pub mod metrics;
pub mod pprof;
pub mod recent;
pub mod sample_log;
pub mod text;
pub mod wire;

#[cfg(feature = "read")]
mod builder;
#[cfg(feature = "read")]
mod digits;
#[cfg(feature = "read")]
mod heading;
mod json;
#[cfg(feature = "read")]
mod lines;
mod out;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(test)]
mod tests;
