//! Automatic arenas that threads make for themselves when they start, side by side and without the lock of the table for most of the time
//! that it takes.
//!
//! Each makes another one: an index is *claimed* first. Whoever starts while all are claimed, and some not made yet, makes one of these a second
//! time rather than share what there is for its life: who has claimed it may have lost its processor.

use core::sync::atomic::*;

use super::{Arena, Role, table};
use crate::relaxed::Relaxed;
use crate::units::{ARENAS_MAX, ArenaInd};

const WORDS: usize = ARENAS_MAX.div_ceil(64) as usize;

/// A bit for each index: whether a thread is making its arena, or has.
static CLAIMED: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];

fn bit(index: u32) -> u64 {
    1 << (index % 64)
}

fn is_claimed(index: u32) -> bool {
    CLAIMED[index as usize / 64].get() & bit(index) != 0
}

/// Whether the caller is the first who makes the arena of an index.
pub fn claim(index: u32) -> bool {
    CLAIMED[index as usize / 64].fetch_or(bit(index), Ordering::Relaxed) & bit(index) == 0
}

fn give_up(index: u32) {
    CLAIMED[index as usize / 64].fetch_and(!bit(index), Ordering::Relaxed);
}

/// The automatic arenas to choose from: those that there are, and those that nobody is making.
pub fn open_indices() -> impl Iterator<Item = u32> + Clone {
    table::automatic_indices().filter(|&index| is_made(index) || !is_claimed(index))
}

fn is_made(index: u32) -> bool {
    table::get(ArenaInd(index)).is_some()
}

/// An automatic arena that is still to be made.
pub fn missing() -> Option<u32> {
    table::automatic_indices().find(|&index| !is_made(index))
}

/// Makes the automatic arena of an index for the calling thread, which is bound to it; `None` when another thread was faster, or
/// memory has run out.
pub fn make_bound(index: u32) -> Option<&'static Arena> {
    let Some(arena) = table::structure() else {
        give_up(index);
        return None;
    };
    arena.start(ArenaInd(index), Role::Automatic);
    table::enter_bound(arena).then_some(arena)
}

/// In the child of a fork: who makes an arena in the parent is not here.
pub fn forked() {
    table::automatic_indices().filter(|&index| !is_made(index)).for_each(give_up);
}
