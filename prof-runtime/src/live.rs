//! What is remembered of every sampled object from its birth to its death: whose it is, where and how large, since when
//! it lives, what it stands for. Lock-free; records are recycled, so that there are as many as objects were live at once.

use core::{
    cell::Cell,
    num::NonZeroU64,
    sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};

use prof_format::unbias::{self, Weight};

use crate::{
    context::ContextId,
    memory::{Array, Zeroed},
};

/// What the host keeps with a sampled object: `uses << 32 | record`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleRef(NonZeroU64);

impl SampleRef {
    /// For storing in a word of the host's; never 0.
    pub fn to_bits(self) -> u64 {
        self.0.get()
    }

    /// From such a word; `None` for 0.
    pub fn from_bits(bits: u64) -> Option<SampleRef> {
        NonZeroU64::new(bits).map(SampleRef)
    }

    /// Number of the record, from 1.
    pub fn record(self) -> u32 {
        self.0.get() as u32
    }

    fn uses(self) -> u32 {
        (self.0.get() >> 32) as u32
    }
}

/// A sampled object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Stack and thread of the allocation.
    pub context: ContextId,
    /// Which counts it is part of.
    pub generation: u32,
    /// Bytes asked for.
    pub requested: u64,
    /// Usable bytes, as they were counted.
    pub usize_: u64,
    /// Mean sampling distance in bytes with which it was drawn: what it stands for, whatever the rate is now.
    pub period: u64,
    /// When, on the clock of the samples.
    pub nanos: u64,
}

impl Birth {
    /// What the object stands for in the counts. Cost: one `expm1`.
    pub fn weight(&self) -> Weight {
        unbias::weight(self.usize_, self.period)
    }
}

/// A live object as a walk finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alive {
    /// Which one.
    pub sample: SampleRef,
    /// Its birth.
    pub birth: Birth,
    /// Its address; 0 when it has none yet.
    pub object: usize,
}

/// Written by its object's allocating thread, then read and released by whoever frees the object; read by walks at any
/// time. One cache line.
#[derive(Default)]
#[repr(align(64))]
struct Record {
    /// How many objects it has served; a reference holds the count of its own.
    uses: AtomicU32,
    /// The next spare record; 0 for the last.
    next: AtomicU32,
    /// 0 while the record is spare.
    context: AtomicU32,
    generation: AtomicU32,
    requested: AtomicU64,
    usize_: AtomicU64,
    period: AtomicU64,
    nanos: AtomicU64,
    object: AtomicUsize,
    /// Place in the recent samples, plus one; 0 for none.
    ticket: AtomicU64,
}

const _: () = assert!(size_of::<Record>() == 64);

// SAFETY: atomics only, for which zero is a value.
unsafe impl Zeroed for Record {}

impl Record {
    fn birth(&self) -> Option<Birth> {
        Some(Birth {
            // Acquire: what is behind the context of a complete record is complete; pairs with `Live::add`.
            context: ContextId::from_bits(self.context.load(Ordering::Acquire))?,
            generation: self.generation.load(Ordering::Relaxed),
            requested: self.requested.load(Ordering::Relaxed),
            usize_: self.usize_.load(Ordering::Relaxed),
            period: self.period.load(Ordering::Relaxed),
            nanos: self.nanos.load(Ordering::Relaxed),
        })
    }
}

/// Spare records of one thread, the newest first. A record that goes from there to an object and back changes nothing that
/// other threads write to. A thread keeps none before its first sample, since the host may not watch the ends of others, and none
/// after its end. Not to be used in a handler that may have interrupted another use.
pub struct Spares {
    first: Cell<u32>,
    count: Cell<u32>,
}

/// Most that one thread keeps.
const KEPT_MAX: u32 = 32;

impl Spares {
    /// Before the first sample: none, and no room.
    const CLOSED: u32 = KEPT_MAX;
    /// After the thread's end.
    const ENDED: u32 = KEPT_MAX + 1;

    /// None.
    pub const fn new() -> Spares {
        Spares { first: Cell::new(0), count: Cell::new(Spares::CLOSED) }
    }

    /// Those of a new thread. What there were are anybody's since the end of the one before.
    pub fn restart(&self) {
        self.first.set(0);
        self.count.set(Spares::CLOSED);
    }

    /// Makes room, unless the thread has ended. There are none.
    fn open(&self) {
        if self.count.get() == Spares::CLOSED {
            self.count.set(0);
        }
    }
}

