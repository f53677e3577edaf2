//! Sampled small objects: they live in slabs of their own class with a side record for each region, so that their
//! usable size is what it always is, and only they pay for the record. Their map byte sends `free` to its slow path.
//!
//! What such a slab holds says nothing about the slabs that the program fills. So with `prof_frag` each sampled object holds
//! a *stand-in*: an ordinary region of its class and arena that is taken when it is made and given back when it dies. The
//! slab of the stand-in is as full as the slab would be in which the object would lie. Statistics count the stand-in
//! instead of the object, so that they are what they are without it.

use core::ptr::null_mut;

use super::Arena;
use super::bin::{BinState, extent_of_object};
use super::release::release_one;
use super::settings;
use crate::extent::{Extent, Kind, SampleRecord, map};
use crate::relaxed::Relaxed;
use crate::size_class::SLABS;
use crate::sync::Guard;
use crate::units::SzInd;

impl Arena {
    /// A region of class `class` whose record holds `sample`, the bits of a sample reference.
    pub fn alloc_sampled(&self, class: SzInd, sample: u64) -> Option<*mut u8> {
        let stand_in = match settings::stand_ins_are_held() {
            true => self.bin(class).alloc(self, class)?,
            false => null_mut(),
        };
        let bin = self.sampled_bin(class);
        let mut state = bin.lock();
        let taken = match state.take_one(class) {
            None => self.take_sampled(state, class),
            taken => {
                drop(state);
                taken
            }
        };
        let Some((slab, region, object)) = taken else {
            if !stand_in.is_null() {
                release_one(extent_of_object(stand_in), stand_in);
            }
            return None;
        };
        if let Some(record) = slab.record(region) {
            record.sample.set(sample);
            record.stand_in.set(stand_in);
        }
        Some(object)
    }

    /// A region of a sampled slab, where the bin has none: the slab, its number there, and where it is.
    #[cold]
    #[inline(never)]
    fn take_sampled(
        &self,
        state: Guard<'_, BinState>,
        class: SzInd,
    ) -> Option<(&'static Extent, usize, *mut u8)> {
        let mut one = [null_mut()];
        let taken = self.sampled_bin(class).take(state, self, class, Kind::SampledSlab, &mut one, 0);
        (taken == 1).then(|| {
            let slab = extent_of_object(one[0]);
            (slab, SLABS[class.idx()].region(one[0].addr() - slab.base().addr()), one[0])
        })
    }
}

/// Bits of the sample reference of a region in a sampled slab, which forgets it and gives its stand-in back. Only by the
/// region's owner, who holds no lock.
pub fn take(record: &SampleRecord) -> u64 {
    let stand_in = record.stand_in.get();
    if !stand_in.is_null() {
        record.stand_in.set(null_mut());
        release_one(extent_of_object(stand_in), stand_in);
    }
    let bits = record.sample.get();
    record.sample.set(0);
    bits
}

/// What tells how full the slab is that a sampled object keeps: its stand-in, or the object itself where there is none. Only
/// by the object's owner.
pub fn place_of(object: *const u8) -> *const u8 {
    if !settings::stand_ins_are_held() {
        return object;
    }
    let record = map::extent_of(object).and_then(|extent| record_of(extent, object.cast_mut()));
    record.map(|record| record.stand_in.get().cast_const()).filter(|place| !place.is_null()).unwrap_or(object)
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
