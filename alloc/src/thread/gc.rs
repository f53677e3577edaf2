//! Collection: a cache gives back what it did not need lately.
//!
//! Every [`TICK_BYTES`](crate::tcache::geometry::TICK_BYTES) bytes that a thread allocates (options can set another
//! pace), one class has its turn, and all of them at most once in [`ROUND`]. Between two turns the bin cannot have fallen below
//! its depth at the first minus the requests since: that many objects were surely not needed. Three quarters of them go back;
//! at the next turn if another thread is just at the arena's bin.

use crate::os::clock;
use crate::relaxed::Relaxed;
use crate::tcache::geometry::capacity_min;
use crate::tcache::settings;
use crate::thread::block::Block;
use crate::thread::exchange::return_oldest;
use crate::units::{Ns, SzInd};

/// Least time from the first class's turn to its next one. What a program does not need for so short a time it mostly needs
/// again: a thread that allocates a gigabyte in a second would give up all that it caches hundreds of times, and take it again.
pub const ROUND: Ns = Ns::from_ms(10);

/// Gives one class its turn, unless all had theirs just now.
pub fn turn(thread: &Block) {
    if thread.gc_class.get() == 0 {
        let now = clock::now();
        if now.since(Ns(thread.gc_round.get())) < ROUND {
            return;
        }
        thread.gc_round.set(now.0);
    }
    step(thread);
}

/// Gives one class its turn. Does nothing for a thread that does not cache: its bins must keep no room.
pub fn step(thread: &Block) {
    if !thread.caching.get() {
        return;
    }
    let class = SzInd(thread.gc_class.get());
    let next = class.0 + 1;
    thread.gc_class.set(if next < thread.nclasses() { next } else { 0 });
    let (bin, side) = (thread.bin(class), thread.side(class));
    if !thread.caches(class) || thread.arena().is_busy(class) {
        return;
    }
    let requests = bin.requests();
    let needed = requests.wrapping_sub(side.gc_requests.get()) as usize;
    let unused = (side.gc_depth.get() as usize).saturating_sub(needed).min(bin.depth());
    let surplus = unused - unused / 4;
    if surplus < side.delay.get() as usize {
        side.delay.change(|delay| delay - surplus as u16);
    } else {
        side.delay.set(settings::gc_delay(class));
        if surplus != 0 {
            return_oldest(thread, class, surplus);
        }
    }
    if side.misses.get() == 0 && !thread.exact.get() && settings::adaptive() {
        let capacity = capacity_min(class).min(side.limit.get() as usize).max(bin.depth());
        if capacity != side.capacity.get() as usize {
            side.capacity.set(capacity as u16);
            bin.set_capacity(capacity);
        }
    }
    side.misses.set(0);
    side.gc_depth.set(bin.depth() as u16);
    side.gc_requests.set(requests);
}
