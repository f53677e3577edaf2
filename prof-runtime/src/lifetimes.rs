//! How the objects of a context ended: how long they lived, and whether another thread freed them.
//!
//! Per context a short list of cells, one for each kind of end that was met. The first lies in the context itself, the
//! others are made when they are needed. Lifetimes are told apart by their logarithm: what is read from the coarse
//! clock, which advances every 1 to 10 ms, is enough, and whatever is shorter counts as nothing.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::{
    memory::{Array, Zeroed},
    sums::{Numbers, Sums, plus},
};

/// A kind of end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Log2 of the nanoseconds that the object lived, 0 for less than two.
    pub lg_nanos: u8,
    /// Whether another thread freed it than the one that allocated it.
    pub elsewhere: bool,
}

impl End {
    /// Of an object that lived so long.
    pub fn of(nanos: u64, elsewhere: bool) -> End {
        End { lg_nanos: lg(nanos), elsewhere }
    }

    /// Never 0.
    fn to_bits(self) -> u32 {
        1 + ((self.lg_nanos as u32) << 1 | u32::from(self.elsewhere))
    }

    fn from_bits(bits: u32) -> Option<End> {
        let bits = bits.checked_sub(1)?;
        Some(End { lg_nanos: (bits >> 1) as u8, elsewhere: bits & 1 != 0 })
    }
}

/// Log2 of a span of time; 0 for none.
pub fn lg(nanos: u64) -> u8 {
    (nanos | 1).ilog2() as u8
}

/// Objects that ended in one way.
#[derive(Default)]
pub struct Cell {
    /// Which; 0 while it is not decided. Only the first cell of a list is seen so.
    end: AtomicU32,
    /// The next cell of the list, plus one; 0 for the last. The first cell's leads to the newest.
    next: AtomicU32,
    sums: Sums,
}

// SAFETY: atomics only, for which zero is a value.
unsafe impl Zeroed for Cell {}

/// All cells but first ones.
pub struct Cells(Array<Cell, 512>);

impl Cells {
    /// None; maps nothing.
    pub const fn new() -> Cells {
        Cells(Array::new())
    }

    /// How many there are.
    pub fn len(&self) -> u32 {
        self.0.len()
    }

    fn after<'a>(&'a self, cell: &'a Cell) -> Option<&'a Cell> {
        // Acquire: pairs with the release in `find_or_make`.
        self.0.get(cell.next.load(Ordering::Acquire).checked_sub(1)?)
    }

    fn list<'a>(&'a self, first: &'a Cell) -> impl Iterator<Item = &'a Cell> {
        core::iter::successors(Some(first), |cell| self.after(cell))
    }

    /// Counts an object that ended. When there is no memory for a cell it counts among those that ended otherwise: how
    /// many there were stays right.
    pub fn add(&self, first: &Cell, end: End, addends: Numbers) {
        self.find_or_make(first, end.to_bits()).unwrap_or(first).sums.add(addends);
    }

    fn find_or_make<'a>(&'a self, first: &'a Cell, end: u32) -> Option<&'a Cell> {
        let held = match first.end.load(Ordering::Relaxed) {
            0 => match first.end.compare_exchange(0, end, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => end,
                Err(theirs) => theirs,
            },
            held => held,
        };
        if held == end {
            return Some(first);
        }
        let (mut made, mut searched) = (None, 0);
        loop {
            let newest = first.next.load(Ordering::Acquire);
            let mut at = newest;
            // What others put in front since we searched; nothing is ever taken out.
            while at != searched {
                let cell = self.0.get(at.checked_sub(1)?)?;
                if cell.end.load(Ordering::Relaxed) == end {
                    return Some(cell);
                }
                at = cell.next.load(Ordering::Relaxed);
            }
            searched = newest;
            let (id, cell) = match made {
                Some(made) => made,
                None => {
                    let (at, cells) = self.0.alloc(1)?;
                    let cell = cells.first()?;
                    cell.end.store(end, Ordering::Relaxed);
                    *made.insert((at + 1, cell))
                }
            };
            cell.next.store(newest, Ordering::Relaxed);
            // Release: who finds the cell sees what it counts and what follows it.
            if first.next.compare_exchange(newest, id, Ordering::Release, Ordering::Relaxed).is_ok() {
                return Some(cell);
            }
        }
    }

    /// Sum of all that ended.
    pub fn sum(&self, first: &Cell) -> Numbers {
        self.list(first).fold([0; 4], |sum, cell| plus(sum, cell.sums.load()))
    }

    /// What ended in each way.
    pub fn each<'a>(&'a self, first: &'a Cell) -> impl Iterator<Item = (End, Numbers)> {
        self.list(first).filter_map(|cell| {
            let end = End::from_bits(cell.end.load(Ordering::Relaxed))?;
            Some((end, cell.sums.load()))
        })
    }

    /// Forgets what ended; the cells stay for the same ends.
    pub fn clear(&self, first: &Cell) {
        self.list(first).for_each(|cell| cell.sums.store([0; 4]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::HashMap, vec::Vec};

    #[test]
    fn spans_are_told_apart_by_their_logarithm() {
        for (nanos, expected) in [(0, 0), (1, 0), (2, 1), (3, 1), (1023, 9), (1024, 10), (u64::MAX, 63)] {
            assert_eq!(lg(nanos), expected, "{nanos}");
            for elsewhere in [false, true] {
                let end = End::of(nanos, elsewhere);
                assert_eq!(End::from_bits(end.to_bits()), Some(end));
            }
        }
        assert_eq!(End::from_bits(0), None);
    }

    #[test]
    fn threads_that_meet_the_same_ends_at_once_count_each_in_one_cell() {
        static CELLS: Cells = Cells::new();
        let firsts: Vec<Cell> = (0..20).map(|_| Cell::default()).collect();
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let firsts = &firsts;
                scope.spawn(move || {
                    for n in 0..4000_u64 {
                        let end = End::of(1 << ((n * 7 + thread) % 11), n % 3 == 0);
                        CELLS.add(&firsts[(n % 20) as usize], end, [1, n, 1 << 16, n]);
                    }
                });
            }
        });
        let mut expected: HashMap<(u64, u8, bool), Numbers> = HashMap::new();
        for (thread, n) in (0..4_u64).flat_map(|thread| (0..4000_u64).map(move |n| (thread, n))) {
            let sums = expected.entry((n % 20, ((n * 7 + thread) % 11) as u8, n % 3 == 0)).or_default();
            *sums = plus(*sums, [1, n, 1 << 16, n]);
        }
        let mut found = HashMap::new();
        for (first, at) in firsts.iter().zip(0..) {
            for (end, numbers) in CELLS.each(first) {
                let twice = found.insert((at, end.lg_nanos, end.elsewhere), numbers);
                assert!(twice.is_none(), "{end:?} has two cells");
            }
            let total = CELLS.each(first).fold([0; 4], |sum, (_, numbers)| plus(sum, numbers));
            assert_eq!(CELLS.sum(first), total);
        }
        assert_eq!(found, expected);
        CELLS.clear(&firsts[0]);
        assert_eq!(CELLS.sum(&firsts[0]), [0; 4]);
        assert_eq!(CELLS.each(&firsts[0]).count(), 22, "the cells stay");
    }
}
