//! Dumps: what triggers one, what it is called, how it is written.
//!
//! One dump at a time, under a lock that sampling never takes: the tables are read while other threads go on
//! ([`frozen`]), then written by `prof_format` through a buffer ([`file`]). All memory is mapped for the dump and
//! unmapped after it.

mod ages;
pub mod file;
mod frames;
pub mod frozen;
pub mod image;
mod kernel;
pub mod names;
mod quiet;
pub mod tables;

use core::{
    ffi::CStr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use prof_format::{
    snapshot::{About, Facts},
    totals::Totals,
    vocab::Format,
};
use rustix::fd::BorrowedFd;

use crate::{
    clock::{Clock, nanos},
    dump::{
        file::{Content, Failure},
        frozen::Frozen,
        image::ProcessImage,
        names::{Owner, Prefix, Text, Trigger},
        tables::Tables,
    },
    hooks::DumpHook,
    leak,
    memory::Rows,
    probe,
    settings::Kept,
    sync::{Guard, Mutex},
    thread::ThreadProf,
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

/// How a dump is to be, for who takes it without a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// In which format.
    pub format: Format,
    /// Whether it is compressed.
    pub gzip: bool,
    /// Whether viewers of profile.proto are to show accumulated bytes first, when there are any, and not live ones.
    pub allocated_first: bool,
}

/// Triggers, counters and the lock.
pub struct Dumps {
    lock: Mutex,
    prefix: Prefix,
    /// Files that the profiler named itself.
    seq: AtomicU64,
    /// The same by trigger; the final dump has no number.
    by_trigger: [AtomicU64; Trigger::COUNT],
    /// Files written, whoever named them, and dumps that the program or another process was given.
    written: AtomicU64,
    /// Bytes since the start, by which interval dumps come due.
    interval_bytes: AtomicU64,
    interval_due: AtomicBool,
    growth_due: AtomicBool,
    /// Whether the process ends.
    settled: AtomicBool,
}

/// One dump to be written.
pub struct Job<'a> {
    /// What to dump.
    pub tables: Tables<'a>,
    /// Mean sampling distance.
    pub period: u64,
    /// Since when it was counted (monotonic clock).
    pub since_nanos: u64,
    /// Format, clock, where messages go.
    pub kept: &'a Kept,
    /// Told of every file, while no lock is held.
    pub hook: Option<DumpHook>,
    /// The calling thread.
    pub thread: Option<&'a ThreadProf>,
    /// What the program says of its leaks; only told when it ends.
    pub suppressions: &'a [u8],
    /// Whether viewers are to show accumulated figures first.
    pub allocated_first: bool,
    /// Whether it was found out what is reachable, in words; empty where nobody asked.
    pub reach: &'a [u8],
}

impl Job<'_> {
    /// A file is complete.
    fn tell(&self, name: &Text) {
        if let (Some(hook), Some(path)) = (self.hook, name.as_path()) {
            // SAFETY: a program that sets the hook promises that it can be called with a file's name at any time.
            ThreadProf::call_out(self.thread, || unsafe { hook(path.as_ptr()) });
        }
    }

    /// Copies the tables as a format needs them, and hands the copy to `then`. `None` for the sums alone.
    fn freeze<R>(&self, format: Option<Format>, then: impl FnOnce(&Frozen) -> R) -> Option<R> {
        // First of all, before the copy itself takes memory.
        let mut totals = Totals::default();
        kernel::add_to(&mut totals);
        (self.kept.totals)(&mut totals);
        let image = ProcessImage::take()?;
        let facts = Facts {
            period: self.period,
            accum: self.kept.accum,
            raw: !self.kept.unbias,
            time_nanos: nanos(Clock::Wall),
            duration_nanos: nanos(Clock::Monotonic).wrapping_sub(self.since_nanos),
            pid: pid(),
            program: image.program(),
            about: About {
                command: image.command(),
                host: image.host(),
                start_nanos: self.kept.start_nanos,
                conf: self.kept.conf(),
                suppressions: self.suppressions,
                // Counted with the tables.
                samples: 0,
                reach: self.reach,
            },
            // The others have no place for it.
            detail: format == Some(Format::Pprof),
            peak: false,
            allocated_first: self.allocated_first,
            pinned: false,
            totals,
        };
        Frozen::take(&self.tables, facts, &image, format != Some(Format::HeapV2)).map(|frozen| then(&frozen))
    }
}

