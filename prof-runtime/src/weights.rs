//! What objects stand for, remembered by size: a program asks for few sizes at a time, and the formula takes longer than
//! everything else that is done to a counter.

use core::cell::Cell;

use prof_format::unbias::{self, Weight};

const SLOTS: usize = 8;

/// Size, mean distance, and what the formula gave for them.
type Known = (u64, u64, Weight);

/// The newest answers of one thread.
pub struct Weights([Cell<Known>; SLOTS]);

impl Weights {
    /// None.
    pub const fn new() -> Weights {
        // An object of no bytes stands for itself, as the formula says.
        Weights([const { Cell::new((0, 0, Weight { objs_q16: 1 << 16, bytes: 0 })) }; SLOTS])
    }

    /// [`unbias::weight`]. A handler that interrupts it between two words may leave a slot of two answers, so nobody may
    /// ask in one that interrupts another: see [`crate::thread::Inside`].
    pub fn of(&self, usize_: u64, period: u64) -> Weight {
        // The upper bits of the product depend on all of the size; sizes of one doubling are told apart.
        let slot = usize_.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SLOTS.ilog2());
        let slot = &self.0[slot as usize];
        let (known_size, known_period, weight) = slot.get();
        if (known_size, known_period) == (usize_, period) {
            return weight;
        }
        let weight = unbias::weight(usize_, period);
        slot.set((usize_, period, weight));
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
}
