//! How a thread gets a block, and gives it back at its end.
//!
//! The end is the destructor of a pthread key. Destructors of C++ and Rust thread-locals have run by then; those of
//! other keys, and libc itself, may still allocate and free: such calls find no block and are served uncached.

use core::ffi::c_void;
use core::sync::atomic::*;

use super::block::{Block, current};
use super::exchange::return_oldest;
use super::registry;
use super::used::Used;
use crate::arena::{Arena, binding, table};
use crate::os::tls::{self, Phase};
use crate::sampling;

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
    if key != 0
        && let Some(block) = current()
    {
        // SAFETY: the key was made by `register`. Any non-null value makes the destructor run.
        unsafe { libc::pthread_setspecific(key - 1, core::ptr::from_ref(block).cast::<c_void>()) };
    }
}

/// A block for the calling thread, bound to an arena; it is not published yet.
pub(super) fn make() -> Option<&'static Block> {
    let block = registry::unused()?;
    let Some(arena) = binding::bind() else {
        registry::give_back(block);
        return None;
    };
    // SAFETY: `unused` answers a block that no thread has.
    if !unsafe { block.start(arena, &table::BASE) } {
        binding::unbind(arena);
        registry::give_back(block);
        return None;
    }
    registry::enter(block);
    Some(block)
}

extern "C" fn end(_: *mut c_void) {
    let Some(block) = current() else { return };
    sampling::exit(block.prof());
    // From here on what a handler asks for and frees passes the block by.
    tls::set_block(tls::nobody());
    tls::set_phase(Phase::Exited);
    let used = Used::by(block);
    flush_used(block, used);
    registry::leave(block, used);
    // Last, since from now on the arena may be destroyed, with what it counts.
    binding::unbind(block.arena());
    block.renew(used.classes());
    registry::give_back(block);
}

/// Returns every object that the thread caches.
pub fn flush(thread: &Block) {
    flush_used(thread, Used::by(thread));
}

fn flush_used(thread: &Block, used: Used) {
    for class in used.classes() {
        return_oldest(thread, class, usize::MAX);
    }
}

/// Moves a thread to another arena; its cache goes back to where it came from. Answers whether it could: the arena may be
/// about to be destroyed.
pub fn rebind(thread: &Block, arena: &'static Arena) -> bool {
    if core::ptr::eq(thread.arena(), arena) {
        return true;
    }
    flush(thread);
    registry::rebind(thread, arena)
}
