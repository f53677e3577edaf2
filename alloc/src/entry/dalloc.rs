//! Deallocation, and what an object knows of itself.

use super::request::Cache;
use super::safety;
use crate::arena::{bin::extent_of_object, release::release_one, sampled::record_of, table};
use crate::extent::{Extent, Kind, map};
use crate::relaxed::Relaxed;
use crate::report;
use crate::sampling;
use crate::size_class::{NCACHED_MAX, cacheable, class_size};
use crate::tcache::explicit;
use crate::thread::block::{Block, current};
use crate::thread::event;
use crate::thread::exchange::make_room;
use crate::thread::start::current_or_start;
use crate::units::{ArenaInd, SzInd};

/// Frees an object. Null is ignored; a pointer that no allocating function returned ends the process, as far as it
/// is noticed.
///
/// # Safety
/// 1. `object` is null, or came from this allocator and was not freed since.
/// 2. Nobody uses it any more.
#[inline(always)]
pub unsafe fn free(object: *mut u8) {
    // 0 (not ours) and 255 (special) both become at least NCACHED_MAX.
    let class = map::class_byte(object).wrapping_sub(1);
    if class < NCACHED_MAX as u8
        && let Some(thread) = current()
        && thread.bin(SzInd(class)).push(object)
    {
        return;
    }
    free_slow(object);
}

/// Frees an object of which the caller tells how it was asked for. The size is only looked at on the slow path, which all
/// frees take while sizes are to be checked.
///
/// # Safety
/// As [`free`].
#[inline(always)]
pub unsafe fn free_sized(object: *mut u8, size: usize, align: usize) {
    let class = map::class_byte(object).wrapping_sub(1);
    if class < NCACHED_MAX as u8
        && let Some(thread) = current()
        && thread.bin(SzInd(class)).push(object)
    {
        return;
    }
    free_sized_slow(object, size, align);
}

#[cold]
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
fn free_sized_slow(object: *mut u8, size: usize, align: usize) {
    check_size(object, size, align);
    free_slow(object);
}

/// [`safety::check_size`] for objects of ours.
fn check_size(object: *mut u8, size: usize, align: usize) {
    if map::class_byte(object) != map::NONE {
        safety::check_size(object, size, align);
    }
}

/// Frees an object of which the caller tells how it was asked for; `cache` takes part.
///
/// # Safety
/// As [`free`].
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
pub unsafe fn free_sized_through(object: *mut u8, size: usize, align: usize, cache: Cache) {
    if cache == Cache::Own {
        // SAFETY: by the caller's promises.
        return unsafe { free_sized(object, size, align) };
    }
    check_size(object, size, align);
    // SAFETY: by the caller's promises.
    unsafe { free_through(object, cache) }
}

#[cold]
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
fn free_slow(object: *mut u8) {
    if object.is_null() {
        return;
    }
    let byte = map::class_byte(object);
    if byte == map::NONE {
        report::invalid_pointer(object);
    }
    let Some(thread) = current_or_start() else { return free_direct(None, object) };
    let class = match byte {
        map::SPECIAL if thread.arena().is_manual() => manual_class(object, Some(thread.arena().index())),
        map::SPECIAL => None,
        _ => Some(SzInd(byte - 1)),
    };
    match class {
        Some(class) if thread.caches(class) => free_cached(thread, class, object),
        _ => free_direct(Some(thread), object),
    }
}

/// The class of an object of a manual arena, of the given one or of any, that is not sampled and can be cached: by threads
/// that a program has bound to the arena, and in caches of the program's own.
fn manual_class(object: *mut u8, arena: Option<ArenaInd>) -> Option<SzInd> {
    let extent = extent_of_object(object);
    let wanted = match arena {
        Some(index) => extent.arena() == index,
        None => table::owner(extent).is_manual(),
    };
    match extent.kind() {
        Kind::Slab if wanted => Some(extent.class()),
        Kind::Large if wanted && extent.sample.get() == 0 => cacheable(extent.usable()),
        _ => None,
    }
}

