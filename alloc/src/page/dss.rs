//! The data segment: address space from `sbrk(2)`, which only ever grows here.

use core::ffi::c_void;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::os::errno::Errno;
use crate::os::pages;
use crate::sync::Mutex;
use crate::units::PAGE;

/// `sbrk` of the C library is no single step: two threads at once may both be given the same memory.
static LOCK: Mutex<()> = Mutex::new(());
/// First address that came from here; 0 before the first.
static START: AtomicUsize = AtomicUsize::new(0);
/// End of what came from here.
static END: AtomicUsize = AtomicUsize::new(0);

/// Moves the end of the data segment; answers where it was. Keeps `errno`.
fn sbrk(increment: isize) -> Option<usize> {
    let _errno = Errno::kept();
    // SAFETY: the segment is never shrunk, so nobody's memory goes away.
    let end = unsafe { libc::sbrk(increment) };
    (end != usize::MAX as *mut c_void).then(|| end.expose_provenance())
}

/// Takes `bytes` (a page multiple) of zeroed memory at a multiple of `align` (a power of two, a page or more).
///
/// `None` when the segment cannot grow, or when another user of `sbrk` keeps getting in between: what is taken is checked
/// against what was expected, as far as that can be told. Calls of this wait for each other.
pub fn reserve(bytes: usize, align: usize) -> Option<NonNull<u8>> {
    /// Races lost before giving up.
    const TRIES: u32 = 8;
    let _alone = LOCK.lock();
    for _ in 0..TRIES {
        let end = sbrk(0)?;
        let at = end.checked_next_multiple_of(PAGE)?.checked_next_multiple_of(align)?;
        let past = at.checked_add(bytes)?;
        if !pages::addressable(at, bytes) {
            return None;
        }
        if sbrk(isize::try_from(past - end).ok()?)? != end {
            // Somebody moved the end in between: what was added may lie anywhere, and stays unused.
            continue;
        }
        let _ = START.compare_exchange(0, at, Relaxed, Relaxed);
        END.fetch_max(past, Relaxed);
        pages::owned(at, bytes);
        return NonNull::new(core::ptr::with_exposed_provenance_mut(at));
    }
    None
}

/// Locks for a fork.
pub fn hold() {
    LOCK.hold();
}

/// Unlocks after a fork.
///
/// # Safety
/// As [`Mutex::unhold`].
pub unsafe fn unhold() {
    // SAFETY: by the caller's promise.
    unsafe { LOCK.unhold() }
}

/// Whether an address lies in what came from here, or between.
pub fn contains(at: *const u8) -> bool {
    let start = START.load(Relaxed);
    start != 0 && (start..END.load(Relaxed)).contains(&at.addr())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// Runs a test in a process of its own: `malloc` of the C library grows the data segment, too, whenever some other test
    /// allocates, and checks that nobody else does. Threads of a test take from other heaps of its.
    fn alone(test: &str, body: impl FnOnce()) {
        const MARK: &str = "JEALLOC_TEST_ALONE";
        if std::env::var_os(MARK).is_some() {
            return body();
        }
        let (_, module) = module_path!().split_once("::").unwrap();
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        let run =
            command.args([&std::format!("{module}::{test}"), "--exact", "--test-threads=1"]).env(MARK, "1");
        let output = run.output().unwrap();
        let said = std::string::String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }

    #[test]
    fn threads_that_ask_at_once_are_given_different_memory() {
        alone("threads_that_ask_at_once_are_given_different_memory", ask_at_once);
    }

    fn ask_at_once() {
        static START: std::sync::Barrier = std::sync::Barrier::new(4);
        let take = || {
            START.wait();
            (0..5000).map(|_| reserve(PAGE, PAGE).unwrap().as_ptr().addr()).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(take)).collect();
        let mut all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] + PAGE <= pair[1]));
    }

    #[test]
    fn pieces_of_the_data_segment_are_aligned_zero_and_apart() {
        alone("pieces_of_the_data_segment_are_aligned_zero_and_apart", take_two);
    }

    fn take_two() {
        let first = reserve(3 * PAGE, PAGE).unwrap().as_ptr();
        let second = reserve(2 * PAGE, 16 * PAGE).unwrap().as_ptr();
        assert!(second.addr().is_multiple_of(16 * PAGE));
        assert!(second.addr() >= first.addr() + 3 * PAGE);
        for (at, bytes) in [(first, 3 * PAGE), (second, 2 * PAGE)] {
            // SAFETY: the piece was just taken with this length.
            let piece = unsafe { core::slice::from_raw_parts_mut(at, bytes) };
            assert!(piece.iter().all(|byte| *byte == 0));
            piece.fill(1);
            assert!(contains(at));
        }
        let local = 0u8;
        assert!(!contains(&raw const local));
    }
}
