//! What an arena holds at one moment: its statistics agree with each other while other threads go on.

use core::sync::atomic::Ordering;

use super::bin::{Bin, BinCounts};
use super::{Arena, BINS, settings};
use crate::page::census::Census;
use crate::page::state::PageCounts;
use crate::size_class::NBINS;
use crate::sync::Patience;
use crate::units::SzInd;

/// Counters of an arena, all of one moment.
pub struct Moment {
    /// Pages by state.
    pub pages: PageCounts,
    /// Free extents.
    pub free: Census,
    /// Counters of each small class, those of all its bins.
    pub bins: [BinCounts; NBINS],
    /// Usable bytes of large objects.
    pub large_bytes: usize,
}

impl BinCounts {
    fn add(&mut self, other: &BinCounts) {
        self.nmalloc += other.nmalloc;
        self.ndalloc += other.ndalloc;
        self.nfills += other.nfills;
        self.nflushes += other.nflushes;
        self.nslabs += other.nslabs;
        self.nreslabs += other.nreslabs;
        self.curslabs += other.curslabs;
        self.nonfull += other.nonfull;
    }
}

impl Arena {
    /// Counters of a bin as statistics tell them: where each sampled object has a stand-in, that one counts instead.
    pub fn told(&self, bin: &Bin, counts: BinCounts) -> BinCounts {
        let is_sampled = self.sampled.as_ptr_range().contains(&core::ptr::from_ref(bin));
        match is_sampled && settings::stand_ins_are_held() {
            true => BinCounts { nmalloc: 0, ndalloc: 0, ..counts },
            false => counts,
        }
    }

    /// Reads the counters while nothing changes them. `None` when a lock was not to be had in time.
    ///
    /// Cost: all locks of bins at once, for as long as it takes to read them; then the lock of the pages for as long as
    /// it takes to look at each block or free extent. Objects never count as more bytes than the pages that hold them: large ones are
    /// counted after their pages and forgotten before.
    pub fn moment(&self, patience: Patience) -> Option<Moment> {
        let mut guards = [const { None }; BINS];
        for (guard, (_, bin)) in guards.iter_mut().zip(self.all_bins()) {
            *guard = Some(bin.lock_within(patience)?);
        }
        let (mut bins, mut large_bytes) = ([BinCounts::default(); NBINS], 0);
        let mut free = Census::EMPTY;
        let pages = self.pages.survey(patience, &mut free, || {
            for ((SzInd(class), bin), guard) in self.all_bins().zip(&guards) {
                if let Some(state) = guard {
                    bins[class as usize].add(&self.told(bin, state.counts));
                }
            }
            drop(guards);
            large_bytes = self.large.bytes.load(Ordering::Relaxed);
        })?;
        Some(Moment { pages, free, bins, large_bytes })
    }
}
