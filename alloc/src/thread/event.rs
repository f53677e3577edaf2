//! Events: what happens every so many requests of a class, on the slow path.
//!
//! Each bin counts its requests down to its next event, which is the next sample if that is near, and at most
//! [`event_distance`] away. Sampling each byte with probability `1/R` is the same process whether the bytes are
//! looked at per thread or per class, so each class draws its own distance. What goes beyond the next event is kept for
//! the one after it, unless the profiler was switched or its rate changed: since the process has no memory, the
//! distance may be drawn anew then.

use core::sync::atomic::AtomicU64;

use super::block::Block;
use crate::arena::Arena;
use crate::relaxed::Relaxed;
use crate::sampling::{self, Rate};
use crate::size_class::class_size;
use crate::tcache::geometry::{TICK_BYTES, event_distance, watched_distance};
use crate::tcache::settings::{self, Pace};
use crate::thread::watch::{self, Watch};
use crate::thread::{counters, gc};
use crate::units::SzInd;

/// Handles the event of a class, whose objects are of `size` bytes. When the request that it fell on is to be sampled, answers
/// with which rate: that of its draw, which may have been before a change.
pub fn handle(thread: &Block, class: SzInd, size: usize) -> Option<Rate> {
    if !thread.side(class).armed.get() {
        return begin(thread, class, size);
    }
    let due = thread.bin(class).due.get().then(|| Rate::new(thread.side(class).lg.get()));
    // What the class allocates until then is counted in advance.
    let distance = arm(thread, class, size);
    watch::count(distance * size as u64);
    passed_sized(thread, size as u64, distance);
    due
}

/// Sets the first distance of a class, of which a request was just made that no draw has counted yet; answers as [`handle`].
#[cold]
#[inline(never)]
fn begin(thread: &Block, class: SzInd, size: usize) -> Option<Rate> {
    let wait = until_sample(thread, class, size);
    let side = thread.side(class);
    let due = (wait == Some(1)).then(|| Rate::new(side.lg.get()));
    side.rest.set(wait.map_or(0, |wait| wait - 1));
    arm(thread, class, size);
    due
}

/// Sets the distance to the next event of a class anew.
pub fn rearm(thread: &Block, class: SzInd) {
    arm(thread, class, class_size(class.idx()));
}

/// Sets the distance to the next event of a class, in requests, and answers it.
#[inline]
fn arm(thread: &Block, class: SzInd, size: usize) -> u64 {
    let most = match settings::pace() {
        _ if thread.exact.get() => 1,
        // A thread that is to collect every so many requests must notice them.
        Some(Pace::Requests(n)) => n.min(event_distance(class)),
        _ => event_distance(class),
    };
    let most = if thread.watch.is_on() { most.min(watched_distance(class)) } else { most };
    thread.side(class).armed.set(true);
    let until_sample = until_sample(thread, class, size);
    let distance = until_sample.map_or(most, |wait| wait.min(most));
    thread.side(class).rest.set(until_sample.map_or(0, |wait| wait - distance));
    let due = until_sample == Some(distance);
    if settings::each_call() {
        thread.side(class).wait.set(distance);
        thread.bin(class).arm(1, due);
    } else {
        thread.bin(class).arm(distance, due);
    }
    distance
}

/// Requests of a class until the next sampled one: what is left of the last draw, as long as that is valid, else a new one.
/// In a block that was another thread's what is left will do, too: the rest of an exponential distance is one.
#[inline]
fn until_sample(thread: &Block, class: SzInd, size: usize) -> Option<u64> {
    let (side, epoch) = (thread.side(class), sampling::epoch());
    let rest = side.rest.get();
    if rest != 0 && side.drawn.get() == epoch {
        return Some(rest);
    }
    let draw = sampling::draw_allocs(thread.prof(), size)?;
    side.drawn.set(epoch);
    side.lg.set(draw.rate.lg());
    Some(draw.distance)
}

/// Where each request takes the slow path: counts the one that has just been made, and answers whether no event falls on it.
#[inline(always)]
pub fn passes(thread: &Block, class: SzInd) -> bool {
    let (side, bin) = (thread.side(class), thread.bin(class));
    let wait = side.wait.get();
    if wait <= 1 {
        return false;
    }
    side.wait.set(wait - 1);
    bin.arm(1, bin.due.get());
    true
}

/// Sets all distances of the calling thread anew, so that a change of the profiler that it made itself takes effect with its next
/// allocation. Other threads notice at their next event of each class.
pub fn refresh(thread: &Block) {
    for class in thread.classes() {
        rearm(thread, class);
    }
}

