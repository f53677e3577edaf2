//! Objects move between a thread cache and its arena: in when a bin is empty, out when it is full.

use core::sync::atomic::Ordering;

use crate::arena::batch::{BATCH_MAX, batch};
use crate::arena::large::LargeRequest;
use crate::arena::release::{From, release};
use crate::arena::{Arena, bin::extent_of_object, table};
use crate::relaxed::Relaxed;
use crate::size_class::{NBINS, NCACHED};
use crate::tcache::settings;
use crate::thread::block::Block;
use crate::thread::registry::follow_processor;
use crate::units::SzInd;

/// Fills the bin of `class` and answers one object; `None` when memory has run out.
///
/// A batch from the depot of the thread's arena, or a few regions of its slabs: few at first, since most threads
/// use few of a class.
#[cold]
pub fn refill(thread: &Block, class: SzInd) -> Option<*mut u8> {
    follow_processor(thread);
    refill_from(thread, thread.arena(), class)
}

/// Fills the bin of `class`, which is empty, from an arena that is not the thread's own. Does nothing when memory has run
/// out.
#[cold]
pub fn stock(thread: &Block, arena: &Arena, class: SzInd) {
    if let Some(first) = refill_from(thread, arena, class) {
        thread.bin(class).push_all(&[first]);
    }
}

fn refill_from(thread: &Block, arena: &Arena, class: SzInd) -> Option<*mut u8> {
    let (bin, side) = (thread.bin(class), thread.side(class));
    side.misses.change(|n| n.saturating_add(1));
    let (limit, whole) = (side.limit.get() as usize, batch(class));
    // Straight into the bin: one copy of all.
    if class.idx() < NCACHED
        && limit >= whole
        && bin.fill(whole, |slots| arena.depot(class).pop(class, slots))
    {
        side.moved.change(|moved| moved - whole as i64);
        return bin.pop();
    }
    let mut objects = [core::ptr::null_mut(); BATCH_MAX];
    let n = if class.idx() < NBINS {
        // One object more than what stays in the bin, which has room for `limit`.
        let want = (side.fill.get() as usize).min(limit + 1);
        side.fill.set((2 * want).min(batch(class)) as u16);
        arena.fill(class, &mut objects[..want])
    } else {
        objects[0] = arena.alloc_large(LargeRequest::cached(class, 0))?.0;
        arena.large.class(class).nfills.fetch_add(1, Ordering::Relaxed);
        1
    };
    let (&first, rest) = objects[..n].split_first()?;
    side.moved.change(|moved| moved - n as i64);
    bin.push_all(rest);
    Some(first)
}

/// Makes room in a full bin: by growth when the bin also runs empty often, or another thread is just where its objects may have to
/// go; otherwise by moving its oldest objects to the depot of the arena where the first of them came from.
#[cold]
pub fn make_room(thread: &Block, class: SzInd) {
    let (bin, side) = (thread.bin(class), thread.side(class));
    let (capacity, limit) = (side.capacity.get() as usize, side.limit.get() as usize);
    if capacity + batch(class) <= limit && (side.misses.get() > 0 || thread.arena().is_busy(class)) {
        side.misses.set(0);
        side.capacity.set((capacity + batch(class)) as u16);
        bin.set_capacity(capacity + batch(class));
        return;
    }
    let mut left = leaving(class, limit).min(bin.depth());
    while left != 0 {
        let n = left.min(batch(class));
        left -= n;
        // A thread that is bound to a manual arena may have cached objects of it, which no other thread may get.
        let whole = class.idx() < NCACHED && n == batch(class) && !thread.arena().is_manual();
        if whole && bin.leave(n, |oldest| leave_in_depot(class, oldest)) {
            side.moved.change(|moved| moved + n as i64);
        } else {
            release_oldest(thread, class, n);
        }
    }
}

/// Leaves a batch in the depot of the arena that owns the first of it; `false` when there is no room.
fn leave_in_depot(class: SzInd, objects: &[*mut u8]) -> bool {
    let owner = table::owner(extent_of_object(objects[0]));
    owner.depot(class).push(class, &owner.base, objects, !owner.pages.at_once())
}

/// Returns the `n` oldest objects of a bin, at most [`BATCH_MAX`], to their slabs and extents.
fn release_oldest(thread: &Block, class: SzInd, n: usize) {
    let mut objects = [core::ptr::null_mut(); BATCH_MAX];
    let some = &mut objects[..n];
    thread.bin(class).take_oldest(some);
    thread.side(class).moved.change(|moved| moved + n as i64);
    release(class, some, From::Cache);
}

/// How many objects leave a full bin: a batch, or the share of the bin that the options ask for.
fn leaving(class: SzInd, limit: usize) -> usize {
    match settings::flush_div(class) {
        1 => batch(class).min(limit / 2),
        div => limit >> div,
    }
    .max(1)
}

/// Returns the `n` oldest objects of a bin to where they came from. The bin of a thread that counts exactly looks full
/// afterwards as before.
pub fn return_oldest(thread: &Block, class: SzInd, n: usize) {
    let mut left = n.min(thread.bin(class).depth());
    while left != 0 {
        let some = left.min(BATCH_MAX);
        left -= some;
        release_oldest(thread, class, some);
    }
    if thread.exact.get() {
        thread.close(class);
    }
}
