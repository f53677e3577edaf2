//! Returns objects to the slabs and extents that they came from.

use core::ptr::null_mut;
use core::sync::atomic::Ordering;

use super::Arena;
use super::batch::BATCH_MAX;
use super::bin::{Bin, extent_of_object, give_all};
use super::table;
use crate::extent::{Extent, Kind, map};
use crate::relaxed::List;
use crate::report::{self, Misuse};
use crate::size_class::NBINS;
use crate::units::SzInd;

/// Where objects come back from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// A thread's cache, which counts as a flush.
    Cache,
    /// A depot: the flush was counted when they came there.
    Depot,
}

/// Returns objects of one class, each to its owner; `objects` is scrambled.
///
/// One lock round per owning bin that occurs: the objects of the first one's bin, then of the first of the
/// rest, and so on.
pub fn release(class: SzInd, objects: &mut [*mut u8], from: From) {
    let flush = u64::from(from == From::Cache);
    if class.idx() >= NBINS {
        if let Some(&first) = objects.first() {
            let arena = table::owner(extent_of_object(first));
            arena.large.class(class).nflushes.fetch_add(flush, Ordering::Relaxed);
        }
        for &object in objects.iter() {
            release_large(extent_of_object(object), object);
        }
        return;
    }
    for some in objects.chunks_mut(BATCH_MAX) {
        release_small(class, some, flush);
    }
}

/// Returns at most [`BATCH_MAX`] small objects of one class.
///
/// Their slabs are looked up first: most of what that takes are misses of the processor's cache, which then happen side by
/// side, and while no lock is held.
fn release_small(class: SzInd, objects: &mut [*mut u8], flush: u64) {
    let mut slabs: [Option<&'static Extent>; BATCH_MAX] = [None; BATCH_MAX];
    for (slab, &object) in slabs.iter_mut().zip(objects.iter()) {
        *slab = map::extent_of(object).filter(|extent| extent.kind() == Kind::Slab);
    }
    let mut n = objects.len();
    while let Some(&first) = objects[..n].first() {
        let arena = table::owner(slabs[0].unwrap_or_else(|| report::invalid_pointer(first)));
        let freed = List::default();
        let (mut kept, mut misuse) = (0, None);
        {
            let second = slabs[0].is_some_and(Extent::is_second);
            let bin = slabs[0].map_or(arena.bin(class), |slab| arena.bin_of(slab));
            let (objects, slabs, index) = (&mut objects[..n], &mut slabs[..n], arena.index());
            let Some(mut bin) = bin.lock_unless_stuck() else {
                n = leave_late(bin, arena, second, objects, slabs, flush);
                continue;
            };
            bin.counts.nflushes += flush;
            for i in 0..n {
                let object = objects[i];
                let Some(slab) = slabs[i] else {
                    misuse = Some(Misuse::InvalidPointer(object));
                    continue;
                };
                if slab.arena() != index || slab.is_second() != second {
                    (objects[kept], slabs[kept]) = (object, Some(slab));
                    kept += 1;
                    continue;
                }
                match bin.put(slab, object) {
                    Ok(None) => {}
                    Ok(Some(empty)) => freed.push(empty),
                    Err(found) => misuse = Some(found),
                }
            }
        }
        give_all(arena, &freed);
        if let Some(misuse) = misuse {
            misuse.end();
        }
        n = kept;
    }
}

/// Leaves those objects that are of slabs of `bin` to whoever has its lock next; answers how many are left, in front.
#[cold]
#[inline(never)]
fn leave_late(
    bin: &Bin,
    arena: &Arena,
    second: bool,
    objects: &mut [*mut u8],
    slabs: &mut [Option<&'static Extent>],
    flush: u64,
) -> usize {
    let (mut late, mut nlate, mut kept) = ([null_mut(); BATCH_MAX], 0, 0);
    for i in 0..objects.len() {
        if slabs[i].is_some_and(|slab| slab.arena() == arena.index() && slab.is_second() == second) {
            late[nlate] = objects[i];
            nlate += 1;
        } else {
            (objects[kept], slabs[kept]) = (objects[i], slabs[i]);
            kept += 1;
        }
    }
    bin.leave_late(arena, &late[..nlate], flush);
    kept
}

/// Returns one object that is in no cache, of any kind.
pub fn release_one(extent: &'static Extent, object: *mut u8) {
    let arena = table::owner(extent);
    if extent.kind() == Kind::Large {
        return release_large(extent, object);
    }
    let bin = arena.bin_of(extent);
    let locked = if extent.kind() == Kind::Slab { bin.lock_unless_stuck() } else { Some(bin.lock()) };
    let Some(mut locked) = locked else { return bin.leave_late(arena, &[object], 0) };
    let put = locked.put(extent, object);
    drop(locked);
    match put {
        Ok(empty) => empty.into_iter().for_each(|empty| arena.give_extent(empty)),
        Err(misuse) => misuse.end(),
    }
}

fn release_large(extent: &'static Extent, object: *mut u8) {
    if extent.kind() != Kind::Large || extent.object() != object {
        report::invalid_pointer(object);
    }
    table::owner(extent).free_large(extent);
}
