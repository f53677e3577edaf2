//! Extents of an arena: pages, a descriptor and the entry in the map, made together and given back together.

use core::sync::atomic::*;

use super::{Arena, guard, table};
use crate::extent::{Extent, Kind, Layout, map};
use crate::page::run::Run;
use crate::relaxed::Relaxed;
use crate::size_class::{SLABS, large_pad};
use crate::units::{PAGE, SzInd};

/// An extent to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Length in pages.
    pub(super) npages: usize,
    /// Its address is a multiple of so many pages.
    pub(super) align: usize,
    pub(super) class: SzInd,
    pub(super) kind: Kind,
    /// Of a large object: whether the program's request for it is counted nowhere else.
    pub(super) direct: bool,
    /// Whether it takes the place of a smaller object, and may soon be too small in turn.
    pub(super) grows: bool,
}

/// Extents from which an arena lets the kernel back a whole slab that has no memory: with as many, all of them will be used, and
/// what is not yet is little. Not where objects are longer than a page: programs may use the beginning of each only.
const MANY_EXTENTS: usize = 1024;

/// Pages of address space without which a request fails.
#[derive(Clone, Copy, Debug)]
struct Short(usize);

impl Short {
    /// For a descriptor or a part of the map: a mapping of a fixed size, for which whatever lies idle may do.
    const FOR_METADATA: Short = Short(1);
}

impl Arena {
    /// A descriptor that describes nothing.
    #[inline]
    pub(super) fn descriptor(&self) -> Option<&'static Extent> {
        let make = || {
            let made = self.base.make()?;
            self.nextents.fetch_add(1, Ordering::Relaxed);
            Some(made)
        };
        self.spare.take().or_else(make)
    }

    /// A descriptor, for an extent that is counted at once if it is a large object.
    fn spare_extent(&self, wanted: &Wanted) -> Option<&'static Extent> {
        let extent = self.descriptor()?;
        if wanted.kind == Kind::Large {
            self.large.born(wanted.class, wanted.npages * PAGE - large_pad(), wanted.direct);
        }
        Some(extent)
    }

    /// Takes back the descriptor of an extent, which is counted no more if it is a large object.
    fn keep_extent(&self, extent: &'static Extent) {
        if extent.kind() == Kind::Large {
            self.large.died(extent.class(), extent.usable());
        }
        self.spare.put(extent);
    }

    /// Takes pages and describes them; answers also whether they are zero. The map does not show them yet.
    ///
    /// What is short may lie idle in front of the pages' supply, or in another arena: looked for before the request fails.
    #[inline(always)]
    pub(super) fn take_extent(&self, wanted: Wanted) -> Option<(&'static Extent, bool)> {
        if guard::wanted(wanted.kind, wanted.align, &self.pages)
            && let Some(guarded) = self.take_guarded(&wanted)
        {
            return Some(guarded);
        }
        match self.take_described(&wanted) {
            Ok(taken) => Some(taken),
            Err(short) => self.take_in_need(&wanted, short),
        }
    }

    /// [`Arena::take_extent`] when what the supply knows of did not do: with the free pages that it does not know of, and then with
    /// what other arenas do not need.
    #[cold]
    #[inline(never)]
    fn take_in_need(&self, wanted: &Wanted, short: Short) -> Option<(&'static Extent, bool)> {
        if self.pages.gather()
            && let Ok(taken) = self.take_described(wanted)
        {
            return Some(taken);
        }
        if !table::release_address_space(short.0) {
            return None;
        }
        self.take_described(wanted).ok()
    }

    /// [`Arena::take_extent`] with guards; `None` also when only guards are not to be had.
    #[cold]
    #[inline(never)]
    fn take_guarded(&self, wanted: &Wanted) -> Option<(&'static Extent, bool)> {
        let (run, zeroed) = self.pages.take_guarded(wanted.npages, &self.base)?;
        let Some(extent) = self.spare_extent(wanted) else {
            self.pages.give_guarded(run, &self.base);
            return None;
        };
        self.describe(extent, run, wanted, true).then_some((extent, zeroed))
    }

    fn take_described(&self, wanted: &Wanted) -> Result<(&'static Extent, bool), Short> {
        let &Wanted { npages, align, grows, .. } = wanted;
        let (run, zeroed) = self.pages.take(npages, align, grows, &self.base).ok_or(Short(npages))?;
        let Some(extent) = self.spare_extent(wanted) else {
            self.pages.give(run, &self.base);
            return Err(Short::FOR_METADATA);
        };
        if !self.describe(extent, run, wanted, false) {
            return Err(Short::FOR_METADATA);
        }
        Ok((extent, zeroed))
    }

    /// Describes a run that was taken; `false` when there is no memory to show it in the map, and it was given back.
    #[inline(always)]
    fn describe(&self, extent: &'static Extent, run: Run, wanted: &Wanted, guarded: bool) -> bool {
        extent.describe(Layout {
            base: run.base,
            npages: run.npages,
            arena: self.index(),
            class: wanted.class,
            kind: wanted.kind,
            guarded,
            shared: !self.is_manual(),
            block: run.block,
        });
        let shown = map::prepare(run.base, shown(wanted.kind, run.npages));
        if !shown {
            self.give_pages(extent);
        }
        shown
    }

    /// Takes an extent out of the map and its pages back.
    pub(super) fn give_extent(&self, extent: &'static Extent) {
        map::unregister(extent.base(), shown(extent.kind(), extent.npages()));
        self.give_pages(extent);
    }

    fn give_pages(&self, extent: &'static Extent) {
        let (run, guarded) = (run_of(extent, 0, extent.npages()), extent.is_guarded());
        self.keep_extent(extent);
        if guarded {
            return self.pages.give_guarded(run, &self.base);
        }
        self.pages.give(run, &self.base);
    }

    /// Makes a slab with all regions free, shown in the map.
    #[inline(always)]
    pub(super) fn make_slab(&self, class: SzInd, kind: Kind) -> Option<&'static Extent> {
        let slab = &SLABS[class.idx()];
        let npages = slab.npages as usize;
        let (extent, fresh) =
            self.take_extent(Wanted { npages, align: 1, class, kind, direct: false, grows: false })?;
        if fresh && npages > 1 && slab.size as usize <= PAGE && self.nextents.get() >= MANY_EXTENTS {
            self.pages.back(run_of(extent, 0, npages));
        }
        extent.nfree.set(slab.nregs as u16);
        let (full, rest) = (slab.nregs as usize / 64, slab.nregs % 64);
        for (word, bits) in extent.free.iter().enumerate() {
            bits.set(match word {
                _ if word < full => !0,
                _ if word == full => (1 << rest) - 1,
                _ => 0,
            });
        }
        let byte = if kind == Kind::Slab { self.byte(class) } else { map::SPECIAL };
        map::register(extent, npages, byte);
        Some(extent)
    }
}

/// How many pages of an extent the map shows: of a large object only the first.
fn shown(kind: Kind, npages: usize) -> usize {
    if kind == Kind::Large { 1 } else { npages }
}

/// The pages of an extent from page `from` on.
pub(super) fn run_of(extent: &'static Extent, from: usize, npages: usize) -> Run {
    Run { base: extent.base().wrapping_add(from * PAGE), npages, block: extent.block() }
}
