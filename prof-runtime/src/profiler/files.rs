//! What is written: dumps, recent samples, logs; the end of the program; forks.

use core::{ffi::CStr, sync::atomic::Ordering};

use prof_format::{contention::MutexCounts, recent, sample_log, snapshot::Sink, vocab::Format};
use rustix::fd::BorrowedFd;

use super::Profiler;
use crate::{
    arch,
    clock::{Clock, nanos},
    descriptors,
    dump::{
        DumpError, Form, Job,
        file::{Failure, FileSink},
        names::{Text, Trigger},
        tables::Tables,
    },
    log::{Listed, Taken, Target},
    memory::Rows,
    own_pages,
    pieces::Pieces,
    reach::{self, Marks, Sums, Unknown},
    recent::{BATCH, Entry},
    sampler,
    settings::Kept,
    sync::Mutex,
    thread::ThreadProf,
    unwind::STACK_FRAMES_MAX,
};

impl Profiler {
    /// Takes the sum of active bytes after it grew; true when a growth dump is due: not while
    /// sampling is off.
    pub fn active_bytes(&self, bytes: u64) -> bool {
        // Most calls do not reach the maximum: those only read.
        let is_new = bytes > self.high_water.load(Ordering::Relaxed)
            && bytes > self.high_water.fetch_max(bytes, Ordering::Relaxed);
        (is_new || self.dumps.owes_growth()) && self.gdump() && self.is_active() && self.enabled()
    }

    /// Writes the growth dump that [`Profiler::active_bytes`] asked for. The caller holds no lock.
    pub fn dump_growth(&self, thread: &ThreadProf) {
        if let (true, Some(_inside)) = (self.enabled(), thread.enter()) {
            self.dumps.growth(|| self.job(Some(thread)));
        }
    }

    /// Writes a dump (`prof.dump`): without `path` a file named by the profiler in its format; with one, jemalloc's
    /// format, or profile.proto when the name ends in `.pb` or `.pb.gz`.
    ///
    /// # Errors
    /// See [`DumpError`].
    pub fn dump(&self, thread: Option<&ThreadProf>, path: Option<&[u8]>) -> Result<(), DumpError> {
        if !self.enabled() {
            return Err(DumpError::Disabled);
        }
        let inside = thread.map(ThreadProf::enter);
        if matches!(inside, Some(None)) {
            return Err(DumpError::Reentered);
        }
        match path {
            Some(path) => self.dumps.given(&self.job(thread), path),
            None => self.dumps.automatic(&self.job(thread), Trigger::Manual),
        }
    }

    /// Writes a dump that nobody in the program asked for, in a file named by the profiler: nothing when the prefix is
    /// empty. For a thread of the host's own.
    pub fn dump_unasked(&self, trigger: Trigger) {
        if self.enabled() {
            // The user was told of a failure; there is nobody else to tell.
            let _ = self.dumps.unasked(&self.job(None), trigger);
        }
    }

    /// Sends a dump to another process, as `prof_format::wire` says. For a thread of the host's own.
    ///
    /// # Errors
    /// See [`DumpError`]; [`DumpError::Write`] when the other end is gone or takes nothing for as long as its timeout says.
    pub fn send(&self, socket: BorrowedFd<'_>, format: Format) -> Result<(), DumpError> {
        self.kept().ok_or(DumpError::Disabled)?;
        self.dumps.send(&self.job(None), socket, format)
    }

    /// Hands a dump to `receive`, in pieces of at most 64 KiB, without a file. It may allocate, which is sampled as
    /// anything else, and is not in this dump.
    ///
    /// # Errors
    /// [`DumpError::Disabled`], [`DumpError::OutOfMemory`], or [`DumpError::Reentered`] in a signal handler that
    /// interrupted a dump.
    pub fn give(&self, form: Form, receive: &mut dyn FnMut(&[u8])) -> Result<(), DumpError> {
        self.kept().ok_or(DumpError::Disabled)?;
        self.dumps.give(self.job(None), form, receive)
    }

    /// Sets how names of the profiler's own files start (`prof.prefix`), cut at 4095 bytes.
    ///
    /// # Errors
    /// [`DumpError::Disabled`], or [`DumpError::Reentered`] inside of another such call.
    pub fn set_prefix(&self, prefix: &[u8]) -> Result<(), DumpError> {
        self.kept().ok_or(DumpError::Disabled)?;
        self.dumps.prefix().set(prefix).map_err(|_| DumpError::Reentered)
    }

    /// Sets how many of the newest samples are kept one by one, -1 for all, and drops the oldest of too many
    /// (`experimental.prof_recent.alloc_max`). Answers what it was.
    pub fn set_recent_max(&self, max: i64) -> i64 {
        self.recent.set_max(max)
    }

