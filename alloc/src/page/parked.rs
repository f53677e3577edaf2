//! Runs that were freed last, a few of each length, given and taken without a lock: most requests for pages find as many
//! here as they want, and neither wait for the supply nor look at its bitmaps.
//!
//! A run is one word: the block that it begins in, its first page there, and its length. Whoever exchanges the word for
//! 0 owns the run, whoever exchanges 0 for the word has given it. Blocks live for ever, and while a run is here its pages look used
//! to the supply, so what its word says stays true. A word that goes away and comes back between the look at a slot and the
//! exchange (ABA) is the same run, which is here again: the exchange is right as it is, for it depends on nothing else.
//!
//! **Ordering**: a word is given with Release and taken with Acquire, so what a former owner wrote to the pages, and the
//! supply to the block before, is seen by the next. That [`Parked::drain`] finds all that was given before it began is due
//! to sequential consistency: `put` writes its slot and then looks at `occupied`, `drain` clears `occupied` and then looks at the slots.
//! Either `put` sees the bit cleared and sets it again, or its slot was written before `drain` looked.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::*};

use super::bits::BLOCK_PAGES;
use super::block::Block;
use super::run::Run;
use crate::relaxed::Relaxed;

/// Longest runs that are kept here, 256 KiB: how much there is in all has to be little.
pub const MOST: usize = 64;
/// Runs of one length, which are 512 KiB or a little more at most. More save little: a queue that is as often added to as taken
/// from is empty or full a ninth of the time each.
const WAYS: usize = 8;
/// One for each of 1 to 7 pages, then four for each doubling.
const SETS: usize = set_of(MOST) + 1;
const _: () = assert!(SETS < 32);

const EMPTY: u64 = 0;
/// What no block's word can be, since none is at address 0: nothing may be given here.
const CLOSED: u64 = 1;
const LG_MOST: u32 = MOST.ilog2();
const LG_BLOCK_PAGES: u32 = BLOCK_PAGES.ilog2();
const LG_ALIGN: u32 = align_of::<Block>().ilog2();
/// Where the block's address begins; it has at most 48 bits.
const BLOCK_SHIFT: u32 = LG_MOST + LG_BLOCK_PAGES;
const _: () = assert!(48 - LG_ALIGN + BLOCK_SHIFT <= 64);

/// Slots for runs of about one length: a cache line.
#[derive(Default)]
#[repr(align(64))]
struct Set([AtomicU64; WAYS]);

/// Runs whose pages are dirty, and look used to their blocks. All-zero is none.
#[derive(Default)]
pub struct Parked {
    sets: [Set; SETS],
    /// Sets that may hold something.
    occupied: AtomicU32,
}

const fn set_of(npages: usize) -> usize {
    if npages < 4 {
        return npages - 1;
    }
    let lg = npages.ilog2() as usize - 2;
    3 + 4 * lg + ((npages >> lg) & 3)
}

fn pack(run: Run) -> Option<u64> {
    let (block, page) = run.start()?;
    let block = core::ptr::from_ref(block).expose_provenance() as u64 >> LG_ALIGN;
    Some(block << BLOCK_SHIFT | (page << LG_MOST | (run.npages - 1)) as u64)
}

fn npages_in(word: u64) -> usize {
    (word as usize & (MOST - 1)) + 1
}

fn unpack(word: u64) -> Option<Run> {
    let address = (word >> BLOCK_SHIFT << LG_ALIGN) as usize;
    // SAFETY: null for `EMPTY` and `CLOSED`; any other word was packed from a reference to a block, which lives for ever and
    // whose provenance was exposed then.
    let block: &'static Block = unsafe { core::ptr::with_exposed_provenance::<Block>(address).as_ref()? };
    let page = (word >> LG_MOST) as usize & (BLOCK_PAGES - 1);
    Some(Run::in_block(block, page, npages_in(word)))
}

/// Takes the run that a slot was seen to hold, unless it is gone by now.
#[inline]
fn take_word(slot: &AtomicU64, word: u64) -> Option<Run> {
    slot.compare_exchange(word, EMPTY, Acquire, Relaxed).ok().and_then(unpack)
}

impl Parked {
    fn slots(&self, npages: usize) -> Option<&[AtomicU64]> {
        if npages.wrapping_sub(1) >= MOST {
            return None;
        }
        let ways = ((2 * MOST) >> npages.ilog2()).min(WAYS);
        self.sets[set_of(npages)].0.get(..ways)
    }

    /// Takes a run of `npages` pages, at least 1.
    #[inline]
    pub fn take(&self, npages: usize) -> Option<Run> {
        self.slots(npages)?.iter().find_map(|slot| {
            let word = slot.get();
            if word <= CLOSED || npages_in(word) != npages {
                return None;
            }
            take_word(slot, word)
        })
    }

    /// Takes the first run that `fits`, of the shortest set that has one. It is asked about runs that may be gone when it answers.
    pub fn take_that(&self, fits: impl Fn(&Run) -> bool) -> Option<Run> {
        let mut slots = Parked::occupied(self.occupied.get()).flat_map(|set| &self.sets[set].0);
        slots.find_map(|slot| {
            let word = slot.get();
            unpack(word).filter(&fits)?;
            take_word(slot, word)
        })
    }

