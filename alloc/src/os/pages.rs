//! Address space: reserve, release, give pages back, protect pages.

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};

use crate::os::errno::Errno;
use crate::units::PAGE;

/// Addresses at or above this are refused: the address map covers 48 bits.
const ADDRESS_END: usize = 1 << 48;

/// Reserves `bytes` (a page multiple) of zeroed, writable, lazily backed memory.
///
/// `None` when the kernel refuses (address-space limit, mapping count) or answers beyond 48 bits.
pub fn reserve(bytes: usize) -> Option<NonNull<u8>> {
    map(null_mut(), bytes)
}

/// [`reserve`] at the address `wanted` or nowhere.
pub fn reserve_at(wanted: *mut u8, bytes: usize) -> Option<NonNull<u8>> {
    let at = map(wanted, bytes)?;
    if at.as_ptr() != wanted {
        // SAFETY: the mapping was made just above and nobody knows of it.
        unsafe { release(at.as_ptr(), bytes) };
        return None;
    }
    Some(at)
}

fn map(hint: *mut u8, bytes: usize) -> Option<NonNull<u8>> {
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: a fresh anonymous mapping without MAP_FIXED overlaps nothing, whatever the hint.
    let at = unsafe { mmap_anonymous(hint.cast(), bytes, ProtFlags::READ | ProtFlags::WRITE, flags) }.ok()?;
    owned(at.addr(), bytes);
    if !addressable(at.addr(), bytes) {
        // SAFETY: the mapping was made just above and nobody knows of it.
        unsafe { release(at.cast(), bytes) };
        return None;
    }
    NonNull::new(at.cast())
}

/// Tells the profiler that memory is the allocator's, where it wants to know.
#[cfg_attr(not(feature = "prof"), expect(unused_variables, reason = "nobody asks"))]
pub fn owned(at: usize, bytes: usize) {
    #[cfg(feature = "prof")]
    prof_runtime::own_pages::add(at, bytes);
}

/// Whether the address map covers the range.
pub fn addressable(at: usize, bytes: usize) -> bool {
    at.checked_add(bytes).is_some_and(|end| end <= ADDRESS_END)
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

/// Bytes of a huge page.
pub const HUGE_PAGE: usize = 2 << 20;

/// Bytes that the kernel refused to unmap.
static ABANDONED: AtomicUsize = AtomicUsize::new(0);

/// Bytes of address space that the kernel refused to take back, ever.
pub fn abandoned() -> usize {
    ABANDONED.load(Relaxed)
}

/// Unmaps. Does nothing for `bytes == 0`. A refusal by the kernel (mapping count) leaves the range mapped, which
/// only costs address space.
///
/// # Safety
/// The range belongs to the caller, and nothing refers to it any more.
pub unsafe fn release(at: *mut u8, bytes: usize) {
    #[cfg(feature = "prof")]
    prof_runtime::own_pages::remove(at.addr(), bytes);
    // SAFETY: by the caller's promise.
    if bytes != 0 && unsafe { munmap(at.cast(), bytes) }.is_err() {
        ABANDONED.fetch_add(bytes, Relaxed);
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

/// How huge pages may back a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Huge {
    /// Whenever possible.
    Wanted,
    /// Never.
    Unwanted,
}

/// Asks for huge pages, or for none (`MADV_HUGEPAGE`, `MADV_NOHUGEPAGE`). A refusal changes nothing.
///
/// # Safety
/// The range is mapped and belongs to the caller.
pub unsafe fn advise_huge(at: *mut u8, bytes: usize, huge: Huge) {
    let advice = if huge == Huge::Wanted { Advice::LinuxHugepage } else { Advice::LinuxNoHugepage };
    // SAFETY: by the caller's promise; the advice changes no contents.
    let _ = unsafe { madvise(at.cast(), bytes, advice) };
}

/// Gives pages without memory some, as if each was written to (`MADV_POPULATE_WRITE`, Linux 5.14). Contents stay as they are. What
/// the kernel refuses gets its memory when it is touched; after it said that it does not know how it is not asked again.
///
/// # Safety
/// The range is mapped, writable, and belongs to the caller.
pub unsafe fn back(at: *mut u8, bytes: usize) {
    static KNOWN: AtomicBool = AtomicBool::new(true);
    if KNOWN.load(Relaxed) {
        // SAFETY: by the caller's promise; the advice changes no contents.
        let answer = unsafe { madvise(at.cast(), bytes, Advice::LinuxPopulateWrite) };
        KNOWN.store(answer != Err(rustix::io::Errno::INVAL), Relaxed);
    }
}

/// Lets any access to the range end in SIGSEGV, or allows reading and writing again. Answers whether it worked.
///
/// # Safety
/// The range belongs to the caller; while it is forbidden, nobody is meant to use it.
pub unsafe fn forbid(at: *mut u8, bytes: usize, forbidden: bool) -> bool {
    let access = if forbidden { MprotectFlags::empty() } else { MprotectFlags::READ | MprotectFlags::WRITE };
    // SAFETY: by the caller's promise.
    unsafe { mprotect(at.cast(), bytes, access) }.is_ok()
}

/// Most ranges that [`purge_batch`] takes.
pub const BATCH_MAX: usize = 128;

/// As [`purge_forced`] for all `ranges` (at most [`BATCH_MAX`]) in one system call, `process_madvise(2)` on the calling process, which
/// kernels allow for this advice since 6.13. Answers whether every byte was taken.
///
/// # Safety
/// As [`purge_forced`], for each range.
pub unsafe fn purge_batch(ranges: &[(*mut u8, usize)]) -> bool {
    /// `PIDFD_SELF`: the calling process, without a file descriptor.
    const SELF: libc::c_int = -10_000;
    let mut vector = [libc::iovec { iov_base: null_mut(), iov_len: 0 }; BATCH_MAX];
    let Some(vector) = vector.get_mut(..ranges.len()) else { return false };
    for (entry, range) in vector.iter_mut().zip(ranges) {
        *entry = libc::iovec { iov_base: range.0.cast(), iov_len: range.1 };
    }
    let total: usize = ranges.iter().map(|range| range.1).sum();
    let _errno = Errno::kept();
    // SAFETY: the vector lies on this stack; the advice is the caller's to give.
    let taken = unsafe {
        libc::syscall(libc::SYS_process_madvise, SELF, vector.as_ptr(), vector.len(), libc::MADV_DONTNEED, 0)
    };
    usize::try_from(taken) == Ok(total)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_before_it_is_touched_where_the_kernel_knows_how_and_contents_stay() {
        const PAGES: usize = 5;
        let at = reserve(PAGES * PAGE).unwrap().as_ptr();
        // SAFETY: the range was mapped just above, and there is room for an answer for each page.
        unsafe {
            at.write(7);
            back(at, PAGES * PAGE);
            let mut resident = [0; PAGES];
            assert_eq!(libc::mincore(at.cast(), PAGES * PAGE, resident.as_mut_ptr()), 0);
            let knows = madvise(at.cast(), PAGE, Advice::LinuxPopulateWrite).is_ok();
            assert_eq!(resident.map(|page| page & 1 != 0), [true, knows, knows, knows, knows]);
            assert_eq!([0, PAGE, 4 * PAGE].map(|offset| at.add(offset).read()), [7, 0, 0]);
            release(at, PAGES * PAGE);
        }
    }
}
