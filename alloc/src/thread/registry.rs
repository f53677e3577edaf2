//! The blocks of threads: whose thread lives, whose waits for a new one, and what requests of a live thread its arena does
//! not know of.

use core::sync::atomic::*;

use super::block::{Block, ByState, current};
use crate::arena::{Arena, binding, table};
use crate::os::tls::{self, Phase};
use crate::relaxed::{List, Relaxed};
use crate::sync::{Mutex, MutexCounts, Patience};
use crate::units::{ArenaInd, SzInd};

/// Blocks of threads that have ended.
static FREE: Mutex<List<Block, ByState>> = Mutex::new(List::new());
/// Blocks of live threads.
static LIVE: Mutex<List<Block, ByState>> = Mutex::new(List::new());

/// A block that no thread has; `None` when memory has run out.
pub(super) fn unused() -> Option<&'static Block> {
    let recycled = FREE.lock().pop();
    recycled.or_else(|| table::BASE.make::<Block>())
}

/// The block is one for the next thread. No thread has it.
pub(super) fn give_back(block: &'static Block) {
    FREE.lock().push(block);
}

/// The block, which was started, is that of a live thread from now on.
pub(super) fn enter(block: &'static Block) {
    LIVE.lock().push(block);
}

/// The block's thread ends: its arena is told of its requests.
pub(super) fn leave(block: &'static Block) {
    // Under the lock, so that the statistics find each request either with the thread or with the arena.
    let live = LIVE.lock();
    tell_requests(block);
    live.remove(block);
}

/// Moves a thread, whose cache is empty, to another arena. Answers whether it could: the arena may be about to be destroyed.
pub(super) fn rebind(thread: &Block, arena: &'static Arena) -> bool {
    let _live = LIVE.lock();
    // First, since once the thread has left it the old arena may be destroyed, with what it counts.
    tell_requests(thread);
    let moved = binding::rebind(thread.arena(), arena);
    if moved {
        thread.set_arena(arena);
    }
    moved
}

/// Where threads are bound by processor, moves the thread to the arena of the one that it runs on. Its cache stays: those
/// arenas are never destroyed.
#[inline]
pub fn follow_processor(thread: &Block) {
    if binding::per_cpu() != 0
        && let Some(arena) = binding::follow_processor(thread.arena())
    {
        let _live = LIVE.lock();
        tell_requests(thread);
        thread.set_arena(arena);
    }
}

/// Adds the thread's requests to the counters of its arena, when it ends or leaves the arena. Called with the lock of the
/// live threads held.
fn tell_requests(thread: &Block) {
    for class in thread.classes() {
        // Of most classes there are none, and an addition that others see takes as long as a lock.
        if !thread.side(class).armed.get() {
            continue;
        }
        let untold = untold(thread, class);
        if untold != 0 {
            thread.arena().requests(class).fetch_add(untold, Ordering::Relaxed);
            thread.side(class).told.set(thread.bin(class).requests());
        }
    }
}

/// The thread's requests of a class that its arena does not know of. Between the two halves of `CacheBin::arm` another
/// thread, and a forked child, see fewer requests than there are.
fn untold(thread: &Block, class: SzInd) -> u64 {
    let untold = thread.bin(class).requests().wrapping_sub(thread.side(class).told.get()) as i64;
    untold.max(0) as u64
}

/// What a live thread has of a cached class. A racy reading.
#[derive(Clone, Copy, Debug)]
pub struct Cached {
    /// The arena that the thread allocates from.
    pub arena: ArenaInd,
    /// The class.
    pub class: SzInd,
    /// Objects in the cache.
    pub objects: usize,
    /// Requests that the arena does not know of.
    pub requests: u64,
}

/// Shows what each live thread has of each class to `each`, and answers whether the lock was to be had in time.
///
/// Cost: a few loads for each thread and class.
pub fn caches(patience: Patience, mut each: impl FnMut(Cached)) -> bool {
    let Some(live) = LIVE.lock_within(patience) else { return false };
    for block in live.iter() {
        for class in block.classes() {
            let (objects, requests) = (block.bin(class).depth(), untold(block, class));
            each(Cached { arena: block.arena().index(), class, objects, requests });
        }
    }
    true
}

/// How often the locks of both lists were taken and waited for.
pub fn mutex_counts() -> MutexCounts {
    let mut counts = LIVE.counts();
    counts.add(&FREE.counts());
    counts
}

/// Sets these to zero.
pub fn reset_mutex_counts() {
    LIVE.reset_counts();
    FREE.reset_counts();
}

/// Locks for a fork.
pub fn hold() {
    LIVE.hold();
    FREE.hold();
}

/// Unlocks after a fork.
///
/// # Safety
/// As [`Mutex::unhold`].
pub unsafe fn unhold() {
    // SAFETY: by the caller's promise.
    unsafe {
        FREE.unhold();
        LIVE.unhold();
    }
}

/// In the child of a fork: the other threads do not exist here. What they cached is lost, as in jemalloc: a thread
/// may have been in the middle of moving objects.
pub fn forget_others() {
    let mine = current();
    if mine.is_none() && tls::phase() == Phase::Starting {
        // An extent hook forks: which block is this thread's is not known here.
        return;
    }
    let live = LIVE.lock();
    for block in live.iter() {
        if mine.is_none_or(|mine| !core::ptr::eq(block, mine)) {
            tell_requests(block);
            live.remove(block);
        }
    }
    table::forget_threads(mine.map(Block::arena));
}
