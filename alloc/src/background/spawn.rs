//! Threads of the allocator's own: made with all signals blocked, so that they run no handler of the program, and
//! without a cache of their own.

use core::ffi::{CStr, c_int, c_void};
use core::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed},
};

use crate::os::aside::Aside;
use crate::os::tls::{self, Phase};
use crate::report;

/// A running thread, to be joined.
#[derive(Default)]
pub struct Handle(AtomicU64);

/// What libc calls a thread by: a number with glibc, a pointer with musl.
union Bits {
    thread: libc::pthread_t,
    bits: u64,
}

const _: () = assert!(size_of::<libc::pthread_t>() == size_of::<u64>());

impl Handle {
    /// Of no thread.
    pub const fn new() -> Handle {
        Handle(AtomicU64::new(0))
    }

    /// Starts a thread that runs `body` with `argument`. An error number when that is not to be had. May allocate.
    pub fn spawn(
        &self,
        body: extern "C" fn(*mut c_void) -> *mut c_void,
        argument: usize,
    ) -> Result<(), c_int> {
        let mut thread = core::mem::MaybeUninit::<libc::pthread_t>::uninit();
        let argument = core::ptr::without_provenance_mut(argument);
        // What libc allocates for the thread outlives the arena that a program may have bound the calling one to.
        let _aside = Aside::step();
        // SAFETY: signal sets are plain bits, filled before they are read; all pointers are to locals. `body` is what
        // pthread_create wants, and this code is never unloaded.
        let error = unsafe {
            let mut all = core::mem::zeroed();
            let mut old = core::mem::zeroed();
            libc::sigfillset(&raw mut all);
            let blocked = libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut old);
            if blocked != 0 {
                return Err(blocked);
            }
            let error = libc::pthread_create(thread.as_mut_ptr(), core::ptr::null(), body, argument);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const old, core::ptr::null_mut());
            error
        };
        if error != 0 {
            return Err(error);
        }
        // SAFETY: pthread_create has written it, and of a pointer the bits are all that is needed.
        self.0.store(unsafe { Bits { thread: thread.assume_init() }.bits }, Relaxed);
        Ok(())
    }

    /// Waits until the thread that [`Handle::spawn`] started has ended. Called once for each.
    pub fn join(&self) {
        // SAFETY: the thread was started here, and is joined once; its bits are as they were.
        unsafe { libc::pthread_join(Bits { bits: self.0.load(Relaxed) }.thread, core::ptr::null_mut()) };
    }
}

/// A thread that runs as long as the process does, if options want it, and anew in the child of a fork.
pub struct Resident {
    /// The options that it is for, in words.
    purpose: &'static str,
    wanted: fn() -> bool,
    body: extern "C" fn(*mut c_void) -> *mut c_void,
    handle: Handle,
    /// Whether it is to be started with one of the next allocations.
    is_due: AtomicBool,
}

impl Resident {
    /// Not started yet.
    pub const fn new(
        purpose: &'static str,
        wanted: fn() -> bool,
        body: extern "C" fn(*mut c_void) -> *mut c_void,
    ) -> Resident {
        Resident { purpose, wanted, body, handle: Handle::new(), is_due: AtomicBool::new(false) }
    }

    /// At the end of start-up: starts it if it is wanted; the user is told when that fails.
    pub fn start(&self) {
        if (self.wanted)()
            && let Err(error) = self.handle.spawn(self.body, 0)
        {
            report::message(format_args!("the thread for {} cannot be started ({error})", self.purpose));
        }
    }

    /// In the child of a fork, where it does not run. It is not started at once: the child may be about to call exec, and a
    /// thread may not be started from a handler of fork.
    pub fn forget(&self) {
        if (self.wanted)() {
            self.is_due.store(true, Relaxed);
            super::listen();
        }
    }

    /// With some allocation: starts it if that is due.
    pub fn resume(&self) {
        if self.is_due.load(Relaxed) && self.is_due.swap(false, Acquire) {
            self.start();
        }
    }
}

/// To be called first in a new thread: gives it its name, and lets what libc allocates for it be served uncached.
pub fn begin(name: &CStr) {
    tls::set_phase(Phase::Exited);
    let _ = rustix::thread::set_name(name);
}
