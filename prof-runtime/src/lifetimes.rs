//! How the objects of a context ended: how long they lived, and whether another thread freed them.
//!
//! Per context a short list of cells, one for each kind of end that was met. The first lies in the context itself, the
//! others are made when they are needed. Lifetimes are told apart by their logarithm: what is read from the coarse
//! clock, which advances every 1 to 10 ms, is enough, and whatever is shorter counts as nothing.
//!
//! Most objects are freed by the thread that owns the context. It counts them in cells of its own, with plain stores.

use core::{
    cell, iter,
    sync::atomic::{AtomicU32, Ordering},
};

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

    /// Which cell, never 0: one that `alone` the owner of the context writes to, or one that anybody does.
    fn to_bits(self, alone: bool) -> u32 {
        1 + ((self.lg_nanos as u32) << 2 | u32::from(self.elsewhere) << 1 | u32::from(alone))
    }

    fn from_bits(bits: u32) -> Option<(End, bool)> {
        let bits = bits.checked_sub(1)?;
        Some((End { lg_nanos: (bits >> 2) as u8, elsewhere: bits & 2 != 0 }, bits & 1 != 0))
    }
}

const MET: usize = 16;

/// The cells in which the last objects ended that a thread freed. Not to be used in a handler that may have interrupted another use.
pub struct Met([cell::Cell<Known>; MET]);

/// A context, a kind of end, and the number of the cell, 0 for the first of its list.
type Known = (u32, u32, u32);

impl Met {
    /// None.
    pub const fn new() -> Met {
        Met([const { cell::Cell::new((0, 0, 0)) }; MET])
    }

    /// Knows none any more.
    pub fn forget(&self) {
        self.0.iter().for_each(|known| known.set((0, 0, 0)));
    }

    /// Of one context, by a number that is not 0.
    fn of(&self, context: u32, bits: u32) -> &cell::Cell<Known> {
        &self.0[((context.wrapping_mul(0x9e37_79b1) >> 28) ^ bits >> 2 ^ bits << 3) as usize % MET]
    }
}

/// Who counts an object that ended.
pub struct Counting<'a> {
    /// Number of the context; never 0.
    pub context: u32,
    /// The thread that frees, which owns the context or does not; `None` where it is not known, or not inside of the profiler.
    pub thread: Option<(&'a Met, bool)>,
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

    /// The cells that there are at this moment: others are put in front of the second.
    fn list<'a>(&'a self, first: &'a Cell) -> impl Iterator<Item = &'a Cell> + Clone {
        let newest = self.after(first);
        iter::once(first).chain(iter::successors(newest, |cell| self.after(cell)))
    }

    /// Counts an object that ended. When there is no memory for a cell it counts among those that ended otherwise: how
    /// many there were stays right, unless the owner counts there at that very moment.
    #[inline]
    pub fn add(&self, first: &Cell, end: End, addends: Numbers, counting: Counting<'_>) {
        let Some((met, alone)) = counting.thread else {
            self.find_or_make(first, end.to_bits(false)).map_or(first, |(_, cell)| cell).sums.add(addends);
            return;
        };
        let bits = end.to_bits(alone);
        let known = met.of(counting.context, bits);
        let (context, end, number) = known.get();
        let cell = if (context, end) == (counting.context, bits) {
            if number == 0 { Some(first) } else { self.0.get(number - 1) }
        } else {
            let found = self.find_or_make(first, bits);
            found.iter().for_each(|(number, _)| known.set((counting.context, bits, *number)));
            found.map(|(_, cell)| cell)
        };
        match cell {
            Some(cell) if alone => cell.sums.add_alone(addends),
            cell => cell.unwrap_or(first).sums.add(addends),
        }
    }

    /// The cell, and its number.
    #[inline(never)]
    fn find_or_make<'a>(&'a self, first: &'a Cell, end: u32) -> Option<(u32, &'a Cell)> {
        let held = match first.end.load(Ordering::Relaxed) {
            0 => match first.end.compare_exchange(0, end, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => end,
                Err(theirs) => theirs,
            },
            held => held,
        };
        if held == end {
            return Some((0, first));
        }
        let (mut made, mut searched) = (None, 0);
        loop {
            let newest = first.next.load(Ordering::Acquire);
            let mut at = newest;
            // What others put in front since we searched; nothing is ever taken out.
            while at != searched {
                let cell = self.0.get(at.checked_sub(1)?)?;
                if cell.end.load(Ordering::Relaxed) == end {
                    return Some((at, cell));
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
                return Some((id, cell));
            }
        }
    }

    /// Sum of all that ended.
    pub fn sum(&self, first: &Cell) -> Numbers {
        self.list(first).fold([0; 4], |sum, cell| plus(sum, cell.sums.load()))
    }

    /// What ended in each way.
    pub fn each<'a>(&'a self, first: &'a Cell) -> impl Iterator<Item = (End, Numbers)> {
        let list = self.list(first);
        // In the same list: what a cell that is made meanwhile tells would otherwise be left to one that is passed already.
        let of = {
            let list = list.clone();
            move |bits| list.clone().find(|cell| cell.end.load(Ordering::Relaxed) == bits)
        };
        list.filter_map(move |cell| {
            let (end, alone) = End::from_bits(cell.end.load(Ordering::Relaxed))?;
            match (alone, of(end.to_bits(!alone))) {
                // Told with the owner's.
                (false, Some(_)) => None,
                (_, other) => Some((end, other.map_or([0; 4], |other| other.sums.load()), cell)),
            }
        })
        .map(|(end, others, cell)| (end, plus(others, cell.sums.load())))
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
                for alone in [false, true] {
                    assert_eq!(End::from_bits(end.to_bits(alone)), Some((end, alone)));
                }
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
                    let met = Met::new();
                    for n in 0..4000_u64 {
                        let end = End::of(1 << ((n * 7 + thread) % 11), n % 3 == 0);
                        // Each owns a quarter of them, and is in a state now and then in which it counts like anybody.
                        let owns = n % 4 == thread && n % 3 != 0;
                        let thread = (n % 5 != 0).then_some((&met, owns));
                        let counting = Counting { context: (n % 20) as u32 + 1, thread };
                        CELLS.add(&firsts[(n % 20) as usize], end, [1, n, 1 << 16, n], counting);
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
    #[test]
    fn an_owner_that_begins_to_count_while_ends_are_told_hides_none() {
        let (cells, first, met) = (Cells::new(), Cell::default(), Met::new());
        let (short, long) = (End::of(1, false), End::of(1 << 20, false));
        let add = |end, thread| cells.add(&first, end, [1; 4], Counting { context: 1, thread });
        add(short, Some((&met, true)));
        add(long, None);
        let mut told = cells.each(&first);
        assert_eq!(told.next(), Some((short, [1; 4])));
        add(long, Some((&met, true)));
        assert_eq!((told.next(), told.next()), (Some((long, [1; 4])), None));
        assert_eq!(cells.each(&first).collect::<Vec<_>>(), [(short, [1; 4]), (long, [2; 4])]);
    }
}