fn free_cached(thread: &'static Block, class: SzInd, object: *mut u8) {
    let exact = thread.exact.get();
    if exact {
        thread.open(class);
        thread.deallocated.change(|n| n + class_size(class.idx()) as u64);
    }
    let bin = thread.bin(class);
    if exact {
        safety::freed(extent_of_object(object), object, Some(bin));
    }
    if !bin.push(object) {
        // A thread that only frees has no other occasion.
        let freed = bin.depth() as u64 / 2;
        event::passed(thread, freed, freed * class_size(class.idx()) as u64);
        // A callback of the program may have ended the caching of this class just now, and with it the room for it.
        if thread.caches(class) {
            make_room(thread, class);
        }
        if !bin.push(object) {
            thread.side(class).moved.change(|moved| moved + 1);
            release_one(extent_of_object(object), object);
        }
    }
    if exact {
        thread.close(class);
    }
}

fn free_direct(thread: Option<&'static Block>, object: *mut u8) {
    let extent = extent_of_object(object);
    let usable = usable_of(extent);
    safety::freed(extent, object, None);
    sampling::unsample(thread.map(Block::prof), take_sample(extent, object), object, usable);
    let owner = table::owner(extent);
    release_one(extent, object);
    let Some(thread) = thread else { return };
    count_deallocated(thread, usable);
    // The thread's own arena has its turns when the thread allocates; another one may have no occasion but this.
    if !core::ptr::eq(owner, thread.arena()) {
        event::passed(thread, 1, usable as u64);
        event::visited(thread, owner);
    }
}

/// Counts bytes that were freed outside the cache bins.
pub(super) fn count_deallocated(thread: &Block, usable: usize) {
    thread.deallocated_other.change(|n| n + usable as u64);
    thread.deallocated.change(|n| n + usable as u64);
}

/// Bits of the sample reference of an object, which forgets it.
pub(super) fn take_sample(extent: &'static Extent, object: *mut u8) -> u64 {
    let word = match extent.kind() {
        Kind::Slab => return 0,
        Kind::SampledSlab => match record_of(extent, object) {
            Some(record) => &record.sample,
            None => return 0,
        },
        Kind::Large => &extent.sample,
    };
    let bits = word.get();
    word.set(0);
    bits
}

/// Frees an object past the thread's cache.
///
/// # Safety
/// As [`free`].
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
pub unsafe fn free_uncached(object: *mut u8) {
    if !object.is_null() {
        free_direct(current_or_start(), object);
    }
}

/// Frees an object; `cache` takes part.
///
/// # Safety
/// As [`free`].
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
pub unsafe fn free_through(object: *mut u8, cache: Cache) {
    match cache {
        // SAFETY: by the caller's promises.
        Cache::Own => unsafe { free(object) },
        // SAFETY: by the caller's promises.
        Cache::Bypassed => unsafe { free_uncached(object) },
        Cache::Explicit(id) => free_explicit(object, id),
    }
}

fn free_explicit(object: *mut u8, id: u32) {
    if object.is_null() {
        return;
    }
    let thread = current_or_start();
    let byte = map::class_byte(object);
    if byte == map::NONE {
        report::invalid_pointer(object);
    }
    safety::freed(extent_of_object(object), object, None);
    let class = if byte == map::SPECIAL { manual_class(object, None) } else { Some(SzInd(byte - 1)) };
    let taken = class.filter(|&class| {
        explicit::get(id).is_some_and(|cache| {
            let arena =
                thread.map_or_else(|| table::owner(extent_of_object(object)), |thread| thread.arena());
            cache.free(class, object, &arena.base)
        })
    });
    match (taken, thread) {
        (None, _) => free_direct(thread, object),
        (Some(class), Some(thread)) => count_deallocated(thread, class_size(class.idx())),
        _ => {}
    }
}

/// Usable bytes of objects of an extent.
#[inline]
pub(super) fn usable_of(extent: &Extent) -> usize {
    match extent.kind() {
        Kind::Large => extent.usable(),
        _ => class_size(extent.class().idx()),
    }
}

/// Bytes that the owner of `object` may use; 0 for null.
///
/// # Safety
/// 1. `object` is null, or came from this allocator and was not freed since.
pub unsafe fn usable_size(object: *const u8) -> usize {
    if object.is_null() {
        return 0;
    }
    let byte = map::class_byte(object).wrapping_sub(1);
    if byte < NCACHED_MAX as u8 {
        return class_size(byte as usize);
    }
    usable_of(extent_of_object(object.cast_mut()))
}
