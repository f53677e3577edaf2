//! Allocation.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::request::{Cache, Request};
use super::safety;
use crate::arena::bin::extent_of_object;
use crate::arena::large::LargeRequest;
use crate::arena::sampled::place_of;
use crate::arena::{Arena, table};
use crate::extent::Kind;
use crate::os::probes;
use crate::page::pressure;
use crate::relaxed::Relaxed;
use crate::sampling::{self, Rate};
use crate::size_class::{
    LARGE_MIN, LOOKUP_MAX, NBINS, NCACHED, SMALL_MAX, aligned_size, always_aligned, cacheable, class_size,
    index_of, index_small, usable, usable_aligned,
};
use crate::tcache::{explicit, settings};
use crate::thread::block::{Block, current, current_or_nobody};
use crate::thread::exchange::{refill, stock};
use crate::thread::registry::follow_processor;
use crate::thread::start::current_or_start;
use crate::thread::{event, watch};
use crate::units::{ArenaInd, PAGE, SzInd};

/// `size` bytes, aligned for any type. With `ERRNO`, failure sets `errno` to `ENOMEM`: it is the slow path that
/// does so, which keeps the fast one free of a stack frame.
#[inline(always)]
pub fn malloc<const ERRNO: bool>(size: usize) -> *mut u8 {
    malloc_or(size, resume::<ERRNO>)
}

/// [`malloc`] whose slow path is the front's own: `slow` gets the size, finishes the allocation with [`resume`], and does
/// what the front wants done when that answers null. Nothing but the size is handed over, so that nothing else has to
/// be kept for it on the fast path.
#[inline(always)]
pub fn malloc_or(size: usize, slow: extern "C" fn(usize) -> *mut u8) -> *mut u8 {
    if size <= LOOKUP_MAX {
        let bin = current_or_nobody().bin(index_small(size));
        if !bin.request()
            && let Some(object) = bin.pop()
        {
            return object;
        }
    }
    slow(size)
}

/// Finishes an allocation that [`malloc_or`] has begun; null when memory has run out.
#[cold]
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
pub extern "C" fn resume<const ERRNO: bool>(size: usize) -> *mut u8 {
    match current() {
        Some(thread) if size <= LOOKUP_MAX => missed::<ERRNO>(thread, index_small(size), size),
        _ => general::<ERRNO>(size),
    }
}

/// As [`alloc`] without a wish but an alignment, a power of two: as fast as [`malloc`] up to a page.
#[inline(always)]
pub fn malloc_aligned(size: usize, align: usize) -> *mut u8 {
    // Rounding up to the alignment does not lead past a page. Size 0 is not among these.
    if size.wrapping_sub(1) < PAGE
        && align <= PAGE
        && let Some(thread) = current()
    {
        let class = index_small(aligned_size(size, align));
        let bin = thread.bin(class);
        if !bin.request()
            && let Some(object) = bin.pop()
        {
            return object;
        }
        return missed::<false>(thread, class, size);
    }
    aligned_slow(size, align)
}

#[cold]
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
fn aligned_slow(size: usize, align: usize) -> *mut u8 {
    if size.wrapping_sub(1) < SMALL_MAX
        && align <= PAGE
        && let Some(thread) = current()
    {
        let rounded = aligned_size(size, align);
        if rounded <= SMALL_MAX {
            return cached::<false>(thread, index_of(rounded), size);
        }
    }
    alloc(Request { size, align, ..Request::PLAIN })
}

/// One object of a class that threads cache, for a request of so many bytes.
#[inline(always)]
fn cached<const ERRNO: bool>(thread: &'static Block, class: SzInd, requested: usize) -> *mut u8 {
    let bin = thread.bin(class);
    if !bin.request()
        && let Some(object) = bin.pop()
    {
        return object;
    }
    missed::<ERRNO>(thread, class, requested)
}

/// The request was counted; its event is due, or the bin is empty, or every request comes here.
#[inline(always)]
fn missed<const ERRNO: bool>(thread: &'static Block, class: SzInd, requested: usize) -> *mut u8 {
    if settings::each_call() {
        return filled::<ERRNO>(thread, class, requested);
    }
    cached_slow::<ERRNO>(thread, class, requested)
}

