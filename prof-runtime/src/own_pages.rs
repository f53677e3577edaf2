//! Which pages of the process are the host's and the profiler's: what they hold leads to no object of the program.
//!
//! A bit for each page of the 48-bit address space, in leaves of a GiB that are mapped when the first page of it is added.
//! Kept from [`track`] on, by whoever maps memory; without it, adding and removing cost a load.

use core::{
    ptr::null_mut,
    sync::atomic::{AtomicPtr, AtomicU64, Ordering},
};

use crate::mapping;

const LG_PAGE: u32 = 12;
/// Pages of a leaf.
const LG_LEAF: u32 = 18;
const ADDRESS_BITS: u32 = 48;
const LEAVES: usize = 1 << (ADDRESS_BITS - LG_PAGE - LG_LEAF);
const WORDS: usize = 1 << (LG_LEAF - 6);

type Word = AtomicU64;

/// A slot for each leaf.
type Slot = AtomicPtr<Word>;

static SLOTS: AtomicPtr<Slot> = AtomicPtr::new(null_mut());

/// From now on pages are noted. Without memory for it nothing is, and no page is known as ours.
pub fn track() {
    if let Some(slots) = mapping::map(LEAVES * size_of::<Slot>()) {
        SLOTS.store(slots.as_ptr().cast(), Ordering::Release);
    }
}

/// Whether [`track`] was called and had memory.
pub fn is_tracked() -> bool {
    !SLOTS.load(Ordering::Relaxed).is_null()
}

fn slot(leaf: usize) -> Option<&'static Slot> {
    let slots = SLOTS.load(Ordering::Acquire);
    if slots.is_null() || leaf >= LEAVES {
        return None;
    }
    // SAFETY: `track` made a mapping of `LEAVES` zeroed slots, which stays, and `leaf` is below that.
    unsafe { slots.add(leaf).as_ref() }
}

/// The words of a leaf.
fn words(leaf: usize) -> Option<&'static [Word; WORDS]> {
    let words = slot(leaf)?.load(Ordering::Acquire).cast::<[Word; WORDS]>();
    // SAFETY: null, or a mapping of `WORDS` zeroed words that stays, as `words_or_new` stored it.
    unsafe { words.as_ref() }
}

fn words_or_new(leaf: usize) -> Option<&'static [Word; WORDS]> {
    let slot = slot(leaf)?;
    if slot.load(Ordering::Acquire).is_null() {
        let made = mapping::map(WORDS * size_of::<Word>())?;
        let words = made.as_ptr().cast::<Word>();
        if slot.compare_exchange(null_mut(), words, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: made just above, and nobody else was given it.
            unsafe { mapping::unmap(made) };
        }
    }
    words(leaf)
}

/// Applies `act` to each word with a page of the range, with the bits of these pages.
fn each_word(at: usize, bytes: usize, makes: bool, act: fn(&Word, u64)) {
    let (mut page, end) = (at >> LG_PAGE, at.saturating_add(bytes).div_ceil(1 << LG_PAGE));
    while page < end {
        let first = page & 63;
        let count = (64 - first).min(end - page);
        let bits = (u64::MAX >> (64 - count)) << first;
        let leaf = page >> LG_LEAF;
        let found = if makes { words_or_new(leaf) } else { words(leaf) };
        if let Some(word) = found.and_then(|words| words.get(page >> 6 & (WORDS - 1))) {
            act(word, bits);
        }
        page += count;
    }
}

/// The pages of a range belong to the allocator or the profiler.
#[inline]
pub fn add(at: usize, bytes: usize) {
    if is_tracked() {
        each_word(at, bytes, true, |word, bits| _ = word.fetch_or(bits, Ordering::Relaxed));
    }
}

/// They do no longer. Before they are unmapped: afterwards somebody else may have them.
#[inline]
pub fn remove(at: usize, bytes: usize) {
    if is_tracked() {
        each_word(at, bytes, false, |word, bits| _ = word.fetch_and(!bits, Ordering::Relaxed));
    }
}

/// Whether the page at an address does.
pub fn contains(at: usize) -> bool {
    let page = at >> LG_PAGE;
    words(page >> LG_LEAF)
        .and_then(|words| words.get(page >> 6 & (WORDS - 1)))
        .is_some_and(|word| word.load(Ordering::Relaxed) >> (page & 63) & 1 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Map;

    /// One test, since there is one set.
    #[test]
    fn pages_are_known_from_the_first_to_the_last_and_forgotten_when_they_go() {
        const PAGE: usize = 4096;
        let at = (5 << 30) - 3 * PAGE;
        add(at, 100 * PAGE);
        assert!(!contains(at), "nothing is kept before it is asked for");
        track();
        let all = |from: usize, to: usize| (from..to).all(|page| contains(at + page * PAGE));
        let none = |from: usize, to: usize| (from..to).all(|page| !contains(at + page * PAGE));
        add(at, 100 * PAGE);
        assert!(!contains(at - 1) && all(0, 100) && none(100, 200));
        remove(at + 10 * PAGE, 70 * PAGE);
        assert!(all(0, 10) && none(10, 80) && all(80, 100));
        remove(at, 100 * PAGE);
        assert!(none(0, 100));
        let map = Map::new(PAGE).unwrap();
        let byte = map.as_slice::<core::sync::atomic::AtomicU8>().as_ptr().addr();
        assert!(contains(byte));
        // Beyond what addresses can be.
        add(usize::MAX - PAGE, PAGE);
        assert!(!contains(usize::MAX - PAGE));
    }
}
