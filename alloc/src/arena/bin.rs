//! Bins: the slabs of one small class in one arena.
//!
//! Regions are taken from the current slab, lowest address first; when it is full, from the slab with the fewest
//! free regions (fullest first, so that sparse slabs drain), found by lists for 1, 2-3, 4-7, ... free regions. Up
//! to [`EMPTY_MAX`] empty slabs stay until the next trim: a bin that swings around a slab boundary does no page work.

use core::sync::atomic::*;

use super::Arena;
use crate::extent::{ByOwner, Extent, Kind, SampleRecord, map};
use crate::page::turn::turn;
use crate::relaxed::{Link, List, Relaxed, Stack};
use crate::report::{self, Misuse};
use crate::size_class::{SLAB_REGIONS_MAX, SLABS};
use crate::sync::{Guard, Mutex, MutexCounts, Patience};
use crate::units::SzInd;

const EMPTY_MAX: u32 = 2;
const LISTS: usize = SLAB_REGIONS_MAX.ilog2() as usize + 1;

/// Counters of a bin.
#[derive(Clone, Copy, Debug, Default)]
pub struct BinCounts {
    /// Regions taken.
    pub nmalloc: u64,
    /// Regions given back.
    pub ndalloc: u64,
    /// Thread cache fills.
    pub nfills: u64,
    /// Thread cache flushes.
    pub nflushes: u64,
    /// Slabs ever made.
    pub nslabs: u64,
    /// Slabs that became current again.
    pub nreslabs: u64,
    /// Slabs now.
    pub curslabs: u64,
    /// Of these, slabs with used and free regions that are not current.
    pub nonfull: u64,
}

/// One bin.
#[derive(Default)]
pub struct Bin {
    pub(super) state: Mutex<BinState>,
    /// Objects that came back while the holder of the lock did not run, in descriptors that describe nothing.
    pub(super) late: Stack<Extent, ByOwner>,
    /// Requests of threads that have ended or left the arena, and requests past any cache.
    pub nrequests: AtomicU64,
}

/// What the lock of a bin guards.
#[derive(Default)]
pub struct BinState {
    current: Link<Extent>,
    partial: [List<Extent, ByOwner>; LISTS],
    empty: List<Extent, ByOwner>,
    nempty: u32,
    /// Record arrays of freed sampled slabs, linked through their first word.
    pub(super) spare_records: Option<&'static SampleRecord>,
    /// Counters.
    pub counts: BinCounts,
}

impl Bin {
    /// Locks.
    pub fn lock(&self) -> Guard<'_, BinState> {
        self.caught_up(self.state.lock())
    }

    /// Locks, if that is possible in time.
    pub fn lock_within(&self, patience: Patience) -> Option<Guard<'_, BinState>> {
        self.state.lock_within(patience).map(|state| self.caught_up(state))
    }

    /// What the lock guards, after what came back late was entered.
    #[inline]
    pub(super) fn caught_up<'a>(&'a self, state: Guard<'a, BinState>) -> Guard<'a, BinState> {
        if self.late.is_some() { self.catch_up(state) } else { state }
    }

    /// How often the lock was taken and waited for.
    pub fn mutex_counts(&self) -> MutexCounts {
        self.state.counts()
    }

    /// Sets these to zero.
    pub fn reset_mutex_counts(&self) {
        self.state.reset_counts();
    }

    /// One region for a caller without a cache.
    pub fn alloc(&self, arena: &Arena, class: SzInd) -> Option<*mut u8> {
        let mut one = [core::ptr::null_mut()];
        (self.take(self.lock(), arena, class, Kind::Slab, &mut one, 0) == 1).then_some(one[0])
    }

    /// Takes regions into `out`, and counts so many fills. The lock, which `state` holds, is given up while a slab is made, which may take a system
    /// call.
    pub(super) fn take<'a>(
        &'a self,
        mut state: Guard<'a, BinState>,
        arena: &Arena,
        class: SzInd,
        kind: Kind,
        out: &mut [*mut u8],
        nfills: u64,
    ) -> usize {
        state.counts.nfills += nfills;
        let mut filled = 0;
        loop {
            filled += state.take(class, &mut out[filled..]);
            if filled == out.len() {
                return filled;
            }
            drop(state);
            let Some(extent) = arena.make_slab(class, kind) else { return filled };
            if core::ptr::eq(self, arena.second_bin(class)) {
                extent.set_second();
            }
            state = self.lock();
            if kind == Kind::SampledSlab && !state.give_records(arena, extent) {
                drop(state);
                arena.give_extent(extent);
                return filled;
            }
            state.adopt(extent);
        }
    }

    /// Gives back empty slabs.
    ///
    /// Any thread may do so at any time, unlike what else is done to a manual arena while it is reset. There the lock is
    /// kept until the map does not show the slabs any more: a reset takes it, and then finds none that is on its way. An extent
    /// hook that is called meanwhile leaves the bin alone.
    pub fn trim(&self, arena: &Arena) {
        let Some(state) = turn(&self.state) else { return };
        let mut state = self.caught_up(state);
        let freed = state.take_empty();
        let kept = arena.is_manual().then_some(state);
        give_all(arena, &freed);
        drop(kept);
    }

    /// Locks for a fork.
    pub fn hold(&self) {
        self.state.hold();
    }

    /// Unlocks after a fork.
    ///
    /// # Safety
    /// As [`Mutex::unhold`].
    pub unsafe fn unhold(&self) {
        // SAFETY: by the caller's promise.
        unsafe { self.state.unhold() }
    }
}