fn pid() -> u32 {
    rustix::process::getpid().as_raw_nonzero().get() as u32
}

/// A name, and room to work with it.
pub type Texts = Rows<Text>;

fn texts() -> Result<Texts, DumpError> {
    Rows::zeroed(2).ok_or(DumpError::OutOfMemory)
}

fn both(texts: &mut Texts) -> Result<(&mut Text, &mut Text), DumpError> {
    match &mut texts[..] {
        [name, scratch] => Ok((name, scratch)),
        _ => Err(DumpError::OutOfMemory),
    }
}

impl Dumps {
    /// No dump written yet.
    pub const fn new() -> Dumps {
        Dumps {
            lock: Mutex::new(),
            prefix: Prefix::new(),
            seq: AtomicU64::new(0),
            by_trigger: [const { AtomicU64::new(0) }; Trigger::COUNT],
            written: AtomicU64::new(0),
            interval_bytes: AtomicU64::new(0),
            interval_due: AtomicBool::new(false),
            growth_due: AtomicBool::new(false),
            settled: AtomicBool::new(false),
        }
    }

    /// Start of the names of files.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// Whose files we write.
    fn owner(kept: &Kept) -> Owner {
        Owner { pid: pid(), namespace: kept.pid_namespace.then(names::pid_namespace) }
    }

    /// Writes a file that the profiler names. With an empty prefix only asking for one by hand is an error.
    pub fn automatic(&self, job: &Job, trigger: Trigger) -> Result<(), DumpError> {
        let guard = self.lock.lock().map_err(|_| DumpError::Reentered)?;
        self.named(guard, job, trigger)
    }

    /// Makes the next name; false when the prefix is empty.
    fn name(&self, job: &Job, trigger: Trigger, name: &mut Text) -> Result<bool, DumpError> {
        if !self.prefix.begin(name).map_err(|_| DumpError::Reentered)? {
            return Ok(false);
        }
        let nth = self.by_trigger[trigger as usize].fetch_add(1, Ordering::Relaxed);
        let seq = self.seq.fetch_add(1, Ordering::Relaxed);
        let format = job.kept.format;
        names::dump(name, Self::owner(job.kept), seq, trigger, nth, format);
        Ok(true)
    }

    fn named(&self, guard: Guard, job: &Job, trigger: Trigger) -> Result<(), DumpError> {
        let mut texts = texts()?;
        let made = self.named_in(guard, job, trigger, &mut texts)?;
        if !made && trigger == Trigger::Manual { Err(DumpError::BadName) } else { Ok(()) }
    }

    /// Writes the final dump. Its name comes first in the answer, which is `None` when there is no file: the prefix is empty,
    /// or the user was told why.
    pub fn last(&self, job: &Job) -> Option<Texts> {
        let guard = self.lock.lock().ok()?;
        let mut texts = texts().ok()?;
        self.named_in(guard, job, Trigger::Final, &mut texts).ok()?.then_some(texts)
    }

    /// Writes a file and leaves its name in `texts`; false when the prefix is empty.
    fn named_in(
        &self,
        guard: Guard,
        job: &Job,
        trigger: Trigger,
        texts: &mut Texts,
    ) -> Result<bool, DumpError> {
        let (name, scratch) = both(texts)?;
        if !self.name(job, trigger, name)? {
            return Ok(false);
        }
        let format = job.kept.format;
        let gzip = format == Format::Pprof;
        let written = written(job, name, scratch, format, gzip);
        if written.is_err() && trigger != Trigger::Manual && job.kept.abort {
            // SAFETY: abort has no conditions.
            unsafe { libc::abort() }
        }
        drop(guard);
        self.done(job, written, name).map(|()| true)
    }

