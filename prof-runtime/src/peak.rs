//! The live set at the moment when it was largest (`prof_peak`), at a constant cost per sample.
//!
//! Nothing is copied when a maximum is reached, for the next one may follow at once. Only when it is *left*, by the first
//! object that dies after it, a number advances: that of the peak. From then on each context, before it changes for the
//! first time, saves what it holds. A context that has not seen the number has not changed since, so that what it holds is
//! what it held at the peak.
//!
//! Among threads that change at once the peak is right up to the samples that were being counted at that moment, one per
//! thread.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::{
    memory::{Array, Zeroed},
    sums::{Numbers, Sums},
};

/// Estimated bytes of a generation of counts.
struct Level {
    /// Now.
    live: AtomicU64,
    /// The most so far.
    most: AtomicU64,
}

impl Level {
    const fn new() -> Level {
        Level { live: AtomicU64::new(0), most: AtomicU64::new(0) }
    }
}

/// When the live set was largest.
pub struct Peak {
    on: AtomicBool,
    /// Number of the peak; above 0.
    number: AtomicU64,
    /// Whether the live set is the largest so far: nothing has died since it was reached.
    standing: AtomicBool,
    /// By the last bit of the generation: a sample that overlaps with a reset counts where nobody looks.
    levels: [Level; 2],
    saved: Array<Saved, 512>,
}

/// What a context held at a peak.
#[derive(Default)]
struct Saved {
    /// Number of the peak, and in the last bit whether it is being saved.
    number: AtomicU64,
    sums: Sums,
}

// SAFETY: atomics only, for which zero is a value.
unsafe impl Zeroed for Saved {}

impl Peak {
    /// Off; maps nothing.
    pub const fn new() -> Peak {
        Peak {
            on: AtomicBool::new(false),
            number: AtomicU64::new(1),
            standing: AtomicBool::new(false),
            levels: [Level::new(), Level::new()],
            saved: Array::new(),
        }
    }

    /// Begins to keep the peak. Before the first sample.
    pub fn turn_on(&self) {
        self.on.store(true, Ordering::Relaxed);
    }

    /// Whether it is kept.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Room for what a new context saves: its number, 0 while the peak is not kept. `None` when memory is out.
    pub fn room(&self) -> Option<u32> {
        if self.is_on() { self.saved.alloc(1).map(|(at, _)| at + 1) } else { Some(0) }
    }

    fn level(&self, generation: u32) -> &Level {
        &self.levels[(generation & 1) as usize]
    }

    /// A context with this room is about to change, and now holds what `live` tells.
    #[inline]
    pub fn changes(&self, room: &AtomicU32, live: impl FnOnce() -> Numbers) {
        if self.is_on() {
            self.save(room, live);
        }
    }

    #[inline(never)]
    fn save(&self, room: &AtomicU32, live: impl FnOnce() -> Numbers) {
        let Some(saved) = self.saved_in(room) else { return };
        let number = self.number.load(Ordering::Acquire);
        let seen = saved.number.load(Ordering::Relaxed);
        if seen >> 1 >= number {
            return;
        }
        // One of those who come at once saves; what the others change meanwhile may be part of it.
        let saving = number << 1 | 1;
        if saved.number.compare_exchange(seen, saving, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            saved.sums.store(live());
            // Release: who sees the number sees the sums.
            saved.number.store(number << 1, Ordering::Release);
        }
    }

    fn saved_in(&self, room: &AtomicU32) -> Option<&Saved> {
        self.saved.get(room.load(Ordering::Relaxed).checked_sub(1)?)
    }

    /// An object that stands for `bytes` is there.
    pub fn grew(&self, generation: u32, bytes: u64) {
        let level = self.level(generation);
        let live = level.live.fetch_add(bytes, Ordering::Relaxed).wrapping_add(bytes);
        // An object that was counted by nobody when it came may have taken the sum below zero.
        if live > level.most.load(Ordering::Relaxed)
            && live <= i64::MAX as u64
            && level.most.fetch_max(live, Ordering::Relaxed) < live
        {
            self.standing.store(true, Ordering::Release);
        }
    }

