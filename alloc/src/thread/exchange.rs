//! Objects move between a thread cache and its arena: in when a bin is empty, out when it is full.

use crate::arena::depot::{BATCH_MAX, batch};
use crate::arena::large::LargeRequest;
use crate::arena::{bin::extent_of_object, release::release, table};
use crate::relaxed::Relaxed;
use crate::size_class::{NBINS, class_size};
use crate::thread::block::Block;
use crate::units::{PAGE, SzInd};

/// Fills the bin of `class` and answers one object; `None` when memory has run out.
///
/// A batch from the depot of the thread's arena, or a few regions of its slabs: few at first, since most threads
/// use few of a class.
#[cold]
pub fn refill(thread: &Block, class: SzInd) -> Option<*mut u8> {
    let arena = thread.arena();
    let (bin, side) = (thread.bin(class), thread.side(class));
    side.misses.change(|n| n.saturating_add(1));
    let mut objects = [core::ptr::null_mut(); BATCH_MAX];
    let n = if arena.depot(class).pop(class, &mut objects) {
        batch(class)
    } else if class.idx() < NBINS {
        let want = side.fill.get() as usize;
        side.fill.set((2 * want).min(batch(class)) as u16);
        arena.bin(class).fill(arena, class, &mut objects[..want])
    } else {
        let usable = class_size(class.idx());
        objects[0] = arena.alloc_large(LargeRequest { usable, align: PAGE, sample: 0 })?.0;
        1
    };
    let (&first, rest) = objects[..n].split_first()?;
    side.moved.change(|moved| moved - n as i64);
    bin.push_all(rest);
    Some(first)
}

/// Makes room in a full bin: by growth when the bin also runs empty often, otherwise by moving its oldest batch to
/// the depot of the arena where the first of them came from.
#[cold]
pub fn make_room(thread: &Block, class: SzInd) {
    let (bin, side) = (thread.bin(class), thread.side(class));
    let n = batch(class);
    let capacity = side.capacity.get() as usize;
    if side.misses.get() > 0 && capacity + n <= crate::tcache::geometry::slots(class) {
        side.misses.set(0);
        side.capacity.set((capacity + n) as u16);
        bin.set_capacity(capacity + n);
        return;
    }
    let mut objects = [core::ptr::null_mut(); BATCH_MAX];
    let oldest = &mut objects[..n.min(bin.depth())];
    if oldest.is_empty() {
        return;
    }
    bin.take_oldest(oldest);
    side.moved.change(|moved| moved + oldest.len() as i64);
    let owner = table::owner(extent_of_object(oldest[0]));
    if oldest.len() < n || !owner.depot(class).push(class, &owner.base, oldest) {
        release(class, oldest);
    }
}

/// Returns the `n` oldest objects of a bin to where they came from. The bin of a thread that counts exactly looks full
/// afterwards as before.
pub fn return_oldest(thread: &Block, class: SzInd, n: usize) {
    let (bin, side) = (thread.bin(class), thread.side(class));
    let mut left = n.min(bin.depth());
    while left != 0 {
        let mut objects = [core::ptr::null_mut(); BATCH_MAX];
        let some = &mut objects[..left.min(BATCH_MAX)];
        left -= some.len();
        bin.take_oldest(some);
        side.moved.change(|moved| moved + some.len() as i64);
        release(class, some);
    }
    if thread.exact.get() {
        thread.close(class);
    }
}
