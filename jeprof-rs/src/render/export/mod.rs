//! Files that other programs open.

pub mod firefox;
pub mod otlp;
pub mod proto;
pub mod speedscope;