    /// How many of the newest samples are kept; -1 for all.
    pub fn recent_max(&self) -> i64 {
        self.recent.max()
    }

    /// Hands the recent samples as JSON to `receive`, in pieces; no lock is held meanwhile. Samples that come during the
    /// call are left out.
    ///
    /// # Errors
    /// [`DumpError::Disabled`] or [`DumpError::OutOfMemory`].
    pub fn recent(&self, receive: &mut dyn FnMut(&CStr)) -> Result<(), DumpError> {
        self.kept().ok_or(DumpError::Disabled)?;
        let mut pieces = Pieces::new(receive).ok_or(DumpError::OutOfMemory)?;
        let Ok(()) = self.write_recent(&mut pieces);
        pieces.flush();
        Ok(())
    }

    /// Writes the same to a file named by the profiler.
    ///
    /// # Errors
    /// See [`DumpError`].
    pub fn recent_file(&self, thread: Option<&ThreadProf>) -> Result<(), DumpError> {
        self.kept().ok_or(DumpError::Disabled)?;
        let mut content = |sink: &mut FileSink<'_>| self.write_recent(sink).map_err(|_| Failure::Write);
        self.dumps.recent(&self.job(thread), &mut content)
    }

    fn write_recent<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        let (mut from, to) = self.recent.range();
        recent::begin(sampler::period(self.lg_sample()), self.recent.max(), sink)?;
        let (mut first, mut batch) = (true, [None; BATCH]);
        while from < to {
            let (count, next) = self.recent.copy(from, to, &mut batch);
            from = next;
            for entry in batch.iter().take(count).flatten() {
                first &= !self.write_entry(entry, first, sink)?;
            }
        }
        recent::end(sink)
    }

    /// Whether there was anything to write.
    fn write_entry<S: Sink>(&self, entry: &Entry, first: bool, sink: &mut S) -> Result<bool, S::Error> {
        let tables = self.tables();
        let Some((uid, stack)) =
            self.contexts.get(entry.context).map(|context| (context.thread(), context.stack()))
        else {
            return Ok(false);
        };
        let mut traces = [[0; STACK_FRAMES_MAX]; 2];
        let [born, died] = &mut traces;
        let frames = stack.map_or(0, |stack| tables.trace(stack, born));
        let name = self.threads.name(uid);
        let alloc = recent::Event {
            thread: uid.into(),
            name: name.as_bytes(),
            nanos: entry.nanos,
            trace: &born[..frames],
        };
        let by = entry.death.map(|death| self.threads.name(death.thread));
        let dalloc = entry.death.zip(by.as_ref()).map(|(death, by)| {
            let frames = tables.trace(death.stack, died);
            recent::Event {
                thread: death.thread.into(),
                name: by.as_bytes(),
                nanos: death.nanos,
                trace: &died[..frames],
            }
        });
        // A death that was seen since the entry was copied is told without its circumstances.
        let released = dalloc.is_some() || !self.live.is_alive(entry.sample);
        let record = recent::Record { size: entry.requested, usize_: entry.usize_, released, alloc, dalloc };
        recent::record(&record, first, sink).map(|()| true)
    }

    /// Begins the log of samples that are freed (`prof.log_start`), which goes to `path` or to a file named by the
    /// profiler.
    ///
    /// # Errors
    /// [`DumpError::Reentered`] when there is one already; [`DumpError::BadName`] for a name longer than the kernel takes;
    /// the others as for dumps.
    pub fn log_start(&self, path: Option<&[u8]>) -> Result<(), DumpError> {
        let kept = self.kept().ok_or(DumpError::Disabled)?;
        self.start_log(kept, path)
    }

    /// As [`Profiler::log_start`], also while booting.
    pub(super) fn start_log(&self, kept: &Kept, path: Option<&[u8]>) -> Result<(), DumpError> {
        let mut target =
            Target { name: Rows::zeroed(1).ok_or(DumpError::OutOfMemory)?, made: path.is_none() };
        let name = target.name.first_mut().ok_or(DumpError::OutOfMemory)?;
        match path {
            Some(path) => {
                name.push(path).as_path().ok_or(DumpError::BadName)?;
            }
            // An empty prefix makes a name here, as in the reference.
            None => {
                self.dumps.prefix().begin(name).map_err(|_| DumpError::Reentered)?;
            }
        }
        if self.log.start(nanos(kept.clock), target) { Ok(()) } else { Err(DumpError::Reentered) }
    }

    /// Ends the log and writes it (`prof.log_stop`). One that could not be written goes on.
    ///
    /// # Errors
    /// [`DumpError::Reentered`] when there is none; the others as for dumps.
    pub fn log_stop(&self, thread: Option<&ThreadProf>) -> Result<(), DumpError> {
        let kept = self.kept().ok_or(DumpError::Disabled)?;
        let taken = self.log.stop().ok_or(DumpError::Reentered)?;
        let written = self.write_log(kept, thread, &taken);
        self.log.stopped(taken, written.is_ok());
        written
    }

    fn write_log(&self, kept: &Kept, thread: Option<&ThreadProf>, taken: &Taken) -> Result<(), DumpError> {
        let target = taken.target.as_ref().ok_or(DumpError::BadName)?;
        let start = target.name.first().ok_or(DumpError::BadName)?;
        let tables = self.tables();
        let listed = Listed::of(taken, &tables).ok_or(DumpError::OutOfMemory)?;
        let info = sample_log::Info {
            duration_nanos: nanos(kept.clock).wrapping_sub(taken.since_nanos),
            version: kept.version,
            lg_sample: self.lg_sample(),
            exact_time: kept.clock == Clock::Wall,
            pid: rustix::process::getpid().as_raw_nonzero().get() as u32,
        };
        let mut content =
            |sink: &mut FileSink<'_>| sample_log::write(&info, &listed, sink).map_err(|_| Failure::Write);
        self.dumps.log(&self.job(thread), start, target.made.then_some(taken.nth), &mut content)
    }

    /// The program ends with this status, as far as that is known: the log, the final dump, then the leak summary, as the
    /// settings say. The first call only.
    ///
    /// True when it is to end with an error because memory leaked (`prof_leak_error`): never when it ends with one of its own.
    pub fn at_exit(&self, thread: Option<&ThreadProf>, status: i32) -> bool {
        let Some(kept) = self.kept() else { return false };
        if self.exited.swap(true, Ordering::Relaxed) {
            return false;
        }
        // What the program's functions left in registers: the array lies on the stack, above the stack pointer.
        let registers = core::hint::black_box(arch::preserved());
        let sp = arch::capture().sp;
        let _inside = thread.and_then(ThreadProf::enter);
        // As in the reference: without a log there is nothing to stop, and of a failure the user was told.
        let _ = self.log_stop(thread);
        let suppressions: &[u8] =
            if kept.final_dump || kept.leak { (kept.suppressions)() } else { Default::default() };
        let marks = kept.reach.as_ref().map(|host| self.mark(host, sp));
        core::hint::black_box(&registers);
        let mut reach = Rows::<Text>::zeroed(1);
        let reach = reach.as_mut().and_then(|texts| texts.first_mut());
        let reach = match (&marks, reach) {
            (Some(marks), Some(text)) => tell_marks(marks, text, kept.message),
            _ => Default::default(),
        };
        let marks = marks.as_ref().and_then(|marks| marks.as_ref().ok());
        let job = || {
            let job = self.job(thread);
            Job { suppressions, reach, tables: Tables { marks, ..job.tables }, ..job }
        };
        // The user was told of a failure; the program ends as it would have.
        let file = if kept.final_dump { self.dumps.last(&job()) } else { None };
        self.dumps.settle();
        if !kept.leak {
            return false;
        }
        let name = file.as_ref().and_then(|texts| texts.first()).map(Text::as_bytes);
        let leaked = self.dumps.leak_summary(&job(), name);
        if leaked == 0 || !kept.leak_error {
            return false;
        }
        if leaked < kept.leak_threshold {
            (kept.message)(b"<jemalloc>: No error: that is less than prof_leak_threshold\n");
            return false;
        }
        if status != 0 {
            (kept.message)(
                b"<jemalloc>: Memory leaks were detected; the program has an exit status of its own\n",
            );
            return false;
        }
        (kept.message)(b"<jemalloc>: Exiting with error code because memory leaks were detected\n");
        true
    }

    /// Finds out which objects are reached. Only where all are recorded is it known what leads to what.
    fn mark(&self, host: &reach::Host, sp: usize) -> Result<Marks, &'static [u8]> {
        if self.lg_sample() != 0 || self.pace.is_on() {
            return Err(b"lg_prof_sample is not 0");
        }
        if !own_pages::is_tracked() {
            return Err(b"memory is out");
        }
        reach::mark(&self.live, host, &self.ended, sp).map_err(|unknown| match unknown {
            Unknown::OutOfMemory => &b"memory is out"[..],
            Unknown::Unreadable => b"the process may not read its own memory",
        })
    }

    fn tables(&self) -> Tables<'_> {
        Tables {
            addresses: self.unwinder.addresses(),
            stacks: &self.stacks,
            contexts: &self.contexts,
            threads: &self.threads,
            labels: &self.labels,
            live: &self.live,
            truncated: self.truncated.load(Ordering::Relaxed),
            now_nanos: nanos(self.kept_now().clock),
            generation: self.generation.load(Ordering::Acquire),
            accum: self.kept_now().accum,
            fullness: self.kept_now().fullness,
            marks: None,
        }
    }

    pub(super) fn job<'a>(&'a self, thread: Option<&'a ThreadProf>) -> Job<'a> {
        Job {
            tables: self.tables(),
            period: sampler::period(self.lg_sample()),
            since_nanos: self.since_nanos.load(Ordering::Relaxed),
            kept: self.kept_now(),
            hook: self.hooks.dump.get(),
            thread,
            suppressions: b"",
            allocated_first: false,
            reach: b"",
        }
    }

    /// The locks that a fork holds, in the order in which it takes them. Everywhere else at most one is held, but that names
    /// are made and files opened while a dump is written.
    fn locks(&self) -> [&Mutex; 4] {
        [self.log.mutex(), self.recent.mutex(), self.dumps.prefix().mutex(), descriptors::mutex()]
    }

    /// Before `fork`, in the forking thread. Does not wait for a dump that is being written.
    pub fn fork_prepare(&self) {
        self.locks().into_iter().for_each(Mutex::hold_for_fork);
        // Under the locks: of two threads that fork at once each would else change what the other found.
        self.dumps.lock().look_for_fork();
        // SAFETY: this thread forks, and has taken the lock, unless it had it before, which is told.
        unsafe { descriptors::before_fork() }
    }

    /// After `fork`, in the parent.
    pub fn fork_parent(&self) {
        self.locks().into_iter().for_each(Mutex::release_after_fork);
    }

    /// After `fork`, in the child: it keeps all counts and numbers, and dumps under its own pid. Samples of threads
    /// that are not in the child stay counted; files that such threads were writing are closed, and it is the parent that
    /// completes them.
    pub fn fork_child(&self) {
        // SAFETY: this thread forked, and its locks are released below.
        unsafe { descriptors::in_child() }
        self.locks().into_iter().chain([self.dumps.lock()]).for_each(Mutex::forget_waiters);
        self.dumps.lock().free_in_child();
        self.locks().into_iter().for_each(Mutex::release_after_fork);
        self.log.forget_writer();
        self.ended.clear();
    }

    /// How often the lock under which dumps are written was taken and waited for.
    pub fn dump_lock_counts(&self) -> MutexCounts {
        self.dumps.lock().counts()
    }

    /// The same of the lock of the recent samples.
    pub fn recent_lock_counts(&self) -> MutexCounts {
        self.recent.mutex().counts()
    }

    /// Sets the counts of all locks to zero. Waits for a dump that is being written.
    pub fn reset_lock_counts(&self) {
        self.locks().into_iter().chain([self.dumps.lock()]).for_each(Mutex::reset_counts);
    }
}

