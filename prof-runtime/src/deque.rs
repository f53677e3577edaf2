//! A queue in mapped chunks: grows at one end, shrinks at the other, gives its memory back, never moves a value.
//!
//! For one user at a time; those that share it put it behind a lock. Values are found by their number, which counts from
//! the first that was ever pushed.

use core::ptr::{self, NonNull};

use crate::memory::{Map, Plain, Rows};

/// Values per chunk.
const PER: u64 = 1024;
const SLOTS_FIRST: usize = 16;

/// Start of a chunk; null for none.
#[derive(Clone, Copy)]
struct Slot(*mut u8);

// SAFETY: a pointer, for which zero is null; nothing to drop.
unsafe impl Plain for Slot {}
// SAFETY: the chunk belongs to the queue, not to a thread.
unsafe impl Send for Slot {}

/// See the module's head.
pub struct Deque<T: Plain + Copy> {
    /// Chunks, found by chunk number modulo the length, which is a power of two.
    slots: Option<Rows<Slot>>,
    /// Number of the oldest value.
    first: u64,
    /// Number of the next value.
    next: u64,
    /// A chunk that the next one needed is made of.
    spare: Option<Map>,
    values: core::marker::PhantomData<T>,
}

impl<T: Plain + Copy> Deque<T> {
    const CHUNK: usize = size_of::<T>() * PER as usize;

    /// Empty; maps nothing.
    pub const fn new() -> Deque<T> {
        Deque { slots: None, first: 0, next: 0, spare: None, values: core::marker::PhantomData }
    }

    /// Number of the oldest value, if there is any; those that follow have the next numbers.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Number that the next value will get.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// How many values it holds.
    pub fn len(&self) -> u64 {
        self.next - self.first
    }

    /// Appends a value and gives its number; `None` when the kernel gives no memory.
    pub fn push(&mut self, value: T) -> Option<u64> {
        let number = self.next;
        // A slot says nothing: the one of a chunk to be made may hold the oldest chunk.
        if self.len() == 0 || number.is_multiple_of(PER) {
            self.make_chunk(number)?;
        }
        self.next += 1;
        *self.get_mut(number)? = value;
        Some(number)
    }

    /// Drops the oldest value.
    pub fn pop(&mut self) {
        if self.first == self.next {
            return;
        }
        self.first += 1;
        if self.first.is_multiple_of(PER) || self.first == self.next {
            self.give_chunk(self.first - 1);
        }
    }

    /// Where the value of a number lies; `None` when it was dropped or is not there yet.
    fn place(&self, number: u64) -> Option<NonNull<T>> {
        const { assert!(align_of::<T>() <= 4096) };
        if !(self.first..self.next).contains(&number) {
            return None;
        }
        let chunk = NonNull::new(self.slot(number))?.cast::<T>();
        // SAFETY: a chunk holds `PER` values.
        Some(unsafe { chunk.add((number % PER) as usize) })
    }

    /// The value of a number, to be changed.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let mut place = self.place(number)?;
        // SAFETY: the chunk is mapped and page aligned, its values are zeroed or written, both of which `T` allows;
        // `&mut self` makes this the only reference.
        Some(unsafe { place.as_mut() })
    }

    /// The value of a number.
    pub fn get(&self, number: u64) -> Option<T> {
        // SAFETY: as above; writing needs `&mut self`.
        Some(unsafe { self.place(number)?.read() })
    }

    fn slot(&self, number: u64) -> *mut u8 {
        let Some(slots) = &self.slots else { return ptr::null_mut() };
        slots[(number / PER) as usize & (slots.len() - 1)].0
    }

    fn set_slot(&mut self, number: u64, chunk: *mut u8) {
        if let Some(slots) = &mut self.slots {
            let at = (number / PER) as usize & (slots.len() - 1);
            slots[at] = Slot(chunk);
        }
    }

    /// Makes the chunk that a value of this number goes to.
    fn make_chunk(&mut self, number: u64) -> Option<()> {
        let chunks = (number / PER - self.first / PER + 1) as usize;
        let room = self.slots.as_ref().map_or(0, |slots| slots.len());
        if chunks > room {
            let mut larger = Rows::<Slot>::zeroed((2 * room).max(SLOTS_FIRST))?;
            // All that are there; the one to be made is not.
            for chunk in self.first / PER..number / PER {
                let at = chunk as usize & (larger.len() - 1);
                larger[at] = Slot(self.slot(chunk * PER));
            }
            self.slots = Some(larger);
        }
        let map = match self.spare.take() {
            Some(map) => map,
            None => Map::new(Self::CHUNK)?,
        };
        self.set_slot(number, map.part());
        Some(())
    }

    /// Takes away the chunk of this number, of which no value is left.
    fn give_chunk(&mut self, number: u64) {
        if let Some(chunk) = NonNull::new(self.slot(number)) {
            self.set_slot(number, ptr::null_mut());
            // SAFETY: it is a map of `CHUNK` bytes that was put there in parts, and the slot does not own it any more.
            self.spare = Some(unsafe { Map::adopt(chunk, Self::CHUNK) });
        }
    }
}

impl<T: Plain + Copy> Drop for Deque<T> {
    fn drop(&mut self) {
        while self.len() != 0 {
            // The last value of the oldest chunk, or of all.
            self.first = ((self.first / PER + 1) * PER).min(self.next) - 1;
            self.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(deque: &Deque<u64>, numbers: core::ops::Range<u64>) {
        assert_eq!(
            (deque.first(), deque.next(), deque.len()),
            (numbers.start, numbers.end, numbers.end - numbers.start)
        );
        assert!(numbers.clone().all(|number| deque.get(number) == Some(number * 3)));
        assert!(deque.get(numbers.end).is_none());
        assert!(numbers.start == 0 || deque.get(numbers.start - 1).is_none());
    }

    #[test]
    fn values_keep_their_numbers_while_the_queue_grows_and_shrinks() {
        let mut deque = Deque::<u64>::new();
        assert!(deque.get(0).is_none());
        (0..40_000).for_each(|n| assert_eq!(deque.push(n * 3), Some(n)));
        holds(&deque, 0..40_000);
        (0..30_500).for_each(|_| deque.pop());
        holds(&deque, 30_500..40_000);
        (40_000..90_000).for_each(|n| assert_eq!(deque.push(n * 3), Some(n)));
        holds(&deque, 30_500..90_000);
        (30_500..90_000).for_each(|_| deque.pop());
        deque.pop();
        holds(&deque, 90_000..90_000);
        assert!(
            deque.slots.as_ref().unwrap().iter().all(|slot| slot.0.is_null()),
            "all chunks are given back"
        );
        assert_eq!(deque.push(270_000), Some(90_000));
        holds(&deque, 90_000..90_001);
    }

    #[test]
    fn a_queue_that_moves_on_without_growing_uses_two_chunks() {
        let mut deque = Deque::<u64>::new();
        for n in 0..100 * PER {
            deque.push(n * 3);
            if n >= 700 {
                deque.pop();
            }
        }
        holds(&deque, 100 * PER - 700..100 * PER);
        let chunks = deque.slots.as_ref().unwrap().iter().filter(|slot| !slot.0.is_null()).count();
        assert!(chunks <= 2, "{chunks}");
        assert_eq!(deque.slots.as_ref().unwrap().len(), SLOTS_FIRST);
    }
}
