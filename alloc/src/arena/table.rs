//! The arenas there are, and which thread uses which.

use core::sync::atomic::*;

use super::Arena;
use crate::base::Base;
use crate::extent::Extent;
use crate::relaxed::{Link, Relaxed};
use crate::report;
use crate::sync::Mutex;
use crate::units::ArenaInd;

/// Most arenas: an index fits the 12 bits that `MALLOCX_ARENA` has for it.
pub const ARENAS_MAX: u32 = 4095;

static TABLE: [Link<Arena>; ARENAS_MAX as usize] = [const { Link::new() }; ARENAS_MAX as usize];
/// Guards the making of arenas and the binding of threads.
static LOCK: Mutex<()> = Mutex::new(());
/// Metadata of no single arena: the arenas themselves, the blocks of threads.
pub static BASE: Base = Base::new();
static AUTO: AtomicU32 = AtomicU32::new(1);
static DIRTY_MS: AtomicI64 = AtomicI64::new(10_000);
static MUZZY_MS: AtomicI64 = AtomicI64::new(0);

/// Settings for arenas that are made from now on.
#[derive(Clone, Copy, Debug)]
pub struct Defaults {
    /// Number of automatic arenas.
    pub narenas: u32,
    /// `dirty_decay_ms`.
    pub dirty_ms: i64,
    /// `muzzy_decay_ms`.
    pub muzzy_ms: i64,
}

/// Sets the defaults; called once, before the first arena is made.
pub fn configure(defaults: Defaults) {
    AUTO.set(defaults.narenas.clamp(1, ARENAS_MAX));
    DIRTY_MS.set(defaults.dirty_ms);
    MUZZY_MS.set(defaults.muzzy_ms);
}

/// Number of automatic arenas.
pub fn narenas() -> u32 {
    AUTO.get()
}

/// The arena of an index, when it has been made.
pub fn get(index: ArenaInd) -> Option<&'static Arena> {
    TABLE.get(index.0 as usize)?.acquire()
}

/// The arena of an index, made if need be. `None` when the index is out of range or memory has run out.
pub fn get_or_make(index: ArenaInd) -> Option<&'static Arena> {
    if let Some(arena) = get(index) {
        return Some(arena);
    }
    if index.0 >= narenas() {
        return None;
    }
    let _lock = LOCK.lock();
    make(index)
}

/// With the lock held.
fn make(index: ArenaInd) -> Option<&'static Arena> {
    let link = TABLE.get(index.0 as usize)?;
    if link.get().is_none() {
        let arena = BASE.make::<Arena>()?;
        arena.start(index, DIRTY_MS.get(), MUZZY_MS.get());
        link.publish(arena);
    }
    link.get()
}

/// All arenas that have been made.
pub fn all() -> impl Iterator<Item = &'static Arena> {
    TABLE[..narenas() as usize].iter().filter_map(Link::acquire)
}

/// The arena that an extent belongs to.
#[inline]
pub fn owner(extent: &Extent) -> &'static Arena {
    match get(extent.arena()) {
        Some(arena) => arena,
        None => report::fatal(format_args!("internal error: an extent of an arena that was never made")),
    }
}

/// Binds the calling thread to an arena: one that has not been made yet while there is one, otherwise the one with
/// the fewest threads.
pub fn bind() -> Option<&'static Arena> {
    let _lock = LOCK.lock();
    let threads = |index: &u32| get(ArenaInd(*index)).map_or(0, |arena| 1 + arena.nthreads.get());
    let index = (0..narenas()).min_by_key(threads)?;
    // Without memory for another arena, share the first.
    let arena = make(ArenaInd(index)).or_else(|| get(ArenaInd(0)))?;
    arena.nthreads.change(|n| n + 1);
    Some(arena)
}

/// Moves the calling thread from one arena to another.
pub fn rebind(from: &Arena, to: &Arena) {
    let _lock = LOCK.lock();
    from.nthreads.change(|n| n - 1);
    to.nthreads.change(|n| n + 1);
}

/// Undoes [`bind`] at thread exit.
pub fn unbind(arena: &Arena) {
    let _lock = LOCK.lock();
    arena.nthreads.change(|n| n - 1);
}

/// In the child of a fork: only the calling thread is left.
pub fn forget_threads(mine: &Arena) {
    all().for_each(|arena| arena.nthreads.set(0));
    mine.nthreads.set(1);
}

/// Locks all arenas for a fork.
pub fn hold() {
    LOCK.hold();
    all().for_each(Arena::hold);
    BASE.hold();
}

/// Unlocks after a fork.
///
/// # Safety
/// As [`Mutex::unhold`].
pub unsafe fn unhold() {
    // SAFETY: by the caller's promise: `hold` took exactly these, and no arena was made since (its lock is held).
    unsafe {
        BASE.unhold();
        all().for_each(|arena| arena.unhold());
        LOCK.unhold();
    }
}
