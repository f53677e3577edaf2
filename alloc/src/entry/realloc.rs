//! Changing the size of an object.

use core::sync::atomic::{AtomicUsize, Ordering};

use super::alloc::{alloc, count_allocated, grown, malloc, malloc_aligned, note_growth, refuse};
use super::dalloc::{count_deallocated, free, free_through, take_sample, usable_of};
use super::request::{Cache, Request};
use super::safety;
use crate::arena::{bin::extent_of_object, table};
use crate::extent::{Extent, Kind, map};
use crate::sampling;
use crate::size_class::{
    LARGE_MIN, LOOKUP_MAX, NBINS, NCACHED_MAX, SMALL_MAX, class_size, index_small, usable, usable_aligned,
};
use crate::thread::block::Block;
use crate::thread::event;
use crate::thread::start::current_or_start;

/// Calls of `realloc(p, 0)` with an object.
static ZERO_REALLOCS: AtomicUsize = AtomicUsize::new(0);

/// Counts a call of `realloc(p, 0)` with an object, whatever it is going to do.
pub fn note_zero_realloc() {
    ZERO_REALLOCS.fetch_add(1, Ordering::Relaxed);
}

/// How many of these there were.
pub fn zero_reallocs() -> usize {
    ZERO_REALLOCS.load(Ordering::Relaxed)
}

/// [`realloc`] to `size` bytes, which is not 0, without any other wish.
///
/// # Safety
/// As [`realloc`].
#[inline(always)]
pub unsafe fn realloc_plain(object: *mut u8, size: usize) -> *mut u8 {
    // SAFETY: by the caller's promises.
    unsafe { realloc_plain_or(object, size, || realloc(object, Request { size, ..Request::PLAIN })) }
}

/// [`realloc_plain`] that leaves what is not common to `slow`.
///
/// # Safety
/// As [`realloc`].
#[inline(always)]
pub unsafe fn realloc_plain_or(object: *mut u8, size: usize, slow: impl FnOnce() -> *mut u8) -> *mut u8 {
    // 0 (not ours) and the greatest (special) both become at least NCACHED_MAX.
    let class = map::class_byte(object).wrapping_sub(1);
    if class < NCACHED_MAX as u8 && size <= LOOKUP_MAX {
        if index_small(size).0 == class {
            return object;
        }
        // A large object may become a smaller one in place.
        if class < NBINS as u8 || size <= SMALL_MAX {
            // SAFETY: by the caller's promises.
            return unsafe { move_cached(object, class_size(class as usize), size) };
        }
    }
    slow()
}

/// Moves an object of `old` bytes, which the thread's cache may take, to one of up to [`LOOKUP_MAX`] bytes.
///
/// # Safety
/// As [`realloc`].
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
unsafe fn move_cached(object: *mut u8, old: usize, size: usize) -> *mut u8 {
    let new = malloc::<false>(size);
    if new.is_null() {
        return new;
    }
    // SAFETY: the old object holds `old` bytes, the new one those of its class, and they are different objects.
    unsafe { core::ptr::copy_nonoverlapping(object, new, old.min(class_size(index_small(size).idx()))) };
    // SAFETY: by the caller's promises.
    unsafe { free(object) };
    new
}

/// Changes an object to `request.size` bytes, keeping its contents up to the smaller size; may move it.
///
/// Null when memory has run out: the object is then as it was. With `zero`, bytes beyond the old usable size are
/// zero.
///
/// # Safety
/// 1. `object` came from this allocator and was not freed since.
/// 2. Nobody uses it at the same time; unless null is answered, nobody uses the old pointer any more.
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
pub unsafe fn realloc(object: *mut u8, request: Request) -> *mut u8 {
    let Some(wanted) = usable_aligned(request.size, request.align) else { return refuse(request.size) };
    safety::resized(object);
    let extent = extent_of_object(object);
    let old = usable_of(extent);
    if object.addr().is_multiple_of(request.align) && resize(extent, wanted, request.size, request.zero) {
        return object;
    }
    let simple = !request.zero && request.cache == Cache::Own && request.arena.is_none();
    let new = match simple {
        true if wanted > old => grown(wanted, request.align, request.size),
        true => malloc_aligned(request.size, request.align),
        false => alloc(request),
    };
    if new.is_null() {
        return new;
    }
    // SAFETY: the old object holds `old` bytes, the new one at least `wanted`, and they are different objects.
    unsafe { core::ptr::copy_nonoverlapping(object, new, old.min(wanted)) };
    // SAFETY: by the caller's promises.
    unsafe { free_through(object, request.cache) };
    new
}

/// Makes the object of an extent `wanted` bytes long without moving, of which `requested` were asked for; answers whether
/// that worked.
#[unsafe(link_section = "jealloc_text")]
fn resize(extent: &'static Extent, wanted: usize, requested: usize, zero: bool) -> bool {
    let old = usable_of(extent);
    if old == wanted {
        return true;
    }
    if extent.kind() != Kind::Large || wanted < LARGE_MIN {
        return false;
    }
    let thread = current_or_start();
    let sample = take_sample(extent, extent.object());
    let arena = table::owner(extent);
    // SAFETY: the object keeps `wanted` bytes of the `old` that it still has; its owner gave up the others (1).
    let leave = || unsafe { safety::shrunk(extent.object().wrapping_add(wanted), old - wanted) };
    let Some(zeroed) = arena.resize_large(extent, wanted, 0, leave) else {
        arena.set_sample(extent, sample);
        return false;
    };
    // To the profiler the old object died and a new one was born.
    sampling::unsample(thread.map(Block::prof), sample, extent.object(), old);
    if wanted > old {
        // SAFETY: the object is `wanted` bytes long now, and nobody knows yet of those from `old` on (1).
        unsafe {
            let tail = extent.object().add(old);
            if !safety::fill_new(tail, wanted - old, zeroed) && zero {
                tail.write_bytes(0, wanted - old);
            }
        }
    }
    if let Some(thread) = thread {
        count_deallocated(thread, old);
        count_allocated(thread, wanted);
        if let Some(rate) = event::uncached(thread, wanted) {
            let sample = sampling::sample(thread.prof(), rate, requested, wanted);
            arena.set_sample(extent, sample);
            sampling::born(thread.prof(), sample, extent.object(), extent.object(), requested, wanted);
        }
        note_growth(thread);
    }
    true
}

/// Resizes in place to between `size` and `size + extra` bytes, the more the better; answers the usable size that
/// the object has then, which is less than `size` when it could not be grown.
///
/// # Safety
/// As [`realloc`], except that the pointer stays valid.
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
pub unsafe fn resize_in_place(object: *mut u8, size: usize, extra: usize, zero: bool) -> usize {
    safety::resized(object);
    let extent = extent_of_object(object);
    let most = size.checked_add(extra).and_then(usable);
    let least = usable(size);
    let grown = most.is_some_and(|most| resize(extent, most, size, zero));
    // What was refused is not asked for twice: extent hooks would be.
    if !grown && least != most && usable_of(extent) < size {
        let _ = least.is_some_and(|least| resize(extent, least, size, zero));
    }
    usable_of(extent)
}
