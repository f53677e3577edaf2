//! Second bins: where threads take from while the holder of a bin's lock does not run.
//!
//! A thread that is preempted with a lock stops all that come for it until it runs again, which with many threads takes as
//! long as all of them run. Those that want regions need not wait for it: they take from the second bin of the class, whose slabs go back
//! there. Whoever gives regions back leaves them to the next who has the lock (`arena/late`).

use super::Arena;
use crate::extent::Kind;
use crate::relaxed::Relaxed;
use crate::size_class::NBINS;
use crate::units::SzInd;

impl Arena {
    /// Whether somebody holds the lock of the bin of a class, if it has one, or did a moment ago: what can wait had better.
    #[inline]
    pub fn is_busy(&self, class: SzInd) -> bool {
        class.idx() < NBINS && self.bin(class).state.is_held()
    }

    /// Fills `out` with free regions of a class for a thread cache and answers how many; fewer when memory ran out.
    pub fn fill(&self, class: SzInd, out: &mut [*mut u8]) -> usize {
        let bin = self.bin(class);
        match bin.state.try_lock() {
            Some(state) => bin.take(bin.caught_up(state), self, class, Kind::Slab, out, 1),
            None => self.fill_beside(class, out),
        }
    }

    /// [`Arena::fill`] when another thread is at the bin. Should that thread not run, it may be long until it does, and any
    /// number of others come by meanwhile: these take from the second bin of the class. As far as it has something, so does who would only
    /// have to spin.
    #[cold]
    fn fill_beside(&self, class: SzInd, out: &mut [*mut u8]) -> usize {
        let (bin, second) = (self.bin(class), self.second_bin(class));
        if self.is_manual() {
            return bin.take(bin.lock(), self, class, Kind::Slab, out, 1);
        }
        if self.seconded.get()
            && let Some(state) = second.state.try_lock()
        {
            let mut state = second.caught_up(state);
            let filled = state.take(class, out);
            state.counts.nfills += u64::from(filled != 0);
            if filled != 0 {
                return filled;
            }
        }
        if let Some(state) = bin.state.lock_spinning() {
            return bin.take(bin.caught_up(state), self, class, Kind::Slab, out, 1);
        }
        self.seconded.set(true);
        match second.state.try_lock() {
            Some(state) => {
                state.count_spinning();
                second.take(second.caught_up(state), self, class, Kind::Slab, out, 1)
            }
            None => bin.take(bin.lock(), self, class, Kind::Slab, out, 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Role;
    use crate::arena::bin::extent_of_object;
    use crate::base::Base;
    use crate::sync::Patience;
    use crate::units::ArenaInd;
    use core::ptr::null_mut;

    #[test]
    fn what_is_taken_from_a_second_bin_counts_with_the_first_and_goes_back_to_the_second() {
        const CLASS: SzInd = SzInd(5);
        let base = Base::default();
        let arena: &'static Arena = base.make().unwrap();
        arena.start(ArenaInd(3), Role::Automatic);
        let fill = || {
            let mut out = [null_mut(); 4];
            assert_eq!(arena.fill(CLASS, &mut out), out.len());
            out.map(|object| (object, extent_of_object(object)))
        };
        let first = fill();
        let held = arena.bin(CLASS).lock();
        let second = [fill(), fill()];
        drop(held);
        let third = fill();
        assert!(first.iter().chain(&third).all(|(_, slab)| !slab.is_second()));
        assert!(second.iter().flatten().all(|(_, slab)| slab.is_second() && slab.kind() == Kind::Slab));
        let counts = || {
            let moment = arena.moment(Patience::Endless).unwrap();
            let bin = moment.bins[CLASS.idx()];
            (bin.nmalloc, bin.ndalloc, bin.nfills, bin.curslabs, moment.pages.active != 0)
        };
        assert_eq!(counts(), (16, 0, 4, 2, true));
        for (object, slab) in [first, third].iter().chain(&second).flatten() {
            assert!(arena.bin_of(slab).lock().put(slab, *object).is_ok_and(|empty| empty.is_none()));
        }
        assert_eq!(counts(), (16, 16, 4, 2, true));
        arena.trim(true);
        assert_eq!(counts(), (16, 16, 4, 0, false));
    }
}
