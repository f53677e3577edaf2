//! How a thread gets a block, and gives it back at its end.
//!
//! The end is the destructor of a pthread key. Destructors of C++ and Rust thread-locals have run by then; those of
//! other keys, and libc itself, may still allocate and free: such calls find no block and are served uncached.

use core::ffi::c_void;
use core::sync::atomic::*;

use super::block::{Block, ByState, current};
use super::event;
use crate::arena::{Arena, binding, table};
use crate::os::tls::{self, Phase};
use crate::relaxed::List;
use crate::sampling;
use crate::size_class::{NBINS, class_size};
use crate::sync::{Mutex, Patience};
use crate::thread::exchange::return_oldest;

/// Blocks of threads that have ended.
static FREE: Mutex<List<Block, ByState>> = Mutex::new(List::new());
/// Blocks of live threads.
static LIVE: Mutex<List<Block, ByState>> = Mutex::new(List::new());
/// The key plus one; 0 before there is one.
static KEY: AtomicU32 = AtomicU32::new(0);

/// Makes the key whose destructor ends threads. Called once, when allocation already works.
pub fn register() {
    let mut key = 0;
    // SAFETY: `key` is a valid place for the result, and `end` has the destructor's signature.
    if unsafe { libc::pthread_key_create(&raw mut key, Some(end)) } == 0 {
        KEY.store(key + 1, Ordering::Release);
    }
    watch_end();
}

/// Asks for [`end`] to be called when the calling thread ends. May allocate.
pub(super) fn watch_end() {
    let key = KEY.load(Ordering::Acquire);
    if key != 0 && !tls::block().is_null() {
        // SAFETY: the key was made by `register`. Any non-null value makes the destructor run.
        unsafe { libc::pthread_setspecific(key - 1, tls::block().cast::<c_void>()) };
    }
}

/// A block for the calling thread, bound to an arena; it is not published yet.
pub(super) fn make() -> Option<&'static Block> {
    let recycled = FREE.lock().pop();
    let block = match recycled {
        Some(block) => block,
        None => table::BASE.make::<Block>()?,
    };
    let Some(arena) = binding::bind() else {
        FREE.lock().push(block);
        return None;
    };
    // SAFETY: the block is fresh, or was taken off the list of unused ones just above.
    if !unsafe { block.start(arena, &table::BASE) } {
        binding::unbind(arena);
        FREE.lock().push(block);
        return None;
    }
    event::refresh(block);
    LIVE.lock().push(block);
    Some(block)
}

extern "C" fn end(_: *mut c_void) {
    let Some(block) = current() else { return };
    sampling::exit(block.prof());
    flush(block);
    tell_requests(block);
    tls::set_block(core::ptr::null_mut());
    tls::set_phase(Phase::Exited);
    binding::unbind(block.arena());
    LIVE.lock().remove(block);
    FREE.lock().push(block);
}

/// Returns every object that the thread caches.
pub fn flush(thread: &Block) {
    for class in thread.classes() {
        return_oldest(thread, class, usize::MAX);
    }
}

/// Moves a thread to another arena; its cache goes back to where it came from. Answers whether it could: the arena may be
/// about to be destroyed.
pub fn rebind(thread: &Block, arena: &'static Arena) -> bool {
    let old = thread.arena();
    if core::ptr::eq(old, arena) {
        return true;
    }
    flush(thread);
    let moved = binding::rebind(old, arena);
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
        thread.set_arena(arena);
    }
}

/// Adds the thread's requests to the counters of its arena; called once, when it ends.
fn tell_requests(thread: &Block) {
    let arena = thread.arena();
    for class in thread.classes() {
        let requests = thread.bin(class).requests();
        let counter = if class.idx() < NBINS {
            &arena.bin(class).nrequests
        } else {
            &arena.large.class(class).nrequests
        };
        counter.fetch_add(requests, Ordering::Relaxed);
    }
}

/// Usable bytes of the objects that live threads bound to an arena cache, if the lock is to be had in time. A racy
/// reading.
pub fn cached_bytes(arena: &Arena, patience: Patience) -> Option<usize> {
    let live = LIVE.lock_within(patience)?;
    let blocks = live.iter().filter(|block| core::ptr::eq(block.arena(), arena));
    let of = |block: &Block| {
        block.classes().map(|class| block.bin(class).depth() * class_size(class.idx())).sum::<usize>()
    };
    Some(blocks.map(of).sum())
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
    let Some(mine) = current() else { return };
    let live = LIVE.lock();
    for block in live.iter() {
        if !core::ptr::eq(block, mine) {
            live.remove(block);
        }
    }
    table::forget_threads(mine.arena());
}