    /// An object is about to die: leaves the peak, if this is one. Before the context changes.
    #[inline]
    pub fn leave(&self) {
        if self.standing.load(Ordering::Relaxed) && self.standing.swap(false, Ordering::AcqRel) {
            self.number.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// An object that stood for `bytes` is not there any more.
    pub fn shrank(&self, generation: u32, bytes: u64) {
        self.level(generation).live.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// From now on this generation counts, beginning from nothing. Before anybody samples in it.
    pub fn restart(&self, generation: u32) {
        let level = self.level(generation);
        level.live.store(0, Ordering::Relaxed);
        level.most.store(0, Ordering::Relaxed);
        self.standing.store(false, Ordering::Relaxed);
        self.number.fetch_add(1, Ordering::AcqRel);
    }

    /// What a context with this room held at the peak, when now it holds `live`.
    pub fn at_peak(&self, room: &AtomicU32, live: Numbers) -> Numbers {
        let number = self.number.load(Ordering::Acquire);
        match self.saved_in(room) {
            Some(saved)
                if !self.standing.load(Ordering::Acquire)
                    && saved.number.load(Ordering::Acquire) == number << 1 =>
            {
                saved.sums.load()
            }
            _ => live,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        context::{Context, Contexts, Tallies},
        lifetimes::{Counting, End},
        stack_table::StackTable,
    };
    use prof_format::{
        testing::Random,
        unbias::weight,
        vocab::{Counts, Tally},
    };
    use std::vec::Vec;

    const PERIOD: u64 = 4096;
    const END: End = End { lg_nanos: 5, elsewhere: false };

    /// A few contexts of a profiler that keeps the peak.
    fn contexts(count: u32) -> (&'static Contexts, Vec<&'static Context>) {
        let contexts = std::boxed::Box::leak(std::boxed::Box::new(Contexts::new()));
        contexts.peak().turn_on();
        let stacks = StackTable::new();
        let ids = (0..count).map(|n| {
            let stack = stacks.intern(&[n, 5], false).unwrap();
            contexts.find_or_make(stack, n, None, &stacks).unwrap()
        });
        let ids: Vec<_> = ids.collect();
        let contexts: &'static Contexts = contexts;
        (contexts, ids.into_iter().map(|id| contexts.get(id).unwrap()).collect())
    }

    fn add(contexts: &Contexts, context: &Context, generation: u32, size: u64) {
        contexts.add(context, generation, size, weight(size, PERIOD));
        contexts.born(generation, weight(size, PERIOD));
    }

    fn remove(contexts: &Contexts, context: &Context, generation: u32, size: u64) {
        let counting = Counting { context: 1, thread: None };
        contexts.remove(context, generation, (size, weight(size, PERIOD)), END, counting);
    }

    fn lives(contexts: &Contexts, all: &[&Context], generation: u32) -> Vec<Tally> {
        all.iter().map(|context| contexts.tallies(context, generation).live).collect()
    }

    fn peaks(contexts: &Contexts, all: &[&Context], generation: u32) -> Vec<Tally> {
        all.iter().map(|context| contexts.tallies(context, generation).peak).collect()
    }

    #[test]
    fn the_peak_is_what_a_copy_at_every_maximum_would_have_told() {
        let mut random = Random::new(11);
        for _ in 0..60 {
            let (contexts, all) = contexts(6);
            let mut generation = 1;
            let mut held: Vec<(usize, u64)> = Vec::new();
            let (mut most, mut copy) = (0, std::vec![Tally::default(); all.len()]);
            let mut grows = true;
            for step in 0..400 {
                if random.below(200) == 0 {
                    generation += 1;
                    contexts.peak().restart(generation);
                    held.clear();
                    (most, copy) = (0, std::vec![Tally::default(); all.len()]);
                }
                if random.below(20) == 0 {
                    grows = !grows;
                }
                if held.is_empty() || random.below(10) < if grows { 8 } else { 2 } {
                    let (at, size) = (random.below(6) as usize, 16 + random.below(9000));
                    if random.below(30) == 0 {
                        // There is no memory for it.
                        contexts.add(all[at], generation, 1 << 40, weight(1 << 40, PERIOD));
                        contexts.retract(all[at], generation, 1 << 40, weight(1 << 40, PERIOD));
                    }
                    add(contexts, all[at], generation, size);
                    held.push((at, size));
                } else {
                    let (at, size) = held.swap_remove(random.below(held.len() as u64) as usize);
                    remove(contexts, all[at], generation, size);
                }
                let total: u64 = held.iter().map(|(_, size)| weight(*size, PERIOD).bytes).sum();
                if total > most {
                    (most, copy) = (total, lives(contexts, &all, generation));
                }
                assert_eq!(peaks(contexts, &all, generation), copy, "step {step}");
            }
        }
    }

    #[test]
    fn a_peak_that_many_threads_climb_and_leave_is_right_up_to_one_sample_of_each() {
        const THREADS: u32 = 4;
        const SIZE: u64 = 1000;
        const EACH: u64 = 200;
        let (contexts, all) = contexts(THREADS);
        for round in 1..=30_u32 {
            contexts.peak().restart(round);
            let barrier = std::sync::Barrier::new(THREADS as usize);
            std::thread::scope(|scope| {
                for context in &all {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        for _ in 0..3 {
                            (0..EACH).for_each(|_| add(contexts, context, round, SIZE));
                            (0..EACH / 2).for_each(|_| remove(contexts, context, round, SIZE));
                            barrier.wait();
                            (0..EACH / 2).for_each(|_| remove(contexts, context, round, SIZE));
                            barrier.wait();
                        }
                    });
                }
            });
            let one = weight(SIZE, PERIOD).bytes;
            let most = contexts.peak().level(round).most.load(core::sync::atomic::Ordering::Relaxed);
            let found: u64 = peaks(contexts, &all, round).iter().map(|tally| tally.est_bytes).sum();
            let off = found.abs_diff(most) / one;
            assert!(off <= 2 * u64::from(THREADS), "{off} samples off of {}", most / one);
            assert!(most >= EACH * one);
            assert!(lives(contexts, &all, round).iter().all(Tally::is_empty));
        }
    }

    #[test]
    fn while_it_is_off_there_is_no_peak() {
        let contexts = Contexts::new();
        let stacks = StackTable::new();
        let stack = stacks.intern(&[1], false).unwrap();
        let id = contexts.find_or_make(stack, 0, None, &stacks).unwrap();
        let context = contexts.get(id).unwrap();
        add(&contexts, context, 1, 100);
        remove(&contexts, context, 1, 100);
        let Tallies { peak, accum, .. } = contexts.tallies(context, 1);
        assert_eq!((peak, accum.sampled), (Tally::default(), Counts { objs: 1, bytes: 100 }));
    }
}
