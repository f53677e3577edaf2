//! Taking unused runs out of circulation, to be purged.

use super::Supply;
use crate::page::bits::Bits;
use crate::page::parked::Parked;
use crate::page::run::Run;
use crate::page::state::Free;

impl Supply {
    /// Takes a run of at most `most` pages in state `state` out of circulation, to be purged; it counts in no
    /// state until [`Supply::vacate`]. Blocks with the longest dirty runs come first, and last what was freed last: it is the
    /// most likely to be wanted again.
    pub fn take_unused(&mut self, state: Free, most: usize, parked: &Parked) -> Option<Run> {
        let (block, bits) = match state {
            Free::Dirty => {
                let block = self.longest_dirty().or_else(|| {
                    self.settle();
                    self.unpark(parked);
                    self.longest_dirty()
                })?;
                (block, block.dirty.get())
            }
            _ => self
                .regions
                .iter()
                .flat_map(|region| region.blocks())
                .map(|block| (block, block.bits_in(Free::Muzzy)))
                .find(|(_, bits)| *bits != Bits::EMPTY)?,
        };
        let (page, len) = bits.runs().max_by_key(|&(_, n)| n)?;
        let run = Run::in_block(block, page, len.min(most));
        self.occupy(run);
        Some(run)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::base::Base;
    use crate::units::PAGE;

    #[test]
    fn what_was_freed_last_is_purged_last() {
        let (base, parked) = (Base::default(), Parked::default());
        let mut supply = Supply::default();
        let (whole, _) = supply.take(400, 1, &base, &parked).unwrap();
        let part = |from: usize, npages| Run { base: whole.base.wrapping_add(from * PAGE), npages, ..whole };
        supply.give(part(0, 5), usize::MAX);
        // Other pages than those, so that they are entered into the bitmaps.
        supply.take(7, 1, &base, &parked).unwrap();
        supply.give(part(100, 200), usize::MAX);
        for old in [part(0, 5), part(100, 200)] {
            let run = supply.take_unused(Free::Dirty, usize::MAX, &parked).unwrap();
            assert_eq!((run.base, run.npages), (old.base, old.npages));
        }
        assert!(supply.take_unused(Free::Dirty, usize::MAX, &parked).is_none());
    }
}
