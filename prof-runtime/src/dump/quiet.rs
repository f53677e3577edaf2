//! Writes that fail instead of ending the program: past a file-size limit the kernel sends SIGXFSZ, into a pipe that
//! nobody reads SIGPIPE, and both kill by default.

use core::mem::MaybeUninit;

use crate::errno::keeping_errno;

const SIGNALS: [i32; 2] = [libc::SIGXFSZ, libc::SIGPIPE];

/// While it lives, the calling thread does not get the two signals; those that a write of its own raised are gone
/// afterwards. Keeps `errno`.
pub struct Quiet {
    /// The mask to go back to.
    before: libc::sigset_t,
    /// What was waiting already, and is not ours to take.
    waiting: libc::sigset_t,
}

fn empty() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set that it is given, and cannot fail for a valid place.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

fn only(signals: &[i32]) -> libc::sigset_t {
    let mut set = empty();
    for signal in signals {
        // SAFETY: the set is initialised, and the signal exists.
        unsafe { libc::sigaddset(&raw mut set, *signal) };
    }
    set
}

impl Quiet {
    /// From now on.
    pub fn start() -> Quiet {
        let mut quiet = Quiet { before: empty(), waiting: empty() };
        let both = only(&SIGNALS);
        keeping_errno(|| {
            // SAFETY: all three sets are initialised and live through the calls.
            unsafe {
                libc::sigpending(&raw mut quiet.waiting);
                libc::pthread_sigmask(libc::SIG_BLOCK, &raw const both, &raw mut quiet.before);
            }
        });
        quiet
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        keeping_errno(|| {
            for signal in SIGNALS {
                // SAFETY: the set is initialised.
                if unsafe { libc::sigismember(&raw const self.waiting, signal) } == 1 {
                    continue;
                }
                let one = only(&[signal]);
                let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
                // SAFETY: set and time are initialised; no information is asked for.
                unsafe { libc::sigtimedwait(&raw const one, core::ptr::null_mut(), &raw const at_once) };
            }
            // SAFETY: `before` is the mask that `start` was given.
            unsafe {
                libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, core::ptr::null_mut())
            };
        });
    }
}
