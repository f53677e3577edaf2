//! Fresh pages for those that come while the holder of the supply's lock does not run.
//!
//! A thread that is preempted with the lock stops all that come for pages until it runs again, which with many threads takes
//! as long as all of them run. Those take from here, without a lock: each from where the one before has stopped, up to the
//! end of a region that was mapped for this alone. All of its pages look used to the supply, which enters the region at the next occasion.
//!
//! What is left of a region is one word: a block, and a page in it. Whoever exchanges it for the word `n` pages further on owns the
//! `n` pages. A region is put here once in its life, and the word only moves on, so none comes back (no ABA).
//!
//! **Ordering**: a region is described before it is given to the supply, that before its word is put here (Release), and
//! every word that follows is part of the same sequence of exchanges. So who takes pages finds them described (Acquire), and who
//! is given them from there on finds their region given to the supply.

use core::ptr::{from_ref, null_mut};
use core::sync::atomic::{AtomicU64, Ordering::*};

use super::bits::{BLOCK, BLOCK_PAGES};
use super::block::{Block, ByArena, Region};
use super::run::Run;
use super::{default_hooks, settings};
use crate::base::Base;
use crate::relaxed::{Relaxed, Stack};

/// Blocks of a region: 8 MiB of address space.
const NBLOCKS: usize = 4;
pub const BYTES: usize = NBLOCKS * BLOCK;
const NPAGES: usize = NBLOCKS * BLOCK_PAGES;
/// Regions that pages are taken from at a time: more than one when threads map one side by side.
const WAYS: usize = 4;

const EMPTY: u64 = 0;
/// What no block's word can be: nothing may be taken or put here.
const CLOSED: u64 = 1;
const LG_BLOCK_PAGES: u32 = BLOCK_PAGES.ilog2();

/// All-zero has nothing.
#[derive(Default)]
#[repr(align(64))]
pub struct Beside {
    stock: [AtomicU64; WAYS],
    /// Regions that the supply does not know of yet.
    regions: Stack<Region, ByArena>,
}

/// Fresh pages.
pub struct Grown {
    /// Those that were asked for.
    pub run: Run,
    /// What nobody can take, because others have filled all places meanwhile.
    pub rest: Option<Run>,
}

fn pack(block: &'static Block, page: usize) -> u64 {
    (from_ref(block).expose_provenance() << LG_BLOCK_PAGES | page) as u64
}

fn unpack(word: u64) -> Option<(&'static Block, usize)> {
    let address = (word >> LG_BLOCK_PAGES) as usize;
    // SAFETY: null for `EMPTY` and `CLOSED`; any other word was packed from a reference to a block, which lives for ever,
    // whose address has at most 48 bits, and whose provenance was exposed then.
    let block = unsafe { core::ptr::with_exposed_provenance::<Block>(address).as_ref()? };
    Some((block, word as usize & (BLOCK_PAGES - 1)))
}

/// What is left of a region from a page on.
fn rest(block: &'static Block, page: usize) -> Run {
    Run::in_block(block, page, NPAGES - block.index() * BLOCK_PAGES - page)
}

/// The word for what is left of a run without its first pages.
fn behind(run: Run, npages: usize) -> Option<u64> {
    if run.npages == npages {
        return Some(EMPTY);
    }
    let (block, page) = run.start()?;
    Some(pack(block.ahead((page + npages) / BLOCK_PAGES)?, (page + npages) % BLOCK_PAGES))
}

impl Beside {
    /// Takes `npages` pages, which read as zero.
    pub fn take(&self, npages: usize) -> Option<Run> {
        self.stock.iter().find_map(|slot| {
            let mut word = slot.load(Acquire);
            loop {
                let (block, page) = unpack(word)?;
                let all = rest(block, page);
                if all.npages < npages {
                    return None;
                }
                match slot.compare_exchange_weak(word, behind(all, npages)?, AcqRel, Acquire) {
                    Ok(_) => return Some(Run { npages, ..all }),
                    Err(now) => word = now,
                }
            }
        })
    }

