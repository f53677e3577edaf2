//! What a program asks of the profiler while it runs.

use core::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use prof_runtime::{DumpError, Tally};

use crate::allocator::Profiled;
use crate::profiler::PROFILER;
use crate::{alignment, start, thread};

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Profiling is off: neither an option (`prof:true`) nor [`Profiled::activate`] switched it on; or there was no memory
    /// for the profiler's tables.
    Off,
    /// This thread is inside the profiler already: the caller is a signal handler.
    Reentered,
    /// No path was given and the prefix is empty, or the path is empty, too long, or has a zero byte.
    BadName,
    /// No memory for the copy of the tables.
    OutOfMemory,
    /// The file could not be opened; the user was told why.
    Open,
    /// The file could not be written; the user was told why.
    Write,
    /// A character is neither printable ASCII nor a blank, or the text is too long.
    BadText,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Off => "the heap profiler is off",
            Error::Reentered => "the thread is inside the heap profiler",
            Error::BadName => "the dump has no name, or one that no file can have",
            Error::OutOfMemory => "no memory for the heap profiler's tables",
            Error::Open => "the dump's file could not be opened",
            Error::Write => "the dump could not be written",
            Error::BadText => "a character is neither printable nor blank, or there are too many",
        })
    }
}

impl std::error::Error for Error {}

impl From<DumpError> for Error {
    fn from(error: DumpError) -> Error {
        match error {
            DumpError::Disabled => Error::Off,
            DumpError::Reentered => Error::Reentered,
            DumpError::BadName => Error::BadName,
            DumpError::OutOfMemory => Error::OutOfMemory,
            DumpError::Open => Error::Open,
            DumpError::Write => Error::Write,
        }
    }
}

/// Sums over all stacks since the start, or the last reset. Objects and bytes are estimates, without bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Objects that are alive.
    pub live_objects: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// Objects that were allocated.
    pub allocated_objects: u64,
    /// Their bytes.
    pub allocated_bytes: u64,
    /// Sampled objects among those that are alive.
    pub live_samples: u64,
    /// Sampled objects among those that were allocated.
    pub samples: u64,
    /// Distinct stacks since the start.
    pub stacks: u64,
    /// Dumps written since the start.
    pub dumps: u64,
}

/// Whole objects.
fn objects(tally: &Tally) -> u64 {
    tally.est_objs_q16.saturating_add(1 << 15) >> 16
}

/// Control of the profiler, of which there is one in a process: whichever `Profiled` it is asked of.
impl<A> Profiled<A> {
    /// Whether sampling is on.
    pub fn is_active(&self) -> bool {
        PROFILER.enabled() && PROFILER.is_active()
    }

    /// Switches sampling on, and starts the profiler if nothing has yet. The calling thread samples from now on, others
    /// notice within their next MiB. Objects that exist already are not known. Whether it was on.
    ///
    /// # Errors
    /// [`Error::Off`] when there is no memory for the profiler's tables; the user was told.
    pub fn activate(&self) -> Result<bool, Error> {
        start::ensure(self.conf());
        let old = self.is_active();
        if !start::begin() {
            return Err(Error::Off);
        }
        PROFILER.set_active(true);
        thread::with(|thread| thread.refresh(&PROFILER));
        Ok(old)
    }

    /// Switches sampling off. Frees of objects that were sampled are still counted. Whether it was on.
    pub fn deactivate(&self) -> bool {
        let old = self.is_active();
        PROFILER.set_active(false);
        thread::with(|thread| thread.refresh(&PROFILER));
        old
    }

    /// Drops all counts, with a new mean distance between samples when log2 of one is given, 63 at most; 0 samples every
    /// allocation. Objects sampled before are forgotten.
    ///
    /// # Errors
    /// [`Error::Off`].
    pub fn reset(&self, lg_sample: Option<u8>) -> Result<(), Error> {
        require()?;
        lg_sample.into_iter().for_each(alignment::prepare);
        PROFILER.reset(lg_sample);
        thread::with(|thread| thread.refresh(&PROFILER));
        Ok(())
    }

    /// Log2 of the mean number of bytes between two samples.
    pub fn lg_sample(&self) -> u8 {
        PROFILER.lg_sample()
    }

    /// Writes a dump to a file: profile.proto when its name ends in `.pb` or `.pb.gz`, else jemalloc's format. Other threads are
    /// not stopped.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn dump(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref().as_os_str().as_bytes();
        Ok(thread::with(|thread| PROFILER.dump(Some(&thread.prof), Some(path)))?)
    }

    /// Writes a dump to a file that the profiler names, `<prof_prefix>.<pid>.<seq>.m<n>.heap`, in the format of
    /// `prof_dump_format`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn dump_automatic(&self) -> Result<(), Error> {
        Ok(thread::with(|thread| PROFILER.dump(Some(&thread.prof), None))?)
    }

    /// Writes the newest samples one by one (`prof_recent_alloc_max`), as JSON, to a file that the profiler names.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn dump_recent(&self) -> Result<(), Error> {
        Ok(thread::with(|thread| PROFILER.recent_file(Some(&thread.prof)))?)
    }

    /// The sums as of now; zeros while the profiler was not started. Cost: a few loads for each stack of each thread.
    pub fn totals(&self) -> Totals {
        let sums = PROFILER.estimates();
        Totals {
            live_objects: objects(&sums.live),
            live_bytes: sums.live.est_bytes,
            allocated_objects: objects(&sums.allocated),
            allocated_bytes: sums.allocated.est_bytes,
            live_samples: sums.live.sampled.objs,
            samples: sums.allocated.sampled.objs,
            stacks: PROFILER.stacks().into(),
            dumps: PROFILER.dumps_written(),
        }
    }

    /// Switches sampling of the calling thread alone. Whether it was on.
    pub fn set_thread_active(&self, on: bool) -> bool {
        thread::with(|thread| {
            let old = PROFILER.set_thread_active(&thread.prof, on);
            thread.refresh(&PROFILER);
            old
        })
    }

    /// Names the calling thread in dumps; cut to 15 characters.
    ///
    /// # Errors
    /// [`Error::BadText`].
    pub fn set_thread_name(&self, name: &str) -> Result<(), Error> {
        let named = thread::with(|thread| PROFILER.set_thread_name(&thread.prof, name.as_bytes()));
        named.map_err(|_| Error::BadText)
    }

    /// Labels what the calling thread samples from now on, for a request or a tenant; an empty text ends that.
    ///
    /// # Errors
    /// [`Error::BadText`], or [`Error::OutOfMemory`] for a label that there is no room for.
    pub fn set_thread_label(&self, label: &str) -> Result<(), Error> {
        let labelled = thread::with(|thread| PROFILER.set_thread_label(&thread.prof, label.as_bytes()));
        labelled.map_err(|bad| match bad {
            prof_runtime::BadLabel::TooMany => Error::OutOfMemory,
            prof_runtime::BadLabel::Text => Error::BadText,
        })
    }
}

fn require() -> Result<(), Error> {
    if PROFILER.enabled() { Ok(()) } else { Err(Error::Off) }
}
