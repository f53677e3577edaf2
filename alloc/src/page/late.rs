//! Runs that came back while the holder of the supply's lock did not run: noted in bitmaps of their blocks without a lock, and
//! entered by whoever has the lock next.
//!
//! A block with such pages waits in a list, once. **Ordering**: who gives pages sets their bits and then says that the block waits; who
//! takes them says that it does not, and then clears the bits. So either the giver finds that the block does not wait and lists
//! it again, or the taker finds the bits.

use core::sync::atomic::Ordering::*;

use super::block::{Block, ByLate};
use super::run::Run;
use crate::relaxed::Stack;

/// The blocks that wait. All-zero is none.
#[derive(Default)]
pub struct Late(Stack<Block, ByLate>);

/// Takes the pages that came back to a block that is on no list; dirty ones, in use as far as the block knows.
pub fn take(block: &'static Block, show: &mut dyn FnMut(Run)) {
    block.waits.swap(false, AcqRel);
    for (page, npages) in block.late.take_all().runs() {
        show(Run::in_block(block, page, npages));
    }
}

impl Late {
    /// Gives a run; `false` when it lies in no block, or this is closed. Should it be closed meanwhile, `refused` is called with what it
    /// and others gave.
    pub fn put(&self, run: Run, refused: &mut dyn FnMut(Run)) -> bool {
        if run.block.is_none() || self.0.is_closed() {
            return false;
        }
        for (block, page, npages) in run.parts() {
            block.late.add(page, npages);
            if !block.waits.swap(true, AcqRel) && !self.0.push(block) {
                take(block, refused);
            }
        }
        true
    }

    /// Whether there is something.
    #[inline]
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Takes all that there is. With the lock of the supply held.
    pub fn drain(&self, show: &mut dyn FnMut(Run)) {
        self.0.take_all().for_each(|block| take(block, show));
    }

    /// As [`Late::drain`], and nothing is to be given until [`Late::open`]. With the lock of the supply held.
    pub fn close(&self, show: &mut dyn FnMut(Run)) {
        self.0.close().for_each(|block| take(block, show));
    }

    /// Ends [`Late::close`]. With the lock of the supply held.
    pub fn open(&self) {
        self.0.open();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::base::Base;
    use crate::page::beside::Beside;
    use crate::page::bits::BLOCK_PAGES;
    use crate::page::parked::Parked;
    use crate::page::supply::Supply;
    use crate::units::PAGE;
    use std::sync::Mutex;
    use std::vec::Vec;

    /// A run of three blocks.
    fn whole() -> Run {
        let (base, mut supply) = (Base::default(), Supply::default());
        supply.take(3 * BLOCK_PAGES, 1, &base, &Parked::default()).unwrap().0
    }

    fn part(whole: Run, from: usize, npages: usize) -> Run {
        Run { base: whole.base.wrapping_add(from * PAGE), npages, ..whole }
    }

    fn place(whole: Run, run: Run) -> (usize, usize) {
        ((run.base.addr() - whole.base.addr()) / PAGE, run.npages)
    }

    #[test]
    fn pages_side_by_side_come_out_as_one_run_of_each_block() {
        let (late, whole) = (Late::default(), whole());
        let refused = &mut |_| panic!("it is open");
        assert!(!late.is_some() && !late.put(Run { block: None, ..whole }, refused));
        for (from, npages) in [(100, 5), (500, 30), (105, 60), (1500, 1)] {
            assert!(late.put(part(whole, from, npages), refused) && late.is_some());
        }
        let mut found = Vec::new();
        late.drain(&mut |run| found.push(place(whole, run)));
        found.sort_unstable();
        assert_eq!(found, [(100, 65), (500, 12), (512, 18), (1500, 1)]);
        assert!(!late.is_some());
        late.drain(&mut |_| panic!("nothing is left"));
    }

    #[test]
    fn what_is_closed_takes_nothing_and_who_was_at_it_gets_it_back() {
        let (late, whole) = (Late::default(), whole());
        let refused = &mut |_| panic!("it is open");
        assert!(late.put(part(whole, 3, 4), refused));
        let mut found = Vec::new();
        late.close(&mut |run| found.push(place(whole, run)));
        assert!(!late.put(part(whole, 9, 4), refused) && !late.is_some());
        // Another thread had looked before.
        let (block, page) = part(whole, 9, 4).start().unwrap();
        block.late.add(page, 4);
        assert!(!block.waits.swap(true, AcqRel) && !late.0.push(block));
        take(block, &mut |run| found.push(place(whole, run)));
        late.close(&mut |_| panic!("nothing is left"));
        assert_eq!(found, [(3, 4), (9, 4)]);
        late.open();
        assert!(late.put(part(whole, 9, 4), refused));
    }

    #[test]
    fn a_block_that_was_about_to_be_listed_when_the_process_forked_is_found_in_the_child() {
        let (late, beside, base) = (Late::default(), Beside::default(), Base::default());
        let mut supply = Supply::default();
        let run = supply.take(40, 1, &base, &Parked::default()).unwrap().0;
        let (block, page) = run.start().unwrap();
        block.late.add(page, 40);
        block.waits.store(true, Relaxed);
        let active = supply.counts().active;
        supply.catch_up_forked(&late, &beside);
        assert_eq!(active - supply.counts().active, 40);
        let again = supply.take(40, 1, &base, &Parked::default()).unwrap().0;
        assert!(late.put(again, &mut |_| panic!("it is open")) && late.is_some(), "it can be listed again");
    }

    #[test]
    fn no_page_is_lost_and_none_comes_twice() {
        let (late, whole) = (&Late::default(), whole());
        let lock = &Mutex::new(std::vec![0u32; 3 * BLOCK_PAGES]);
        // Each thread gives every fourth stretch of seven pages, again and again once it has come out.
        let runs = 3 * BLOCK_PAGES / 7;
        let at = (whole.base.expose_provenance(), whole.block);
        std::thread::scope(|s| {
            for thread in 0..4 {
                s.spawn(move || {
                    let whole = Run {
                        base: core::ptr::with_exposed_provenance_mut(at.0),
                        npages: 3 * BLOCK_PAGES,
                        block: at.1,
                    };
                    for round in 0..50 {
                        for n in (thread..runs).step_by(4) {
                            assert!(late.put(part(whole, 7 * n, 7), &mut |_| panic!("it is open")));
                            if (round + n) % 5 == 0 {
                                let mut seen = lock.lock().unwrap();
                                late.drain(&mut |run| {
                                    let (from, npages) = place(whole, run);
                                    seen[from..from + npages].iter_mut().for_each(|n| *n += 1);
                                });
                            }
                        }
                        let mut seen = lock.lock().unwrap();
                        late.drain(&mut |run| {
                            let (from, npages) = place(whole, run);
                            seen[from..from + npages].iter_mut().for_each(|n| *n += 1);
                        });
                        for n in (thread..runs).step_by(4) {
                            assert!(seen[7 * n..7 * n + 7].iter().all(|&times| times == round as u32 + 1));
                        }
                    }
                });
            }
        });
        assert!(!late.is_some());
    }
}
