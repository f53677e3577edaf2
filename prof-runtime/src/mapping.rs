//! Anonymous mappings straight from the kernel.

use core::ptr::{self, NonNull};

use rustix::mm::{Advice, MapFlags, ProtFlags};

/// From this size on a mapping is kept out of transparent huge pages: tables are touched sparsely, and a huge page
/// per touch would make them resident as a whole.
const HUGE_PAGE: usize = 2 << 20;

/// A private mapping of at least `bytes` bytes (one page if 0), zeroed, touched lazily; `None` when the kernel gives none.
/// One or two system calls.
pub fn map(bytes: usize) -> Option<NonNull<[u8]>> {
    let bytes = bytes.max(1).checked_next_multiple_of(4096)?;
    // SAFETY: no address is asked for, so no existing mapping can be replaced.
    let base = unsafe {
        rustix::mm::mmap_anonymous(
            ptr::null_mut(),
            bytes,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE | MapFlags::NORESERVE,
        )
    };
    let base = NonNull::new(base.ok()?.cast::<u8>())?;
    if bytes >= HUGE_PAGE {
        // SAFETY: the range is the mapping just made; the advice changes no contents. Refusal costs memory only.
        let _ = unsafe { rustix::mm::madvise(base.as_ptr().cast(), bytes, Advice::LinuxNoHugepage) };
    }
    Some(NonNull::slice_from_raw_parts(base, bytes))
}

/// Gives a mapping back to the kernel.
///
/// # Safety
/// 1. It is from [`map`], and whole.
/// 2. Nobody uses it any more.
pub unsafe fn unmap(mapping: NonNull<[u8]>) {
    // SAFETY: the caller's promises.
    let _ = unsafe { rustix::mm::munmap(mapping.as_ptr().cast(), mapping.len()) };
}
