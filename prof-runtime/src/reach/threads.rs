//! Stops the other threads, so that their registers lie on their stacks and nothing moves meanwhile; remembers where threads
//! ended.
//!
//! A thread is stopped by a signal that nobody uses: the kernel puts its registers on its stack, and its handler waits. One
//! that holds the signal back, or does not come in time, goes on; then its whole stack counts, and its registers are not seen. Without
//! a free signal, or in a process of one thread, nobody is sent any. Threads of allocators hold all signals back, and
//! nothing of the program in their registers: they are not waited for, and do not count as going on.
//!
//! The calling thread takes no signal meanwhile: a handler of the program may wait for what a stopped thread holds.

use core::{
    ffi::{CStr, c_int, c_void},
    mem::MaybeUninit,
    ptr::{null, null_mut},
    sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

use rustix::{
    fs::RawDir,
    thread::{Timespec, futex},
};

use crate::{
    arch,
    clock::{Clock, nanos},
    errno::keeping_errno,
    fleeting::Fleeting,
    memory::{Map, Zeroed},
};

/// Most threads that are stopped; more count as going on.
const MOST: usize = 4096;
/// How long threads are waited for.
const PATIENCE_NANOS: u64 = 500_000_000;

/// Where a thread is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The lowest address of its stack that counts; 0 where that is not known.
    pub sp: usize,
    /// Its thread pointer.
    pub thread_pointer: usize,
}

#[derive(Default)]
struct Slot {
    tid: AtomicU32,
    thread_pointer: AtomicUsize,
    sp: AtomicUsize,
}

// SAFETY: atomics only, for which zero is a value.
unsafe impl Zeroed for Slot {}

/// Slots of the threads that are to stop; stays mapped, since a handler may come late.
static SLOTS: AtomicPtr<Slot> = AtomicPtr::new(null_mut());
/// Slots in use.
static USED: AtomicUsize = AtomicUsize::new(0);
/// Odd while threads are to stay stopped.
static STOPS: AtomicU32 = AtomicU32::new(0);
/// Handlers that began to wait.
static ARRIVED: AtomicU32 = AtomicU32::new(0);

fn slots() -> &'static [Slot] {
    let (slots, used) = (SLOTS.load(Ordering::Acquire), USED.load(Ordering::Acquire));
    if slots.is_null() {
        return &[];
    }
    // SAFETY: a leaked mapping of `MOST` zeroed slots, of which at most as many are in use.
    unsafe { core::slice::from_raw_parts(slots, used.min(MOST)) }
}

fn own_tid() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get() as u32
}

/// What a stopped thread does.
unsafe extern "C" fn wait(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    let stop = STOPS.load(Ordering::Acquire);
    if stop & 1 == 0 {
        return;
    }
    let tid = own_tid();
    let Some(slot) = slots().iter().find(|slot| slot.tid.load(Ordering::Relaxed) == tid) else { return };
    slot.thread_pointer.store(arch::thread_pointer(), Ordering::Relaxed);
    // The kernel put the registers there, just below what the thread uses. Release: for the thread pointer.
    slot.sp.store(context.addr(), Ordering::Release);
    ARRIVED.fetch_add(1, Ordering::Release);
    let _ = futex::wake(&ARRIVED, futex::Flags::PRIVATE, 1);
    while STOPS.load(Ordering::Acquire) == stop {
        let _ = futex::wait(&STOPS, futex::Flags::PRIVATE, stop, None);
    }
}

/// A signal that is at its default action, so that nobody expects it.
fn free_signal() -> Option<c_int> {
    (libc::SIGRTMIN() + 3..=libc::SIGRTMAX()).rev().find(|signal| {
        // SAFETY: zero is a value of the structure.
        let mut now: libc::sigaction = unsafe { core::mem::zeroed() };
        // SAFETY: asks only, into a valid place.
        let asked = unsafe { libc::sigaction(*signal, null(), &raw mut now) };
        asked == 0 && now.sa_sigaction == libc::SIG_DFL
    })
}

