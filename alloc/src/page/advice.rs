//! Advice to the kernel about pages that nobody uses, and about huge pages for all.

use core::sync::atomic::*;

use crate::os::pages::{self, BATCH_MAX, Huge};
use crate::os::thp::{self, Policy};
use crate::relaxed::Relaxed;
use crate::report;

/// Whether `MADV_DONTNEED` can be relied on, as far as is known.
static RELIABLE: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = 0;
const YES: u8 = 1;
const NO: u8 = 2;

/// Ranges for one `process_madvise`; 0 when it is not to be used, or does not work here.
static BATCH: AtomicUsize = AtomicUsize::new(0);
/// The [`Thp`] that is in force.
static HUGE: AtomicU8 = AtomicU8::new(Thp::Default as u8);

/// `opt.thp`: huge pages for extents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Thp {
    /// As the system does.
    Default,
    /// Asked for.
    Always,
    /// Refused.
    Never,
}

/// Sets how the kernel is advised; called once, before the first page is taken.
///
/// `trust` (`opt.trust_madvise`): `MADV_DONTNEED` is believed to work; otherwise it is tried out before its first
/// use. `batch` (`opt.process_madvise_max_batch`): most ranges in one call, 0 for none.
pub fn configure(trust: bool, batch: usize, huge: Thp) {
    RELIABLE.set(if trust { YES } else { UNKNOWN });
    BATCH.set(batch.min(BATCH_MAX));
    HUGE.set(needed(huge, thp::policy) as u8);
}

/// The part of `huge` that the system does not do anyway. Asks for the system's policy only when it matters.
fn needed(huge: Thp, policy: impl Fn() -> Policy) -> Thp {
    match huge {
        Thp::Default => Thp::Default,
        Thp::Always if policy() == Policy::Madvise => Thp::Always,
        Thp::Never if matches!(policy(), Policy::Madvise | Policy::Always) => Thp::Never,
        Thp::Always | Thp::Never => Thp::Default,
    }
}

/// Applies `opt.thp` to fresh address space.
///
/// # Safety
/// The range is mapped and belongs to the caller.
pub unsafe fn mapped(at: *mut u8, bytes: usize) {
    const ALWAYS: u8 = Thp::Always as u8;
    const NEVER: u8 = Thp::Never as u8;
    let huge = match HUGE.get() {
        ALWAYS => Huge::Wanted,
        NEVER => Huge::Unwanted,
        _ => return,
    };
    // SAFETY: by the caller's promise.
    unsafe { pages::advise_huge(at, bytes, huge) }
}

/// Whether huge pages are asked for all address space.
pub fn wants_huge() -> bool {
    HUGE.get() == Thp::Always as u8
}

/// [`pages::purge_forced`], unless it does not work here.
///
/// # Safety
/// The range belongs to the caller, and its contents are no longer wanted.
pub unsafe fn purge_forced(at: *mut u8, bytes: usize) -> bool {
    // SAFETY: by the caller's promise.
    reliable() && unsafe { pages::purge_forced(at, bytes) }
}

/// [`pages::purge_lazy`].
///
/// # Safety
/// As [`purge_forced`].
pub unsafe fn purge_lazy(at: *mut u8, bytes: usize) -> bool {
    // SAFETY: by the caller's promise.
    unsafe { pages::purge_lazy(at, bytes) }
}

/// Purges ranges in few system calls. Answers whether all of them read as zero now; otherwise some may.
///
/// # Safety
/// As [`purge_forced`], for each range.
pub unsafe fn purge_together(ranges: &[(*mut u8, usize)]) -> bool {
    let batch = BATCH.get();
    if batch == 0 || !reliable() {
        return false;
    }
    // SAFETY: by the caller's promise.
    let all = ranges.chunks(batch).all(|chunk| unsafe { pages::purge_batch(chunk) });
    if !all {
        // A kernel that does not do it once never does: no second try.
        BATCH.set(0);
    }
    all
}

/// Most ranges that [`purge_together`] takes in one system call; 0 when it does nothing.
pub fn batch() -> usize {
    BATCH.get()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_pages_are_advised_only_where_the_system_differs() {
        let with = |wanted, policy| needed(wanted, || policy);
        assert_eq!(with(Thp::Always, Policy::Madvise), Thp::Always);
        assert_eq!(with(Thp::Always, Policy::Always), Thp::Default);
        assert_eq!(with(Thp::Always, Policy::Never), Thp::Default);
        assert_eq!(with(Thp::Never, Policy::Always), Thp::Never);
        assert_eq!(with(Thp::Never, Policy::Madvise), Thp::Never);
        assert_eq!(with(Thp::Never, Policy::Unsupported), Thp::Default);
        assert_eq!(needed(Thp::Default, || unreachable!()), Thp::Default);
    }
}
