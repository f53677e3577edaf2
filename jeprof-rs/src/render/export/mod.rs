//! Files that other programs open.

pub mod callgrind;
pub mod firefox;
mod gzip;
mod jeprof_callgrind;
pub mod otlp;
pub mod proto;
pub mod raw;
pub mod speedscope;