/// What is remembered of an object whose birth or death the caller is to tell, found once for all that is to be done with it.
pub struct Held<'a> {
    record: &'a Record,
    sample: SampleRef,
}

impl Held<'_> {
    /// Notes where the object is. Only before it is known to anybody else.
    #[inline]
    pub fn set_place(&self, object: usize) {
        self.record.object.store(object, Ordering::Relaxed);
    }

    /// Its birth.
    #[inline]
    pub fn birth(&self) -> Option<Birth> {
        self.record.birth()
    }

    /// Where it is among the recent samples.
    #[inline]
    pub fn ticket(&self) -> Option<u64> {
        self.record.ticket.load(Ordering::Relaxed).checked_sub(1)
    }
}

/// All records.
pub struct Live {
    table: Array<Record, 1024>,
    /// Spare records that no thread keeps: `changes << 32 | first`. The changes tell a head that came back from one that never
    /// left.
    spare: AtomicU64,
}

impl Live {
    /// None; maps nothing.
    pub const fn new() -> Live {
        Live { table: Array::new(), spare: AtomicU64::new(0) }
    }

    /// Objects that are remembered. A racy reading that looks at every record: samples would take longer if they counted.
    pub fn count(&self) -> u64 {
        let used = |record: &Record| record.context.load(Ordering::Relaxed) != 0;
        (1..=self.most()).filter_map(|number| self.record(number)).filter(|record| used(record)).count()
            as u64
    }

    /// Most objects that were alive at once.
    pub fn most(&self) -> u32 {
        self.table.len()
    }

    fn record(&self, number: u32) -> Option<&Record> {
        self.table.get(number.checked_sub(1)?)
    }

    /// The record behind a reference; `None` when it was released since.
    fn held(&self, sample: SampleRef) -> Option<&Record> {
        self.record(sample.record()).filter(|record| record.uses.load(Ordering::Acquire) == sample.uses())
    }

    /// Remembers an object; `None` when memory is out. A spare record of the thread's `own` is taken first.
    #[inline]
    pub fn add(&self, birth: Birth, own: Option<&Spares>) -> Option<SampleRef> {
        let (number, record) = match own.and_then(|own| self.take_own(own)).or_else(|| self.take_spare()) {
            Some(spare) => spare,
            None => {
                let (at, made) = self.table.alloc(1)?;
                (at + 1, made.first()?)
            }
        };
        // A walk that sees one of the stores below sees that the record's last use is over; pairs with its fence.
        fence(Ordering::Release);
        record.generation.store(birth.generation, Ordering::Relaxed);
        record.requested.store(birth.requested, Ordering::Relaxed);
        record.usize_.store(birth.usize_, Ordering::Relaxed);
        record.period.store(birth.period, Ordering::Relaxed);
        record.nanos.store(birth.nanos, Ordering::Relaxed);
        record.object.store(0, Ordering::Relaxed);
        // Who is handed the object was handed the reference, and needs no order here. Walks do: whoever sees the context
        // sees the rest.
        record.context.store(birth.context.to_bits(), Ordering::Release);
        let uses = record.uses.load(Ordering::Relaxed);
        SampleRef::from_bits((uses as u64) << 32 | number as u64)
    }

    #[inline]
    fn take_own(&self, own: &Spares) -> Option<(u32, &Record)> {
        let number = own.first.get();
        let Some(record) = self.record(number) else {
            own.open();
            return None;
        };
        own.first.set(record.next.load(Ordering::Relaxed));
        own.count.set(own.count.get() - 1);
        Some((number, record))
    }

    #[cold]
    #[inline(never)]
    fn take_spare(&self) -> Option<(u32, &Record)> {
        // Acquire: pairs with the release below, for the link.
        let mut head = self.spare.load(Ordering::Acquire);
        loop {
            let number = head as u32;
            let record = self.record(number)?;
            // Of a record that somebody else took meanwhile this is nonsense, but then the head has changed.
            let next = record.next.load(Ordering::Relaxed);
            let rest = (head >> 32).wrapping_add(1) << 32 | next as u64;
            match self.spare.compare_exchange_weak(head, rest, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return Some((number, record)),
                Err(other) => head = other,
            }
        }
    }

