//! The wrapper: fast paths, and what is done with the wrapped allocator when an object is sampled.
//!
//! All functions here, and those that they call down to the profiler, are in a section of their own, by which stacks end
//! above them.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::null_mut;

use prof_runtime::SampleRef;

use crate::alignment::{self, may_be_sampled};
use crate::sampling::{Held, born, due, held, retract};
use crate::thread::count;

/// An allocator with the profiler around it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Profiled<A> {
    inner: A,
    conf: &'static str,
}

impl<A> Profiled<A> {
    /// Over an allocator, with options from the environment.
    pub const fn new(inner: A) -> Profiled<A> {
        Profiled::with_conf(inner, "")
    }

    /// Over an allocator, with options as `MALLOC_CONF` has them, like `"prof:true,lg_prof_sample:17"`. Those of the
    /// environment win.
    pub const fn with_conf(inner: A, conf: &'static str) -> Profiled<A> {
        Profiled { inner, conf }
    }

    /// The wrapped allocator.
    pub const fn inner(&self) -> &A {
        &self.inner
    }

    pub(crate) fn conf(&self) -> &'static str {
        self.conf
    }
}

// SAFETY: objects are those of the wrapped allocator, asked for with the size and the alignment of the layout or greater ones. Each goes back with the very layout that it was asked for with: one that has a greater alignment is
// in the table of sampled objects until then, and is looked up there, since its address has the bits of the mask as zeros,
// which only ever loses bits (`MASK`), or it is large. Nothing here unwinds where the wrapped allocator does not.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Profiled<A> {
    #[inline]
    #[unsafe(link_section = "profiled_text")]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if count(layout.size()) {
            // SAFETY: by the caller's promises to GlobalAlloc.
            return unsafe { self.alloc_slow(layout, false) };
        }
        // SAFETY: as above.
        unsafe { self.inner.alloc(layout) }
    }

    #[inline]
    #[unsafe(link_section = "profiled_text")]
    unsafe fn dealloc(&self, object: *mut u8, layout: Layout) {
        if may_be_sampled(object, layout.size()) {
            // SAFETY: by the caller's promises to GlobalAlloc.
            return unsafe { self.dealloc_slow(object, layout) };
        }
        // SAFETY: by the caller's promises, and what is not sampled was asked for with its own layout.
        unsafe { self.inner.dealloc(object, layout) }
    }

    #[inline]
    #[unsafe(link_section = "profiled_text")]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if count(layout.size()) {
            // SAFETY: by the caller's promises to GlobalAlloc.
            return unsafe { self.alloc_slow(layout, true) };
        }
        // SAFETY: as above.
        unsafe { self.inner.alloc_zeroed(layout) }
    }

    #[inline]
    #[unsafe(link_section = "profiled_text")]
    unsafe fn realloc(&self, object: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let counted = count(size);
        if counted || may_be_sampled(object, layout.size()) {
            // SAFETY: by the caller's promises to GlobalAlloc.
            return unsafe { self.realloc_slow(object, layout, size, counted) };
        }
        // SAFETY: by the caller's promises, and what is not sampled was asked for with its own layout.
        unsafe { self.inner.realloc(object, layout, size) }
    }
}

impl<A: GlobalAlloc> Profiled<A> {
    /// # Safety
    /// As of `alloc`.
    #[unsafe(link_section = "profiled_text")]
    unsafe fn plain(&self, layout: Layout, zeroed: bool) -> *mut u8 {
        match zeroed {
            // SAFETY: the caller's promise.
            true => unsafe { self.inner.alloc_zeroed(layout) },
            // SAFETY: the caller's promise.
            false => unsafe { self.inner.alloc(layout) },
        }
    }

    /// # Safety
    /// As of `alloc`.
    #[cold]
    #[inline(never)]
    #[unsafe(link_section = "profiled_text")]
    unsafe fn alloc_slow(&self, layout: Layout, zeroed: bool) -> *mut u8 {
        match due(layout.size(), self.conf) {
            // SAFETY: the caller's promise.
            Some(sample) => unsafe { self.alloc_sampled(layout, zeroed, sample) },
            // SAFETY: the caller's promise.
            None => unsafe { self.plain(layout, zeroed) },
        }
    }

