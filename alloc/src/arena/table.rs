//! The arenas there are: the space of indices, and what has which index.
//!
//! Indices: the automatic arenas first, then one for the huge arena when there is to be one, then those that programs
//! make. [`grow`] adds automatic ones behind them at run time. An index is given out before its arena is made; arenas are
//! made when first needed.

use core::sync::atomic::*;

use super::{Arena, ByRetired, Role, settings};
use crate::base::Base;
use crate::extent::Extent;
use crate::page::dss;
use crate::relaxed::{Link, List, Relaxed};
use crate::report;
use crate::sync::{Mutex, MutexCounts, Patience};
use crate::units::{ARENAS_MAX, ArenaInd};

static TABLE: [Link<Arena>; ARENAS_MAX as usize] = [const { Link::new() }; ARENAS_MAX as usize];
/// A [`Role`] for each index; 0 while it was not given out.
static ROLES: [AtomicU8; ARENAS_MAX as usize] = [const { AtomicU8::new(0) }; ARENAS_MAX as usize];
/// Guards which arenas there are, and threads' binding where that has to be exact.
pub(super) static LOCK: Mutex<Retired> = Mutex::new(Retired { destroyed: List::new(), surplus: List::new() });
/// Metadata of no single arena: the arenas themselves, the blocks of threads.
pub static BASE: Base = Base::new_main();
/// One more than the largest index that was ever given out.
static TOTAL: AtomicU32 = AtomicU32::new(1);
static AUTOMATIC: AtomicU32 = AtomicU32::new(1);
/// Index of the huge arena; 0 for none.
static HUGE: AtomicU32 = AtomicU32::new(0);
/// Usable size from which on an object belongs to the huge arena.
static OVERSIZE: AtomicUsize = AtomicUsize::new(usize::MAX);
/// The structure that was made last, which leads to all others.
static MADE: Link<Arena> = Link::new();
/// An arena without memory whose counters are the sums over all that were destroyed.
static DESTROYED: Link<Arena> = Link::new();

/// Structures that are no arena's.
pub(super) struct Retired {
    /// Those of destroyed arenas, whose indices, unless they were taken since, wait for the next life as well: the last one first.
    destroyed: List<Arena, ByRetired>,
    /// Those of arenas that somebody else made just then.
    surplus: List<Arena, ByRetired>,
}

/// How indices are given out at start.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Number of automatic arenas.
    pub automatic: u32,
    /// Usable size from which on an object goes to the huge arena, if there is to be one.
    pub oversize: Option<usize>,
}

/// Gives out the indices; called once, before any arena but the first is made.
pub fn configure(plan: Plan) {
    // One index is left for the huge arena, whether or not there is to be one, as in jemalloc.
    let automatic = plan.automatic.clamp(1, ARENAS_MAX - 1);
    for role in &ROLES[..automatic as usize] {
        role.set(Role::Automatic as u8);
    }
    AUTOMATIC.set(automatic);
    TOTAL.set(automatic);
    if let Some(bytes) = plan.oversize {
        ROLES[automatic as usize].set(Role::Huge as u8);
        HUGE.set(automatic);
        TOTAL.set(automatic + 1);
        OVERSIZE.set(bytes);
    }
    // Made by who allocated while the options were read.
    if let Some(first) = get(ArenaInd(0)) {
        first.pages.start(settings::decay_times(ArenaInd(0), Role::Automatic));
    }
}

/// Number of automatic arenas.
pub fn automatic() -> u32 {
    AUTOMATIC.get()
}

/// Number of indices that were given out: one more than the largest.
pub fn total() -> u32 {
    // Acquire pairs with the Release in `give_out`: whoever sees the number sees the roles below it.
    TOTAL.load(Ordering::Acquire)
}

/// What an index was given out for.
pub(super) fn role(index: u32) -> Option<Role> {
    Role::from_bits(ROLES.get(index as usize)?.get())
}

/// Whether an index is that of an automatic arena, made or not.
pub fn is_automatic(index: u32) -> bool {
    role(index) == Some(Role::Automatic)
}

/// Indices of all automatic arenas, made or not.
pub(super) fn automatic_indices() -> impl Iterator<Item = u32> + Clone {
    (0..total()).filter(|&index| is_automatic(index))
}

/// The arena of an index, when it has been made.
pub fn get(index: ArenaInd) -> Option<&'static Arena> {
    TABLE.get(index.0 as usize)?.acquire()
}

/// The arena of an index, made if need be: an index that was not given out yet becomes a manual arena, as in jemalloc.
/// `None` when the index is out of range, its arena is just being destroyed, or memory has run out.
pub fn get_or_make(index: ArenaInd) -> Option<&'static Arena> {
    if let Some(arena) = get(index) {
        return (!arena.is_dying()).then_some(arena);
    }
    if index.0 >= ARENAS_MAX {
        return None;
    }
    let mut retired = LOCK.lock();
    make(&mut retired, index)
}

