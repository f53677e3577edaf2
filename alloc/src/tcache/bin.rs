//! One class of a thread cache: an array of pointers used as a stack, and a counter.
//!
//! ```text
//!   low addresses                                                high addresses
//!   full ......................... head [newest] ... [oldest] empty
//! ```
//!
//! `head` is a whole pointer, since packing it with counters defeats store-to-load forwarding (measured: 3.7 ns
//! against 7 to 9 a pair). `empty` and `full` are the low 16 bits that `head` has then; the array is shorter than
//! 64 KiB, so that suffices. `count` is minus the number of requests until the next event, so that counting
//! requests and waiting for the profiler's next sample are one increment.

use core::sync::atomic::*;

use crate::os::prefetch;
use crate::relaxed::Relaxed;

/// One class of one thread's cache. Only the thread itself writes; others may read for statistics.
#[repr(C)]
pub struct CacheBin {
    head: AtomicPtr<*mut u8>,
    empty: AtomicU16,
    full: AtomicU16,
    /// Whether the request that the next event falls on is to be sampled.
    pub due: AtomicBool,
    count: AtomicI64,
    total: AtomicU64,
}

const _: () = assert!(size_of::<CacheBin>() == 32);

const SLOT: u16 = size_of::<*mut u8>() as u16;

impl CacheBin {
    /// Gives the bin its array, as [`CacheBin::place`]. Nothing was requested so far, and the first request will be an event.
    pub fn start(&self, end: *mut *mut u8) {
        self.place(end);
        self.restart();
    }

    /// Forgets what was requested.
    pub fn restart(&self) {
        self.count.set(-1);
        self.total.set(1);
        self.due.set(false);
    }

    /// Gives an empty bin another array, which ends at `end`, where one more pointer can be read; with room for nothing yet.
    pub fn place(&self, end: *mut *mut u8) {
        self.head.set(end);
        self.empty.set(end.addr() as u16);
        self.full.set(end.addr() as u16);
    }

    /// Counts a request; `true` when it is the one that an event falls on.
    #[inline(always)]
    pub fn request(&self) -> bool {
        let count = self.count.get() + 1;
        self.count.set(count);
        count == 0
    }

    /// Whether the last request was the one that an event falls on.
    pub fn event_due(&self) -> bool {
        self.count.get() >= 0
    }

    /// Takes back a request that could not be served. The next event stays as near as it is.
    pub fn unrequest(&self) {
        self.total.change(|total| total.wrapping_sub(1));
    }

    /// Lets the next event fall on the request that is `distance` from now.
    pub fn arm(&self, distance: u64, due: bool) {
        let requests = self.requests();
        self.count.set(-(distance as i64));
        self.total.set(requests + distance);
        self.due.set(due);
    }

    /// Requests counted so far.
    pub fn requests(&self) -> u64 {
        self.total.get().wrapping_add(self.count.get() as u64)
    }

    /// Takes the newest object.
    #[inline(always)]
    pub fn pop(&self) -> Option<*mut u8> {
        let head = self.head.get();
        if head.addr() as u16 == self.empty.get() {
            return None;
        }
        // SAFETY: the stack is not empty, so `head` points at its newest object.
        let object = unsafe { *head };
        let rest = head.wrapping_add(1);
        self.head.set(rest);
        // What was freed long ago is in no cache of the processor any more when its turn comes.
        // SAFETY: it points into the array or at its end, where a pointer can be read, too, if not one to an object of this class.
        prefetch::to_write(unsafe { *rest });
        Some(object)
    }

    /// Adds an object; `false` when the stack is full.
    #[inline(always)]
    pub fn push(&self, object: *mut u8) -> bool {
        let head = self.head.get();
        if head.addr() as u16 == self.full.get() {
            return false;
        }
        self.put(head, object);
        true
    }

    #[inline(always)]
    fn put(&self, head: *mut *mut u8, object: *mut u8) {
        let head = head.wrapping_sub(1);
        // SAFETY: the stack is not full, so the slot below `head` belongs to the array.
        unsafe { *head = object };
        self.head.set(head);
    }

    /// Whether the bin has an array.
    pub fn is_placed(&self) -> bool {
        !self.head.get().is_null()
    }

    /// Objects here.
    pub fn depth(&self) -> usize {
        (self.empty.get().wrapping_sub(self.head.get().addr() as u16) / SLOT) as usize
    }