    /// Maps a region and takes its first `npages` pages, fewer than it has. `None`: there is no memory, or this is closed.
    #[cold]
    pub fn grow(&self, npages: usize, arena: u32, base: &Base) -> Option<Grown> {
        let room = self.stock.iter().any(|slot| slot.get() == EMPTY);
        if !room || settings::chunk() > BYTES {
            return None;
        }
        let at = default_hooks::map(null_mut(), BYTES, BLOCK, arena)?.as_ptr();
        let region = base.make::<Region>().zip(base.make_slice::<Block>(NBLOCKS)).map(|(region, blocks)| {
            region.set_descriptors(blocks);
            region.describe(at, NBLOCKS);
            for block in blocks {
                block.occupy(0, BLOCK_PAGES, false);
            }
            region
        });
        let first =
            region.filter(|region| self.regions.push(region)).and_then(|region| region.blocks().first());
        let Some(first) = first else {
            // SAFETY: mapped above, and nobody was told of it.
            unsafe { default_hooks::unmap(at, BYTES) };
            return None;
        };
        let word = pack(first, npages);
        let put = |slot: &AtomicU64| slot.compare_exchange(EMPTY, word, AcqRel, Relaxed).is_ok();
        let kept = self.stock.iter().any(put);
        Some(Grown { run: Run::in_block(first, 0, npages), rest: (!kept).then(|| rest(first, npages)) })
    }

    /// Whether there are regions that the supply does not know of.
    #[inline]
    pub fn has_regions(&self) -> bool {
        self.regions.is_some()
    }

