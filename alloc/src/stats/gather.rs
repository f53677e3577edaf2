//! Fills a snapshot.

use core::sync::atomic::Ordering;

use super::requested;
use super::values::{ArenaValues, Slot};
use crate::arena::moment::Moment;
use crate::arena::{Arena, table};
use crate::base::Base;
use crate::extent::{Extent, map};
use crate::os::{clock, pages};
use crate::page::state::Free;
use crate::relaxed::Relaxed;
use crate::size_class::{NBINS, NLEXTENTS, class_size};
use crate::sync::{MutexCounts, Patience};
use crate::tables::metric::rows::*;
use crate::tcache::explicit;
use crate::thread::registry;
use crate::units::{ArenaInd, Ns, PAGE, SzInd};
use crate::{background as threads, entry, sampling};

/// What the sums of all arenas say of dss and decay times.
const NOT_APPLICABLE: &core::ffi::CStr = c"N/A";
const NO_TIME: u64 = -1_i64 as u64;

/// Makes room for every arena that there is now; `None` when there is no memory.
pub fn make_room(slot: &'static Slot) -> Option<()> {
    for arena in table::all() {
        let link = &slot.arenas[arena.index().0 as usize];
        if link.get().is_none() {
            link.set(Some(table::BASE.make::<ArenaValues>()?));
        }
    }
    Some(())
}

/// Fills the slot; `before` is the last snapshot, below which no number of requests falls, and `ctl` what
/// the lock of the snapshots counted. Of an arena whose locks are not to be had in time the older figures stay.
///
/// Cost: for each arena a few thousand loads and its locks; a few loads for each thread and cached class. Arenas that
/// were never made cost nothing.
pub fn fill(slot: &'static Slot, before: Option<&'static Slot>, ctl: MutexCounts, patience: Patience) {
    let narenas = table::total();
    slot.narenas.set(narenas);
    slot.arenas[..narenas as usize].iter().filter_map(|link| link.get()).for_each(ArenaValues::clear);
    // Requests that arenas know of first: those of a thread that ends meanwhile are rather missed than counted twice.
    for (arena, values) in pairs(slot) {
        told_requests(arena, values);
    }
    registry::caches(|cached| {
        if let Some(values) = values_of(slot, cached.arena) {
            let bytes = cached.objects * class_size(cached.class.idx());
            values.own.add(arena::TCACHE_BYTES, bytes as u64);
            add_class(values, cached.class, cached.requests, cached.objects as u64);
        }
    });
    slot.merged.clear();
    for (arena, values) in pairs(slot) {
        values.life.set(arena.life.get());
        let older = before.and_then(|slot| values_of(slot, arena.index())).filter(|older| older.there.get());
        // Another arena may have had the index.
        let same = |older: &&'static ArenaValues| older.life.get() == values.life.get();
        let older = older.filter(same).filter(|older| !core::ptr::eq(*older, values));
        match (arena.moment(patience), older) {
            (None, Some(older)) => values.copy(older),
            (moment, older) => {
                fill_arena(arena, values, moment, patience);
                older.into_iter().for_each(|older| never_fewer(values, older));
                sum_classes(values);
            }
        }
        values.there.set(true);
        slot.merged.merge(values, arena.index().0 == 0, false);
    }
    let merged = &slot.merged.own;
    merged.set(arena::DSS, word(NOT_APPLICABLE));
    merged.set(arena::DIRTY_DECAY_MS, NO_TIME);
    merged.set(arena::MUZZY_DECAY_MS, NO_TIME);
    slot.destroyed.clear();
    if let Some(destroyed) = table::destroyed() {
        of_destroyed(destroyed, &slot.destroyed, patience);
        slot.destroyed.there.set(true);
    }
    slot.destroyed.own.set(arena::DSS, word(NOT_APPLICABLE));
    slot.destroyed.own.set(arena::DIRTY_DECAY_MS, NO_TIME);
    slot.destroyed.own.set(arena::MUZZY_DECAY_MS, NO_TIME);
    fill_process(slot, ctl);
}

/// What destroyed arenas counted.
fn of_destroyed(arena: &'static Arena, values: &ArenaValues, patience: Patience) {
    values.clear();
    told_requests(arena, values);
    fill_arena(arena, values, arena.moment(patience), patience);
    sum_classes(values);
}

