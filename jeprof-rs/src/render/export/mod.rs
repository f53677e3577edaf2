//! Files that other programs open.

pub mod callgrind;
pub mod firefox;
pub mod otlp;
pub mod proto;
pub mod raw;
pub mod speedscope;
