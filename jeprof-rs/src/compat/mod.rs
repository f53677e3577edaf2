//! What jeprof 5.3.1 makes of names and stacks, for `--compat=jeprof`: its rules, odd ones included.
//!
//! Knows a profile and its names; selecting, adding up and printing are the same code as otherwise.

pub mod allocator;
pub mod dump;
pub mod names;
pub mod short_name;
