//! Advice to the kernel about pages that nobody uses.

use core::sync::atomic::*;

use crate::os::pages;
use crate::relaxed::Relaxed;
use crate::report;

/// Whether `MADV_DONTNEED` can be relied on, as far as is known.
static RELIABLE: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = 0;
const YES: u8 = 1;
const NO: u8 = 2;

/// Sets whether `MADV_DONTNEED` is believed to work (`opt.trust_madvise`); otherwise it is tried out before its first
/// use. Called once, before the first page is taken.
pub fn configure(trust: bool) {
    RELIABLE.set(if trust { YES } else { UNKNOWN });
}

/// [`pages::purge_forced`], unless it does not work here.
///
/// # Safety
/// The range belongs to the caller, and its contents are no longer wanted.
pub unsafe fn purge_forced(at: *mut u8, bytes: usize) -> bool {
    // SAFETY: by the caller's promise.
    reliable() && unsafe { pages::purge_forced(at, bytes) }
}

fn reliable() -> bool {
    match RELIABLE.get() {
        YES => true,
        NO => false,
        _ => try_out(),
    }
}

#[cold]
fn try_out() -> bool {
    let works = pages::purging_zeroes();
    let answer = if works { YES } else { NO };
    // Of several threads that try at once, one tells.
    if RELIABLE.compare_exchange(UNKNOWN, answer, Ordering::Relaxed, Ordering::Relaxed).is_ok() && !works {
        report::message(format_args!("MADV_DONTNEED does not work (memset will be used instead)"));
        report::message(format_args!("(This is the expected behaviour if you are running under QEMU)"));
    }
    works
}