/// Makes each request of a thread an event, and answers words that hold both of its counts from now on (`thread.allocatedp`,
/// `thread.deallocatedp`).
///
/// Every later call of the thread takes the slow path, about 3 ns more a call, and only for this thread.
pub fn count_exactly(thread: &'static Block) -> (&'static AtomicU64, &'static AtomicU64) {
    if !thread.exact.get() {
        thread.allocated.set(counters::allocated(thread));
        thread.deallocated.set(counters::deallocated(thread));
        thread.exact.set(true);
        for class in thread.classes() {
            rearm(thread, class);
            thread.close(class);
        }
    }
    (&thread.allocated, &thread.deallocated)
}

/// Does something with what watches a thread, whose events come as close as that needs from its next request on.
pub fn watched<R>(thread: &Block, f: impl FnOnce(&Watch) -> R) -> R {
    let before = thread.watch.is_on();
    let result = f(&thread.watch);
    if !before && thread.watch.is_on() {
        refresh(thread);
    }
    result
}

/// Whether an uncached object of `usable` bytes is to be sampled, and with which rate.
pub fn uncached(thread: &Block, usable: usize) -> Option<Rate> {
    let drawn = thread.wait_on.get() && thread.prof_epoch.get() == sampling::epoch();
    if !drawn && !draw_wait(thread) {
        return None;
    }
    let wait = thread.wait.get().saturating_sub_unsigned(usable as u64);
    thread.wait.set(wait);
    if wait > 0 {
        return None;
    }
    let rate = Rate::new(thread.wait_lg.get());
    draw_wait(thread);
    Some(rate)
}

fn draw_wait(thread: &Block) -> bool {
    thread.prof_epoch.set(sampling::epoch());
    let draw = sampling::draw_bytes(thread.prof());
    if let Some(draw) = draw {
        thread.wait.set(draw.distance.min(i64::MAX as u64) as i64);
        thread.wait_lg.set(draw.rate.lg());
    }
    thread.wait_on.set(draw.is_some());
    draw.is_some()
}

/// Most bytes of one object that bring the next turn of collection and decay nearer. A turn takes about as long as a large
/// object, and there is no more for it to do after one of them than after a small one; large pages that become unused
/// are looked at by the page layer itself.
const STEP_MAX: u64 = TICK_BYTES as u64 / 8;

/// Most bytes of one object of a cache that do so. What lies in caches unused is found by requests as well as by bytes: were
/// all bytes counted, a thousand objects of 8 KiB would bring three turns for every class, and empty caches that are about to be used.
const CACHED_STEP_MAX: u64 = TICK_BYTES as u64 / 64;

/// An uncached object was allocated, and counted.
pub fn allocated(thread: &Block, usable: usize) {
    watch::count(usable as u64);
    passed_one(thread, usable);
}

/// An object of `usable` bytes was allocated or freed past all caches.
pub fn passed_one(thread: &Block, usable: usize) {
    let bytes = usable as u64;
    // Whoever watches a thread's peak must not miss one large object.
    passed_by(thread, 1, bytes, if thread.watch.is_on() { bytes } else { bytes.min(STEP_MAX) });
}

/// About `n` objects of a cached class were allocated or freed: collection and decay have their turn now and then.
pub fn passed(thread: &Block, class: SzInd, n: u64) {
    passed_sized(thread, class_size(class.idx()) as u64, n);
}

fn passed_sized(thread: &Block, size: u64, n: u64) {
    passed_by(thread, n, n * size, n * if thread.watch.is_on() { size } else { size.min(CACHED_STEP_MAX) });
}

fn passed_by(thread: &Block, n: u64, bytes: u64, step: u64) {
    let pace = settings::pace();
    if let Some(pace) = pace {
        keep_pace(thread, pace, n, bytes);
    }
    let wait = thread.tick_wait.get().saturating_sub_unsigned(step);
    if wait > 0 {
        thread.tick_wait.set(wait);
        return;
    }
    thread.tick_wait.set(TICK_BYTES);
    if pace.is_none() {
        gc::turn(thread);
    }
    thread.arena().tick();
    watch::tick();
    if thread.watch.is_on() {
        thread.watch.look(counters::allocated(thread), counters::deallocated(thread));
    }
}

/// A thread has used an arena. When it is not the thread's own, which was looked after already, its decay and its bins have
/// their turn as often: there may be no thread that is bound to it.
pub fn visited(thread: &Block, arena: &Arena) {
    // Just set, so the thread's own arena had its turn just now.
    if thread.tick_wait.get() == TICK_BYTES && !core::ptr::eq(arena, thread.arena()) {
        arena.tick();
    }
}

/// Collection steps at a pace of their own. A round over all classes is as much as one event can bring.
#[cold]
fn keep_pace(thread: &Block, pace: Pace, n: u64, bytes: u64) {
    let (passed, every) = match pace {
        Pace::Bytes(every) => (bytes, every),
        Pace::Requests(every) => (n, every),
    };
    let due = thread.gc_wait.get().saturating_add_unsigned(passed) as u64;
    thread.gc_wait.set((due % every) as i64);
    for _ in thread.classes().take(usize::try_from(due / every).unwrap_or(usize::MAX)) {
        gc::step(thread);
    }
}