    /// What is remembered, for its end; `None` when the object is dead.
    #[inline]
    pub fn hold(&self, sample: SampleRef) -> Option<Held<'_>> {
        Some(Held { record: self.held(sample)?, sample })
    }

    /// What is remembered; `None` when the object is dead.
    pub fn get(&self, sample: SampleRef) -> Option<Birth> {
        self.held(sample)?.birth()
    }

    /// All objects that are alive for the whole of the call, and some that come or go meanwhile. Takes no lock.
    pub fn walk(&self) -> impl Iterator<Item = Alive> {
        (1..=self.most()).filter_map(|number| {
            let record = self.record(number)?;
            let uses = record.uses.load(Ordering::Acquire);
            let sample = SampleRef::from_bits((uses as u64) << 32 | number as u64)?;
            let birth = record.birth()?;
            let object = record.object.load(Ordering::Relaxed);
            // The loads above come before the one below: when it finds the same use, they are all of this one object.
            fence(Ordering::Acquire);
            (record.uses.load(Ordering::Relaxed) == uses).then_some(Alive { sample, birth, object })
        })
    }

    /// Notes that place. Only before the object is known to anybody else.
    pub fn set_ticket(&self, sample: SampleRef, ticket: u64) {
        if let Some(record) = self.held(sample) {
            record.ticket.store(ticket.wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// Whether the object is still alive.
    pub fn is_alive(&self, sample: SampleRef) -> bool {
        self.held(sample).is_some()
    }

    /// The object died: forgets it. Once per reference; later calls find nothing.
    pub fn remove(&self, sample: SampleRef, own: Option<&Spares>) {
        if let Some(held) = self.hold(sample) {
            self.release(held, own);
        }
    }

    /// As [`Live::remove`]. The record goes to the thread's `own` spares, unless these are many.
    #[inline]
    pub fn release(&self, Held { record, sample }: Held, own: Option<&Spares>) {
        record.ticket.store(0, Ordering::Relaxed);
        record.context.store(0, Ordering::Relaxed);
        // Release: who sees the object dead sees everything before; pairs with `held`.
        record.uses.store(sample.uses().wrapping_add(1), Ordering::Release);
        match own {
            Some(own) if own.count.get() < KEPT_MAX => {
                record.next.store(own.first.get(), Ordering::Relaxed);
                own.first.set(sample.record());
                own.count.set(own.count.get() + 1);
            }
            _ => self.leave_spares(sample.record(), record),
        }
    }

    /// The thread ends: what it keeps is anybody's, and it keeps nothing from now on.
    pub fn give_up(&self, own: &Spares) {
        own.count.set(Spares::ENDED);
        let first = own.first.replace(0);
        let mut last = self.record(first);
        while let Some(next) = last.and_then(|last| self.record(last.next.load(Ordering::Relaxed))) {
            last = Some(next);
        }
        if let Some(last) = last {
            self.leave_spares(first, last);
        }
    }

    /// Makes records anybody's that are linked from `first` to `last`.
    #[cold]
    #[inline(never)]
    fn leave_spares(&self, first: u32, last: &Record) {
        let mut head = self.spare.load(Ordering::Relaxed);
        loop {
            last.next.store(head as u32, Ordering::Relaxed);
            let changed = (head >> 32).wrapping_add(1) << 32 | first as u64;
            match self.spare.compare_exchange_weak(head, changed, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => head = other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::HashSet, vec::Vec};

    fn birth(requested: u64) -> Birth {
        let context = ContextId::from_bits(7).unwrap();
        Birth {
            context,
            generation: 1,
            requested,
            usize_: requested + 5,
            period: 4096 + requested,
            nanos: requested * 3,
        }
    }

    #[test]
    fn an_object_is_remembered_until_it_dies_and_its_record_serves_the_next() {
        let live = Live::new();
        let samples: Vec<_> = (0..3000).map(|n| live.add(birth(n), None).unwrap()).collect();
        assert!(samples.iter().zip(0..).all(|(sample, n)| live.get(*sample) == Some(birth(n))));
        live.set_ticket(samples[5], 40);
        let ticket = |sample| live.hold(sample).unwrap().ticket();
        assert_eq!((ticket(samples[5]), ticket(samples[6])), (Some(40), None));
        samples.iter().for_each(|sample| live.remove(*sample, None));
        assert!(samples.iter().all(|sample| live.get(*sample).is_none() && !live.is_alive(*sample)));
        let again: Vec<_> = (0..3000).map(|n| live.add(birth(n + 9), None).unwrap()).collect();
        let records =
            |samples: &[SampleRef]| samples.iter().map(|sample| sample.record()).collect::<HashSet<_>>();
        assert_eq!(records(&samples), records(&again), "no record was made anew");
        assert!(again.iter().all(|sample| ticket(*sample).is_none()));
        live.remove(samples[0], None);
        assert!(again.iter().all(|sample| live.is_alive(*sample)), "a dead reference frees nothing");
    }

    #[test]
    fn a_thread_s_own_spares_serve_it_first_are_few_and_are_anybody_s_in_the_end() {
        let (live, own, other) = (Live::new(), Spares::new(), Spares::new());
        let add = |own| live.add(birth(1), Some(own)).unwrap();
        let samples: Vec<_> = (0..100).map(|_| add(&own)).collect();
        assert_eq!(live.count(), 100);
        samples.iter().for_each(|sample| live.remove(*sample, Some(&own)));
        assert_eq!((live.count(), own.count.get()), (0, KEPT_MAX));
        let newest = samples[KEPT_MAX as usize - 1].record();
        assert_eq!(add(&own).record(), newest, "what was kept last is in the processor's cache");
        let others: Vec<_> = (0..100 - KEPT_MAX).map(|_| add(&other)).collect();
        assert_eq!((live.most(), live.count()), (100, 101 - KEPT_MAX as u64));
        live.give_up(&own);
        live.give_up(&own);
        let rest: Vec<_> = (0..KEPT_MAX - 1).map(|_| add(&other)).collect();
        let records: HashSet<_> = others.iter().chain(&rest).map(|sample| sample.record()).collect();
        assert_eq!((records.len(), records.contains(&newest)), (99, false));
        live.remove(rest[0], Some(&own));
        assert_eq!((own.first.get(), live.most(), live.count()), (0, 100, 99), "an ended thread keeps none");
        assert_eq!(add(&own).record(), rest[0].record());
        live.remove(rest[1], Some(&own));
        assert_eq!(own.first.get(), 0, "not even after another sample");
    }

    #[test]
    fn a_thread_that_only_frees_keeps_no_spares() {
        let (live, makes, frees) = (Live::new(), Spares::new(), Spares::new());
        for _ in 0..100 {
            let sample = live.add(birth(1), Some(&makes)).unwrap();
            live.remove(sample, Some(&frees));
        }
        assert_eq!((live.most(), frees.first.get()), (1, 0));
    }

    #[test]
    fn a_walk_finds_what_is_alive_with_its_address_and_nothing_else() {
        let live = Live::new();
        assert_eq!(live.walk().count(), 0);
        let samples: Vec<_> = (0..2000).map(|n| live.add(birth(n), None).unwrap()).collect();
        samples.iter().zip(0..).for_each(|(sample, n)| live.hold(*sample).unwrap().set_place(0x1000 + n));
        samples.iter().step_by(3).for_each(|sample| live.remove(*sample, None));
        let again = live.add(birth(9000), None).unwrap();
        let found: Vec<_> = live.walk().map(|alive| (alive.birth.requested, alive.object)).collect();
        let expected = (0..2000).filter(|n| n % 3 != 0).map(|n| (n, 0x1000 + n as usize));
        let newest = (9000, 0);
        assert_eq!(found.iter().copied().collect::<HashSet<_>>(), expected.chain([newest]).collect());
        assert_eq!((found.len() as u64, live.get(again)), (live.count(), Some(birth(9000))));
    }

    #[test]
    fn a_walk_beside_threads_that_recycle_records_never_mixes_two_objects() {
        static LIVE: Live = Live::new();
        static STOP: AtomicU32 = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for thread in 0..3_u64 {
                scope.spawn(move || {
                    for round in 0..20_000 {
                        let born = birth(thread << 32 | round);
                        let sample = LIVE.add(born, None).unwrap();
                        LIVE.remove(sample, None);
                    }
                    STOP.fetch_add(1, Ordering::Relaxed);
                });
            }
            while STOP.load(Ordering::Relaxed) < 3 {
                LIVE.walk().for_each(|alive| assert_eq!(alive.birth, birth(alive.birth.requested)));
            }
        });
        assert_eq!(LIVE.walk().count(), 0);
    }

    #[test]
    fn threads_that_add_and_remove_at_once_never_share_a_record() {
        static LIVE: Live = Live::new();
        let threads: Vec<_> = (0..4_u64)
            .map(|thread| {
                std::thread::spawn(move || {
                    for round in 0..2000 {
                        let mine = |n: u64| birth(thread << 32 | round << 8 | n);
                        let held: Vec<_> = (0..8).map(|n| LIVE.add(mine(n), None).unwrap()).collect();
                        for (sample, n) in held.into_iter().zip(0..) {
                            assert_eq!(LIVE.get(sample), Some(mine(n)));
                            LIVE.remove(sample, None);
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(LIVE.table.len() <= 4 * 8);
    }
}
