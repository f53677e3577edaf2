//! Dumps: what triggers one, what it is called, how it is written.
//!
//! One dump at a time, under a lock that sampling never takes: the tables are read while other threads go on
//! ([`frozen`]), then written by `prof_format` through a buffer ([`file`]). All memory is mapped for the dump and
//! unmapped after it.

pub mod file;
pub mod frozen;
pub mod image;
mod kernel;
pub mod names;
mod quiet;

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use prof_format::{snapshot::Facts, totals::Totals};

use crate::{
    clock::{Clock, nanos},
    dump::{
        file::{Content, Failure},
        frozen::{Frozen, Tables},
        image::ProcessImage,
        names::{Text, Trigger},
    },
    leak,
    memory::Rows,
    settings::Kept,
    sync::{Guard, Mutex},
};

/// Why a dump was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpError {
    /// The profiler was not booted.
    Disabled,
    /// This thread is inside the profiler already (the caller is a signal handler).
    Reentered,
    /// No name was given and the prefix is empty, or the name is empty, too long, or has a zero byte.
    BadName,
    /// No memory for the copy of the tables.
    OutOfMemory,
    /// The file could not be opened; the user was told.
    Open,
    /// The file could not be written; the user was told.
    Write,
}

/// Triggers, counters and the lock.
pub struct Dumps {
    lock: Mutex,
    /// Whether `fork_prepare` took the lock.
    locked_for_fork: AtomicBool,
    /// Files that the profiler named itself.
    seq: AtomicU64,
    /// The same by trigger; the final dump has no number.
    interval: AtomicU64,
    manual: AtomicU64,
    growth: AtomicU64,
    /// Bytes since the start, by which interval dumps come due.
    interval_bytes: AtomicU64,
    interval_due: AtomicBool,
}

/// One dump to be written.
pub struct Job<'a> {
    /// What to dump.
    pub tables: Tables<'a>,
    /// Mean sampling distance.
    pub period: u64,
    /// Since when it was counted (monotonic clock).
    pub since_nanos: u64,
    /// Format, prefix, where messages go.
    pub kept: &'a Kept,
}

impl Job<'_> {
    /// Copies the tables and hands the copy to `then`.
    fn freeze<R>(&self, then: impl FnOnce(&Frozen) -> R) -> Option<R> {
        // First of all, before the copy itself takes memory.
        let mut totals = Totals::default();
        kernel::add_to(&mut totals);
        (self.kept.totals)(&mut totals);
        let image = ProcessImage::take()?;
        let facts = Facts {
            period: self.period,
            accum: self.kept.accum,
            time_nanos: nanos(Clock::Wall),
            duration_nanos: nanos(Clock::Monotonic).wrapping_sub(self.since_nanos),
            pid: pid(),
            program: image.program(),
            totals,
        };
        Frozen::take(&self.tables, facts, &image).map(|frozen| then(&frozen))
    }
}

fn pid() -> u32 {
    rustix::process::getpid().as_raw_nonzero().get() as u32
}

impl Dumps {
    /// No dump written yet.
    pub const fn new() -> Dumps {
        Dumps {
            lock: Mutex::new(),
            locked_for_fork: AtomicBool::new(false),
            seq: AtomicU64::new(0),
            interval: AtomicU64::new(0),
            manual: AtomicU64::new(0),
            growth: AtomicU64::new(0),
            interval_bytes: AtomicU64::new(0),
            interval_due: AtomicBool::new(false),
        }
    }

    /// Writes a file that the profiler names. With an empty prefix only asking for one by hand is an error.
    pub fn automatic(&self, job: &Job, trigger: Trigger) -> Result<(), DumpError> {
        if job.kept.prefix().is_empty() {
            return if trigger == Trigger::Manual { Err(DumpError::BadName) } else { Ok(()) };
        }
        let guard = self.lock.lock().map_err(|_| DumpError::Reentered)?;
        self.named_and_written(&guard, job, trigger)
    }

