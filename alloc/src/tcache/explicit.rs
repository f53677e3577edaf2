//! Explicit caches (`tcache.create`): the program makes them and says with each call which one serves it
//! (`MALLOCX_TCACHE`). Nothing collects them; `tcache.flush` and `tcache.destroy` empty them.
//!
//! The manual leaves it to the program to use each by one thread at a time. Here each has a lock, so that two threads
//! at once are slow instead of wrong.

use core::sync::atomic::*;

use super::bin::CacheBin;
use super::settings;
use crate::arena::Arena;
use crate::arena::batch::{BATCH_MAX, batch};
use crate::arena::large::LargeRequest;
use crate::arena::release::{From, release};
use crate::arena::table;
use crate::base::{Base, Zeroable};
use crate::relaxed::{Link, Relaxed};
use crate::size_class::{NBINS, NCACHED_MAX, class_size};
use crate::sync::{Mutex, Patience};
use crate::tcache::geometry::first_fill;
use crate::units::{ArenaInd, SzInd};

/// Most caches: the ids that the flags of `mallocx` have room for.
pub const CACHES_MAX: usize = 4093;

/// One cache. Lives in base memory for ever, and is used again when its id is; all-zero is an empty one.
#[derive(Default)]
pub struct Cache {
    bins: Mutex<Bins>,
    /// Whether its id stands for it.
    live: AtomicBool,
    /// The id below it among the free ones, plus one; 0 for none.
    next_free: AtomicU32,
    /// Arena of the thread that made it: what it holds counts there.
    arena: AtomicU32,
}

struct Bins([CacheBin; NCACHED_MAX]);

impl Default for Bins {
    fn default() -> Bins {
        // SAFETY: all fields are atomic numbers or pointers, of which zeros are an empty bin without room.
        unsafe { core::mem::zeroed() }
    }
}

// SAFETY: atomic numbers, and a mutex over bins, of which zeros are empty ones without room.
unsafe impl Zeroable for Cache {}
// SAFETY: the pointers in the bins are to objects and arrays that the cache owns; any thread may use them.
unsafe impl Send for Bins {}

/// Ids that were never used, and those that are free again.
struct Ids {
    next: u32,
    /// The last one freed, plus one; 0 for none.
    free: u32,
}

static IDS: Mutex<Ids> = Mutex::new(Ids { next: 0, free: 0 });
static TABLE: [Link<Cache>; CACHES_MAX] = [const { Link::new() }; CACHES_MAX];

/// Makes a cache and answers its id: the one that was freed last, or else the next. `None` when there are
/// [`CACHES_MAX`], or no memory.
pub fn create(arena: ArenaInd) -> Option<u32> {
    let mut ids = IDS.lock();
    let (id, cache) = match ids.free.checked_sub(1) {
        Some(id) => {
            let cache = TABLE[id as usize].get()?;
            ids.free = cache.next_free.get();
            (id, cache)
        }
        None => {
            let id = ids.next;
            let link = TABLE.get(id as usize)?;
            let cache = table::BASE.make::<Cache>()?;
            link.publish(cache);
            ids.next += 1;
            (id, cache)
        }
    };
    cache.arena.set(arena.0);
    cache.live.store(true, Ordering::Release);
    Some(id)
}

/// The cache of an id, if there is one.
pub fn get(id: u32) -> Option<&'static Cache> {
    TABLE.get(id as usize)?.acquire().filter(|cache| cache.live.load(Ordering::Acquire))
}

/// Empties the cache of an id; `false` when there is none.
pub fn flush(id: u32) -> bool {
    get(id).map(Cache::flush).is_some()
}

/// Ends the cache of an id, which is free then; `false` when there is none.
pub fn destroy(id: u32) -> bool {
    let mut ids = IDS.lock();
    let Some(cache) = get(id) else { return false };
    cache.live.store(false, Ordering::Release);
    // Whoever still uses it against the rules finds it without room, or leaves objects to the next owner of the id.
    cache.flush();
    cache.next_free.set(ids.free);
    ids.free = id + 1;
    true
}