    /// Writes a file that the program names. No counter moves.
    pub fn given(&self, job: &Job, path: &[u8]) -> Result<(), DumpError> {
        let guard = self.lock.lock().map_err(|_| DumpError::Reentered)?;
        let mut texts = texts()?;
        let (name, scratch) = both(&mut texts)?;
        name.push(path);
        let (format, gzip) = names::format_of_path(path);
        let written = written(job, name, scratch, format, gzip);
        drop(guard);
        self.done(job, written, name)
    }

    /// Counts a file that was written, and tells of it.
    fn done(&self, job: &Job, written: Result<(), DumpError>, name: &Text) -> Result<(), DumpError> {
        written?;
        self.count(name.as_path());
        job.tell(name);
        Ok(())
    }

    /// One more dump is complete: in a file of this name, or with the program or another process.
    fn count(&self, path: Option<&CStr>) {
        self.written.fetch_add(1, Ordering::Relaxed);
        probe!("jemalloc_rs", "dump", path = path.map_or(0, |path| path.as_ptr().addr() as u64));
    }

    /// Sends a dump to another process, as `prof_format::wire` says. Its name, hook and numbers are those of files, so
    /// none of these. Nobody waits for a receiver that is slow: the lock is given up before.
    pub fn send(&self, job: &Job, socket: BorrowedFd<'_>, format: Format) -> Result<(), DumpError> {
        let guard = self.lock.lock().map_err(|_| DumpError::Reentered)?;
        let sent = job.freeze(Some(format), |frozen| {
            drop(guard);
            frames::send(socket, &Content { snapshot: frozen, format, gzip: false })
        });
        self.left(sent)
    }

    /// Hands a dump to the program itself, in pieces. As [`Dumps::send`] otherwise: the lock is given up before.
    pub fn give(&self, mut job: Job, form: Form, receive: &mut dyn FnMut(&[u8])) -> Result<(), DumpError> {
        let guard = self.lock.lock().map_err(|_| DumpError::Reentered)?;
        let Form { format, gzip, allocated_first } = form;
        job.allocated_first = allocated_first;
        let given = job.freeze(Some(format), |frozen| {
            drop(guard);
            file::give(&Content { snapshot: frozen, format, gzip }, receive)
        });
        self.left(given)
    }

    /// Counts a dump that went elsewhere than into a file. `None` when there was no memory for the copy.
    fn left(&self, outcome: Option<Result<(), Failure>>) -> Result<(), DumpError> {
        match outcome.unwrap_or(Err(Failure::OutOfMemory)) {
            Ok(()) => {
                self.count(None);
                Ok(())
            }
            Err(Failure::OutOfMemory) => Err(DumpError::OutOfMemory),
            Err(Failure::Open | Failure::Write) => Err(DumpError::Write),
        }
    }

    /// As [`Dumps::automatic`], of a thread that the end of the process does not wait for: nothing after [`Dumps::settle`].
    pub fn unasked(&self, job: &Job, trigger: Trigger) -> Result<(), DumpError> {
        let guard = self.lock.lock().map_err(|_| DumpError::Reentered)?;
        if self.settled.load(Ordering::Relaxed) { Ok(()) } else { self.named(guard, job, trigger) }
    }

    /// Waits until no dump is being written, and lets [`Dumps::unasked`] begin none any more: the end of the process would
    /// leave half a file under its temporary name.
    pub fn settle(&self) {
        // The lock orders it: who takes it afterwards sees the store.
        self.settled.store(true, Ordering::Relaxed);
        drop(self.lock.lock());
    }