/// What dumps tell of it: `done` and sums, or why nothing is known, which the user is told, too.
fn tell_marks<'t>(marks: &Result<Marks, &[u8]>, text: &'t mut Text, message: fn(&[u8])) -> &'t [u8] {
    match marks {
        Ok(marks) => {
            let Sums { objects, direct, indirect, running } = marks.sums;
            text.push(b"done objects=").number(objects);
            text.push(b" direct=").number(direct.0).push(b" direct_bytes=").number(direct.1);
            text.push(b" indirect=").number(indirect.0).push(b" indirect_bytes=").number(indirect.1);
            if running != 0 {
                text.push(b" running_threads=").number(running);
            }
        }
        Err(why) => {
            text.push(b"<jemalloc>: prof_leak_reach: not known what is reachable: ").push(why).push(b"\n");
            message(text.as_bytes());
            text.clear().push(b"unknown: ").push(why);
        }
    }
    text.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One thread forks in a handler that interrupted its dump, another one just then.
    #[test]
    fn of_two_forks_at_once_each_knows_whether_the_lock_of_dumps_is_its_own() {
        static PROFILER: Profiler = Profiler::new();
        let dumps = PROFILER.dumps.lock();
        let dump = dumps.lock().unwrap();
        // The first of the locks: the other thread is in the middle of its preparations meanwhile.
        let first = PROFILER.log.mutex().lock().unwrap();
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                PROFILER.fork_prepare();
                let frees = dumps.is_freed_in_child();
                PROFILER.fork_parent();
                frees
            });
            while PROFILER.log.mutex().waiting() == 0 {
                std::thread::yield_now();
            }
            PROFILER.fork_prepare();
            assert!(!dumps.is_freed_in_child(), "the dump goes on in the child");
            PROFILER.fork_parent();
            drop(first);
            assert!(other.join().unwrap(), "nobody in that child goes on with the dump");
        });
        drop(dump);
    }
}
