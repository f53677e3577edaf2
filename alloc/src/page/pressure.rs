//! How short the memory around the process is: decay gets faster, and growth is looked at.
//!
//! The control plane reads the limits and says here what follows; pages that are newly backed are counted here, so that
//! it is asked again before they could use up what is left.

use core::sync::atomic::*;

use crate::relaxed::Relaxed;

/// The whole of a decay time.
pub const WHOLE: u32 = 1 << 10;

/// Share of every decay time that holds, of [`WHOLE`].
static SHARE: AtomicU32 = AtomicU32::new(WHOLE);
/// Pages that may still be backed before the control plane wants to know; nobody wants to at `isize::MAX`.
static ALLOWANCE: AtomicIsize = AtomicIsize::new(isize::MAX);
static DUE: AtomicBool = AtomicBool::new(false);

/// Lets decay times be `share` of [`WHOLE`]; 0 purges at once.
pub fn set_share(share: u32) {
    SHARE.set(share.min(WHOLE));
}

/// The share of every decay time that holds.
#[inline]
pub fn share() -> u32 {
    SHARE.get()
}

/// Lets [`due`] answer `true` once more than `pages` have been backed from now; `None` for never.
pub fn allow(pages: Option<usize>) {
    // Far from the value that means never, whatever is counted until the next call.
    ALLOWANCE.set(pages.map_or(isize::MAX, |pages| pages.min(isize::MAX as usize / 2) as isize));
    DUE.set(false);
}

/// Counts pages that had no memory and may get some now.
pub fn grew(pages: usize) {
    if pages != 0 && ALLOWANCE.get() != isize::MAX {
        let before = ALLOWANCE.fetch_sub(pages as isize, Ordering::Relaxed);
        if before <= pages as isize {
            DUE.set(true);
        }
    }
}

/// Counts pages that had memory and have none now.
pub fn shrank(pages: usize) {
    if pages != 0 && ALLOWANCE.get() != isize::MAX {
        ALLOWANCE.fetch_add(pages as isize, Ordering::Relaxed);
    }
}

/// What is left of the pages of [`allow`]; negative when more may have been backed.
pub fn left() -> isize {
    ALLOWANCE.get()
}

/// Whether the control plane is to look again.
#[inline]
pub fn due() -> bool {
    DUE.get()
}
