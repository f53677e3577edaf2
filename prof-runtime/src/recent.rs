//! The newest sampled objects one by one (`prof_recent_alloc_max`): a ring behind a lock that only samples take, and
//! only while it is on. An object that was freed stays until newer ones push it out.

use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::{
    context::ContextId,
    deque::Deque,
    live::SampleRef,
    memory::Plain,
    stack_table::StackId,
    sync::{Locked, Mutex},
};

/// What is kept at most, whatever was asked for: 256 MiB of records.
pub const KEPT_MAX: u64 = 4 << 20;
/// How many are dropped or copied while the lock is held.
pub const BATCH: usize = 64;

/// End of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// Uid of the thread that freed it.
    pub thread: u32,
    /// Its stack then.
    pub stack: StackId,
    /// When.
    pub nanos: u64,
}

/// A sampled object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Tells whether it is alive.
    pub sample: SampleRef,
    /// Stack and thread of the allocation.
    pub context: ContextId,
    /// Bytes asked for.
    pub requested: u64,
    /// Usable bytes.
    pub usize_: u64,
    /// When it was allocated.
    pub nanos: u64,
    /// How it ended, if that was seen.
    pub death: Option<Death>,
}

/// An entry as stored: zeros where nothing is.
#[derive(Clone, Copy)]
struct Stored {
    sample: u64,
    requested: u64,
    usize_: u64,
    nanos: u64,
    death_nanos: u64,
    context: u32,
    death_thread: u32,
    death_stack: u32,
}

// SAFETY: numbers only, nothing to drop.
unsafe impl Plain for Stored {}

impl Stored {
    fn of(entry: &Entry) -> Stored {
        let mut stored = Stored {
            sample: entry.sample.to_bits(),
            requested: entry.requested,
            usize_: entry.usize_,
            nanos: entry.nanos,
            death_nanos: 0,
            context: entry.context.to_bits(),
            death_thread: 0,
            death_stack: 0,
        };
        entry.death.into_iter().for_each(|death| stored.dies(death));
        stored
    }

    fn dies(&mut self, death: Death) {
        self.death_nanos = death.nanos;
        self.death_thread = death.thread;
        self.death_stack = death.stack.to_bits();
    }

    fn entry(&self) -> Option<Entry> {
        let (thread, nanos) = (self.death_thread, self.death_nanos);
        let death = StackId::from_bits(self.death_stack).map(|stack| Death { thread, stack, nanos });
        Some(Entry {
            sample: SampleRef::from_bits(self.sample)?,
            context: ContextId::from_bits(self.context)?,
            requested: self.requested,
            usize_: self.usize_,
            nanos: self.nanos,
            death,
        })
    }
}

/// The ring.
pub struct Recent {
    /// As it was set: -1 for all, 0 for off.
    max: AtomicI64,
    /// Number of the oldest entry, for those that come without the lock.
    oldest: AtomicU64,
    ring: Locked<Deque<Stored>>,
}

fn limit(max: i64) -> u64 {
    u64::try_from(max).unwrap_or(KEPT_MAX).min(KEPT_MAX)
}

impl Recent {
    /// Off.
    pub const fn new() -> Recent {
        Recent { max: AtomicI64::new(0), oldest: AtomicU64::new(0), ring: Locked::new(Deque::new()) }
    }

    /// How many are kept; -1 for all.
    pub fn max(&self) -> i64 {
        self.max.load(Ordering::Relaxed)
    }

    /// Sets how many are kept, drops the oldest that are too many, and answers what it was.
    pub fn set_max(&self, max: i64) -> i64 {
        let old = self.max.swap(max, Ordering::Relaxed);
        // In batches, so that no sample waits for long. A handler that interrupted a push leaves it to the next one.
        while let Ok(mut ring) = self.ring.lock() {
            if !self.drop_batch(&mut ring) {
                break;
            }
        }
        old
    }

    /// Drops some of the oldest that are too many; false when none is.
    fn drop_batch(&self, ring: &mut Deque<Stored>) -> bool {
        let surplus = ring.len().saturating_sub(limit(self.max()));
        (0..surplus.min(BATCH as u64)).for_each(|_| ring.pop());
        self.oldest.store(ring.first(), Ordering::Relaxed);
        surplus > BATCH as u64
    }

