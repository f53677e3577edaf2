//! The blocks of threads: whose thread lives, whose waits for a new one, and what requests of a live thread its arena does
//! not know of.

use core::sync::atomic::*;

use super::block::{Block, Made, Unused, current};
use super::used::Used;
use crate::arena::{Arena, binding, table};
use crate::os::tls::{self, Phase};
use crate::relaxed::{Pool, Relaxed, Stack};
use crate::units::{ArenaInd, SzInd};

/// Blocks that no thread has.
static UNUSED: Pool<Block, Unused> = Pool::new();
/// All blocks that were ever made.
static MADE: Stack<Block, Made> = Stack::new();

/// A block that no thread has; `None` when memory has run out.
pub(super) fn unused() -> Option<&'static Block> {
    UNUSED.pop().or_else(|| {
        let block = table::BASE.make::<Block>()?;
        MADE.push(block);
        Some(block)
    })
}

/// The block is one for the next thread. No thread has it.
pub(super) fn give_back(block: &'static Block) {
    UNUSED.push(block);
}

/// The block, which was started, is that of a live thread from now on, and counts for its arena.
pub(super) fn enter(block: &Block) {
    block.turn.store(block.turn.get() | 1, Ordering::Release);
}

/// The block's thread, which has used these classes, ends: its arena is told of its requests.
pub(super) fn leave(block: &'static Block, used: Used) {
    pause(block);
    tell_requests(block, used);
}

/// From here to the next [`enter`] statistics leave the block out: whoever sees a later write sees this.
fn pause(block: &Block) {
    block.turn.change(|turn| (turn | 1).wrapping_add(1));
    fence(Ordering::Release);
}

/// Moves a thread, whose cache is empty, to another arena. Answers whether it could: the arena may be about to be destroyed.
pub(super) fn rebind(thread: &Block, arena: &'static Arena) -> bool {
    pause(thread);
    // First, since once the thread has left it the old arena may be destroyed, with what it counts.
    tell_requests(thread, Used::by(thread));
    let moved = binding::rebind(thread.arena(), arena);
    if moved {
        thread.set_arena(arena);
    }
    enter(thread);
    moved
}

/// Where threads are bound by processor, moves the thread to the arena of the one that it runs on. Its cache stays: those
/// arenas are never destroyed.
#[inline]
pub fn follow_processor(thread: &Block) {
    if binding::per_cpu() != 0
        && let Some(arena) = binding::follow_processor(thread.arena())
    {
        pause(thread);
        tell_requests(thread, Used::by(thread));
        thread.set_arena(arena);
        enter(thread);
    }
}

/// Adds the thread's requests to the counters of its arena, when it ends or leaves the arena. Statistics read those of the arena
/// first, so that they rather miss requests of such a thread than find them twice.
fn tell_requests(thread: &Block, used: Used) {
    // Of most classes there are none, and an addition that others see takes as long as a lock.
    for class in used.classes() {
        let untold = untold(thread, class);
        if untold != 0 {
            // Not all that there are by now: a handler may have come between.
            thread.side(class).told.change(|told| told.wrapping_add(untold));
            // Release: who finds them with the arena finds them with the thread no more.
            thread.arena().requests(class).fetch_add(untold, Ordering::Release);
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

/// The blocks of live threads, each with its turn.
fn live() -> impl Iterator<Item = (&'static Block, u32)> {
    MADE.iter().map(|block| (block, block.turn.load(Ordering::Acquire))).filter(|(_, turn)| turn % 2 == 1)
}

/// Shows what each live thread has of each class to `each`, but for threads that end or move just then.
///
/// Cost: a few loads for each live thread and class, and one for each thread of the time when there were most.
pub fn caches(mut each: impl FnMut(Cached)) {
    for (block, turn) in live() {
        let arena = block.arena().index();
        for class in block.classes() {
            let (objects, requests) = (block.bin(class).depth(), untold(block, class));
            // Pairs with that in `pause`: what was read is of this turn, or the number is another.
            fence(Ordering::Acquire);
            if block.turn.get() != turn {
                break;
            }
            each(Cached { arena, class, objects, requests });
        }
    }
}

/// In the child of a fork: the other threads do not exist here. What they cached is lost, as in jemalloc: a thread
/// may have been in the middle of moving objects. So are requests that one was just telling its arena of.
pub fn forget_others() {
    let mine = current();
    if mine.is_none() && tls::phase() == Phase::Starting {
        // An extent hook forks: which block is this thread's is not known here.
        return;
    }
    live()
        .map(|(block, _)| block)
        .filter(|block| mine.is_none_or(|mine| !core::ptr::eq(*block, mine)))
        .for_each(|block| leave(block, Used::by(block)));
    table::forget_threads(mine.map(Block::arena));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::ARENAS_MAX;

    #[test]
    fn a_thread_that_ends_while_it_is_looked_at_is_shown_no_further() {
        // One of which the table does not know, with an index that no other has.
        let arena = table::BASE.make::<Arena>().unwrap();
        arena.start(ArenaInd(ARENAS_MAX - 1), crate::arena::Role::Manual);
        let block = unused().unwrap();
        // SAFETY: no thread has it.
        assert!(unsafe { block.start(arena, &table::BASE) });
        let shown = |meanwhile: &mut dyn FnMut()| {
            let mut shown = 0;
            caches(|cached| {
                if cached.arena == arena.index() {
                    shown += 1;
                    meanwhile();
                }
            });
            shown
        };
        assert_eq!(shown(&mut || ()), 0);
        enter(block);
        assert_eq!(shown(&mut || ()), block.classes().count());
        assert_eq!(shown(&mut || leave(block, Used::by(block))), 1);
        assert_eq!(shown(&mut || ()), 0);
        give_back(block);
    }
}