fn word(text: &'static core::ffi::CStr) -> u64 {
    text.as_ptr().expose_provenance() as u64
}

fn values_of(slot: &'static Slot, index: ArenaInd) -> Option<&'static ArenaValues> {
    slot.arenas.get(index.0 as usize)?.get()
}

/// Arenas with room in the slot. One that was made just now has none yet, and waits for the next snapshot.
fn pairs(slot: &'static Slot) -> impl Iterator<Item = (&'static Arena, &'static ArenaValues)> {
    table::all().filter_map(move |arena| Some((arena, values_of(slot, arena.index())?)))
}

fn add_class(values: &ArenaValues, SzInd(class): SzInd, requests: u64, cached: u64) {
    match (class as usize).checked_sub(NBINS) {
        None => {
            values.bins[class as usize].add(bin::NREQUESTS, requests);
            values.bins[class as usize].add(bin::NCACHED, cached);
        }
        Some(class) => {
            values.lextents[class].add(lextent::NREQUESTS, requests);
            values.lextents[class].add(lextent::NCACHED, cached);
        }
    }
}

fn told_requests(arena: &Arena, values: &ArenaValues) {
    for class in (0..(NBINS + NLEXTENTS) as u8).map(SzInd) {
        add_class(values, class, arena.told_requests(class), 0);
    }
}

fn never_fewer(values: &ArenaValues, older: &ArenaValues) {
    for (now, older) in values.bins.iter().zip(&older.bins) {
        now.set(bin::NREQUESTS, now.get(bin::NREQUESTS).max(older.get(bin::NREQUESTS)));
    }
    for (now, older) in values.lextents.iter().zip(&older.lextents) {
        now.set(lextent::NREQUESTS, now.get(lextent::NREQUESTS).max(older.get(lextent::NREQUESTS)));
    }
}

fn fill_arena(arena: &'static Arena, values: &ArenaValues, moment: Option<Moment>, patience: Patience) {
    if let Some(moment) = moment {
        fill_pages(arena, values, &moment, patience);
        fill_free(values, &moment);
        fill_bins(values, &moment);
        values.large.set(large::ALLOCATED, moment.large_bytes as u64);
    }
    fill_depots(arena, values, patience);
    fill_large(arena, values);
    fill_mutexes(arena, values);
    fill_settings(arena, values);
    let explicit = explicit::cached_bytes(arena.index(), patience).unwrap_or(0);
    values.own.add(arena::TCACHE_BYTES, explicit as u64);
}

fn fill_settings(arena: &Arena, values: &ArenaValues) {
    let own = &values.own;
    let (dirty_ms, muzzy_ms) = arena.pages.decay_ms();
    own.set(arena::NTHREADS, arena.bound_threads() as u64);
    own.set(arena::UPTIME, clock::precise().since(Ns(arena.born.get())).0);
    own.set(arena::DSS, word(arena.pages.dss().name()));
    own.set(arena::DIRTY_DECAY_MS, dirty_ms as u64);
    own.set(arena::MUZZY_DECAY_MS, muzzy_ms as u64);
    let (dirty, muzzy) = (&arena.pages.dirty_counts, &arena.pages.muzzy_counts);
    own.set(arena::DIRTY_NPURGE, dirty.npurge.get());
    own.set(arena::DIRTY_NMADVISE, dirty.nmadvise.get());
    own.set(arena::DIRTY_PURGED, dirty.purged.get());
    own.set(arena::MUZZY_NPURGE, muzzy.npurge.get());
    own.set(arena::MUZZY_NMADVISE, muzzy.nmadvise.get());
    own.set(arena::MUZZY_PURGED, muzzy.purged.get());
}

/// Pages and the arena's own structures. What belongs to no single arena counts with the first, as in the reference.
fn fill_pages(arena: &Arena, values: &ArenaValues, moment: &Moment, patience: Patience) {
    let (own, pages) = (&values.own, moment.pages);
    // By what is reserved, not by what is used: a bound that purging does not change.
    let rtree = map::bytes_for(pages.reserved()).next_multiple_of(PAGE);
    let first = arena.index().0 == 0;
    // What describes arenas that were destroyed describes the next ones.
    let common = if first { table::retired_metadata(patience).unwrap_or_default() } else { (0, 0, 0) };
    let of = |bytes: fn(&Base) -> usize| bytes(&arena.base) + if first { bytes(&table::BASE) } else { 0 };
    // In this order, since each bounds the next and all of them grow.
    let allocated = of(Base::allocated) + common.0;
    let resident = of(Base::resident) + common.1;
    let mapped = of(Base::mapped) + common.2;
    let (spare, extents) = arena.extents();
    for (row, value) in [
        (arena::PACTIVE, pages.active),
        (arena::PDIRTY, pages.dirty),
        (arena::PMUZZY, pages.muzzy),
        (arena::MAPPED, mapped + rtree + pages.mapped() * PAGE),
        (arena::RETAINED, pages.retained * PAGE),
        (arena::EXTENT_AVAIL, spare),
        (arena::BASE, allocated + rtree),
        (arena::METADATA_EDATA, extents * size_of::<Extent>()),
        (arena::METADATA_RTREE, rtree),
        (arena::METADATA_THP, of(Base::huge_pages)),
        (arena::RESIDENT, resident + rtree + (pages.active + pages.dirty) * PAGE),
        (arena::ABANDONED_VM, arena.pages.abandoned() + if first { pages::abandoned() } else { 0 }),
    ] {
        own.set(row, value as u64);
    }
}

fn fill_free(values: &ArenaValues, moment: &Moment) {
    for (class, to) in values.extents.iter().enumerate() {
        for (state, count, bytes) in [
            (Free::Dirty, extent::NDIRTY, extent::DIRTY_BYTES),
            (Free::Muzzy, extent::NMUZZY, extent::MUZZY_BYTES),
            (Free::Retained, extent::NRETAINED, extent::RETAINED_BYTES),
        ] {
            let tally = moment.free.of(state, class);
            to.set(count, tally.nextents as u64);
            to.set(bytes, tally.bytes as u64);
        }
    }
}

fn fill_bins(values: &ArenaValues, moment: &Moment) {
    for (to, counts) in values.bins.iter().zip(&moment.bins) {
        to.set(bin::NMALLOC, counts.nmalloc);
        to.set(bin::NDALLOC, counts.ndalloc);
        to.set(bin::CURREGS, counts.nmalloc - counts.ndalloc);
        to.set(bin::NFILLS, counts.nfills);
        to.set(bin::NFLUSHES, counts.nflushes);
        to.set(bin::NSLABS, counts.nslabs);
        to.set(bin::NRESLABS, counts.nreslabs);
        to.set(bin::CURSLABS, counts.curslabs);
        to.set(bin::NONFULL_SLABS, counts.nonfull);
    }
}

fn fill_large(arena: &Arena, values: &ArenaValues) {
    for (index, to) in values.lextents.iter().enumerate() {
        let class = arena.large.class(SzInd((NBINS + index) as u8));
        // Frees first, so that there are never more of them.
        let ndalloc = class.ndalloc.load(Ordering::Acquire);
        let nmalloc = class.nmalloc.load(Ordering::Relaxed);
        to.set(lextent::NMALLOC, nmalloc);
        to.set(lextent::NDALLOC, ndalloc.min(nmalloc));
        to.set(lextent::CURLEXTENTS, nmalloc.saturating_sub(ndalloc));
        values.large.add(large::NFILLS, class.nfills.get());
        values.large.add(large::NFLUSHES, class.nflushes.get());
    }
}

fn fill_depots(arena: &Arena, values: &ArenaValues, patience: Patience) {
    for (class, depot) in arena.depots() {
        let Some(counts) = depot.counts(class, patience) else { continue };
        let bytes = counts.objects * class_size(class.idx());
        values.own.add(arena::TCACHE_BYTES, bytes as u64);
        add_class(values, class, 0, counts.objects as u64);
        if class.idx() < NBINS {
            values.bins[class.idx()].add(bin::NFILLS, counts.popped);
            values.bins[class.idx()].add(bin::NFLUSHES, counts.pushed);
        } else {
            values.large.add(large::NFILLS, counts.popped);
            values.large.add(large::NFLUSHES, counts.pushed);
        }
    }
}

/// Which of our locks does the work of each that the reference has. One lock guards pages of all states: it counts as
/// that of dirty ones. Growth has a lock where hooks are called, and counts as that of retained ones. Caches are on no
/// list of their arena; what they share in an arena is its depots. What is missing stays zero.
fn fill_mutexes(arena: &Arena, values: &ArenaValues) {
    let [supply, growth, dirty, muzzy] = arena.pages.mutex_counts();
    let mut base = arena.base.mutex_counts();
    let mut caches = MutexCounts::default();
    arena.depots().for_each(|(_, depot)| caches.add(&depot.mutex_counts()));
    if arena.index().0 == 0 {
        base.add(&table::BASE.mutex_counts());
        caches.add(&table::mutex_counts());
    }
    for (name, counts) in [
        ("extent_avail", arena.spare_mutex_counts()),
        ("extents_dirty", supply),
        ("extents_retained", growth),
        ("decay_dirty", dirty),
        ("decay_muzzy", muzzy),
        ("base", base),
        ("tcache_list", caches),
    ] {
        if let Some(at) = ARENA_MUTEX_NAMES.iter().position(|other| *other == name) {
            values.mutexes[at].fill(counts.values());
        }
    }
    let mut bins = [MutexCounts::default(); NBINS];
    arena.all_bins().for_each(|(class, bin)| bins[class.idx()].add(&bin.mutex_counts()));
    values.bin_mutexes.iter().zip(bins).for_each(|(to, counts)| to.fill(counts.values()));
}

/// What follows from the classes.
fn sum_classes(values: &ArenaValues) {
    for (class, from) in values.bins.iter().enumerate() {
        values.small.add(small::ALLOCATED, from.get(bin::CURREGS) * class_size(class) as u64);
        for (to, row) in [
            (small::NMALLOC, bin::NMALLOC),
            (small::NDALLOC, bin::NDALLOC),
            (small::NREQUESTS, bin::NREQUESTS),
            (small::NFILLS, bin::NFILLS),
            (small::NFLUSHES, bin::NFLUSHES),
        ] {
            values.small.add(to, from.get(row));
        }
    }
    for from in &values.lextents {
        for (to, row) in [
            (large::NMALLOC, lextent::NMALLOC),
            (large::NDALLOC, lextent::NDALLOC),
            (large::NREQUESTS, lextent::NREQUESTS),
        ] {
            values.large.add(to, from.get(row));
        }
    }
    values.own.set(arena::REQUESTED, requested::estimate(values));
}

fn fill_process(slot: &Slot, ctl: MutexCounts) {
    let (to, merged) = (&slot.process, &slot.merged);
    let allocated = merged.small.get(small::ALLOCATED) + merged.large.get(large::ALLOCATED);
    let active = merged.own.get(arena::PACTIVE) * PAGE as u64;
    to.set(process::ALLOCATED, allocated);
    to.set(process::ACTIVE, active);
    to.set(process::METADATA, merged.own.get(arena::BASE) + merged.own.get(arena::INTERNAL));
    for (row, from) in [
        (process::METADATA_EDATA, arena::METADATA_EDATA),
        (process::METADATA_RTREE, arena::METADATA_RTREE),
        (process::METADATA_THP, arena::METADATA_THP),
        (process::RESIDENT, arena::RESIDENT),
        (process::MAPPED, arena::MAPPED),
        (process::RETAINED, arena::RETAINED),
        (process::TCACHE_BYTES, arena::TCACHE_BYTES),
        (process::REQUESTED, arena::REQUESTED),
    ] {
        to.set(row, merged.own.get(from));
    }
    to.set(process::DIRTY, merged.own.get(arena::PDIRTY) * PAGE as u64);
    to.set(process::MUZZY, merged.own.get(arena::PMUZZY) * PAGE as u64);
    to.set(process::ZERO_REALLOCS, entry::zero_reallocs() as u64);
    to.set(process::OOM, entry::refusals() as u64);
    let free = active.saturating_sub(allocated);
    let fragmentation = if active == 0 { 0.0 } else { free as f64 / active as f64 };
    to.set(process::FRAGMENTATION, fragmentation.to_bits());
    let stats = threads::stats();
    slot.background.fill([stats.num_threads, stats.num_runs, stats.run_interval]);
    let own = [("background_thread", threads::mutex_counts()), ("ctl", ctl)];
    for (name, counts) in own.into_iter().chain(sampling::mutex_counts()) {
        if let Some(at) = MUTEX_NAMES.iter().position(|other| *other == name) {
            slot.mutexes[at].fill(counts.values());
        }
    }
}