/// The arena for an object of `usable` bytes that no arena was named for, when that is the huge one.
#[inline]
pub fn huge_for(usable: usize) -> Option<&'static Arena> {
    if usable < OVERSIZE.get() {
        return None;
    }
    get_or_make(ArenaInd(HUGE.get()))
}

/// The huge arena, if it was made.
pub fn huge() -> Option<&'static Arena> {
    TABLE.get(HUGE.get() as usize)?.acquire().filter(|arena| arena.role() == Role::Huge)
}

/// The arena of `index`, with the lock held.
pub(super) fn make(retired: &mut Retired, index: ArenaInd) -> Option<&'static Arena> {
    let link = TABLE.get(index.0 as usize)?;
    if link.get().is_none() {
        // The first is automatic even before the options are read: whoever is told of a mistake in them may allocate.
        let usual = if index.0 == 0 { Role::Automatic } else { Role::Manual };
        let role = role(index.0).unwrap_or(usual);
        let arena = match retired.take(index) {
            Some(arena) => arena,
            None => {
                let fresh = retired.surplus.pop().or_else(|| BASE.make::<Arena>())?;
                list(fresh);
                fresh
            }
        };
        arena.start(index, role);
        link.publish(arena);
        give_out(index.0, role);
    }
    link.get()
}

/// The structure is one that was used. With the lock held.
fn list(arena: &'static Arena) {
    arena.made_before.set(MADE.get());
    MADE.publish(arena);
}

/// A structure for an arena that is made without the lock.
pub(super) fn structure() -> Option<&'static Arena> {
    let surplus = LOCK.lock_unless_stuck().and_then(|retired| retired.surplus.pop());
    surplus.or_else(|| BASE.make::<Arena>())
}

/// Enters an automatic arena that was made without the lock, for the calling thread, which is bound to it. `false` when there is one
/// already: then the structure is for the next.
pub(super) fn enter_bound(arena: &'static Arena) -> bool {
    let retired = LOCK.lock();
    let link = &TABLE[arena.index().0 as usize];
    if link.get().is_some() {
        retired.surplus.push(arena);
        return false;
    }
    arena.nthreads.set(1);
    list(arena);
    link.publish(arena);
    true
}

fn give_out(index: u32, role: Role) {
    ROLES[index as usize].set(role as u8);
    if index >= TOTAL.get() {
        TOTAL.store(index + 1, Ordering::Release);
    }
}

/// Makes a manual arena, with the index of the one destroyed last if there is one. `None` when indices or memory have run
/// out. `prepare` is called before anybody else can know of the arena.
pub fn create(prepare: impl FnOnce(&'static Arena)) -> Option<&'static Arena> {
    let mut retired = LOCK.lock();
    let index = retired.newest().or_else(|| {
        let next = TOTAL.get();
        // The last indices may have been used by number, with holes below them.
        if next < ARENAS_MAX { Some(next) } else { (0..ARENAS_MAX).find(|&index| role(index).is_none()) }
    })?;
    let arena = make(&mut retired, ArenaInd(index))?;
    prepare(arena);
    Some(arena)
}

/// Raises the number of automatic arenas to `n`; new threads use them. Answers whether it is `n` now: the number never
/// falls, and indices may run out.
pub fn grow(n: u32) -> bool {
    let _lock = LOCK.lock();
    let more = n.checked_sub(AUTOMATIC.get());
    let first = TOTAL.get();
    let Some(end) = more.and_then(|more| first.checked_add(more)).filter(|&end| end <= ARENAS_MAX) else {
        return false;
    };
    for index in first..end {
        give_out(index, Role::Automatic);
    }
    AUTOMATIC.set(n);
    true
}

/// All arenas that have been made and not destroyed.
pub fn all() -> impl Iterator<Item = &'static Arena> {
    TABLE[..total() as usize].iter().filter_map(Link::acquire)
}

/// An arena without memory whose counters are the sums over all arenas that were destroyed; `None` before the first was.
pub fn destroyed() -> Option<&'static Arena> {
    DESTROYED.acquire()
}

/// Metadata of destroyed arenas, which the next ones use, as (bytes handed out, resident, mapped); `None`
/// when the lock was not to be had in time.
pub fn retired_metadata(patience: Patience) -> Option<(usize, usize, usize)> {
    let retired = LOCK.lock_within(patience)?;
    let structures = retired.destroyed.iter().chain(retired.surplus.iter());
    let sums = structures.fold((0, 0, 0), |(allocated, resident, mapped), arena| {
        let base = &arena.base;
        (allocated + base.allocated(), resident + base.resident(), mapped + base.mapped())
    });
    Some(sums)
}

