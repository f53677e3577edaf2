//! Memory for the allocator's own structures: bumped out of mapped chunks, never given back, so that a reference
//! to a structure stays valid for the life of the process. Whoever recycles structures keeps its own free list.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::os::pages;
use crate::sync::Mutex;
use crate::units::PAGE;

/// Types for which memory full of zeros is a valid value.
///
/// # Safety
/// 1. All-zero bytes are a valid, initialised value of the type.
/// 2. The type has no `Drop` that matters: values are never dropped.
pub unsafe trait Zeroable {}

/// Address space taken from the kernel at a time; backed only where touched.
const CHUNK: usize = 256 << 10;

/// A source of metadata memory. All-zero is a valid, empty one.
pub struct Base {
    bump: Mutex<Bump>,
    /// Bytes handed out.
    allocated: AtomicUsize,
    /// Bytes mapped.
    mapped: AtomicUsize,
}

struct Bump {
    at: usize,
    end: usize,
}

impl Default for Base {
    fn default() -> Self {
        Base::new()
    }
}

impl Base {
    /// Without memory.
    pub const fn new() -> Base {
        Base {
            bump: Mutex::new(Bump { at: 0, end: 0 }),
            allocated: AtomicUsize::new(0),
            mapped: AtomicUsize::new(0),
        }
    }

    /// Zeroed memory of `bytes` bytes at a multiple of `align` (a power of two up to a page), for ever.
    ///
    /// `None` when the kernel has none. Cost: a lock; a system call for each 256 KiB.
    pub fn alloc(&self, bytes: usize, align: usize) -> Option<NonNull<u8>> {
        let mut bump = self.bump.lock();
        let mut start = bump.at.next_multiple_of(align);
        if bump.at == 0 || start + bytes > bump.end {
            let chunk = bytes.next_multiple_of(PAGE).max(CHUNK);
            let at = pages::reserve(chunk)?.as_ptr() as usize;
            self.mapped.fetch_add(chunk, Relaxed);
            // What is left of the old chunk is lost unless the new one follows it.
            if at != bump.end {
                bump.at = at;
            }
            bump.end = at + chunk;
            start = bump.at.next_multiple_of(align);
        }
        self.allocated.fetch_add(start + bytes - bump.at, Relaxed);
        bump.at = start + bytes;
        NonNull::new(start as *mut u8)
    }

    /// A zeroed `T`, for ever.
    pub fn make<T: Zeroable>(&self) -> Option<&'static T> {
        let at = self.alloc(size_of::<T>(), align_of::<T>())?;
        // SAFETY: the memory is aligned, large enough, zero (valid by `Zeroable`) and never handed out again.
        Some(unsafe { at.cast().as_ref() })
    }

    /// `n` zeroed `T`s side by side, for ever.
    pub fn make_slice<T: Zeroable>(&self, n: usize) -> Option<&'static [T]> {
        let at = self.alloc(size_of::<T>().checked_mul(n)?, align_of::<T>())?;
        // SAFETY: as in `make`, for `n` values.
        Some(unsafe { core::slice::from_raw_parts(at.cast().as_ptr(), n) })
    }

    /// Bytes handed out, with padding.
    pub fn allocated(&self) -> usize {
        self.allocated.load(Relaxed)
    }

    /// Bytes mapped.
    pub fn mapped(&self) -> usize {
        self.mapped.load(Relaxed)
    }

    /// Bytes that may be backed by memory: whole pages up to the end of what was handed out.
    pub fn resident(&self) -> usize {
        self.allocated().next_multiple_of(PAGE).min(self.mapped())
    }

    /// Locks for a fork.
    pub fn hold(&self) {
        self.bump.hold();
    }

    /// Unlocks after a fork.
    ///
    /// # Safety
    /// As [`Mutex::unhold`].
    pub unsafe fn unhold(&self) {
        // SAFETY: by the caller's promise.
        unsafe { self.bump.unhold() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_aligned_zero_and_apart() {
        let base = Base::default();
        let mut last_end = 0;
        for i in 1..2000usize {
            let align = 1 << (i % 8);
            let at = base.alloc(i * 3, align).unwrap().as_ptr();
            assert_eq!(at as usize % align, 0);
            // SAFETY: the piece was just handed out with this length.
            let piece = unsafe { core::slice::from_raw_parts_mut(at, i * 3) };
            assert!(piece.iter().all(|&b| b == 0));
            piece.fill(1);
            assert!(at as usize >= last_end || (at as usize) < last_end - i * 3);
            last_end = at as usize + i * 3;
        }
        assert!(base.allocated() <= base.mapped());
    }
}