    /// Takes the regions that the supply does not know of, all of whose pages are used. With the lock of the supply held.
    pub fn take_regions(&self) -> impl Iterator<Item = &'static Region> + use<> {
        self.regions.take_all()
    }

    /// Shows what is left of each region; while others take, what was left of each at one moment.
    pub fn look(&self, show: impl FnMut(Run)) {
        let words = self.stock.iter().filter_map(|slot| match slot.get() {
            EMPTY | CLOSED => None,
            // An exchange, which no exchange by others that came before can be hidden from, as from a load: what is counted as in use
            // by whoever took it is not to be shown here.
            _ => unpack(slot.fetch_or(0, AcqRel)),
        });
        words.map(|(block, page)| rest(block, page)).for_each(show);
    }

    /// Takes all that is left of each region. With the lock of the supply held.
    pub fn drain(&self, show: impl FnMut(Run)) {
        self.empty(EMPTY, show);
    }

    /// Takes all there is, and nothing is to be put or found until [`Beside::open`]. With the lock of the supply held. Afterwards the
    /// regions are to be taken once more.
    pub fn close(&self, show: &mut dyn FnMut(Run)) -> impl Iterator<Item = &'static Region> + use<> {
        self.empty(CLOSED, show);
        self.regions.close()
    }

    fn empty(&self, with: u64, show: impl FnMut(Run)) {
        let taken = self.stock.iter().filter_map(|slot| match slot.get() {
            EMPTY | CLOSED if with == EMPTY => None,
            _ => unpack(slot.swap(with, AcqRel)),
        });
        taken.map(|(block, page)| rest(block, page)).for_each(show);
    }

    /// Ends [`Beside::close`]. With the lock of the supply held.
    pub fn open(&self) {
        for slot in &self.stock {
            // Fails for slots that are open.
            let _ = slot.compare_exchange(CLOSED, EMPTY, Relaxed, Relaxed);
        }
        self.regions.open();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::units::PAGE;
    use std::sync::Mutex;
    use std::vec::Vec;

    impl Beside {
        fn pages(&self) -> usize {
            let mut pages = 0;
            self.look(|run| pages += run.npages);
            pages
        }
    }

    fn ends(run: &Run) -> (usize, usize) {
        (run.base.addr(), run.base.addr() + run.npages * PAGE)
    }

    #[test]
    fn pages_are_taken_side_by_side_up_to_the_end_of_the_region() {
        let (beside, base) = (Beside::default(), Base::default());
        assert!(beside.take(1).is_none() && beside.pages() == 0);
        let grown = beside.grow(5, 0, &base).unwrap();
        assert!(grown.rest.is_none() && beside.has_regions());
        let (start, mut at) = ends(&grown.run);
        for npages in (1..=64).cycle() {
            let Some(run) = beside.take(npages) else {
                assert!(beside.pages() < npages);
                break;
            };
            assert_eq!(ends(&run).0, at);
            assert_eq!(
                run.parts().map(|(block, page, n)| block.used.count_in(page, n)).sum::<usize>(),
                npages
            );
            at = ends(&run).1;
        }
        let mut left = Vec::new();
        beside.drain(|run| left.push(ends(&run)));
        assert_eq!((left, beside.pages()), (std::vec![(at, start + BYTES)], 0));
        assert_eq!(beside.take_regions().map(|region| region.base().addr()).collect::<Vec<_>>(), [start]);
        assert!(!beside.has_regions());
    }

    #[test]
    fn what_is_closed_gives_and_keeps_nothing() {
        let (beside, base) = (Beside::default(), Base::default());
        beside.grow(5, 0, &base).unwrap();
        let mut left = 0;
        assert_eq!(beside.close(&mut |run| left += run.npages).count(), 1);
        assert_eq!(left, NPAGES - 5);
        assert!(beside.take(1).is_none() && beside.grow(5, 0, &base).is_none() && !beside.has_regions());
        assert_eq!(beside.close(&mut |_| panic!("nothing is left")).count(), 0);
        beside.drain(|_| panic!("nothing is left"));
        beside.open();
        assert!(beside.grow(5, 0, &base).is_some() && beside.take(1).is_some());
    }

    #[test]
    fn where_all_places_are_filled_the_rest_is_answered_or_nothing_is_mapped() {
        let (beside, base) = (Beside::default(), Base::default());
        (0..WAYS).for_each(|_| assert!(beside.grow(1, 0, &base).unwrap().rest.is_none()));
        assert!(beside.grow(1, 0, &base).is_none());
        assert_eq!(beside.pages(), WAYS * (NPAGES - 1));
    }

    #[test]
    fn no_page_is_taken_twice_and_none_is_lost() {
        let (beside, base, taken) = (&Beside::default(), &Base::default(), &Mutex::new(Vec::new()));
        let regions = &Mutex::new(0);
        std::thread::scope(|s| {
            for thread in 0..4usize {
                s.spawn(move || {
                    let mut mine = Vec::new();
                    for round in 0..20_000 {
                        let npages = 1 + (round * 7 + thread * 3) % 20;
                        let grown = || {
                            beside.grow(npages, 0, base).map(|grown| {
                                mine_rest(grown.rest, taken);
                                grown.run
                            })
                        };
                        mine.extend(beside.take(npages).or_else(grown).iter().map(ends));
                        if round % 1000 == 0 {
                            let mut regions = regions.lock().unwrap();
                            *regions += beside.take_regions().count();
                            beside.drain(|run| mine.push(ends(&run)));
                        }
                    }
                    taken.lock().unwrap().extend(mine);
                });
            }
        });
        fn mine_rest(rest: Option<Run>, taken: &Mutex<Vec<(usize, usize)>>) {
            taken.lock().unwrap().extend(rest.iter().map(ends));
        }
        let mut taken = std::mem::take(&mut *taken.lock().unwrap());
        beside.drain(|run| taken.push(ends(&run)));
        let regions = *regions.lock().unwrap() + beside.take_regions().count();
        taken.sort_unstable();
        assert!(taken.windows(2).all(|two| two[0].1 <= two[1].0));
        assert_eq!(taken.iter().map(|(start, end)| end - start).sum::<usize>(), regions * BYTES);
    }
}
