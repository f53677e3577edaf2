//! Sums over all arenas for others than `mallctl`: dumps, and glibc's functions. They take no snapshot, need no memory,
//! and can do without a lock that is not to be had.

use core::sync::atomic::Ordering;

use crate::arena::{Arena, table};
use crate::extent::map;
use crate::size_class::class_size;
use crate::sync::Patience;
use crate::tcache::explicit;
use crate::thread::registry;
use crate::units::PAGE;

/// Sums over all arenas, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Usable bytes of objects, cached ones included.
    pub allocated: usize,
    /// Pages that hold objects.
    pub active: usize,
    /// The allocator's own structures.
    pub metadata: usize,
    /// Pages that memory backs.
    pub resident: usize,
    /// Address space in use.
    pub mapped: usize,
    /// Address space kept for reuse.
    pub retained: usize,
    /// Unused pages that were not given back.
    pub dirty: usize,
    /// Unused pages that the kernel may take.
    pub muzzy: usize,
    /// Usable bytes of objects in thread caches and depots.
    pub tcache_bytes: usize,
}

/// Adds up all arenas now; `None` when a lock was not to be had in time.
/// Cost: every lock of bins and pages of every arena, once.
pub fn gather(patience: Patience) -> Option<Totals> {
    let mut totals = Totals {
        metadata: table::BASE.allocated(),
        resident: table::BASE.resident(),
        mapped: table::BASE.mapped(),
        ..Totals::default()
    };
    registry::caches(|cached| {
        totals.tcache_bytes += cached.objects * class_size(cached.class.idx());
    });
    for arena in table::all() {
        totals.tcache_bytes += explicit::cached_bytes(arena.index(), patience)? + depots(arena, patience)?;
        totals.allocated += allocated(arena, patience)?;
        let pages = arena.pages.counts_within(patience)?;
        // By what is reserved, not by what is used: a bound that purging does not change.
        let described = map::bytes_for(pages.reserved()).next_multiple_of(PAGE);
        totals.active += pages.active * PAGE;
        totals.metadata += arena.base.allocated() + described;
        totals.resident += arena.base.resident() + described + (pages.active + pages.dirty) * PAGE;
        totals.mapped += arena.base.mapped() + described + pages.mapped() * PAGE;
        totals.retained += pages.retained * PAGE;
        totals.dirty += pages.dirty * PAGE;
        totals.muzzy += pages.muzzy * PAGE;
    }
    Some(totals)
}

/// [`gather`], however long it takes to get the locks.
pub fn totals() -> Totals {
    gather(Patience::Endless).unwrap_or_default()
}

fn allocated(arena: &Arena, patience: Patience) -> Option<usize> {
    let small = arena.all_bins().map(|(class, bin)| {
        let counts = arena.told(bin, bin.lock_within(patience)?.counts);
        Some((counts.nmalloc - counts.ndalloc) as usize * class_size(class.idx()))
    });
    Some(small.sum::<Option<usize>>()? + arena.large.bytes.load(Ordering::Relaxed))
}

fn depots(arena: &Arena, patience: Patience) -> Option<usize> {
    let depots = arena.depots().map(|(class, depot)| {
        depot.counts(class, patience).map(|counts| counts.objects * class_size(class.idx()))
    });
    depots.sum()
}
