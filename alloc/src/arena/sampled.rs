//! Sampled small objects: they live in slabs of their own class with a side record for each region, so that their
//! usable size is what it always is, and only they pay for the record. Their map byte sends `free` to its slow path.

use super::Arena;
use super::bin::BinState;
use crate::extent::{Extent, Kind, SampleRecord};
use crate::relaxed::Relaxed;
use crate::size_class::SLABS;
use crate::units::SzInd;

impl Arena {
    /// A region of class `class` whose record holds `sample`, the bits of a sample reference.
    pub fn alloc_sampled(&self, class: SzInd, sample: u64) -> Option<*mut u8> {
        let mut one = [core::ptr::null_mut()];
        let bin = self.sampled_bin(class);
        if bin.take(bin.lock(), self, class, Kind::SampledSlab, &mut one, 0) == 0 {
            return None;
        }
        if let Some(record) = record_of(super::bin::extent_of_object(one[0]), one[0]) {
            record.sample.set(sample);
        }
        Some(one[0])
    }
}

/// The record of the region at `p`, when `extent` is a sampled slab.
pub fn record_of(extent: &'static Extent, p: *mut u8) -> Option<&'static SampleRecord> {
    if extent.kind() != Kind::SampledSlab {
        return None;
    }
    extent.record(SLABS[extent.class().idx()].region(p.addr() - extent.base().addr()))
}

impl BinState {
    /// Gives a fresh sampled slab its records: recycled ones of this bin, or new ones.
    pub(super) fn give_records(&mut self, arena: &Arena, extent: &'static Extent) -> bool {
        let nregs = SLABS[extent.class().idx()].nregs as usize;
        let records = match self.spare_records {
            Some(first) => {
                // SAFETY: `recycle_records` stored either 0 or the address of a first record, exposed there.
                self.spare_records = unsafe {
                    core::ptr::with_exposed_provenance::<SampleRecord>(first.sample.get() as usize).as_ref()
                };
                first.sample.set(0);
                // SAFETY: `first` begins an array that `make_slice` made for a slab of this class: `nregs` records.
                unsafe { core::slice::from_raw_parts(first, nregs) }
            }
            None => match arena.base.make_slice(nregs) {
                Some(records) => records,
                None => return false,
            },
        };
        extent.set_records(records);
        true
    }

    /// Keeps the records of a slab that goes away.
    pub(super) fn recycle_records(&mut self, extent: &'static Extent) {
        // SAFETY: a sampled slab has records, in base memory.
        let first = unsafe { &*extent.take_records() };
        let next = self.spare_records.map_or(0, |next| core::ptr::from_ref(next).expose_provenance());
        first.sample.set(next as u64);
        self.spare_records = Some(first);
    }
}
