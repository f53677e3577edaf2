//! Sampling heap profiler runtime.
#![no_std]

pub mod profiler;
pub mod thread;

pub use profiler::{DumpError, OutOfMemory, Profiler, SampleRef, Settings};
pub use thread::{BadName, ThreadProf};