/// [`missed`] while new memory is filled: as quick as can be for an object of the cache.
#[cold]
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
fn filled<const ERRNO: bool>(thread: &'static Block, class: SzInd, requested: usize) -> *mut u8 {
    match safety::filled(thread, class) {
        Some(object) => object,
        None => filled_slow::<ERRNO>(thread, class, requested),
    }
}

/// The rest of [`filled`], apart, so that it needs no room for what this needs.
#[cold]
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
fn filled_slow<const ERRNO: bool>(thread: &'static Block, class: SzInd, requested: usize) -> *mut u8 {
    let object = cached_slow::<ERRNO>(thread, class, requested);
    if !object.is_null() {
        // SAFETY: it has as many bytes as its class says, and is not handed out yet (1).
        unsafe { safety::fill_new(object, class_size(class.idx()), false) };
    }
    object
}

#[cold]
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
fn cached_slow<const ERRNO: bool>(thread: &'static Block, class: SzInd, requested: usize) -> *mut u8 {
    let (bin, usable) = (thread.bin(class), class_size(class.idx()));
    let exact = thread.exact.get();
    if exact {
        thread.open(class);
    }
    let due = if bin.event_due() { event::handle(thread, class, usable) } else { None };
    let sampled = due.and_then(|rate| sampled_object(thread, class, rate, requested));
    let object = sampled.map(|(object, _)| object).or_else(|| {
        if thread.caches(class) { bin.pop().or_else(|| refill(thread, class)) } else { bypass(thread, class) }
    });
    if exact {
        thread.close(class);
        thread.allocated.change(|n| n + object.map_or(0, |_| usable as u64));
    }
    note_growth(thread);
    if let Some((object, sample)) = sampled {
        sampling::born(thread.prof(), sample, object, place_of(object), requested, usable);
    }
    object.unwrap_or_else(|| {
        bin.unrequest();
        refuse(requested);
        fail::<ERRNO>()
    })
}

/// A sampled object of a cached class, and bits of its sample; `None` when the profiler declines or memory has run out.
#[inline(always)]
fn sampled_object(thread: &Block, class: SzInd, rate: Rate, requested: usize) -> Option<(*mut u8, u64)> {
    let arena = thread.arena();
    let usable = class_size(class.idx());
    let sample = sampling::sample(thread.prof(), rate, requested, usable);
    if sample == 0 {
        return None;
    }
    let object = if class.idx() < NBINS {
        arena.alloc_sampled(class, sample)
    } else {
        arena.alloc_large(LargeRequest::cached(class, sample)).map(|(object, _)| object)
    };
    match object {
        Some(_) => thread.side(class).moved.change(|moved| moved - 1),
        None => sampling::retract(sample),
    }
    object.map(|object| (object, sample))
}

/// An object of a cached class for a thread that does not cache.
fn bypass(thread: &Block, class: SzInd) -> Option<*mut u8> {
    follow_processor(thread);
    let object = from_arena(thread.arena(), class)?;
    thread.side(class).moved.change(|moved| moved - 1);
    Some(object)
}

fn from_arena(arena: &Arena, class: SzInd) -> Option<*mut u8> {
    if class.idx() < NBINS {
        return arena.bin(class).alloc(arena, class);
    }
    Some(arena.alloc_large(LargeRequest::cached(class, 0))?.0)
}

/// Sizes past the lookup table, and first calls of a thread.
#[cold]
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
fn general<const ERRNO: bool>(size: usize) -> *mut u8 {
    let object = usable(size).map_or_else(|| refuse(size), |usable| any(usable, 1, size).0);
    if object.is_null() { fail::<ERRNO>() } else { object }
}

/// Requests that were answered with null.
static REFUSALS: AtomicUsize = AtomicUsize::new(0);

/// The answer to a request for so many bytes that cannot be served, which is counted: once for each, where it is found out.
#[cold]
#[inline(never)]
pub fn refuse(size: usize) -> *mut u8 {
    REFUSALS.fetch_add(1, Ordering::Relaxed);
    probes::oom(size);
    null_mut()
}