/// Returns slabs that no list knows any more.
pub(super) fn give_all(arena: &Arena, freed: &List<Extent, ByOwner>) {
    while let Some(extent) = freed.pop() {
        arena.give_extent(extent);
    }
}

impl BinState {
    /// Takes regions of the slabs that there are into `out`; answers how many.
    pub(super) fn take(&mut self, class: SzInd, out: &mut [*mut u8]) -> usize {
        let size = SLABS[class.idx()].size as usize;
        let mut filled = 0;
        while filled < out.len() {
            let Some(extent) = self.current.get().or_else(|| self.next_slab()) else {
                break;
            };
            filled += take_regions(extent, size, &mut out[filled..]);
            self.current.set((extent.nfree.get() != 0).then_some(extent));
        }
        self.counts.nmalloc += filled as u64;
        filled
    }

    /// The first free region of the slabs that there are: the slab, its number there, and where it is.
    #[inline]
    pub(super) fn take_one(&mut self, class: SzInd) -> Option<(&'static Extent, usize, *mut u8)> {
        let extent = self.current.get().or_else(|| self.next_slab())?;
        let (at, word) = extent.free.iter().enumerate().find(|(_, word)| word.get() != 0)?;
        let bits = word.get();
        word.set(bits & (bits - 1));
        let nfree = extent.nfree.get() - 1;
        extent.nfree.set(nfree);
        self.current.set((nfree != 0).then_some(extent));
        self.counts.nmalloc += 1;
        let region = at * 64 + bits.trailing_zeros() as usize;
        Some((extent, region, extent.base().wrapping_add(region * SLABS[class.idx()].size as usize)))
    }

