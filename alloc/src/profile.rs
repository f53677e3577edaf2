//! A heap profile for the program itself, without a file: what a server sends, or a program looks at.
//!
//! `prof.dump` makes files; this hands the same bytes to a function of the program.

use core::fmt;

use prof_runtime::DumpError;
pub use prof_runtime::{Form, Format};

use crate::sampling::PROFILER;

/// Why there is no profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoProfile {
    /// The program was not started with `prof:true`.
    Off,
    /// The caller is a signal handler that interrupted a dump.
    Inside,
    /// No memory for the copy of the tables.
    OutOfMemory,
}

impl fmt::Display for NoProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoProfile::Off => {
                "the profiler is off: the program was not started with prof:true in MALLOC_CONF"
            }
            NoProfile::Inside => "a dump is being written by this very thread",
            NoProfile::OutOfMemory => "no memory for a copy of the profiler's tables",
        })
    }
}

impl core::error::Error for NoProfile {}

/// Hands a profile of this moment to `receive`, in pieces of at most 64 KiB. The function may allocate, which is sampled
/// as anything else and is not in this profile; no lock is held while it runs.
///
/// # Errors
/// See [`NoProfile`]. Nothing was received then, or, when memory ran out meanwhile, a part.
///
/// **Cost:** that of `prof.dump` without the file; waits while another dump copies the tables.
pub fn write(form: Form, receive: &mut dyn FnMut(&[u8])) -> Result<(), NoProfile> {
    PROFILER.give(form, receive).map_err(|error| match error {
        DumpError::Disabled => NoProfile::Off,
        DumpError::Reentered => NoProfile::Inside,
        DumpError::OutOfMemory | DumpError::BadName | DumpError::Open | DumpError::Write => {
            NoProfile::OutOfMemory
        }
    })
}

/// Whether accumulated figures are kept (`prof_accum:true`), and so are in profiles.
pub fn has_accumulated() -> bool {
    PROFILER.enabled() && crate::tables::option::PROF_ACCUM.on()
}