/// How many requests for objects were refused.
pub fn refusals() -> usize {
    REFUSALS.load(Ordering::Relaxed)
}

/// The answer when memory has run out.
#[cold]
fn fail<const ERRNO: bool>() -> *mut u8 {
    safety::out_of_memory("malloc");
    if ERRNO {
        // SAFETY: the address of the calling thread's errno is always valid.
        unsafe { *libc::__errno_location() = libc::ENOMEM };
    }
    null_mut()
}

/// An object of `usable` bytes (as [`usable`] or [`usable_aligned`] answer for `requested`), and whether it is known to
/// be zero.
#[inline(always)]
fn any(usable: usize, align: usize, requested: usize) -> (*mut u8, bool) {
    let thread = current_or_start();
    if always_aligned(usable, align)
        && let Some(class) = cacheable(usable)
        && let Some(thread) = thread
        // Bins of classes past the default exist only in threads that cache them.
        && (class.idx() < NCACHED || thread.caches(class))
    {
        return (cached::<false>(thread, class, requested), false);
    }
    uncached(thread, None, None, usable, align, requested, false)
}

/// [`any`] in the place of a smaller object that had no room to grow.
pub(super) fn grown(usable: usize, align: usize, requested: usize) -> *mut u8 {
    let thread = current_or_start();
    let caches = |thread: &Block| cacheable(usable).is_some_and(|class| thread.caches(class));
    if usable < LARGE_MIN || thread.is_some_and(caches) {
        return any(usable, align, requested).0;
    }
    uncached(thread, None, None, usable, align, requested, true).0
}

/// An object that the thread's cache takes no part in, and whether it is known to be zero.
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
fn uncached(
    thread: Option<&'static Block>,
    arena: Option<&'static Arena>,
    cache: Option<&'static explicit::Cache>,
    usable: usize,
    align: usize,
    requested: usize,
    grows: bool,
) -> (*mut u8, bool) {
    let Some(arena) = arena.or_else(|| own(thread, usable)) else { return (refuse(requested), false) };
    let class = index_of(usable);
    let due = thread.and_then(|thread| Some((thread, event::uncached(thread, usable)?)));
    let sample = due.map_or(0, |(thread, rate)| sampling::sample(thread.prof(), rate, requested, usable));
    let small = usable < LARGE_MIN;
    let mut counted = false;
    let got = match (cache, cacheable(usable)) {
        (Some(cache), Some(class)) if sample == 0 && always_aligned(usable, align) => {
            cache.alloc(class, arena).map(|object| (object, false))
        }
        _ => match (small, sample) {
            (true, 0) => from_arena(arena, class).map(|object| (object, false)),
            (true, _) => arena.alloc_sampled(class, sample).map(|object| (object, false)),
            _ => {
                counted = true;
                arena.alloc_large(LargeRequest { usable, align, sample, direct: true, grows })
            }
        },
    };
    match (got, thread) {
        (None, _) => sampling::retract(sample),
        (Some((object, _)), thread) => {
            if !counted {
                arena.requests(class).fetch_add(1, Ordering::Relaxed);
            }
            if let Some(thread) = thread {
                count_allocated(thread, usable);
                event::visited(thread, arena);
                note_growth(thread);
                sampling::born(thread.prof(), sample, object, place_of(object), requested, usable);
            }
        }
    }
    match got {
        // SAFETY: it has `usable` bytes, and is not handed out yet (1).
        Some((object, zero)) => (object, unsafe { safety::fill_new(object, usable, zero) }),
        None => (refuse(requested), false),
    }
}