fn set_action(signal: c_int, action: usize) -> bool {
    // SAFETY: zero is a value of the structure.
    let mut wanted: libc::sigaction = unsafe { core::mem::zeroed() };
    wanted.sa_sigaction = action;
    wanted.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    // SAFETY: fills a set in a valid place.
    unsafe { libc::sigfillset(&raw mut wanted.sa_mask) };
    // SAFETY: a valid action; a handler is [`wait`], which is safe in any thread at any time.
    unsafe { libc::sigaction(signal, &raw const wanted, null_mut()) == 0 }
}

fn send(tid: u32, signal: c_int) -> bool {
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    // SAFETY: numbers only.
    unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, signal) == 0 }
}

fn tasks() -> Option<Fleeting> {
    Fleeting::open(c"/proc/self/task").ok()
}

/// How the names of threads of ours begin, and of jemalloc's.
const OF_ALLOCATORS: &[u8] = b"jemalloc_";

/// Whether a thread is an allocator's, by its name.
fn is_of_allocator(folder: &Fleeting, tid: &CStr) -> bool {
    let mut path = [0; 32];
    let (tid, comm) = (tid.to_bytes(), b"/comm\0");
    let Some(place) = path.get_mut(..tid.len() + comm.len()) else { return false };
    place[..tid.len()].copy_from_slice(tid);
    place[tid.len()..].copy_from_slice(comm);
    let Ok(path) = CStr::from_bytes_with_nul(place) else { return false };
    let mut name = [0; OF_ALLOCATORS.len()];
    let file = Fleeting::open_in(folder, path);
    file.and_then(|file| rustix::io::read(&file, &mut name)).is_ok() && name == OF_ALLOCATORS
}

/// Calls `each` with every thread of the process but this one and those of allocators.
fn each_thread(mut each: impl FnMut(u32)) {
    let (Some(folder), Some(names)) = (tasks(), tasks()) else { return };
    let own = own_tid();
    let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
    let mut entries = RawDir::new(folder, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let tid = core::str::from_utf8(entry.file_name().to_bytes()).ok().and_then(|name| name.parse().ok());
        let is_other = |tid: &u32| *tid != own && !is_of_allocator(&names, entry.file_name());
        tid.filter(is_other).into_iter().for_each(&mut each);
    }
}

/// While it lives, the calling thread takes no signal.
struct Masked(libc::sigset_t);

impl Masked {
    fn all() -> Masked {
        // SAFETY: zero is a value of a set, which is bits.
        let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = unsafe { core::mem::zeroed() };
        keeping_errno(|| {
            // SAFETY: both sets are valid places, and live through the calls.
            unsafe {
                libc::sigfillset(&raw mut all);
                libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            }
        });
        Masked(before)
    }
}

impl Drop for Masked {
    fn drop(&mut self) {
        // SAFETY: the mask that the thread had.
        keeping_errno(|| unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, null_mut()) });
    }
}

/// The other threads, stopped until it is dropped.
pub struct Stopped {
    signal: Option<c_int>,
    running: u64,
    /// Dropped last: when the others go on.
    _masked: Masked,
}

impl Stopped {
    /// Stops them; `None` when memory is out.
    pub fn now() -> Option<Stopped> {
        if SLOTS.load(Ordering::Acquire).is_null() {
            SLOTS.store(Map::new(MOST * size_of::<Slot>())?.leak(), Ordering::Release);
        }
        USED.store(0, Ordering::Release);
        let masked = Masked::all();
        let mut others = 0;
        each_thread(|_| others += 1);
        if others == 0 {
            return Some(Stopped { signal: None, running: 0, _masked: masked });
        }
        let signal =
            keeping_errno(|| free_signal().filter(|signal| set_action(*signal, wait as *const () as usize)));
        let Some(signal) = signal else {
            return Some(Stopped { signal: None, running: others, _masked: masked });
        };
        STOPS.fetch_add(1, Ordering::Release);
        let running = keeping_errno(|| stop_all(signal));
        Some(Stopped { signal: Some(signal), running, _masked: masked })
    }

    /// How many go on.
    pub fn running(&self) -> u64 {
        self.running
    }

    /// Where those are that stopped.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        let place = |slot: &Slot| Place {
            sp: slot.sp.load(Ordering::Acquire),
            thread_pointer: slot.thread_pointer.load(Ordering::Relaxed),
        };
        slots().iter().map(place).filter(|place| place.sp != 0)
    }
}