    /// Whether it holds nothing.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.head.get().addr() as u16 == self.empty.get()
    }

    /// Whether the object is among the `n` newest.
    #[inline]
    pub fn holds(&self, object: *mut u8, n: usize) -> bool {
        let (head, depth) = (self.head.get(), self.depth());
        if depth == 0 {
            return false;
        }
        // SAFETY: the stack holds `depth` objects from `head` up, and only this thread touches it.
        let newest = unsafe { core::slice::from_raw_parts(head, n.min(depth)) };
        let (fours, rest) = newest.as_chunks::<4>();
        // Four at a time without an end in between, so that processors compare them at once.
        fours.iter().any(|four| four.iter().fold(false, |found, &other| found | (other == object)))
            || rest.contains(&object)
    }

    /// Limits the stack to `capacity` objects, at least as many as are here and at most what the array holds.
    pub fn set_capacity(&self, capacity: usize) {
        self.full.set(self.empty.get().wrapping_sub(capacity as u16 * SLOT));
    }

    /// Adds objects so that the last of `objects` is popped last. There is room for them.
    pub fn push_all(&self, objects: &[*mut u8]) {
        for &object in objects.iter().rev() {
            self.put(self.head.get(), object);
        }
    }

    /// Lets `fill` write `n` objects into the array of an empty bin, which is at least so long, the one that is popped first
    /// at the front. Answers what `fill` does: whether it has.
    pub fn fill(&self, n: usize, fill: impl FnOnce(&mut [*mut u8]) -> bool) -> bool {
        let head = self.head.get().wrapping_sub(n);
        // SAFETY: the array of an empty bin ends at its head, has pointers from the start on, and only this thread touches it.
        let filled = fill(unsafe { core::slice::from_raw_parts_mut(head, n) });
        if filled {
            self.head.set(head);
        }
        filled
    }

    /// Removes the `n` oldest objects, of which there are so many, when `leave` answers that it has taken them, as it does.
    pub fn leave(&self, n: usize, leave: impl FnOnce(&[*mut u8]) -> bool) -> bool {
        let (head, depth) = (self.head.get(), self.depth());
        // SAFETY: the stack holds `depth` objects from `head` up, and only this thread touches it.
        let stack = unsafe { core::slice::from_raw_parts_mut(head, depth) };
        let left = leave(&stack[depth - n..]);
        if left {
            stack.copy_within(..depth - n, n);
            self.head.set(head.wrapping_add(n));
        }
        left
    }

    /// Removes the `out.len()` oldest objects; there are at least so many.
    pub fn take_oldest(&self, out: &mut [*mut u8]) {
        self.leave(out.len(), |oldest| {
            out.copy_from_slice(oldest);
            true
        });
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    fn bin(room: usize) -> (std::vec::Vec<*mut u8>, CacheBin) {
        let mut array = std::vec![core::ptr::null_mut(); room + 1];
        // SAFETY: all fields are atomic numbers or pointers.
        let bin: CacheBin = unsafe { core::mem::zeroed() };
        bin.start(array[..room].as_mut_ptr_range().end);
        bin.set_capacity(room);
        (array, bin)
    }

    fn object(n: usize) -> *mut u8 {
        core::ptr::without_provenance_mut(n)
    }

    #[test]
    fn the_newest_is_popped_first_and_the_oldest_leave_in_order() {
        let (_array, bin) = bin(8);
        assert!((1..=8).all(|n| bin.push(object(n))));
        assert!(!bin.push(object(9)));
        let mut oldest = [core::ptr::null_mut(); 3];
        bin.take_oldest(&mut oldest);
        assert_eq!(oldest, [3, 2, 1].map(object));
        assert_eq!(bin.depth(), 5);
        assert_eq!([(); 5].map(|()| bin.pop()), [8, 7, 6, 5, 4].map(|n| Some(object(n))));
        assert_eq!(bin.pop(), None);
        bin.push_all(&[1, 2, 3].map(object));
        assert_eq!([0, 1, 2, 9].map(|n| bin.holds(object(3), n)), [false, false, false, true]);
        assert_eq!([1, 2, 3, 4].map(|n| bin.holds(object(n), 2)), [true, true, false, false]);
        assert_eq!(bin.pop(), Some(object(1)));
    }

    #[test]
    fn objects_that_could_not_come_or_go_did_not() {
        let (_array, bin) = bin(8);
        assert!(!bin.fill(4, |_| false) && bin.pop().is_none());
        assert!(bin.fill(4, |slots| {
            slots.copy_from_slice(&[1, 2, 3, 4].map(object));
            true
        }));
        assert!(!bin.leave(2, |oldest| oldest != [3, 4].map(object)));
        assert!(bin.leave(1, |oldest| oldest == [4].map(object)));
        assert_eq!([(); 4].map(|()| bin.pop()), [Some(1), Some(2), Some(3), None].map(|n| n.map(object)));
    }

    #[test]
    fn requests_are_counted_across_events() {
        let (_array, bin) = bin(1);
        let mut events = 0;
        bin.arm(3, false);
        for n in 1..=100 {
            if bin.request() {
                events += 1;
                bin.arm(3 + events, false);
            }
            assert_eq!(bin.requests(), n);
        }
        assert!(events > 5);
    }
}
