//! Work that the program's threads are spared: background threads that purge, reports by the clock or by bytes, dumps by
//! the clock, by a signal or for another process.
//!
//! **Locks**: [`CONTROL`] is the first of all locks. It is held while threads are started, which allocates, and while
//! their end is waited for.

#[cfg(feature = "prof")]
mod attend;
#[cfg(feature = "prof")]
mod dumps;
mod reports;
mod spawn;
mod worker;

use self::spawn::Resident;
use crate::cgroup;
use crate::page::caretaker;
use crate::sync::{Mutex, MutexCounts};
use crate::tables::option;
use crate::thread::watch;

/// What the lock guards: whether threads run, and how many there may be.
static CONTROL: Mutex<Control> = Mutex::new(Control { enabled: false, max: 0 });

struct Control {
    enabled: bool,
    /// 0 before anything was set: the option holds.
    max: usize,
}

/// Why threads could not be switched or limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The number is 0 or above the option's.
    OutOfRange,
    /// A thread could not be started.
    Failed,
}

impl Control {
    fn max(&self) -> usize {
        let most = option::MAX_BACKGROUND_THREADS.size().clamp(1, caretaker::WORKERS_MAX);
        if self.max == 0 { most } else { self.max }
    }

    fn start(&mut self) -> Result<(), Refused> {
        let max = self.max();
        caretaker::employ(max as u32);
        self.enabled = true;
        // The first one starts those of arenas to come.
        if !worker::start(0) {
            self.stop();
            return Err(Refused::Failed);
        }
        worker::start_missing(max);
        Ok(())
    }

    fn stop(&mut self) {
        caretaker::employ(0);
        worker::join_all();
        self.enabled = false;
    }
}

/// Threads that are there from the start if options want them.
static RESIDENTS: &[&Resident] = &[
    &reports::PRINTER,
    #[cfg(feature = "prof")]
    &dumps::DUMPER,
    #[cfg(feature = "prof")]
    &attend::ATTENDANT,
];

/// At the end of start-up, when allocation works: starts what the options ask for.
pub fn start() {
    reports::start();
    #[cfg(feature = "prof")]
    dumps::catch_signal();
    RESIDENTS.iter().for_each(|resident| resident.start());
    if cgroup::watched() {
        listen();
    }
    if option::BACKGROUND_THREAD.on() {
        // A failure was told; the program goes on, and its threads purge.
        let _ = switch(true);
    }
}

static TICK: watch::Tick = tick;

/// Lets [`tick`] be called now and then.
fn listen() {
    watch::set_tick(&TICK);
}

fn tick() {
    RESIDENTS.iter().for_each(|resident| resident.resume());
    cgroup::look();
}

/// Whether background threads are on.
pub fn enabled() -> bool {
    CONTROL.lock().enabled
}

/// Switches background threads, and waits until they have started or ended.
pub fn switch(on: bool) -> Result<(), Refused> {
    let mut control = CONTROL.lock();
    match (control.enabled, on) {
        (false, true) => control.start(),
        (true, false) => {
            control.stop();
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Most background threads.
pub fn max() -> usize {
    CONTROL.lock().max()
}

/// Sets it. Threads that run are ended and started anew.
pub fn set_max(max: usize) -> Result<(), Refused> {
    let mut control = CONTROL.lock();
    if max == control.max() {
        return Ok(());
    }
    if max == 0 || max > option::MAX_BACKGROUND_THREADS.size() {
        return Err(Refused::OutOfRange);
    }
    let enabled = control.enabled;
    if enabled {
        control.stop();
    }
    control.max = max;
    if enabled { control.start() } else { Ok(()) }
}

/// Called by the first worker: starts the others as arenas appear. Not while threads are being switched.
fn start_missing(n: usize) {
    if let Some(control) = CONTROL.try_lock()
        && control.enabled
        && control.max() == n
    {
        worker::start_missing(n);
    }
}

/// What the threads do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Threads.
    pub num_threads: u64,
    /// Times that they looked for work.
    pub num_runs: u64,
    /// Nanoseconds between two such times, in the mean.
    pub run_interval: u64,
}

/// What the threads did since they were started.
pub fn stats() -> Stats {
    let (num_threads, num_runs, slept) = worker::totals();
    Stats { num_threads, num_runs, run_interval: slept.checked_div(num_runs).unwrap_or(0) }
}

/// How often the lock was taken and waited for.
pub fn mutex_counts() -> MutexCounts {
    CONTROL.counts()
}

/// Sets these to zero.
pub fn reset_mutex_counts() {
    CONTROL.reset_counts();
}

/// Locks for a fork.
pub fn hold() {
    CONTROL.hold();
}

/// Unlocks after a fork.
///
/// # Safety
/// As [`Mutex::unhold`].
pub unsafe fn unhold() {
    // SAFETY: by the caller's promise.
    unsafe { CONTROL.unhold() }
}

/// The process ends.
pub fn at_exit() {
    #[cfg(feature = "prof")]
    attend::at_exit();
}

/// In the child of a fork: background threads are off. Clocks of reports and dumps start again with the next allocations.
pub fn forget() {
    let mut control = CONTROL.lock();
    if control.enabled {
        caretaker::employ(0);
        worker::forget_all();
        control.enabled = false;
    }
    drop(control);
    reports::forget();
    #[cfg(feature = "prof")]
    attend::forget();
    RESIDENTS.iter().for_each(|resident| resident.forget());
}