/// Sends the signal to all until no new ones are found; answers how many did not stop.
fn stop_all(signal: c_int) -> u64 {
    let until = nanos(Clock::Monotonic) + PATIENCE_NANOS;
    loop {
        let (mut new, mut missing) = (0, 0);
        each_thread(|tid| match slots().iter().find(|slot| slot.tid.load(Ordering::Relaxed) == tid) {
            Some(slot) => missing += u64::from(slot.sp.load(Ordering::Acquire) == 0),
            None if announce(tid) => {
                new += 1;
                send(tid, signal);
            }
            None => missing += 1,
        });
        if new == 0 && missing == 0 {
            return 0;
        }
        if nanos(Clock::Monotonic) >= until {
            return missing + new;
        }
        let arrived = ARRIVED.load(Ordering::Acquire);
        let all = slots().iter().all(|slot| slot.sp.load(Ordering::Acquire) != 0);
        if !all {
            // Whoever ended since does not come; so not for long.
            let a_while = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };
            let _ = futex::wait(&ARRIVED, futex::Flags::PRIVATE, arrived, Some(&a_while));
        }
    }
}

/// Makes a slot for a thread; false when there are too many.
fn announce(tid: u32) -> bool {
    let used = USED.load(Ordering::Relaxed);
    if used >= MOST {
        return false;
    }
    USED.store(used + 1, Ordering::Release);
    if let Some(slot) = slots().get(used) {
        slot.sp.store(0, Ordering::Relaxed);
        slot.thread_pointer.store(0, Ordering::Relaxed);
        slot.tid.store(tid, Ordering::Release);
    }
    true
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let Some(signal) = self.signal else { return };
        STOPS.fetch_add(1, Ordering::Release);
        let _ = futex::wake(&STOPS, futex::Flags::PRIVATE, i32::MAX as u32);
        // What is still to be delivered is dropped when it is ignored; by its default action it would end the process.
        keeping_errno(|| [libc::SIG_IGN, libc::SIG_DFL].map(|action| set_action(signal, action)));
    }
}

const ENDED: usize = 1024;

/// Thread pointers of threads that ended. The C library keeps their stacks for the next ones, with all that was on them: what
/// led to something from there does no longer.
pub struct Ended([AtomicU64; ENDED]);

impl Ended {
    /// None.
    pub const fn new() -> Ended {
        Ended([const { AtomicU64::new(0) }; ENDED])
    }

    /// The thread with this thread pointer ends. Beyond 1024 different ones some are forgotten, whose stacks then count.
    pub fn add(&self, thread_pointer: usize) {
        let slot =
            (thread_pointer as u64 >> 6).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - ENDED.trailing_zeros());
        if let Some(slot) = self.0.get(slot as usize) {
            slot.store(thread_pointer as u64, Ordering::Relaxed);
        }
    }

    /// Forgets all. In the child of a fork a stack that is noted may be that of a thread which is not there.
    pub fn clear(&self) {
        self.0.iter().for_each(|slot| slot.store(0, Ordering::Relaxed));
    }

    /// Where they ended, in any order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|slot| slot.load(Ordering::Relaxed) as usize).filter(|place| *place != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(signal: c_int) -> bool {
        // SAFETY: zero is a value of a set.
        let mut now: libc::sigset_t = unsafe { core::mem::zeroed() };
        // SAFETY: asks only, into a valid place, and of a set that was written.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, null(), &raw mut now);
            libc::sigismember(&raw const now, signal) == 1
        }
    }

    #[test]
    fn a_thread_takes_no_signal_until_it_has_its_mask_back() {
        let before = [libc::SIGUSR1, libc::SIGTERM].map(blocks);
        let masked = Masked::all();
        assert!(blocks(libc::SIGUSR1) && blocks(libc::SIGTERM));
        drop(masked);
        assert_eq!([libc::SIGUSR1, libc::SIGTERM].map(blocks), before);
    }

    #[test]
    fn where_threads_ended_is_remembered_once() {
        let ended = Ended::new();
        assert_eq!(ended.iter().count(), 0);
        [0x7000_0000, 0x7100_0000, 0x7000_0000].into_iter().for_each(|place| ended.add(place));
        let mut places: std::vec::Vec<_> = ended.iter().collect();
        places.sort_unstable();
        assert_eq!(places, [0x7000_0000, 0x7100_0000]);
    }
}