/// The arena of an object of `usable` bytes that no arena was named for. A thread that a program bound to an arena of its
/// own gets everything from there, oversize objects too.
fn own(thread: Option<&'static Block>, usable: usize) -> Option<&'static Arena> {
    if let Some(thread) = thread {
        follow_processor(thread);
        if thread.arena().is_manual() {
            return Some(thread.arena());
        }
    }
    let usual = || thread.map(|thread| thread.arena()).or_else(|| table::get_or_make(ArenaInd(0)));
    table::huge_for(usable).or_else(usual)
}

/// An object for a request that names an arena and leaves the choice of the cache to us.
///
/// As in jemalloc, an object that the thread has cached is taken whatever arena it is of; an empty bin is filled from the
/// named arena. Only a manual arena's objects do not stay in the cache: it could not be destroyed any more.
fn named(
    thread: Option<&'static Block>,
    arena: &'static Arena,
    usable: usize,
    align: usize,
    requested: usize,
) -> (*mut u8, bool) {
    if always_aligned(usable, align)
        && let Some(class) = cacheable(usable)
        && let Some(thread) = thread.filter(|thread| thread.caches(class))
        && (thread.bin(class).depth() != 0 || core::ptr::eq(arena, thread.arena()) || !arena.is_manual())
    {
        if thread.bin(class).depth() == 0 && !core::ptr::eq(arena, thread.arena()) {
            stock(thread, arena, class);
        }
        return (cached::<false>(thread, class, requested), false);
    }
    uncached(thread, Some(arena), None, usable, align, requested, false)
}

/// Counts an object that was allocated outside the cache bins.
pub(super) fn count_allocated(thread: &Block, usable: usize) {
    thread.allocations_other.change(|n| n + 1);
    thread.allocated_other.change(|n| n + usable as u64);
    thread.allocated.change(|n| n + usable as u64);
    event::allocated(thread, usable);
}

/// Tells the profiler how much memory is active, if it asked, and the control plane when memory gets short.
pub(super) fn note_growth(thread: &Block) {
    if pressure::due() {
        watch::tick();
    }
    if sampling::wants_growth() {
        let active: usize = table::all().map(|arena| arena.pages.counts().active).sum();
        sampling::grown(thread.prof(), active * PAGE);
    }
}

/// `n * size` zeroed bytes; null also when the product overflows.
#[inline]
#[unsafe(link_section = "jealloc_text")]
pub fn calloc(n: usize, size: usize) -> *mut u8 {
    let Some(bytes) = n.checked_mul(size) else { return refuse(usize::MAX) };
    if bytes <= SMALL_MAX {
        return zeroed((malloc::<false>(bytes), false), bytes);
    }
    let Some(usable) = usable(bytes) else { return refuse(bytes) };
    zeroed(any(usable, 1, bytes), bytes)
}

/// Zeroes what is not known to be zero.
#[inline]
fn zeroed((object, zero): (*mut u8, bool), bytes: usize) -> *mut u8 {
    let done = object.is_null() || zero || bytes > SMALL_MAX && by_kernel(object);
    if !done {
        // SAFETY: the object was just allocated with at least `bytes` bytes, and nobody else knows of it.
        unsafe { object.write_bytes(0, bytes) };
    }
    object
}

/// Lets the kernel provide zeros for a fresh object of `calloc_madvise_threshold` or more bytes, which costs less than to
/// write them; answers whether it did.
#[cold]
fn by_kernel(object: *mut u8) -> bool {
    let extent = extent_of_object(object);
    // A slab's pages have other objects on them.
    extent.kind() == Kind::Large && table::owner(extent).zero_large(extent)
}

/// Serves any [`Request`].
#[inline(never)]
#[unsafe(link_section = "jealloc_text")]
pub fn alloc(request: Request) -> *mut u8 {
    let Some(usable) = usable_aligned(request.size, request.align) else { return refuse(request.size) };
    let got = match (request.cache, request.arena) {
        (Cache::Own, None) => any(usable, request.align, request.size),
        (cache, index) => {
            // The first call of a process reads the options before an arena is made.
            let thread = current_or_start();
            let arena = match index {
                Some(index) => match table::get_or_make(index) {
                    Some(arena) => Some(arena),
                    None => return refuse(request.size),
                },
                None => None,
            };
            match (cache, arena) {
                (Cache::Own, Some(arena)) => named(thread, arena, usable, request.align, request.size),
                (Cache::Explicit(id), _) => {
                    uncached(thread, arena, explicit::get(id), usable, request.align, request.size, false)
                }
                _ => uncached(thread, arena, None, usable, request.align, request.size, false),
            }
        }
    };
    if request.zero { zeroed(got, usable) } else { got.0 }
}
