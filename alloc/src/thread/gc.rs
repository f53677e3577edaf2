//! Collection: a cache gives back what it did not need lately.
//!
//! Every [`GC_STEP`](crate::tcache::geometry::GC_STEP) bytes that a thread allocates, one class has its turn. Between
//! two turns the bin cannot have fallen below its depth at the first minus the requests since: that many objects were
//! surely not needed. Three quarters of them go back.

use crate::relaxed::Relaxed;
use crate::size_class::NCACHED;
use crate::tcache::geometry::capacity_min;
use crate::thread::block::Block;
use crate::thread::exchange::return_oldest;
use crate::units::SzInd;

/// Gives one class its turn. Does nothing for a thread that does not cache: its bins must keep no room.
pub fn step(thread: &Block) {
    if !thread.caching.get() {
        return;
    }
    let class = SzInd(thread.gc_class.get());
    thread.gc_class.set((class.0 + 1) % NCACHED as u8);
    let (bin, side) = (thread.bin(class), thread.side(class));
    let requests = bin.requests();
    let needed = requests.wrapping_sub(side.gc_requests.get()) as usize;
    let unused = (side.gc_depth.get() as usize).saturating_sub(needed).min(bin.depth());
    return_oldest(thread, class, unused - unused / 4);
    if side.misses.get() == 0 && !thread.exact.get() {
        let capacity = capacity_min(class).max(bin.depth());
        side.capacity.set(capacity as u16);
        bin.set_capacity(capacity);
    }
    side.misses.set(0);
    side.gc_depth.set(bin.depth() as u16);
    side.gc_requests.set(requests);
}