    /// # Safety
    /// As of `alloc`.
    #[unsafe(link_section = "profiled_text")]
    unsafe fn alloc_sampled(&self, layout: Layout, zeroed: bool, sample: SampleRef) -> *mut u8 {
        let greater = alignment::layout(layout);
        // SAFETY: the caller's promise; the size is no smaller, and alignments may be any.
        let object = unsafe { self.plain(greater, zeroed) };
        if object.is_null() {
            retract(sample);
        } else if born(sample, object, greater) {
            return object;
        } else if greater != layout {
            // SAFETY: it was just asked for with this layout, and nobody else knows it.
            unsafe { self.inner.dealloc(object, greater) };
        } else {
            return object;
        }
        // There was none of the greater alignment, or it could not be remembered, by which it would be given back.
        // SAFETY: the caller's promise.
        if greater == layout { null_mut() } else { unsafe { self.plain(layout, zeroed) } }
    }

    /// # Safety
    /// As of `dealloc`.
    #[cold]
    #[inline(never)]
    #[unsafe(link_section = "profiled_text")]
    unsafe fn dealloc_slow(&self, object: *mut u8, layout: Layout) {
        let Some(held) = held(object, layout) else {
            // SAFETY: the caller's promise, and what is not sampled was asked for with its own layout.
            return unsafe { self.inner.dealloc(object, layout) };
        };
        held.forget(object);
        held.end(object);
        // SAFETY: the caller's promise, with the layout that it was asked for with.
        unsafe { self.inner.dealloc(object, held.layout) };
    }

    /// # Safety
    /// As of `realloc`.
    #[cold]
    #[inline(never)]
    #[unsafe(link_section = "profiled_text")]
    unsafe fn realloc_slow(&self, object: *mut u8, layout: Layout, size: usize, counted: bool) -> *mut u8 {
        let sample = if counted { due(size, self.conf) } else { None };
        let held = held(object, layout);
        let was_plain = held.is_none_or(|held| held.layout == layout);
        // SAFETY: the caller promises that the size, rounded up to the alignment, is no more than `isize::MAX`.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let is_plain = sample.is_none() || alignment::layout(wanted) == wanted;
        if was_plain && is_plain {
            // SAFETY: the caller's promises; the object was asked for with this very layout.
            return unsafe { self.realloc_plain(object, layout, wanted, held, sample) };
        }
        let new = match sample {
            // SAFETY: the size is not 0, by the caller's promise.
            Some(sample) => unsafe { self.alloc_sampled(wanted, false, sample) },
            // SAFETY: as above.
            None => unsafe { self.inner.alloc(wanted) },
        };
        if new.is_null() {
            return match held {
                // SAFETY: the caller's promises. There may be room where it is.
                None => unsafe { self.inner.realloc(object, layout, size) },
                Some(_) => null_mut(),
            };
        }
        // SAFETY: both have at least as many bytes, and a new object overlaps none that is in use.
        unsafe { new.copy_from_nonoverlapping(object, size.min(layout.size())) };
        // SAFETY: the caller's promises for the old one, which is given up now.
        unsafe { self.dealloc_slow(object, layout) };
        new
    }

    /// By the wrapped allocator's own `realloc`: neither the old object nor the new one has a greater alignment.
    ///
    /// # Safety
    /// 1. As of `realloc`.
    /// 2. The wrapped allocator was asked for the object with `layout`.
    #[unsafe(link_section = "profiled_text")]
    unsafe fn realloc_plain(
        &self,
        object: *mut u8,
        layout: Layout,
        wanted: Layout,
        held: Option<Held>,
        sample: Option<SampleRef>,
    ) -> *mut u8 {
        // Before the address can be another object's.
        held.inspect(|held| held.forget(object));
        // SAFETY: the caller's promises.
        let new = unsafe { self.inner.realloc(object, layout, wanted.size()) };
        if new.is_null() {
            sample.into_iter().for_each(retract);
            if let Some(held) = held
                && !held.keep(object)
            {
                held.end(object);
            }
            return new;
        }
        held.inspect(|held| held.end(object));
        if let Some(sample) = sample {
            // It is none when it cannot be remembered, and needs not to be found again.
            born(sample, new, wanted);
        }
        new
    }
}
