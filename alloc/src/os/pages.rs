//! Address space: reserve, release, give pages back, move pages.

use core::ptr::{NonNull, null_mut};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

use crate::units::PAGE;

/// Addresses at or above this are refused: the address map covers 48 bits.
const ADDRESS_END: usize = 1 << 48;

/// Reserves `bytes` (a page multiple) of zeroed, writable, lazily backed memory.
///
/// `None` when the kernel refuses (address-space limit, mapping count) or answers beyond 48 bits.
pub fn reserve(bytes: usize) -> Option<NonNull<u8>> {
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: a fresh anonymous mapping at an address of the kernel's choice overlaps nothing.
    let at = unsafe { mmap_anonymous(null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, flags) }.ok()?;
    if at as usize + bytes > ADDRESS_END {
        // SAFETY: the mapping was made just above and nobody knows of it.
        unsafe { release(at.cast(), bytes) };
        return None;
    }
    NonNull::new(at.cast())
}

/// [`reserve`] with an alignment (a power of two, a page or more): maps more, then cuts head and tail off.
pub fn reserve_aligned(bytes: usize, align: usize) -> Option<NonNull<u8>> {
    let wide = bytes.checked_add(align - PAGE)?;
    let at = reserve(wide)?.as_ptr();
    let head = (at as usize).next_multiple_of(align) - at as usize;
    let tail = wide - head - bytes;
    // SAFETY: head and tail are parts of the mapping made just above, outside the part that is returned.
    unsafe {
        release(at, head);
        release(at.add(head + bytes), tail);
    }
    NonNull::new(at.wrapping_add(head))
}

/// Unmaps. Does nothing for `bytes == 0`. A refusal by the kernel (mapping count) leaves the range mapped, which
/// only costs address space.
///
/// # Safety
/// The range belongs to the caller, and nothing refers to it any more.
pub unsafe fn release(at: *mut u8, bytes: usize) {
    if bytes != 0 {
        // SAFETY: by the caller's promise.
        let _ = unsafe { munmap(at.cast(), bytes) };
    }
}

/// Gives the pages back to the kernel now; they read as zero afterwards. Answers whether it worked.
///
/// # Safety
/// The range belongs to the caller, and its contents are no longer wanted.
pub unsafe fn purge_forced(at: *mut u8, bytes: usize) -> bool {
    // SAFETY: by the caller's promise; private anonymous memory reads as zero afterwards.
    unsafe { madvise(at.cast(), bytes, Advice::LinuxDontNeed) }.is_ok()
}

/// Lets the kernel take the pages when it needs memory (`MADV_FREE`); until then they keep their contents.
///
/// # Safety
/// As [`purge_forced`].
pub unsafe fn purge_lazy(at: *mut u8, bytes: usize) -> bool {
    // SAFETY: by the caller's promise.
    unsafe { madvise(at.cast(), bytes, Advice::LinuxFree) }.is_ok()
}

/// Whether pages that were given back really read as zero; emulators of user programs may ignore the advice. `true`
/// also when the kernel refuses the advice, since callers see that themselves.
pub fn purging_zeroes() -> bool {
    let Some(page) = reserve(PAGE) else { return true };
    let at = page.as_ptr();
    // SAFETY: the page was mapped just above, is writable, and nobody else knows of it. Volatile accesses, because
    // the kernel changes the contents in between.
    unsafe {
        at.write_volatile(b'A');
        let works = !purge_forced(at, PAGE) || at.read_volatile() == 0;
        release(at, PAGE);
        works
    }
}
