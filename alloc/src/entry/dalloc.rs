//! Deallocation, and what an object knows of itself.

use super::request::Cache;
use super::safety;
use crate::arena::{
    bin::extent_of_object,
    release::release_one,
    sampled::{self, record_of},
    settings, table,
};
use crate::extent::{Extent, Kind, map};
use crate::relaxed::Relaxed;
use crate::report;
use crate::sampling;
use crate::size_class::{NCACHED_MAX, cacheable, class_size};
use crate::tcache::explicit;
use crate::thread::block::{Block, current, current_or_nobody};
use crate::thread::event;
use crate::thread::exchange::make_room;
use crate::thread::start::current_or_start;
use crate::units::SzInd;

/// Frees an object. Null is ignored; a pointer that no allocating function returned ends the process, as far as it
/// is noticed.
///
/// # Safety
/// 1. `object` is null, or came from this allocator and was not freed since.
/// 2. Nobody uses it any more.
#[inline(always)]
pub unsafe fn free(object: *mut u8) {
    // What is not ours and what is special have bins that are always full, and threads without a block have only such.
    if current_or_nobody().bin_of_byte(map::class_byte(object)).push(object) {
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
    if current_or_nobody().bin_of_byte(map::class_byte(object)).push(object) {
        return;
    }
    free_sized_slow(object, size, align);
}

#[cold]
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
fn free_sized_slow(object: *mut u8, size: usize, align: usize) {
    if !settings::frees_are_watched() {
        return free_slow(object);
    }
    if !current().is_some_and(|thread| safety::freed_to_cache(thread, object, Some((size, align)))) {
        safety::check_size(object, size, align);
        free_looked_at(object);
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
    // SAFETY: by the caller's promises.
    unsafe { free_sized_past_own(object, size, align, cache) }
}

/// [`free_sized_through`] for other caches than the thread's own.
///
/// # Safety
/// As [`free`].
#[cold]
#[inline(never)]
unsafe fn free_sized_past_own(object: *mut u8, size: usize, align: usize, cache: Cache) {
    safety::check_size(object, size, align);
    // SAFETY: by the caller's promises.
    unsafe { free_through(object, cache) }
}

#[cold]
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
fn free_slow(object: *mut u8) {
    if settings::frees_are_watched() {
        return free_watched(object);
    }
    free_uncommon(object);
}

#[cold]
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
fn free_watched(object: *mut u8) {
    if !current().is_some_and(|thread| safety::freed_to_cache(thread, object, None)) {
        free_looked_at(object);
    }
}

/// [`free_uncommon`], apart, so that those who call it need no room for what it needs.
#[cold]
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
fn free_looked_at(object: *mut u8) {
    free_uncommon(object);
}

/// A bin is full, or the object is not one that just anybody may cache.
#[inline(always)]
fn free_uncommon(object: *mut u8) {
    if object.is_null() {
        return;
    }
    let byte = map::class_byte(object);
    if byte == map::NONE {
        report::invalid_pointer(object);
    }
    let Some(thread) = current() else {
        // Made by another thread, which has its neighbours: were it cached, this thread would get it next, and write to a
        // cache line that the other one writes to as well.
        return free_direct(current_or_start(), object);
    };
    let class = if byte == map::SPECIAL { own_class(thread, object) } else { Some(SzInd(byte - 1)) };
    match class {
        Some(class) if thread.caches(class) => free_cached(thread, class, object),
        _ => free_direct(Some(thread), object),
    }
}

/// The class of an object with the map byte [`map::SPECIAL`], when the thread's cache may hold it: one of the manual arena that
/// the program has bound the thread to, or one that only comes here to be looked at.
fn own_class(thread: &Block, object: *mut u8) -> Option<SzInd> {
    let own = thread.arena();
    if !own.is_manual() && !settings::frees_are_watched() {
        return None;
    }
    let extent = extent_of_object(object);
    let fits = extent.is_shared() || extent.arena() == own.index();
    if fits { cacheable_class(extent) } else { None }
}

/// The class of an object that is not sampled and can be cached, whatever arena it is of.
pub(super) fn cacheable_class(extent: &Extent) -> Option<SzInd> {
    match extent.kind() {
        Kind::Slab => Some(extent.class()),
        Kind::Large if extent.sample.get() == 0 => cacheable(extent.usable()),
        _ => None,
    }
}

fn free_cached(thread: &'static Block, class: SzInd, object: *mut u8) {
    safety::freed(object);
    let bin = thread.bin(class);
    let exact = thread.exact.get();
    if exact {
        thread.open(class);
        thread.deallocated.change(|n| n + class_size(class.idx()) as u64);
    }
    if !bin.push(object) {
        // A thread that only frees has no other occasion.
        let freed = bin.depth() as u64 / 2;
        event::passed(thread, class, freed);
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

/// In the allocator's section by itself: what calls it does so last, and leaves no frame of its own.
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
fn free_direct(thread: Option<&'static Block>, object: *mut u8) {
    let extent = extent_of_object(object);
    let usable = usable_of(extent);
    safety::freed(object);
    sampling::unsample(thread.map(Block::prof), take_sample(extent, object), object, usable);
    let owner = table::owner(extent);
    release_one(extent, object);
    let Some(thread) = thread else { return };
    count_deallocated(thread, usable);
    // The thread's own arena has its turns when the thread allocates; another one may have no occasion but this.
    if !core::ptr::eq(owner, thread.arena()) {
        event::passed_one(thread, usable);
        event::visited(thread, owner);
    }
}

/// Counts an object that was freed outside the cache bins.
pub(super) fn count_deallocated(thread: &Block, usable: usize) {
    thread.deallocations_other.change(|n| n + 1);
    thread.deallocated_other.change(|n| n + usable as u64);
    thread.deallocated.change(|n| n + usable as u64);
}

/// Bits of the sample reference of an object, which forgets it.
pub(super) fn take_sample(extent: &'static Extent, object: *mut u8) -> u64 {
    match extent.kind() {
        Kind::Slab => 0,
        Kind::SampledSlab => record_of(extent, object).map_or(0, sampled::take),
        Kind::Large => {
            let bits = extent.sample.get();
            extent.sample.set(0);
            bits
        }
    }
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
    // A cache of the program's own may hold objects of any arena.
    let class =
        if byte == map::SPECIAL { cacheable_class(extent_of_object(object)) } else { Some(SzInd(byte - 1)) };
    let taken = class.filter(|&class| {
        explicit::get(id).is_some_and(|cache| {
            safety::check_newest(object, |n| cache.holds(class, object, n));
            safety::freed(object);
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