    /// Appends an object and gives its ticket; `None` when the ring is off, memory is out, or this is a handler that
    /// interrupted the ring's own work.
    pub fn push(&self, entry: &Entry) -> Option<u64> {
        if self.max() == 0 {
            return None;
        }
        let mut ring = self.ring.lock().ok()?;
        let ticket = ring.push(Stored::of(entry))?;
        self.drop_batch(&mut ring);
        // It was switched off meanwhile.
        (ticket >= ring.first()).then_some(ticket)
    }

    /// Whether the entry of a ticket is still there. A racy reading.
    pub fn holds(&self, ticket: u64) -> bool {
        ticket >= self.oldest.load(Ordering::Relaxed)
    }

    /// Notes the end of an object.
    pub fn died(&self, ticket: u64, death: Death) {
        if let Ok(mut ring) = self.ring.lock()
            && let Some(stored) = ring.get_mut(ticket)
        {
            stored.dies(death);
        }
    }

    /// Numbers of the oldest entry and of the next one to come.
    pub fn range(&self) -> (u64, u64) {
        self.ring.lock().map_or((0, 0), |ring| (ring.first(), ring.next()))
    }

    /// Copies the oldest entries with numbers in `from..to`; answers how many, and the number that follows the last.
    pub fn copy(&self, from: u64, to: u64, into: &mut [Option<Entry>; BATCH]) -> (usize, u64) {
        let Ok(ring) = self.ring.lock() else { return (0, to) };
        let (mut count, mut number) = (0, from.max(ring.first()));
        while number < to && count < into.len() {
            into[count] = ring.get(number).and_then(|stored| stored.entry());
            (count, number) = (count + 1, number + 1);
        }
        (count, number)
    }

    /// For a fork.
    pub fn mutex(&self) -> &Mutex {
        self.ring.mutex()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn entry(n: u64) -> Entry {
        Entry {
            sample: SampleRef::from_bits(n + 1).unwrap(),
            context: ContextId::from_bits(3).unwrap(),
            requested: n,
            usize_: n + 8,
            nanos: n * 2,
            death: None,
        }
    }

    fn all(recent: &Recent) -> Vec<Entry> {
        let (mut from, to) = recent.range();
        let (mut entries, mut batch) = (Vec::new(), [None; BATCH]);
        while from < to {
            let (count, next) = recent.copy(from, to, &mut batch);
            entries.extend(batch[..count].iter().map(|entry| entry.unwrap()));
            from = next;
        }
        entries
    }

    fn requested(recent: &Recent) -> Vec<u64> {
        all(recent).iter().map(|entry| entry.requested).collect()
    }

    #[test]
    fn the_newest_are_kept_in_order_and_a_smaller_ring_drops_the_oldest() {
        let recent = Recent::new();
        assert!(recent.push(&entry(1)).is_none() && all(&recent).is_empty());
        assert_eq!(recent.set_max(500), 0);
        (0..2000).for_each(|n| assert!(recent.push(&entry(n)).is_some()));
        assert_eq!(requested(&recent), (1500..2000).collect::<Vec<_>>());
        assert_eq!(recent.set_max(3), 500);
        assert_eq!(requested(&recent), [1997, 1998, 1999]);
        assert_eq!(recent.set_max(-1), 3);
        (2000..9000).for_each(|n| assert!(recent.push(&entry(n)).is_some()));
        assert_eq!(requested(&recent), (1997..9000).collect::<Vec<_>>());
        assert_eq!((recent.set_max(0), recent.max()), (-1, 0));
        assert!(all(&recent).is_empty());
    }

    #[test]
    fn an_end_is_noted_as_long_as_the_object_is_listed() {
        let recent = Recent::new();
        recent.set_max(2);
        let tickets: Vec<_> = (0..3).map(|n| recent.push(&entry(n)).unwrap()).collect();
        assert!(!recent.holds(tickets[0]) && recent.holds(tickets[1]));
        let death = Death { thread: 4, stack: StackId::from_bits(9).unwrap(), nanos: 77 };
        tickets.iter().for_each(|ticket| recent.died(*ticket, death));
        assert_eq!(all(&recent), [1, 2].map(|n| Entry { death: Some(death), ..entry(n) }));
    }
}
