//! The profiler: owns every table and is all that a host sees.

use core::num::NonZeroU64;

use prof_format::vocab::Format;

use crate::thread::{BadName, ThreadProf};

/// What the host's options say, read once by [`Profiler::boot`].
pub struct Settings<'a> {
    /// Log2 of the mean number of bytes between samples; 0 samples every allocation. At most 62.
    pub lg_sample: u8,
    /// Whether sampling is on at the start (`prof_active`).
    pub active: bool,
    /// Whether accumulated figures are shown (`prof_accum`).
    pub accum: bool,
    /// Dump at exit (`prof_final`).
    pub final_dump: bool,
    /// Print the leak summary at exit, after the final dump (`prof_leak`).
    pub leak: bool,
    /// Dump whenever active memory reaches a new maximum (`prof_gdump`).
    pub gdump: bool,
    /// Log2 of the bytes between interval dumps; `None`: no interval dumps.
    pub lg_interval: Option<u8>,
    /// Start of the names of dumps; empty: no automatic dumps.
    pub prefix: &'a [u8],
    /// Format of the files that the profiler names itself.
    pub format: Format,
    /// Frames kept per stack, at most 128.
    pub bt_max: u16,
    /// Whether new threads sample (`prof_thread_active_init`).
    pub thread_active_init: bool,
    /// Code of the allocator itself. Frames from the leaf up to and including the outermost frame (within the
    /// first 16) whose address lies here are never stored.
    pub own_text: core::ops::Range<usize>,
    /// Hands one whole line, newline included, to the user.
    pub message: fn(&[u8]),
}

/// The kernel gave no memory for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// Why a dump was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpError {
    /// The profiler was not booted.
    Disabled,
    /// This thread is inside the profiler already (a signal handler).
    Reentered,
    /// No name was given and the prefix is empty, or the name is empty, too long or has a zero byte.
    BadName,
    /// No memory for the frozen copy of the tables.
    OutOfMemory,
    /// The file could not be opened; the user was told.
    Open,
    /// The file could not be written; the user was told.
    Write,
}

/// What the host keeps with a sampled object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleRef(NonZeroU64);

impl SampleRef {
    /// For storing in a word of the host's.
    pub fn to_bits(self) -> u64 {
        self.0.get()
    }

    /// From such a word; `None` for zero.
    pub fn from_bits(bits: u64) -> Option<SampleRef> {
        NonZeroU64::new(bits).map(SampleRef)
    }
}

/// The profiler of a process.
pub struct Profiler {}

impl Profiler {
    pub const fn new() -> Profiler { Profiler {} }
    pub fn boot(&self, _s: &Settings) -> Result<(), OutOfMemory> { Ok(()) }
    pub fn enabled(&self) -> bool { false }
    pub fn is_active(&self) -> bool { false }
    pub fn set_active(&self, _on: bool) -> bool { false }
    pub fn epoch(&self) -> u32 { 0 }
    pub fn lg_sample(&self) -> u8 { 19 }
    pub fn interval_bytes(&self) -> u64 { 0 }
    pub fn gdump(&self) -> bool { false }
    pub fn set_gdump(&self, _on: bool) -> bool { false }
    pub fn reset(&self, _lg_sample: Option<u8>) {}
    pub fn draw_allocs(&self, _t: &ThreadProf, _usize: u64) -> Option<u64> { None }
    pub fn draw_bytes(&self, _t: &ThreadProf) -> Option<u64> { None }
    #[inline(never)]
    pub fn sample(&self, _t: &ThreadProf, _usize: u64) -> Option<SampleRef> { None }
    pub fn unsample(&self, _s: SampleRef, _usize: u64) {}
    pub fn thread_active(&self, _t: &ThreadProf) -> bool { false }
    pub fn set_thread_active(&self, _t: &ThreadProf, _on: bool) -> bool { false }
    pub fn thread_name(&self, _t: &ThreadProf, _buf: &mut [u8; 16]) -> usize { 0 }
    pub fn set_thread_name(&self, _t: &ThreadProf, _name: &[u8]) -> Result<(), BadName> { Ok(()) }
    pub fn thread_exit(&self, _t: &ThreadProf) {}
    pub fn active_bytes(&self, _bytes: u64) -> bool { false }
    pub fn dump_growth(&self, _t: &ThreadProf) {}
    pub fn dump(&self, _t: Option<&ThreadProf>, _path: Option<&[u8]>) -> Result<(), DumpError> { Err(DumpError::Disabled) }
    pub fn at_exit(&self) {}
    pub fn fork_prepare(&self) {}
    pub fn fork_parent(&self) {}
    pub fn fork_child(&self) {}
}