    /// Files written, whoever named them, and dumps given to the program or another process.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Writes the file of recent samples that `content` makes.
    pub fn recent(&self, job: &Job, content: file::Writer) -> Result<(), DumpError> {
        let mut texts = texts()?;
        let (name, scratch) = both(&mut texts)?;
        if !self.name(job, Trigger::Recent, name)? {
            return Err(DumpError::BadName);
        }
        let path = name.as_path().ok_or(DumpError::BadName)?;
        told(job, file::write(path, pid(), scratch, content), name, scratch)
    }

    /// Writes the file of a log that `content` makes: of this name, or one that begins so and has the number `nth`.
    pub fn log(
        &self,
        job: &Job,
        start: &Text,
        nth: Option<u64>,
        content: file::Writer,
    ) -> Result<(), DumpError> {
        let mut texts = texts()?;
        let (name, scratch) = both(&mut texts)?;
        name.push(start.as_bytes());
        if let Some(nth) = nth {
            names::log(name, Self::owner(job.kept), nth);
        }
        let path = name.as_path().ok_or(DumpError::BadName)?;
        let written = told(job, file::write(path, pid(), scratch, content), name, scratch);
        if written.is_err() && job.kept.abort {
            // SAFETY: abort has no conditions.
            unsafe { libc::abort() }
        }
        written
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
            self.write_due(&self.interval_due, job, Trigger::Interval);
        }
    }

    /// Writes a dump that is due, unless another one is being written: then it is left to the next thread that asks, as no
    /// allocation waits for a file.
    #[cold]
    #[inline(never)]
    fn write_due<'a>(&self, due: &AtomicBool, job: impl FnOnce() -> Job<'a>, trigger: Trigger) {
        let Some(guard) = self.lock.try_lock() else { return };
        if due.swap(false, Ordering::Relaxed) {
            // The user was told of a failure; there is nobody else to tell.
            let _ = self.named(guard, &job(), trigger);
        }
    }

    /// Writes a growth dump now, or lets the next thread that grows do so.
    pub fn growth<'a>(&self, job: impl FnOnce() -> Job<'a>) {
        self.growth_due.store(true, Ordering::Relaxed);
        self.write_due(&self.growth_due, job, Trigger::Growth);
    }

    /// Whether a growth dump was left to somebody.
    pub fn owes_growth(&self) -> bool {
        self.growth_due.load(Ordering::Relaxed)
    }

    /// Prints the leak summary, which names the file of the final dump; answers the bytes that leaked.
    pub fn leak_summary(&self, job: &Job, file: Option<&[u8]>) -> u64 {
        let Ok(_guard) = self.lock.lock() else { return 0 };
        let Some(mut text) = Rows::<Text>::zeroed(1) else { return 0 };
        let Some(text) = text.first_mut() else { return 0 };
        let ask = leak::Ask { suppressions: job.suppressions, file, message: job.kept.message };
        job.freeze(None, |frozen| leak::report(frozen, &ask, text)).flatten().unwrap_or(0)
    }

    /// The lock under which dumps are written. A fork does not wait for it: what it guards is in files and in the memory
    /// of the thread that writes.
    pub fn lock(&self) -> &Mutex {
        &self.lock
    }
}

/// Writes the file of a name.
fn written(job: &Job, name: &Text, scratch: &mut Text, format: Format, gzip: bool) -> Result<(), DumpError> {
    let path = name.as_path().ok_or(DumpError::BadName)?;
    let written = job.freeze(Some(format), |frozen| {
        let content = Content { snapshot: frozen, format, gzip };
        file::write(path, pid(), scratch, &mut |sink| content.write_to(sink))
    });
    told(job, written.unwrap_or(Err(Failure::OutOfMemory)), name, scratch)
}

/// Tells the user of a failure.
fn told(job: &Job, written: Result<(), Failure>, name: &Text, scratch: &mut Text) -> Result<(), DumpError> {
    let (line, error) = match written {
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
