//! Objects that a thread allocated and freed and their usable bytes, exact although neither `malloc` nor `free` counts
//! bytes: requests are counted per class, and frees follow from depth, requests and what moved.

use super::block::Block;
use crate::relaxed::Relaxed;
use crate::size_class::class_size;
use crate::units::SzInd;

/// What one thread allocated and freed since it began. Both only grow; what a thread frees may be another one's.
///
/// An object that `realloc` moves counts as one allocation and one free, and so does a large one that it resizes in
/// place; one that already had the size counts as neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadCounts {
    /// Usable bytes allocated (`thread.allocated`).
    pub allocated: u64,
    /// Usable bytes freed (`thread.deallocated`).
    pub deallocated: u64,
    /// Objects allocated.
    pub allocations: u64,
    /// Objects freed.
    pub deallocations: u64,
}

/// All four counts of a thread.
pub fn all(thread: &Block) -> ThreadCounts {
    let mut counts = ThreadCounts {
        allocated: thread.allocated_other.get(),
        deallocated: thread.deallocated_other.get(),
        allocations: thread.allocations_other.get(),
        deallocations: thread.deallocations_other.get(),
    };
    for class in thread.classes() {
        let (usable, requests, frees) =
            (class_size(class.idx()) as u64, thread.bin(class).requests(), frees(thread, class));
        counts.allocations += requests;
        counts.allocated += requests * usable;
        counts.deallocations += frees;
        counts.deallocated += frees * usable;
    }
    counts
}

/// Objects of a class that the thread freed, those apart that did not come to its bin.
fn frees(thread: &Block, class: SzInd) -> u64 {
    let bin = thread.bin(class);
    (bin.depth() as i64 + bin.requests() as i64 + thread.side(class).moved.get()) as u64
}

/// Bytes that the thread ever allocated.
pub fn allocated(thread: &Block) -> u64 {
    let bins = thread.classes().map(|class| thread.bin(class).requests() * class_size(class.idx()) as u64);
    thread.allocated_other.get() + bins.sum::<u64>()
}

/// Bytes that the thread ever freed.
pub fn deallocated(thread: &Block) -> u64 {
    let bins = thread.classes().map(|class| frees(thread, class) * class_size(class.idx()) as u64);
    thread.deallocated_other.get() + bins.sum::<u64>()
}

/// Bytes that the thread allocated and did not free; below zero for one that frees what others allocated.
pub fn held(thread: &Block) -> i64 {
    allocated(thread).wrapping_sub(deallocated(thread)) as i64
}
