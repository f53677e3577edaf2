//! What a thread may change of its own cache while it runs (`thread.tcache.*`, `thread.idle`).
//!
//! Every change empties the cache and gives its bins new arrays: such changes are rare, and moving the contents of bins
//! whose sizes change would be code that hardly ever runs. Without memory for the arrays the thread goes on uncached.

use super::block::Block;
use super::lifecycle;
use crate::arena::table;
use crate::relaxed::Relaxed;
use crate::size_class::{NCACHED_MAX, class_size};
use crate::tcache::{ranges, settings};
use crate::units::SzInd;

/// Whether the thread caches from now on. `false`: there was no memory for the cache.
pub fn enable(thread: &'static Block, on: bool) -> bool {
    if thread.caching.get() == on {
        return true;
    }
    lifecycle::flush(thread);
    thread.caching.set(on);
    thread.lay_out(&table::BASE)
}

/// Largest size that the thread caches.
pub fn max(thread: &Block) -> usize {
    class_size(thread.last.get() as usize)
}

/// Lets the thread cache what requests of up to `bytes` get. `false`: there was no memory for the cache.
pub fn set_max(thread: &'static Block, bytes: usize) -> bool {
    let last = settings::last_of(bytes);
    if thread.last.get() == last.0 {
        return true;
    }
    lifecycle::flush(thread);
    thread.cover(last);
    thread.last.set(last.0);
    thread.lay_out(&table::BASE)
}

/// Sets how many objects of which sizes the thread caches, in the words of `tcache_ncached_max`. `false`: the text could
/// not be read, and nothing was changed, or there was no memory for the cache.
pub fn set_limits(thread: &'static Block, text: &[u8]) -> bool {
    if ranges::readable(text) != text.len() {
        return false;
    }
    lifecycle::flush(thread);
    // Classes that the thread does not cache, too: their limits count once it does.
    thread.cover(SzInd(NCACHED_MAX as u8 - 1));
    ranges::read(text, |class, n| thread.side(class).limit.set(n));
    thread.lay_out(&table::BASE)
}

/// The thread will be idle for a while: empties its cache, and, where there are many arenas, gives back the unused pages
/// of its own, which no other thread may touch for long.
pub fn idle(thread: &Block) {
    if thread.caching.get() {
        lifecycle::flush(thread);
    }
    // The reference's rule.
    if table::automatic() > 2 * crate::os::cpu::count() {
        thread.arena().purge();
    }
}