impl Retired {
    /// A structure for the arena of `index`, the one that had the index before if it is here.
    fn take(&mut self, index: ArenaInd) -> Option<&'static Arena> {
        let arena = self.destroyed.iter().find(|arena| arena.index() == index)?;
        self.destroyed.remove(arena);
        Some(arena)
    }

    /// The index of the arena that was destroyed last.
    fn newest(&self) -> Option<u32> {
        self.destroyed.first().map(|arena| arena.index().0)
    }
}

/// Destroys a manual arena that no thread is bound to: discards its objects, gives all its pages back and frees its index.
/// Answers whether it did. Its counters live on in [`destroyed`].
///
/// `forget` is called with the address, the bits of the sample reference and the usable size of each sampled object. The caller promises
/// that nobody uses the arena or an object of it, now or later, and that no thread cache holds one.
pub fn destroy(arena: &'static Arena, forget: &mut dyn FnMut(*mut u8, u64, usize)) -> bool {
    let sums = {
        let _lock = LOCK.lock();
        if arena.role() != Role::Manual || arena.bound_threads() != 0 || arena.is_dying() {
            return false;
        }
        let sums = match DESTROYED.get() {
            Some(sums) => sums,
            None => {
                let Some(sums) = BASE.make::<Arena>() else { return false };
                DESTROYED.publish(sums);
                sums
            }
        };
        arena.die();
        sums
    };
    arena.reset(forget);
    arena.pages.purge_all();
    sums.add_counts(arena);
    arena.pages.destroy();
    let retired = LOCK.lock();
    let index = arena.index().0 as usize;
    TABLE[index].set(None);
    ROLES[index].set(0);
    retired.destroyed.push(arena);
    true
}

/// Gives address space that arenas keep without need back to the kernel, for a request of `npages` that found none: each
/// arena keeps its own, and one may have what another lacks. Answers whether there was enough to try again.
#[cold]
pub(super) fn release_address_space(npages: usize) -> bool {
    let enough = all().map(|arena| arena.pages.empty()).sum::<usize>() >= npages;
    if enough {
        all().for_each(|arena| arena.pages.release_empty());
    }
    enough
}

/// The arena that an extent belongs to.
#[inline]
pub fn owner(extent: &Extent) -> &'static Arena {
    match get(extent.arena()) {
        Some(arena) => arena,
        None => report::fatal(format_args!("internal error: an extent of an arena that was never made")),
    }
}

/// In the child of a fork: only the calling thread is left, which is bound to `mine` if it has allocated yet.
pub fn forget_threads(mine: Option<&Arena>) {
    all().for_each(|arena| arena.nthreads.set(0));
    mine.into_iter().for_each(|mine| mine.nthreads.set(1));
}

/// Every arena that was ever made, those that wait for their next life included: a background thread may be about to leave one.
fn ever_made() -> impl Iterator<Item = &'static Arena> {
    core::iter::successors(MADE.acquire(), |arena| arena.made_before.get()).chain(destroyed())
}

/// How often the lock of the arenas was taken and waited for.
pub fn mutex_counts() -> MutexCounts {
    LOCK.counts()
}

/// Sets these to zero.
pub fn reset_mutex_counts() {
    LOCK.reset_counts();
}

/// Lets `set` give an arena hooks of a program. A fork that has found it without such does not go on meanwhile: it would take
/// the locks of arena 0 first, and the hooks might wait for memory from there with a lock that the fork wants.
pub fn hooking<R>(arena: &Arena, set: impl FnOnce() -> R) -> R {
    let _lock = (!arena.pages.has_hooks()).then(|| LOCK.lock());
    set()
}

/// Locks all arenas for a fork, each kind of lock of all arenas before the next kind: a thread that holds a bin of one
/// arena may take the pages of another.
///
/// Arenas with hooks of a program come first. Their locks may be held while a hook runs, which may wait for memory from
/// arena 0. Cost: about 200 locks for each arena.
pub fn hold() {
    LOCK.hold();
    ever_made().for_each(|arena| arena.hooked.set(arena.pages.has_hooks()));
    for hooked in [true, false] {
        let some = || ever_made().filter(|arena| arena.hooked.get() == hooked);
        some().for_each(Arena::hold_depots);
        some().for_each(Arena::hold_bins);
        some().for_each(Arena::hold_pages);
    }
    dss::hold();
    BASE.hold();
}

/// Unlocks after a fork.
///
/// # Safety
/// As [`Mutex::unhold`].
pub unsafe fn unhold() {
    // SAFETY: by the caller's promise: `hold` took exactly these, and no arena was made or ended since (its lock is held).
    unsafe {
        BASE.unhold();
        dss::unhold();
        ever_made().for_each(|arena| arena.unhold());
        LOCK.unhold();
    }
}

/// In the child of a fork, before it has a second thread, with nothing held: finds what threads of the parent had half done.
pub fn forked() {
    ever_made().for_each(|arena| arena.pages.forked());
}
