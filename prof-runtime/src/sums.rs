//! Four numbers that are counted together: sampled objects, sampled bytes, estimated objects in 1/65536ths, estimated
//! bytes.

use core::sync::atomic::{AtomicU64, Ordering};

use prof_format::{
    unbias::Weight,
    vocab::{Counts, Tally},
};

/// The numbers as plain integers.
pub type Numbers = [u64; 4];

/// What one sampled object adds.
pub fn addends(usize_: u64, weight: Weight) -> Numbers {
    [1, usize_, weight.objs_q16, weight.bytes]
}

/// Sum of two.
pub fn plus(a: Numbers, b: Numbers) -> Numbers {
    core::array::from_fn(|at| a[at].wrapping_add(b[at]))
}

/// What is left of `a`, nothing where `b` is larger.
pub fn minus(a: Numbers, b: Numbers) -> Numbers {
    core::array::from_fn(|at| a[at].saturating_sub(b[at]))
}

/// The numbers in the words of a dump.
pub fn tally([objs, bytes, est_objs_q16, est_bytes]: Numbers) -> Tally {
    // A dump that meets a count between its stores sees one of a pair: readers divide one by the other.
    match objs == 0 || bytes == 0 {
        true => Tally::default(),
        false => Tally { sampled: Counts { objs, bytes }, est_objs_q16, est_bytes },
    }
}

/// The numbers, shared.
#[derive(Default)]
pub struct Sums([AtomicU64; 4]);

impl Sums {
    /// What they are. Acquire: who sees a removal sees the addition before it.
    pub fn load(&self) -> Numbers {
        self.0.each_ref().map(|cell| cell.load(Ordering::Acquire))
    }

    /// Replaces them, for those who see it by something else.
    pub fn store(&self, numbers: Numbers) {
        self.0.iter().zip(numbers).for_each(|(cell, number)| cell.store(number, Ordering::Relaxed));
    }

    /// Adds as the only one who does, after what is seen by who sees this.
    pub fn add_alone(&self, addends: Numbers) {
        for (cell, addend) in self.0.iter().zip(addends) {
            cell.store(cell.load(Ordering::Relaxed).wrapping_add(addend), Ordering::Release);
        }
    }

    /// Takes away what [`Sums::add_alone`] added. The only one who adds may be a handler that interrupts this.
    pub fn take(&self, addends: Numbers) {
        for (cell, addend) in self.0.iter().zip(addends) {
            cell.fetch_sub(addend, Ordering::Relaxed);
        }
    }

    /// Adds beside others.
    pub fn add(&self, addends: Numbers) {
        for (cell, addend) in self.0.iter().zip(addends) {
            cell.fetch_add(addend, Ordering::Release);
        }
    }
}