    /// Gives a run that lies in blocks; `false` when there is no room, and it still is the caller's.
    #[inline]
    pub fn put(&self, run: Run) -> bool {
        let Some(slots) = self.slots(run.npages) else { return false };
        let Some(word) = pack(run) else { return false };
        let place = |slot: &AtomicU64| {
            slot.get() == EMPTY && slot.compare_exchange(EMPTY, word, SeqCst, Relaxed).is_ok()
        };
        if !slots.iter().any(place) {
            return false;
        }
        let bit = 1 << set_of(run.npages);
        if self.occupied.load(SeqCst) & bit == 0 {
            self.occupied.fetch_or(bit, SeqCst);
        }
        true
    }

    fn occupied(sets: u32) -> impl Iterator<Item = usize> {
        (0..SETS).filter(move |set| sets >> set & 1 != 0)
    }

    /// Pages that are here; when other threads give and take meanwhile, about as many.
    pub fn pages(&self) -> usize {
        let words = |set: usize| self.sets[set].0.iter().map(Relaxed::get).filter(|&word| word > CLOSED);
        Parked::occupied(self.occupied.get()).flat_map(words).map(npages_in).sum()
    }

    /// Takes all that was given before. Cost: nothing when there is nothing.
    #[inline]
    pub fn drain(&self, mut show: impl FnMut(Run)) {
        if self.occupied.load(SeqCst) == 0 {
            return;
        }
        for set in Parked::occupied(self.occupied.swap(0, SeqCst)) {
            for slot in &self.sets[set].0 {
                if slot.load(SeqCst) <= CLOSED {
                    continue;
                }
                // Others may have taken it, or closed the slot, which only is done with the lock of the supply held.
                let taken = slot.fetch_update(SeqCst, SeqCst, |word| (word > CLOSED).then_some(EMPTY));
                taken.ok().and_then(unpack).into_iter().for_each(&mut show);
            }
        }
    }

    /// In the child of a fork: a thread of the parent may have given a run, and not have said yet that its set holds one.
    pub fn forked(&self) {
        self.occupied.store((1 << SETS) - 1, SeqCst);
    }

    /// Takes all there is, and nothing is to be given or found until [`Parked::open`]. With the lock of the supply held.
    pub fn close(&self, show: impl FnMut(Run)) {
        let slots = self.sets.iter().flat_map(|set| &set.0);
        slots.filter_map(|slot| unpack(slot.swap(CLOSED, AcqRel))).for_each(show);
    }

