//! Bytes that a thread allocated and freed, by usable size, exact although neither `malloc` nor `free` counts
//! bytes: requests are counted per class, and frees follow from depth, requests and what moved.

use core::sync::atomic::AtomicU64;

use super::block::Block;
use crate::relaxed::Relaxed;
use crate::size_class::class_size;

/// Bytes that the thread ever allocated.
pub fn allocated(thread: &Block) -> u64 {
    let bins = thread.classes().map(|class| thread.bin(class).requests() * class_size(class.idx()) as u64);
    thread.allocated_other.get() + bins.sum::<u64>()
}

/// Bytes that the thread ever freed.
pub fn deallocated(thread: &Block) -> u64 {
    let bins = thread.classes().map(|class| {
        let bin = thread.bin(class);
        let frees = bin.depth() as i64 + bin.requests() as i64 + thread.side(class).moved.get();
        frees as u64 * class_size(class.idx()) as u64
    });
    thread.deallocated_other.get() + bins.sum::<u64>()
}

/// Words that hold both counts from now on (`thread.allocatedp`, `thread.deallocatedp`).
///
/// Every later call of the thread takes the slow path, about 3 ns more a call, and only for this thread.
pub fn exact(thread: &'static Block) -> (&'static AtomicU64, &'static AtomicU64) {
    if !thread.exact.get() {
        thread.allocated.set(allocated(thread));
        thread.deallocated.set(deallocated(thread));
        thread.exact.set(true);
        for class in thread.classes() {
            super::event::rearm(thread, class);
            thread.close(class);
        }
    }
    (&thread.allocated, &thread.deallocated)
}
