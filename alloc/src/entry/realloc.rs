//! Changing the size of an object.

use core::sync::atomic::{AtomicUsize, Ordering};

use super::alloc::{Cache, Request, alloc, count_allocated, malloc, note_growth, refuse};
use super::dalloc::{count_deallocated, free_through, take_sample, usable_of};
use super::safety;
use crate::arena::{bin::extent_of_object, table};
use crate::extent::{Extent, Kind};
use crate::sampling;
use crate::size_class::{LARGE_MIN, QUANTUM, usable, usable_aligned};
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
    let Some(wanted) = usable_aligned(request.size, request.align) else { return refuse() };
    let extent = extent_of_object(object);
    let old = usable_of(extent);
    if object.addr().is_multiple_of(request.align) && resize(extent, wanted, request.size, request.zero) {
        return object;
    }
    let simple = request.align <= QUANTUM && !request.zero && request.cache == Cache::Own;
    // With such an alignment a size at least as large has the class of `wanted`.
    let new = if simple { malloc::<false>(request.size.max(request.align)) } else { alloc(request) };
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
    let Some(zeroed) = arena.resize_large(extent, wanted, 0) else {
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
        if event::uncached(thread, wanted) {
            let sample = sampling::sample(thread.prof(), requested, wanted);
            arena.set_sample(extent, sample);
            sampling::born(thread.prof(), sample, extent.object(), requested, wanted);
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