    fn named_and_written(&self, _: &Guard, job: &Job, trigger: Trigger) -> Result<(), DumpError> {
        let nth = match trigger {
            Trigger::Interval => self.interval.fetch_add(1, Ordering::Relaxed),
            Trigger::Manual => self.manual.fetch_add(1, Ordering::Relaxed),
            Trigger::Growth => self.growth.fetch_add(1, Ordering::Relaxed),
            Trigger::Final => 0,
        };
        let seq = self.seq.fetch_add(1, Ordering::Relaxed);
        let mut text = Rows::<Text>::zeroed(2).ok_or(DumpError::OutOfMemory)?;
        let [path, scratch] = &mut text[..] else { return Err(DumpError::OutOfMemory) };
        let format = job.kept.format;
        names::generated(path, job.kept.prefix(), pid(), seq, trigger, nth, format);
        self.written(job, path, scratch, format, format == prof_format::vocab::Format::Pprof)
    }

    /// Writes a file that the program names. No counter moves.
    pub fn given(&self, job: &Job, path: &[u8]) -> Result<(), DumpError> {
        let _guard = self.lock.lock().map_err(|_| DumpError::Reentered)?;
        let mut text = Rows::<Text>::zeroed(2).ok_or(DumpError::OutOfMemory)?;
        let [name, scratch] = &mut text[..] else { return Err(DumpError::OutOfMemory) };
        name.push(path);
        let (format, gzip) = names::format_of_path(path);
        self.written(job, name, scratch, format, gzip)
    }

    fn written(
        &self,
        job: &Job,
        name: &Text,
        scratch: &mut Text,
        format: prof_format::vocab::Format,
        gzip: bool,
    ) -> Result<(), DumpError> {
        let path = name.as_path().ok_or(DumpError::BadName)?;
        let written = job.freeze(|frozen| {
            let content = Content { snapshot: frozen, format, gzip };
            content.write(path, pid(), scratch)
        });
        let (line, error) = match written.unwrap_or(Err(Failure::OutOfMemory)) {
            Ok(()) => return Ok(()),
            Err(Failure::OutOfMemory) => return Err(DumpError::OutOfMemory),
            Err(Failure::Open) => {
                scratch.clear().push(b"<jemalloc>: failed to open \"").push(name.as_bytes()).push(b"\"\n");
                (scratch.as_bytes(), DumpError::Open)
            }
            Err(Failure::Write) => {
                (&b"<jemalloc>: failed to write during heap profile flush\n"[..], DumpError::Write)
            }
        };
        (job.kept.message)(line);
        Err(error)
    }

    /// Advances the interval by what one sample stands for and writes a dump when it is due.
    ///
    /// While another dump is being written nobody waits: the next sample finds it due.
    pub fn advance_interval<'a>(&self, job: impl FnOnce() -> Job<'a>, lg_interval: u8, bytes: u64) {
        let before = self.interval_bytes.fetch_add(bytes, Ordering::Relaxed);
        let passed = |at: u64| at.checked_shr(lg_interval as u32).unwrap_or(0);
        if passed(before) != passed(before.wrapping_add(bytes)) {
            self.interval_due.store(true, Ordering::Relaxed);
        }
        if self.interval_due.load(Ordering::Relaxed) {
            self.interval_dump(job);
        }
    }

    #[cold]
    #[inline(never)]
    fn interval_dump<'a>(&self, job: impl FnOnce() -> Job<'a>) {
        let Some(guard) = self.lock.try_lock() else { return };
        let job = job();
        if self.interval_due.swap(false, Ordering::Relaxed) && !job.kept.prefix().is_empty() {
            // The user was told of a failure; there is nobody else to tell.
            let _ = self.named_and_written(&guard, &job, Trigger::Interval);
        }
    }

    /// Prints the leak summary.
    pub fn leak_summary(&self, job: &Job) {
        let Ok(_guard) = self.lock.lock() else { return };
        let Some(mut text) = Rows::<Text>::zeroed(1) else { return };
        if let (Some((live, contexts)), Some(text)) = (job.freeze(|frozen| frozen.live()), text.first_mut()) {
            leak::report(live, contexts, text, job.kept.message);
        }
    }

    /// Before a fork: waits for a dump under way, so that the child does not inherit half of one.
    pub fn fork_prepare(&self) {
        // A handler that forks in the middle of this thread's own dump can not wait for it.
        if let Ok(guard) = self.lock.lock() {
            core::mem::forget(guard);
            self.locked_for_fork.store(true, Ordering::Relaxed);
        }
    }

    /// After a fork, in parent and child. In the child the lock is free whatever its owner's id was.
    pub fn fork_done(&self) {
        if self.locked_for_fork.swap(false, Ordering::Relaxed) {
            self.lock.release();
        }
    }
}
