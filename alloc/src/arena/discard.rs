//! Discards everything that an arena holds, and adds its counters to those of the arenas that are gone.
//!
//! There is no list of an arena's objects: pages in use are found in the bitmaps of its blocks, and the address map tells
//! which extent they belong to. That is slow and rare; a list would be a cost for every slab.

use core::sync::atomic::*;

use super::Arena;
use super::bin::Bin;
use super::large::LargeClass;
use crate::extent::{Extent, Kind, map};
use crate::page::layer::PurgeCounts;
use crate::relaxed::Relaxed;
use crate::size_class::{SLABS, class_size};
use crate::units::PAGE;

/// Extents that are looked for at a time: their pages cannot be given back while the page layer is locked.
const BATCH: usize = 64;

impl Arena {
    /// Frees every object at once; the arena stays. Its pages become dirty and decay.
    ///
    /// `forget` is called with the address, the bits of the sample reference and the usable size of each sampled object. The caller
    /// promises that nobody uses an object of the arena, now or later, or the arena in the meantime, and that no thread
    /// cache holds one. Cost: a look at each page that is in use.
    pub fn reset(&'static self, forget: &mut dyn FnMut(*mut u8, u64, usize)) {
        self.all_bins().for_each(|(_, bin)| bin.lock().disown_all());
        loop {
            let mut batch = [None; BATCH];
            let n = self.find_extents(&mut batch);
            if n == 0 {
                return;
            }
            for extent in batch.into_iter().flatten() {
                self.discard(extent, forget);
            }
        }
    }

    /// The first extents of the arena, by address in each region; answers how many.
    fn find_extents(&self, into: &mut [Option<&'static Extent>; BATCH]) -> usize {
        let mut n = 0;
        // Inner pages of a large object are not in the map, and need not be looked up.
        let mut past = 0;
        self.pages.visit_used(&mut |start, npages| {
            for page in 0..npages {
                let at = start.wrapping_add(page * PAGE);
                if at.addr() < past {
                    continue;
                }
                // A page without an extent is being purged.
                let Some(extent) = map::extent_of(at).filter(|extent| extent.base() == at) else { continue };
                past = at.addr() + extent.npages() * PAGE;
                if extent.arena() != self.index() {
                    continue;
                }
                into[n] = Some(extent);
                n += 1;
                if n == BATCH {
                    return false;
                }
            }
            true
        });
        n
    }

    fn discard(&self, extent: &'static Extent, forget: &mut dyn FnMut(*mut u8, u64, usize)) {
        let class = extent.class();
        let bin = match extent.kind() {
            Kind::Large => {
                let sample = extent.sample.get();
                if sample != 0 {
                    forget(extent.object(), sample, extent.usable());
                }
                return self.free_large(extent);
            }
            Kind::Slab => self.bin_of(extent),
            Kind::SampledSlab => {
                for region in 0..SLABS[class.idx()].nregs as usize {
                    let Some(record) = extent.record(region) else { continue };
                    if record.sample.get() != 0 {
                        let size = class_size(class.idx());
                        forget(extent.base().wrapping_add(region * size), record.sample.get(), size);
                        record.sample.set(0);
                    }
                    // It goes with the arena's other regions.
                    record.stand_in.set(core::ptr::null_mut());
                }
                self.sampled_bin(class)
            }
        };
        bin.lock().discard(extent);
        self.give_extent(extent);
    }

    /// Adds the counters of an arena that is about to go.
    pub(super) fn add_counts(&self, gone: &Arena) {
        for ((_, mine), (_, theirs)) in self.all_bins().zip(gone.all_bins()) {
            mine.add_counts(theirs);
        }
        for (mine, theirs) in self.large.all().iter().zip(gone.large.all()) {
            add(&mine.nmalloc, &theirs.nmalloc);
            add(&mine.ndalloc, &theirs.ndalloc);
            add(&mine.ndirect, &theirs.ndirect);
            add(&mine.nrequests, &theirs.nrequests);
            add(&mine.nfills, &theirs.nfills);
            add(&mine.nflushes, &theirs.nflushes);
        }
        add_purges(&self.pages.dirty_counts, &gone.pages.dirty_counts);
        add_purges(&self.pages.muzzy_counts, &gone.pages.muzzy_counts);
    }

    /// Begins to count anew. Only for an arena without objects.
    pub(super) fn clear_counts(&self) {
        self.used_bins().for_each(|(_, bin)| bin.clear_counts());
        for class in self.large.all() {
            let LargeClass { nmalloc, ndalloc, ndirect, nrequests, nfills, nflushes } = class;
            let counters = [nmalloc, ndalloc, ndirect, nrequests, nfills, nflushes];
            counters.into_iter().for_each(|counter| counter.set(0));
        }
        for counts in [&self.pages.dirty_counts, &self.pages.muzzy_counts] {
            [&counts.npurge, &counts.nmadvise, &counts.purged].into_iter().for_each(|counter| counter.set(0));
        }
    }
}

fn add(to: &AtomicU64, from: &AtomicU64) {
    to.fetch_add(from.get(), Ordering::Relaxed);
}

fn add_purges(to: &PurgeCounts, from: &PurgeCounts) {
    add(&to.npurge, &from.npurge);
    add(&to.nmadvise, &from.nmadvise);
    add(&to.purged, &from.purged);
}

impl Bin {
    fn add_counts(&self, gone: &Bin) {
        let theirs = gone.lock().counts;
        let mut mine = self.lock();
        mine.counts.nmalloc += theirs.nmalloc;
        mine.counts.ndalloc += theirs.ndalloc;
        mine.counts.nfills += theirs.nfills;
        mine.counts.nflushes += theirs.nflushes;
        mine.counts.nslabs += theirs.nslabs;
        mine.counts.nreslabs += theirs.nreslabs;
        mine.counts.curslabs += theirs.curslabs;
        add(&self.nrequests, &gone.nrequests);
    }

    fn clear_counts(&self) {
        self.lock().counts = Default::default();
        self.nrequests.set(0);
    }
}
