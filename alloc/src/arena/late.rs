//! Objects that come back to a bin whose lock is held by a thread that does not run: left to whoever has the lock next.

use super::bin::{Bin, BinState};
use super::{Arena, table};
use crate::extent::{Extent, Kind, map};
use crate::report::Misuse;
use crate::sync::Guard;

impl Bin {
    /// Locks, unless a thread that seems not to run has the lock.
    #[inline]
    pub(super) fn lock_unless_stuck(&self) -> Option<Guard<'_, BinState>> {
        self.state.lock_unless_stuck().map(|state| self.caught_up(state))
    }

    /// Takes objects of the ordinary slabs of this bin back, and counts so many flushes, without the lock. Where there is no memory to
    /// note them, with it.
    #[cold]
    #[inline(never)]
    pub(super) fn leave_late(&self, arena: &Arena, objects: &[*mut u8], mut nflushes: u64) {
        for some in objects.chunks(Extent::HOLDS) {
            match arena.descriptor() {
                Some(holder) => {
                    holder.hold(arena.index(), some, core::mem::take(&mut nflushes));
                    self.late.push(holder);
                }
                None => {
                    let mut state = self.lock();
                    state.counts.nflushes += core::mem::take(&mut nflushes);
                    let misuse = state.enter(some.iter().copied());
                    drop(state);
                    if let Some(misuse) = misuse {
                        misuse.end();
                    }
                }
            }
        }
    }

    /// Enters what came back late.
    #[cold]
    #[inline(never)]
    pub(super) fn catch_up<'a>(&'a self, mut state: Guard<'a, BinState>) -> Guard<'a, BinState> {
        for holder in self.late.take_all() {
            let (objects, nflushes) = holder.held();
            state.counts.nflushes += nflushes;
            let misuse = state.enter(objects);
            table::owner(holder).spare.put(holder);
            if let Some(misuse) = misuse {
                drop(state);
                misuse.end();
            }
        }
        state
    }
}

impl BinState {
    /// Takes objects back; slabs that become empty stay until the next trim. Answers a mistake of the program, if there is one.
    fn enter(&mut self, objects: impl Iterator<Item = *mut u8>) -> Option<Misuse> {
        let mut misuse = None;
        for object in objects {
            let put = match map::extent_of(object).filter(|extent| extent.kind() == Kind::Slab) {
                Some(slab) => self.put(slab, object),
                // Freed twice, so that its slab is gone.
                None => Err(Misuse::InvalidPointer(object)),
            };
            match put {
                Ok(None) => {}
                Ok(Some(empty)) => self.keep_empty(empty),
                Err(found) => misuse = Some(found),
            }
        }
        misuse
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Role;
    use crate::arena::bin::extent_of_object;
    use crate::arena::release::{From, release, release_one};
    use crate::sync::Patience;
    use crate::units::{ArenaInd, SzInd};
    use core::ptr::null_mut;

    #[test]
    fn what_comes_back_while_a_bin_is_held_counts_as_soon_as_it_is_not() {
        const CLASS: SzInd = SzInd(7);
        // Known to the table, where the owner of an object is looked up.
        let arena = table::create(|_| ()).unwrap();
        assert!(arena.role() == Role::Manual && arena.index() != ArenaInd(0));
        let mut objects = [null_mut(); 60];
        let bin = arena.bin(CLASS);
        assert_eq!(arena.fill(CLASS, &mut objects), objects.len());
        let held = bin.lock();
        let (one, others) = objects.split_first_mut().unwrap();
        release_one(extent_of_object(*one), *one);
        release(CLASS, others, From::Cache);
        assert_eq!((held.counts.ndalloc, held.counts.nflushes), (0, 0));
        drop(held);
        assert!(bin.late.is_some());
        let counts = arena.moment(Patience::Endless).unwrap().bins[CLASS.idx()];
        assert_eq!((counts.nmalloc, counts.ndalloc, counts.nflushes), (60, 60, 1));
        assert!(!bin.late.is_some());
        let (spare, all) = arena.extents();
        assert_eq!(
            all - spare,
            counts.curslabs as usize,
            "every descriptor is a slab's, or describes nothing"
        );
        arena.trim(true);
        assert_eq!(arena.moment(Patience::Endless).unwrap().bins[CLASS.idx()].curslabs, 0);
        assert!(table::destroy(arena, &mut |_, _, _| ()));
    }
}
