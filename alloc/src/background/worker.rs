//! A background thread: purges what has decayed in its arenas, and sleeps until more has.

use core::ffi::c_void;
use core::sync::atomic::*;

use super::spawn::{self, Handle};
use crate::arena::{Arena, TRIM, table};
use crate::cgroup;
use crate::os::clock;
use crate::page::caretaker::{self, NAP, WORKERS_MAX};
use crate::relaxed::Relaxed;
use crate::report;
use crate::units::Ns;

/// What is known of a worker.
struct Worker {
    handle: Handle,
    /// Runs since it was started.
    runs: AtomicU64,
    /// Nanoseconds that it slept.
    slept: AtomicU64,
    /// Whether it could not be started, which was told.
    failed: AtomicBool,
}

impl Worker {
    const fn new() -> Worker {
        Worker {
            handle: Handle::new(),
            runs: AtomicU64::new(0),
            slept: AtomicU64::new(0),
            failed: AtomicBool::new(false),
        }
    }
}

static WORKERS: [Worker; WORKERS_MAX] = [const { Worker::new() }; WORKERS_MAX];

/// Rounds without anything to do before a worker sleeps without limit. What lies in depots and empty slabs is given back
/// in the second round that finds it unused.
const QUIET: u32 = 3;

/// Starts a worker. The caller holds the lock of the room.
pub fn start(index: usize) -> bool {
    let (worker, bell) = (&WORKERS[index], caretaker::bell(index));
    worker.runs.set(0);
    worker.slept.set(0);
    bell.staff(true);
    match worker.handle.spawn(run, index) {
        Ok(()) => true,
        Err(error) => {
            bell.staff(false);
            worker.failed.set(true);
            report::message(format_args!("background thread creation failed ({error})"));
            false
        }
    }
}

/// Starts the workers of all arenas there are that have none yet. Where that fails the first worker does their work. The
/// caller holds the lock of the room.
pub fn start_missing(n: usize) {
    for arena in table::all() {
        let index = worker_of(arena, n);
        if !caretaker::bell(index).is_staffed() && !WORKERS[index].failed.get() {
            start(index);
        }
    }
}

fn worker_of(arena: &Arena, n: usize) -> usize {
    arena.index().0 as usize % n
}

/// Waits for the end of all workers, which must have been told. The caller holds the lock of the room.
pub fn join_all() {
    for (index, worker) in WORKERS.iter().enumerate() {
        worker.failed.set(false);
        let bell = caretaker::bell(index);
        if bell.is_staffed() {
            bell.ring();
            worker.handle.join();
            bell.staff(false);
        }
    }
}

/// In the child of a fork: there are no workers.
pub fn forget_all() {
    (0..WORKERS_MAX).map(caretaker::bell).filter(|bell| bell.is_staffed()).for_each(|bell| bell.staff(false));
}

/// Workers, their runs, and the nanoseconds that they slept.
pub fn totals() -> (u64, u64, u64) {
    let staffed = WORKERS.iter().enumerate().filter(|&(index, _)| caretaker::bell(index).is_staffed());
    staffed.fold((0, 0, 0), |(n, runs, slept), (_, worker)| {
        (n + 1, runs + worker.runs.get(), slept + worker.slept.get())
    })
}

extern "C" fn run(index: *mut c_void) -> *mut c_void {
    spawn::begin(c"jemalloc_bg_thd");
    let index = index.addr();
    let (worker, bell) = (&WORKERS[index], caretaker::bell(index));
    let mut quiet = 0;
    loop {
        let heard = bell.heard();
        let n = caretaker::workers() as usize;
        if n == 0 {
            break;
        }
        if index == 0 {
            super::start_missing(n);
        }
        let due = attend(index, n);
        let due = if index == 0 { earlier(due, look()) } else { due };
        let again = bell.heard();
        quiet = if due.is_some() || again != heard { 0 } else { quiet + 1 };
        let wait = match due {
            _ if again != heard => Some(NAP),
            Some(due) => Some(due.max(NAP)),
            None if quiet < QUIET => Some(TRIM),
            None => None,
        };
        worker.runs.change(|runs| runs + 1);
        // Told to end before `again` was read; told afterwards, the bell rings.
        if caretaker::workers() == 0 {
            break;
        }
        let before = clock::now();
        bell.sleep(again, wait);
        worker.slept.change(|slept| slept + clock::now().since(before).0);
    }
    core::ptr::null_mut()
}

/// Looks after the control group; answers when to come back.
fn look() -> Option<Ns> {
    cgroup::look();
    cgroup::look_again()
}

fn earlier(a: Option<Ns>, b: Option<Ns>) -> Option<Ns> {
    a.into_iter().chain(b).min()
}

/// Purges what is due in the worker's arenas; answers when to come back.
fn attend(index: usize, n: usize) -> Option<Ns> {
    let now = clock::now();
    let mine = |arena: &&'static Arena| {
        let of = worker_of(arena, n);
        of == index || index == 0 && !caretaker::bell(of).is_staffed()
    };
    table::all().filter(mine).filter_map(|arena| arena.attend(now)).min()
}