    /// Ends [`Parked::close`]. With the lock of the supply held.
    pub fn open(&self) {
        for slot in self.sets.iter().flat_map(|set| &set.0) {
            // Fails for slots that are open.
            let _ = slot.compare_exchange(CLOSED, EMPTY, Relaxed, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::base::Base;
    use crate::page::supply::Supply;
    use crate::units::PAGE;
    use std::sync::Mutex;
    use std::vec::Vec;

    /// Runs of these lengths, in use.
    fn runs(lengths: impl Iterator<Item = usize>) -> Vec<Run> {
        let (base, mut supply) = (Base::default(), Supply::default());
        let none = Parked::default();
        lengths.map(|npages| supply.take(npages, 1, &base, &none).unwrap().0).collect()
    }

    fn place(run: &Run) -> (usize, usize) {
        (run.base.addr(), run.npages)
    }

    #[test]
    fn every_length_has_a_set_and_no_set_is_for_more_than_a_quarter_of_a_doubling() {
        let sets: Vec<usize> = (1..=MOST).map(set_of).collect();
        assert!(sets.windows(2).all(|w| w[1] == w[0] || w[1] == w[0] + 1), "{sets:?}");
        assert_eq!((sets[0], sets[MOST - 1], SETS), (0, SETS - 1, 20));
        assert_eq!([8, 9, 10, 15, 16].map(set_of), [7, 7, 8, 10, 11]);
    }

    #[test]
    fn a_run_comes_back_as_it_was_given_and_only_for_its_own_length() {
        let parked = Parked::default();
        for run in runs((1..=MOST).chain([1, 8, 9])) {
            assert!(parked.put(run));
            assert_eq!(parked.pages(), run.npages);
            assert!((1..=MOST + 1).filter(|&n| n != run.npages).all(|n| parked.take(n).is_none()));
            let found = parked.take(run.npages).unwrap();
            assert_eq!(place(&found), place(&run));
            assert!(parked.take(run.npages).is_none());
        }
    }

    #[test]
    fn of_longer_runs_a_short_one_is_taken() {
        let parked = Parked::default();
        for run in runs([64, 9, 20, 8].into_iter()) {
            assert!(parked.put(run));
        }
        let lengths =
            [8, 8, 8, 8].map(|npages| parked.take_that(|run| run.npages > npages).map(|run| run.npages));
        assert_eq!(lengths, [Some(9), Some(20), Some(64), None]);
        assert_eq!(parked.pages(), 8);
    }

    #[test]
    fn runs_that_reach_across_blocks_or_are_told_by_an_earlier_block_are_found_where_they_lie() {
        let (base, mut supply) = (Base::default(), Supply::default());
        let parked = Parked::default();
        let (whole, _) = supply.take(3 * BLOCK_PAGES, 1, &base, &parked).unwrap();
        for at in [BLOCK_PAGES - 3, 2 * BLOCK_PAGES - 1, 2 * BLOCK_PAGES] {
            let run = Run { base: whole.base.wrapping_add(at * PAGE), npages: 7, ..whole };
            assert!(parked.put(run));
            let found = parked.take(7).unwrap();
            assert_eq!(place(&found), place(&run));
            assert_eq!(found.parts().map(|(_, _, n)| n).sum::<usize>(), 7);
        }
    }

    #[test]
    fn what_is_full_or_closed_takes_nothing_and_what_is_drained_is_all_there_was() {
        let parked = Parked::default();
        let given: Vec<Run> = runs([3; WAYS].into_iter().chain([MOST; 2]));
        assert!(given.iter().all(|&run| parked.put(run)));
        assert!(!runs([3, MOST, MOST + 1].into_iter()).into_iter().any(|run| parked.put(run)));
        let mut drained = Vec::new();
        parked.drain(|run| drained.push(place(&run)));
        assert_eq!(drained, given.iter().map(place).collect::<Vec<_>>());
        parked.drain(|_| panic!("nothing is left"));
        assert!(parked.put(given[0]));
        let mut closed = Vec::new();
        parked.close(|run| closed.push(place(&run)));
        assert_eq!((closed, parked.pages()), (std::vec![place(&given[0])], 0));
        assert!(!parked.put(given[0]) && [2, 3].iter().all(|&n| parked.take(n).is_none()));
        parked.close(|_| panic!("nothing is left"));
        parked.drain(|_| panic!("nothing is left"));
        parked.open();
        assert!(parked.put(given[0]) && parked.take(3).is_some());
    }

    #[test]
    fn what_a_thread_was_just_giving_when_the_process_forked_is_found_in_the_child() {
        let (parked, run) = (Parked::default(), runs([5].into_iter())[0]);
        parked.sets[set_of(5)].0[0].set(pack(run).unwrap());
        parked.drain(|_| panic!("nobody has said that there is something"));
        parked.forked();
        let mut drained = Vec::new();
        parked.drain(|run| drained.push(place(&run)));
        assert_eq!(drained, [place(&run)]);
    }

    /// Threads take runs, write their number to them and look whether it stays while they hold them; others drain, close and
    /// open. At the end every run is there once.
    #[test]
    fn a_run_belongs_to_one_thread_at_a_time_and_none_is_lost() {
        let lengths = [1, 2, 2, 3, 5, 5, 5, 8, 9, 10];
        let mut all: Vec<u64> =
            runs(lengths.into_iter().cycle().take(60)).into_iter().filter_map(pack).collect();
        let (parked, spilled) = (Parked::default(), Mutex::new(all.clone()));
        // Exchanges the first word of a run, which threads that do not hold it find to be 0.
        let mark = |word: u64, by: u64| {
            let cell = unpack(word).unwrap().base.cast::<AtomicU64>();
            // SAFETY: the page stays mapped.
            unsafe { (*cell).swap(by, Relaxed) }
        };
        let work = &|thread: usize| {
            let mut held = Vec::new();
            for round in 0..40_000 {
                let npages = lengths[(round * 7 + thread * 3) % lengths.len()];
                let taken = parked.take(npages).and_then(pack).or_else(|| spilled.lock().unwrap().pop());
                if let Some(word) = taken {
                    assert_eq!(mark(word, thread as u64), 0, "another thread has it, too");
                    held.push(word);
                }
                if held.len() > 5 || taken.is_none() {
                    let Some(word) = held.pop() else { continue };
                    assert_eq!(mark(word, 0), thread as u64, "another thread had it, too");
                    if !parked.put(unpack(word).unwrap()) {
                        spilled.lock().unwrap().push(word);
                    }
                }
                if round % 500 == 0 {
                    // One thread at a time, as with the supply's lock.
                    let mut spilled = spilled.lock().unwrap();
                    match thread {
                        1 => parked.close(|run| spilled.extend(pack(run))),
                        2 => parked.open(),
                        _ => parked.drain(|run| spilled.extend(pack(run))),
                    }
                }
            }
            held.iter().for_each(|&word| assert_eq!(mark(word, 0), thread as u64));
            spilled.lock().unwrap().extend(held);
        };
        std::thread::scope(|s| (1..=4).for_each(|thread| drop(s.spawn(move || work(thread)))));
        let mut left = spilled.into_inner().unwrap();
        parked.drain(|run| left.extend(pack(run)));
        left.sort_unstable();
        all.sort_unstable();
        assert_eq!(left, all);
    }
}
