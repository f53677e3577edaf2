//! Dumps by a thread of ours: when the signal comes that `prof_signal` names, every so many milliseconds
//! (`prof_interval_ms`). The program's threads are not held up.

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::*;

use prof_runtime::Trigger;

use super::spawn::{self, Resident};
use crate::os::clock;
use crate::os::errno::Errno;
use crate::page::caretaker::Bell;
use crate::prof;
use crate::relaxed::Relaxed;
use crate::sampling::PROFILER;
use crate::units::Ns;

/// Writes them.
pub static DUMPER: Resident = Resident::new("prof_signal and prof_interval_ms", wanted, run);
static BELL: Bell = Bell::new();
/// Whether the signal came since the last dump for it.
static SIGNALLED: AtomicBool = AtomicBool::new(false);
/// The handler that was there before ours; null when there was none.
static BEFORE: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
/// Whether it takes three arguments.
static BEFORE_WANTS_INFO: AtomicBool = AtomicBool::new(false);

fn wanted() -> bool {
    prof::signal().is_some() || prof::interval().is_some()
}

extern "C" fn run(_: *mut c_void) -> *mut c_void {
    spawn::begin(c"jemalloc_prof");
    let interval = prof::interval();
    let mut due = interval.map(|interval| Ns(clock::now().0.saturating_add(interval.0)));
    loop {
        let heard = BELL.heard();
        // Acquire: pairs with the handler's store, so that what it is told to dump was counted before.
        if SIGNALLED.swap(false, Ordering::Acquire) {
            PROFILER.dump_unasked(Trigger::Signal);
            continue;
        }
        let now = clock::now();
        if let (Some(interval), Some(at)) = (interval, due)
            && now >= at
        {
            // As with the other dumps that nobody asks for: not while sampling is off.
            if PROFILER.is_active() {
                PROFILER.dump_unasked(Trigger::Timer);
            }
            // Counted from when it was due, unless the process was stopped for longer than an interval.
            due = Some(Ns(at.0.saturating_add(interval.0).max(now.0)));
            continue;
        }
        BELL.sleep(heard, due.map(|at| at.since(now)));
    }
}

/// At the end of start-up: makes the signal cause a dump, if there is one. What the program itself does about it stays: a handler that is there is called as well,
/// one that it sets later takes the place of ours.
pub fn catch_signal() {
    let Some(signal) = prof::signal() else { return };
    // SAFETY: actions are plain data for which zero is a value; both pointers are to locals or null. The handler does
    // only what may be done in one: an atomic store, and a futex system call.
    unsafe {
        let mut ours: libc::sigaction = core::mem::zeroed();
        let mut before: libc::sigaction = core::mem::zeroed();
        ours.sa_sigaction = caught as *const () as usize;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut ours.sa_mask);
        if libc::sigaction(signal, core::ptr::null(), &raw mut before) != 0 {
            return;
        }
        if before.sa_sigaction != libc::SIG_DFL && before.sa_sigaction != libc::SIG_IGN {
            BEFORE_WANTS_INFO.set(before.sa_flags & libc::SA_SIGINFO != 0);
            BEFORE.store(core::ptr::with_exposed_provenance_mut(before.sa_sigaction), Ordering::Relaxed);
        }
        libc::sigaction(signal, &raw const ours, null_mut());
    }
}

extern "C" fn caught(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let _errno = Errno::kept();
    SIGNALLED.store(true, Ordering::Release);
    BELL.ring();
    let before = BEFORE.load(Ordering::Relaxed);
    if before.is_null() {
        return;
    }
    // SAFETY: the program registered this function as a handler with this signature, which the kernel's flag tells.
    unsafe {
        if BEFORE_WANTS_INFO.get() {
            type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
            core::mem::transmute::<*mut c_void, Handler>(before)(signal, info, context);
        } else {
            core::mem::transmute::<*mut c_void, extern "C" fn(c_int)>(before)(signal);
        }
    }
}