    #[cold]
    fn next_slab(&mut self) -> Option<&'static Extent> {
        if let Some(extent) = self.partial.iter().find_map(List::pop) {
            self.counts.nreslabs += 1;
            self.counts.nonfull -= 1;
            return Some(extent);
        }
        let extent = self.empty.pop()?;
        self.nempty -= 1;
        self.counts.nreslabs += 1;
        Some(extent)
    }

    /// Takes a fresh slab in. Another thread may have made one meanwhile.
    fn adopt(&mut self, extent: &'static Extent) {
        self.counts.nslabs += 1;
        self.counts.curslabs += 1;
        if self.current.get().is_none() {
            self.current.set(Some(extent));
        } else {
            self.nempty += 1;
            self.empty.push(extent);
        }
    }

    /// Takes back the region at `p` of `extent`; answers the slab when it is to be returned to the page layer.
    ///
    /// # Errors
    /// A mistake of the program; nothing was changed.
    #[inline(always)]
    pub(super) fn put(
        &mut self,
        extent: &'static Extent,
        p: *mut u8,
    ) -> Result<Option<&'static Extent>, Misuse> {
        let slab = &SLABS[extent.class().idx()];
        let offset = p.addr() - extent.base().addr();
        let region = slab.region(offset);
        if region * slab.size as usize != offset {
            return Err(Misuse::InvalidPointer(p));
        }
        let (word, bit) = (&extent.free[region / 64], 1 << (region % 64));
        if word.get() & bit != 0 {
            return Err(Misuse::DoubleFree(p));
        }
        word.set(word.get() | bit);
        let nfree = extent.nfree.get() + 1;
        extent.nfree.set(nfree);
        self.counts.ndalloc += 1;
        // Lists are by powers of two: mostly the slab stays where it is.
        if !nfree.is_power_of_two() && nfree as u32 != slab.nregs {
            return Ok(None);
        }
        Ok(self.relist(extent, nfree, slab.nregs))
    }

    /// Moves a slab that has `nfree` of `nregs` regions free now, one more than before, to the list where it belongs; answers it
    /// when it is to be returned to the page layer.
    #[inline(never)]
    fn relist(&mut self, extent: &'static Extent, nfree: u16, nregs: u32) -> Option<&'static Extent> {
        if self.current.get().is_some_and(|current| core::ptr::eq(current, extent)) {
            return None;
        }
        let list = |nfree: u16| nfree.ilog2() as usize;
        if nfree as u32 == nregs {
            if nfree > 1 {
                self.partial[list(nfree - 1)].remove(extent);
                self.counts.nonfull -= 1;
            }
            if self.nempty < EMPTY_MAX {
                self.nempty += 1;
                self.empty.push(extent);
                return None;
            }
            self.forget(extent);
            return Some(extent);
        }
        if nfree == 1 {
            self.partial[0].push(extent);
            self.counts.nonfull += 1;
        } else {
            self.partial[list(nfree - 1)].remove(extent);
            self.partial[list(nfree)].push(extent);
        }
        None
    }

    /// Keeps a slab that was to be returned to the page layer until the next trim.
    pub(super) fn keep_empty(&mut self, slab: &'static Extent) {
        self.counts.curslabs += 1;
        self.nempty += 1;
        self.empty.push(slab);
    }

    /// Takes all empty slabs out of the bin.
    fn take_empty(&mut self) -> List<Extent, ByOwner> {
        let freed = List::default();
        while let Some(extent) = self.empty.pop() {
            self.forget(extent);
            freed.push(extent);
        }
        self.nempty = 0;
        if let Some(current) = self.current.get()
            && current.nfree.get() as u32 == SLABS[current.class().idx()].nregs
        {
            self.current.set(None);
            self.forget(current);
            freed.push(current);
        }
        freed
    }

    /// The slab that the next region comes from, if there is one.
    pub(super) fn next(&self) -> Option<&'static Extent> {
        let started = || self.partial.iter().find_map(List::first);
        self.current.get().or_else(started).or_else(|| self.empty.first())
    }

    /// Forgets which slabs the bin has, when all of them are about to be discarded.
    pub(super) fn disown_all(&mut self) {
        self.current.set(None);
        self.partial = Default::default();
        self.counts.nonfull = 0;
        self.empty = List::default();
        self.nempty = 0;
    }

    /// Bookkeeping for a slab that is discarded with the objects in it, after [`BinState::disown_all`].
    pub(super) fn discard(&mut self, extent: &'static Extent) {
        let nregs = SLABS[extent.class().idx()].nregs;
        self.counts.ndalloc += (nregs - extent.nfree.get() as u32) as u64;
        self.forget(extent);
    }

    /// Bookkeeping for a slab that leaves the bin.
    fn forget(&mut self, extent: &'static Extent) {
        // A slab that was just being made when the process forked is in no count of the child.
        self.counts.curslabs = self.counts.curslabs.saturating_sub(1);
        if extent.kind() == Kind::SampledSlab {
            self.recycle_records(extent);
        }
    }
}

/// Takes free regions, lowest first; answers how many.
fn take_regions(extent: &Extent, size: usize, out: &mut [*mut u8]) -> usize {
    let mut filled = 0;
    for (word, bits) in extent.free.iter().enumerate() {
        let mut rest = bits.get();
        if rest == 0 {
            continue;
        }
        while rest != 0 && filled < out.len() {
            let region = word * 64 + rest.trailing_zeros() as usize;
            rest &= rest - 1;
            out[filled] = extent.base().wrapping_add(region * size);
            filled += 1;
        }
        bits.set(rest);
        if filled == out.len() {
            break;
        }
    }
    extent.nfree.change(|nfree| nfree - filled as u16);
    filled
}

/// The extent of an object that the caller must own; ends the process when there is none.
#[inline]
pub fn extent_of_object(p: *mut u8) -> &'static Extent {
    match map::extent_of(p) {
        Some(extent) => extent,
        None => report::invalid_pointer(p),
    }
}
