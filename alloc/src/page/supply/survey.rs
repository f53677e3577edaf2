//! What concerns all blocks of an arena: showing what is in them, handing everything over, giving everything back.

use super::Supply;
use crate::page::bits::BLOCK_PAGES;
use crate::page::block::Block;
use crate::page::state::Free;
use crate::relaxed::Relaxed;

/// Pages side by side in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// First byte.
    pub base: *mut u8,
    /// Length.
    pub npages: usize,
    /// `None`: in use.
    pub state: Option<Free>,
    /// Whether it begins a region.
    pub head: bool,
}

impl Supply {
    /// Shows all stretches, oldest region first, in each from the lowest address up. Cost: a look at every bitmap.
    pub fn stretches(&mut self, mut show: impl FnMut(Stretch)) {
        self.settle();
        for nth in (0..self.regions.iter().count()).rev() {
            let Some(region) = self.regions.iter().nth(nth) else { return };
            let mut current: Option<Stretch> = None;
            for block in region.blocks() {
                for part in parts(block) {
                    match &mut current {
                        Some(stretch) if stretch.state == part.state => stretch.npages += part.npages,
                        Some(stretch) => {
                            show(*stretch);
                            current = Some(part);
                        }
                        None => current = Some(Stretch { head: true, ..part }),
                    }
                }
            }
            current.into_iter().for_each(&mut show);
        }
    }

    /// Calls `visit` with each run of used pages of each block until it answers `false`.
    pub fn visit_used(&mut self, visit: &mut dyn FnMut(*mut u8, usize) -> bool) {
        self.settle();
        let blocks = self.regions.iter().flat_map(|region| region.blocks());
        for block in blocks.filter(|block| block.nfree.get() as usize != BLOCK_PAGES) {
            if !block.used.get().runs().all(|(page, npages)| visit(block.page(page), npages)) {
                return;
            }
        }
    }

    /// Shows all stretches and forgets them.
    pub fn hand_over(&mut self, show: impl FnMut(Stretch)) {
        self.stretches(show);
        *self = Supply {
            growth: self.growth,
            arena: self.arena,
            spare_regions: core::mem::take(&mut self.spare_regions),
            ..Supply::default()
        };
    }

    /// Unmaps everything; nothing of it is in use. What lies in the data segment stays mapped, its pages given back before.
    pub fn destroy(&mut self) {
        self.release_empty();
        *self = Supply {
            arena: self.arena,
            spare_regions: core::mem::take(&mut self.spare_regions),
            ..Supply::default()
        };
    }
}

/// The stretches of one block, in order.
fn parts(block: &'static Block) -> impl Iterator<Item = Stretch> {
    let states = Free::ALL.map(|state| (Some(state), block.bits_in(state)));
    let used = [(None, block.used.get())];
    let mut page = 0;
    core::iter::from_fn(move || {
        if page == BLOCK_PAGES {
            return None;
        }
        let (state, bits) = states.iter().chain(&used).find(|(_, bits)| bits.has(page))?;
        let (start, npages) = bits.around(page);
        page = start + npages;
        Some(Stretch { base: block.page(start), npages, state: *state, head: false })
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::base::Base;
    use crate::page::parked::Parked;
    use crate::page::run::Run;
    use crate::page::state::PageCounts;
    use crate::units::PAGE;
    use std::vec::Vec;

    fn all(supply: &mut Supply) -> Vec<Stretch> {
        let mut found = Vec::new();
        supply.stretches(|stretch| found.push(stretch));
        found
    }

    #[test]
    fn stretches_cover_all_pages_and_join_across_blocks() {
        let (base, none) = (Base::default(), Parked::default());
        let mut supply = Supply::default();
        let (whole, _) = supply.take(3 * BLOCK_PAGES, 1, &base, &none).unwrap();
        let part = |from: usize, npages| Run { base: whole.base.wrapping_add(from * PAGE), npages, ..whole };
        supply.give(part(500, 30), usize::MAX);
        supply.give(part(900, 200), usize::MAX);
        let muzzy = supply.take_unused(Free::Dirty, 200, &none).unwrap();
        let npages = muzzy.npages;
        supply.vacate(muzzy, Free::Muzzy);
        let found = all(&mut supply);
        let counts = supply.counts();
        let sum = |state| -> usize { found.iter().filter(|s| s.state == state).map(|s| s.npages).sum() };
        assert_eq!(sum(None), counts.active);
        assert_eq!(sum(Some(Free::Dirty)), counts.dirty);
        assert_eq!((sum(Some(Free::Muzzy)), counts.muzzy), (npages, npages));
        assert_eq!(sum(Some(Free::Retained)), counts.retained);
        assert!(found.iter().any(|s| s.base == part(500, 30).base && s.npages == 30));
        assert!(found.windows(2).all(|w| w[1].head || w[0].state != w[1].state));
        assert!(
            found.windows(2).all(|w| w[1].head || w[0].base.wrapping_add(w[0].npages * PAGE) == w[1].base)
        );
        let mut handed = Vec::new();
        supply.hand_over(|stretch| handed.push(stretch));
        assert_eq!(handed, found);
        assert_eq!(supply.counts(), PageCounts::default());
        assert!(all(&mut supply).is_empty());
    }

    #[test]
    fn a_destroyed_supply_is_empty_and_can_be_used_again() {
        let (base, none) = (Base::default(), Parked::default());
        let mut supply = Supply::default();
        let (run, _) = supply.take(700, 1, &base, &none).unwrap();
        supply.give(run, usize::MAX);
        while let Some(run) = supply.take_unused(Free::Dirty, usize::MAX, &none) {
            supply.vacate(run, Free::Retained);
        }
        assert_eq!(supply.counts(), PageCounts { retained: supply.counts().retained, ..Default::default() });
        supply.destroy();
        assert_eq!(supply.counts(), PageCounts::default());
        assert!(supply.take(5, 1, &base, &none).is_some());
    }
}
