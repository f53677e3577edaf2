//! Descriptors that describe nothing: a few that whoever needs one takes without a lock, the others on a list.

use core::ptr::{from_ref, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::*};

use crate::extent::{ByOwner, Extent};
use crate::relaxed::{List, Relaxed, Stack};
use crate::sync::{Mutex, MutexCounts};

/// Descriptors that are at hand, a cache line of pointers.
const NEAR: usize = 8;
/// How many come from the list when none is at hand, or go there when all are: so that the next few need no lock either.
const BATCH: usize = NEAR / 2;

/// The descriptors of an arena that describe nothing. All-zero is none.
///
/// A slot is emptied by one exchange, whatever is in it, and filled by one that only an empty slot lets through. So there is no
/// state between that two threads could disagree on, and no ABA: nobody acts on what a slot held earlier. Release and Acquire of
/// the two hand on what was written to the descriptor.
#[derive(Default)]
#[repr(align(64))]
pub(super) struct Spare {
    near: [AtomicPtr<Extent>; NEAR],
    list: Mutex<List<Extent, ByOwner>>,
    /// What came back while the holder of the list's lock did not run.
    late: Stack<Extent, ByOwner>,
    /// How many are on the list, or late.
    listed: AtomicUsize,
}

impl Spare {
    /// Takes one, if there is one.
    #[inline]
    pub(super) fn take(&self) -> Option<&'static Extent> {
        self.take_near().or_else(|| self.take_listed())
    }

    /// Gives one back.
    #[inline]
    pub(super) fn put(&self, extent: &'static Extent) {
        if !self.put_near(extent) {
            self.put_listed(extent);
        }
    }

    /// How many there are; about as many while others take and give.
    pub(super) fn len(&self) -> usize {
        self.listed.get() + self.near.iter().filter(|slot| !slot.get().is_null()).count()
    }

    fn take_near(&self) -> Option<&'static Extent> {
        self.near.iter().find_map(|slot| {
            if slot.get().is_null() {
                return None;
            }
            // SAFETY: `put_near` stores only references to descriptors, which live for ever; others may have left null.
            unsafe { slot.swap(null_mut(), Acquire).as_ref() }
        })
    }

    fn put_near(&self, extent: &'static Extent) -> bool {
        let descriptor = from_ref(extent).cast_mut();
        self.near.iter().any(|slot| {
            slot.get().is_null() && slot.compare_exchange(null_mut(), descriptor, Release, Relaxed).is_ok()
        })
    }

    #[cold]
    fn take_listed(&self) -> Option<&'static Extent> {
        if self.listed.get() == 0 {
            // One that comes just now is for the next.
            return None;
        }
        let Some(list) = self.list.lock_unless_stuck() else {
            // One more costs less than to wait. But what comes back meanwhile has to serve again: there would be no end.
            let extent = self.late.pop()?;
            self.listed.fetch_sub(1, Relaxed);
            return Some(extent);
        };
        self.catch_up(&list);
        let first = self.pop(&list)?;
        for _ in 0..BATCH {
            let Some(extent) = self.pop(&list) else { break };
            if !self.put_near(extent) {
                self.push(&list, extent);
                break;
            }
        }
        Some(first)
    }

    #[cold]
    fn put_listed(&self, extent: &'static Extent) {
        let Some(list) = self.list.lock_unless_stuck() else {
            self.listed.fetch_add(1, Relaxed);
            self.late.push(extent);
            return;
        };
        self.catch_up(&list);
        self.push(&list, extent);
        for _ in 0..BATCH {
            let Some(extent) = self.take_near() else { break };
            self.push(&list, extent);
        }
    }

    fn pop(&self, list: &List<Extent, ByOwner>) -> Option<&'static Extent> {
        let extent = list.pop()?;
        self.listed.fetch_sub(1, Relaxed);
        Some(extent)
    }

    fn push(&self, list: &List<Extent, ByOwner>, extent: &'static Extent) {
        list.push(extent);
        self.listed.fetch_add(1, Relaxed);
    }

    fn catch_up(&self, list: &List<Extent, ByOwner>) {
        self.late.take_all().for_each(|extent| list.push(extent));
    }

    /// How often the lock of the list was taken and waited for.
    pub(super) fn mutex_counts(&self) -> MutexCounts {
        self.list.counts()
    }

    /// Sets these to zero.
    pub(super) fn reset_mutex_counts(&self) {
        self.list.reset_counts();
    }

    /// Locks for a fork. What a thread is just taking or giving is lost to the child, as are those in its hands.
    pub(super) fn hold(&self) {
        self.list.hold();
    }

    /// Unlocks after a fork.
    ///
    /// # Safety
    /// As [`Mutex::unhold`].
    pub(super) unsafe fn unhold(&self) {
        // SAFETY: by the caller's promise.
        unsafe { self.list.unhold() }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::base::Base;
    use std::vec::Vec;

    #[test]
    fn while_the_list_is_held_descriptors_come_back_all_the_same_and_are_taken_later() {
        let (spare, base) = (Spare::default(), Base::default());
        let held = spare.list.lock();
        (0..NEAR + 5).for_each(|_| spare.put(base.make().unwrap()));
        assert_eq!(spare.len(), NEAR + 5);
        (0..NEAR).for_each(|_| assert!(spare.take().is_some()));
        drop(held);
        (0..5).for_each(|_| assert!(spare.take().is_some()));
        assert!(spare.take().is_none() && spare.len() == 0);
    }

    #[test]
    fn while_the_list_is_held_no_more_are_needed_than_are_in_use_at_a_time() {
        let (spare, base) = (Spare::default(), Base::default());
        let _held = spare.list.lock();
        let mut made = 0;
        for round in 0..10 {
            let taken: Vec<&'static Extent> = (0..3 * NEAR + round % 3)
                .map(|_| {
                    spare.take().unwrap_or_else(|| {
                        made += 1;
                        base.make().unwrap()
                    })
                })
                .collect();
            taken.into_iter().for_each(|extent| spare.put(extent));
            assert_eq!(spare.len(), made);
        }
        assert_eq!(made, 3 * NEAR + 2);
    }

    #[test]
    fn a_descriptor_belongs_to_one_thread_at_a_time_and_none_is_lost() {
        const ALL: usize = 40;
        let (spare, base) = (Spare::default(), Base::default());
        let mut all: Vec<*const Extent> = Vec::new();
        for _ in 0..ALL {
            let extent: &'static Extent = base.make().unwrap();
            all.push(extent);
            spare.put(extent);
        }
        assert_eq!(spare.len(), ALL);
        std::thread::scope(|s| {
            for thread in 1..=4u64 {
                let spare = &spare;
                s.spawn(move || {
                    let mut held: Vec<&'static Extent> = Vec::new();
                    for round in 0..40_000usize {
                        // Up to more than a quarter of all, so that now and then none is left.
                        if round % 24 < 12 {
                            let Some(extent) = spare.take() else { continue };
                            assert_eq!(extent.sample.swap(thread, Relaxed), 0, "another thread has it, too");
                            held.push(extent);
                        } else if let Some(extent) = held.pop() {
                            assert_eq!(extent.sample.swap(0, Relaxed), thread, "another thread had it, too");
                            spare.put(extent);
                        }
                    }
                    for extent in held {
                        extent.sample.set(0);
                        spare.put(extent);
                    }
                });
            }
        });
        assert_eq!(spare.len(), ALL);
        let mut left: Vec<*const Extent> =
            core::iter::from_fn(|| spare.take()).map(core::ptr::from_ref).collect();
        left.sort_unstable();
        all.sort_unstable();
        assert_eq!(left, all);
    }
}
