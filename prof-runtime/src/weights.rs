//! What objects stand for, remembered by size: a program asks for few sizes at a time, and the formula takes longer than
//! everything else that is done to a counter.

use core::cell::Cell;

use prof_format::unbias::{self, Weight};

/// A place for each size class of eight doublings.
const SLOTS: usize = 32;

/// Bits of a size that there is room for beside a mean distance.
const SIZE_BITS: u32 = 57;

/// Size and mean distance in one word, and what the formula gave for them.
type Known = (u64, Weight);

/// The newest answers of one thread.
pub struct Weights([Cell<Known>; SLOTS]);

impl Weights {
    /// None.
    pub const fn new() -> Weights {
        Weights([const { Cell::new((0, Weight { objs_q16: 0, bytes: 0 })) }; SLOTS])
    }

    /// Remembers none any more.
    pub fn forget(&self) {
        self.0.iter().for_each(|slot| slot.set((0, Weight::default())));
    }

    /// [`unbias::weight`] for a mean distance that is a power of two. A handler that interrupts it between two words may leave a
    /// slot of two answers, so nobody may ask in one that interrupts another: see [`crate::thread::Inside`].
    #[inline]
    pub fn of(&self, usize_: u64, period: u64) -> Weight {
        // No object is as large, but a request may be, which is counted until there turns out to be no memory for it.
        if usize_ >> SIZE_BITS != 0 {
            return unbias::weight(usize_, period);
        }
        // Never 0.
        let asked = usize_ << 7 | u64::from(period.trailing_zeros()) << 1 | 1;
        // The doubling, and the two bits below the first: classes are four to a doubling.
        let lg = (usize_ | 4).ilog2();
        let slot = &self.0[(lg << 2 | (usize_ >> (lg - 2)) as u32 & 3) as usize % SLOTS];
        let (known, weight) = slot.get();
        if known == asked { weight } else { Self::find(slot, asked, usize_, period) }
    }

    /// As a handler leaves them in which the thread ends: another answer to each question.
    #[cfg(test)]
    pub fn tear(&self) {
        self.0.iter().for_each(|slot| slot.set((slot.get().0, Weight { objs_q16: 1, bytes: 1 })));
    }

    #[cold]
    #[inline(never)]
    fn find(slot: &Cell<Known>, asked: u64, usize_: u64, period: u64) -> Weight {
        let weight = unbias::weight(usize_, period);
        slot.set((asked, weight));
        weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_the_formula_gives() {
        let weights = Weights::new();
        for period in [1, 4096, 1 << 19, 4096] {
            for round in 0..3 {
                for size in (0..200).map(|n| n * (16 + round)) {
                    assert_eq!(weights.of(size, period), unbias::weight(size, period));
                }
            }
        }
    }
    #[test]
    fn a_request_that_no_memory_can_serve_is_not_taken_for_a_small_one() {
        let weights = Weights::new();
        for size in [512, 1 << SIZE_BITS | 512, 512, u64::MAX, (1 << SIZE_BITS) - 1] {
            assert_eq!(weights.of(size, 4096), unbias::weight(size, 4096), "{size}");
        }
    }
}