/// Usable bytes of the objects in the caches that were made by threads of an arena, if the locks are to be had in time.
pub fn cached_bytes(arena: ArenaInd, patience: Patience) -> Option<usize> {
    let of = |cache: &'static Cache| {
        let bins = cache.bins.lock_within(patience)?;
        Some(bins.0.iter().enumerate().map(|(class, bin)| bin.depth() * class_size(class)).sum::<usize>())
    };
    made().filter(|cache| cache.arena.get() == arena.0).map(of).sum()
}

/// Every cache that was ever made.
fn made() -> impl Iterator<Item = &'static Cache> {
    TABLE.iter().map_while(Link::acquire)
}

impl Cache {
    /// An object of a cacheable class: from the cache, or `arena`, from which a few more are taken for the cache. `None`
    /// when memory has run out.
    pub fn alloc(&self, class: SzInd, arena: &Arena) -> Option<*mut u8> {
        let bins = self.bins.lock();
        let bin = &bins.0[class.idx()];
        if let Some(object) = bin.pop() {
            return Some(object);
        }
        if class.idx() >= NBINS {
            return Some(arena.alloc_large(LargeRequest::cached(class, 0))?.0);
        }
        let mut objects = [core::ptr::null_mut(); BATCH_MAX];
        let n = arena.fill(class, &mut objects[..first_fill(class) as usize]);
        let (&first, rest) = objects[..n].split_first()?;
        if make_room(bin, class, &arena.base, rest.len()) {
            bin.push_all(rest);
        } else {
            release(class, &mut objects[1..n], From::Cache);
        }
        Some(first)
    }

    /// Takes an object of a cacheable class. `false`: the cache does not hold the class, and took nothing.
    pub fn free(&self, class: SzInd, object: *mut u8, base: &Base) -> bool {
        let bins = self.bins.lock();
        let bin = &bins.0[class.idx()];
        bin.push(object) || make_room(bin, class, base, 1) && bin.push(object)
    }

    /// Whether the object is among the `n` newest of its class, which is cacheable.
    pub fn holds(&self, class: SzInd, object: *mut u8, n: usize) -> bool {
        self.bins.lock().0[class.idx()].holds(object, n)
    }

    fn flush(&self) {
        let bins = self.bins.lock();
        for class in (0..NCACHED_MAX as u8).map(SzInd) {
            let bin = &bins.0[class.idx()];
            give_back(bin, class, bin.depth());
        }
    }
}

/// Makes room for `n` objects, few against the limit of the class; `false` when the class is not held or there is no
/// memory for its array.
fn make_room(bin: &CacheBin, class: SzInd, base: &Base, n: usize) -> bool {
    let limit = if class <= settings::last() { settings::limit(class) as usize } else { 0 };
    if limit < n {
        return false;
    }
    if !bin.is_placed() {
        let Some(slots) = base.make_slice::<AtomicPtr<u8>>(limit + 1) else { return false };
        bin.place(slots[..limit].as_ptr_range().end.cast_mut().cast());
        bin.set_capacity(limit);
    }
    let depth = bin.depth();
    if depth + n > limit {
        give_back(bin, class, n.max(batch(class).min(limit / 2)).min(depth));
    }
    true
}

/// Returns the `n` oldest objects to where they came from.
fn give_back(bin: &CacheBin, class: SzInd, n: usize) {
    let mut left = n;
    while left != 0 {
        let mut objects = [core::ptr::null_mut(); BATCH_MAX];
        let some = &mut objects[..left.min(BATCH_MAX)];
        left -= some.len();
        bin.take_oldest(some);
        release(class, some, From::Cache);
    }
}

/// Locks for a fork.
pub fn hold() {
    IDS.hold();
    made().for_each(|cache| cache.bins.hold());
}

/// Unlocks after a fork.
///
/// # Safety
/// As [`Mutex::unhold`].
pub unsafe fn unhold() {
    // SAFETY: by the caller's promise; no cache was made since `hold`, since that takes the lock of the ids.
    unsafe {
        made().for_each(|cache| cache.bins.unhold());
        IDS.unhold();
    }
}
