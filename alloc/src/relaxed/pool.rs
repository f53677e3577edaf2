//! Structures that wait for whoever needs one.

use core::marker::PhantomData;
use core::ptr::null_mut;
use core::sync::atomic::*;

use super::Listed;

/// A stack of structures in base memory that any number of threads push to and pop from without a lock.
///
/// Who pops reads which structure lies below the top one, and writes that as the top if nothing has changed. It may come
/// to this late, when the structure was popped by others, used and pushed again, with another below. So the word has a
/// number that each change increases, in the bits that an address of a structure never has: that the same structure is on
/// top with the same number takes as many changes meanwhile as there are numbers, 4 million, or a multiple of these.
///
/// **Ordering**: who pops sees all that was written before the push.
pub struct Pool<T: Listed<K>, K> {
    top: AtomicPtr<T>,
    key: PhantomData<fn() -> K>,
}

/// Addresses of user space have at most 47 bits, on aarch64 48, unless more are asked for with mmap(2).
const ADDRESS_BITS: u32 = 48;
/// Structures lie at multiples of this.
const ALIGN: usize = 64;
const ADDRESS: usize = ((1 << ADDRESS_BITS) - 1) & !(ALIGN - 1);

/// The word after one more change than `word`, with another address.
fn changed(word: usize, address: usize) -> usize {
    // Through the bits of an address at once: those between carry over.
    (word | ADDRESS).wrapping_add(1) & !ADDRESS | address
}

impl<T: Listed<K>, K> Pool<T, K> {
    /// The empty pool.
    pub const fn new() -> Pool<T, K> {
        const { assert!(align_of::<T>() >= ALIGN) };
        Pool { top: AtomicPtr::new(null_mut()), key: PhantomData }
    }

    /// Puts `item`, which is in no pool or list of this key, on top. Where memory lies higher than asked for, it is lost.
    pub fn push(&self, item: &'static T) {
        if core::ptr::from_ref(item).addr() & !ADDRESS != 0 {
            return;
        }
        let mut top = self.top.load(Ordering::Relaxed);
        loop {
            item.node().next.set(Self::structure(top));
            match self.replace(top, Some(item)) {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    /// Takes the one on top.
    pub fn pop(&self) -> Option<&'static T> {
        let mut top = self.top.load(Ordering::Acquire);
        loop {
            let first = Self::structure(top)?;
            match self.replace(top, first.node().next.get()) {
                Ok(_) => return Some(first),
                Err(now) => top = now,
            }
        }
    }

    fn structure(word: *mut T) -> Option<&'static T> {
        // SAFETY: `replace` writes only words with the address of a reference that lives for ever, or none.
        unsafe { word.map_addr(|word| word & ADDRESS).as_ref() }
    }

    fn replace(&self, top: *mut T, by: Option<&'static T>) -> Result<*mut T, *mut T> {
        let by = by.map_or(null_mut(), |item| core::ptr::from_ref(item).cast_mut());
        let word = by.map_addr(|address| changed(top.addr(), address));
        self.top.compare_exchange_weak(top, word, Ordering::AcqRel, Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::relaxed::Node;
    use std::boxed::Box;

    #[derive(Default)]
    #[repr(align(64))]
    struct Item {
        node: Node<Item>,
        owners: AtomicUsize,
    }

    impl Listed<()> for Item {
        fn node(&self) -> &Node<Item> {
            &self.node
        }
    }

    #[test]
    fn each_change_has_another_number_and_the_address_stays_whole() {
        let address = 0x7fff_ffff_ffc0;
        let mut word = address;
        let mut seen = std::vec![false; 1 << 22];
        for _ in 0..1 << 22 {
            let number = (word >> ADDRESS_BITS << 6) | (word % ALIGN);
            assert!(!core::mem::replace(&mut seen[number], true));
            word = changed(word, address);
            assert_eq!(word & ADDRESS, address);
        }
        assert_eq!(word, address);
    }

    #[test]
    fn the_last_one_comes_first_and_nothing_comes_from_an_empty_pool() {
        let pool = Pool::<Item, ()>::new();
        let items: [&'static Item; 3] = core::array::from_fn(|_| &*Box::leak(Box::<Item>::default()));
        assert!(pool.pop().is_none());
        items.iter().for_each(|item| pool.push(item));
        for item in items.iter().rev() {
            assert!(core::ptr::eq(pool.pop().unwrap(), *item));
        }
        assert!(pool.pop().is_none());
    }

    #[test]
    fn what_many_take_and_give_back_is_never_had_by_two_and_never_lost() {
        const ROUNDS: usize = 50_000;
        let pool = &Pool::<Item, ()>::new();
        let items: [&'static Item; 8] = core::array::from_fn(|_| &*Box::leak(Box::<Item>::default()));
        items.iter().for_each(|item| pool.push(item));
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(move || {
                    for round in 0..ROUNDS {
                        // Two at a time, given back in either order: what lies below an item changes.
                        let (first, second) = (pool.pop().unwrap(), pool.pop().unwrap());
                        for item in [first, second] {
                            assert_eq!(item.owners.fetch_add(1, Ordering::Relaxed), 0);
                        }
                        let pair = if round % 2 == 0 { [first, second] } else { [second, first] };
                        for item in pair {
                            item.owners.fetch_sub(1, Ordering::Relaxed);
                            pool.push(item);
                        }
                    }
                });
            }
        });
        assert_eq!(core::iter::from_fn(|| pool.pop()).count(), items.len());
    }
}
