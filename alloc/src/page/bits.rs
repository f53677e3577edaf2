//! Runs in a bitmap of 512 pages. Pure.

use crate::units::PAGE;

/// Pages in a block.
pub const BLOCK_PAGES: usize = 512;
/// Bytes of a block; blocks start at multiples of it.
pub const BLOCK: usize = BLOCK_PAGES * PAGE;
const WORDS: usize = BLOCK_PAGES / 64;

/// One bit a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits(pub [u64; WORDS]);

impl Bits {
    /// No bit set.
    pub const EMPTY: Bits = Bits([0; WORDS]);

    /// Bit by bit: set in `self` and not in `other`.
    pub fn without(self, other: Bits) -> Bits {
        Bits(core::array::from_fn(|i| self.0[i] & !other.0[i]))
    }

    /// Bit by bit: clear.
    pub fn complement(self) -> Bits {
        Bits(self.0.map(|w| !w))
    }

    /// Number of bits set.
    pub fn count(self) -> usize {
        self.0.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// First position from `from` on whose bit is `value`; [`BLOCK_PAGES`] when there is none.
    fn next(self, from: usize, value: bool) -> usize {
        let mut word = from / 64;
        if word >= WORDS {
            return BLOCK_PAGES;
        }
        let flip = |w: u64| if value { w } else { !w };
        let mut bits = flip(self.0[word]) & (!0 << (from % 64));
        while bits == 0 {
            word += 1;
            if word == WORDS {
                return BLOCK_PAGES;
            }
            bits = flip(self.0[word]);
        }
        word * 64 + bits.trailing_zeros() as usize
    }

    /// The maximal run of set bits around `at`, which is set, as (start, length).
    pub fn around(self, at: usize) -> (usize, usize) {
        around(|i| self.0[i], at)
    }

    /// Length of the run of set bits that begins at the first position.
    pub fn leading(self) -> usize {
        self.next(0, false)
    }

    /// Length of the run of set bits that ends at the last position.
    pub fn trailing(self) -> usize {
        if self.has(BLOCK_PAGES - 1) { self.around(BLOCK_PAGES - 1).1 } else { 0 }
    }

    /// Whether a bit is set.
    pub fn has(self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 != 0
    }

    /// Maximal runs of set bits as (start, length), from the lowest.
    pub fn runs(self) -> impl Iterator<Item = (usize, usize)> {
        let mut at = 0;
        core::iter::from_fn(move || {
            let start = self.next(at, true);
            if start == BLOCK_PAGES {
                return None;
            }
            at = self.next(start, false);
            Some((start, at - start))
        })
    }

    /// Length of the longest run.
    pub fn longest(self) -> usize {
        self.runs().map(|(_, n)| n).max().unwrap_or(0)
    }

    /// Lowest start, a multiple of `align` (a power of two), of `n` set bits side by side.
    pub fn find(self, n: usize, align: usize) -> Option<usize> {
        self.runs().find_map(|(start, len)| {
            let aligned = start.next_multiple_of(align);
            (aligned + n <= start + len).then_some(aligned)
        })
    }
}

/// The maximal run of set bits around `at`, which is set, as (start, length), in the bitmap of these words.
pub fn around(word: impl Fn(usize) -> u64, at: usize) -> (usize, usize) {
    let mut i = at / 64;
    let mut clear = !word(i) & (!0 >> (63 - at % 64));
    while clear == 0 && i != 0 {
        i -= 1;
        clear = !word(i);
    }
    let start = if clear == 0 { 0 } else { i * 64 + 64 - clear.leading_zeros() as usize };
    i = at / 64;
    clear = !word(i) & (!0 << (at % 64));
    while clear == 0 && i != WORDS - 1 {
        i += 1;
        clear = !word(i);
    }
    let end = if clear == 0 { BLOCK_PAGES } else { i * 64 + clear.trailing_zeros() as usize };
    (start, end - start)
}

/// How long the longest run will be when the `n` bits from `at` on, all of which are set, are cleared; `None` when that
/// takes a look at the whole bitmap. It has `count` bits set, and its longest run is `longest` now.
pub fn longest_without(
    word: impl Fn(usize) -> u64,
    (longest, count): (usize, usize),
    at: usize,
    n: usize,
) -> Option<usize> {
    let (start, len) = around(word, at);
    if len < longest {
        return Some(longest);
    }
    let left = at - start;
    let most = left.max(len - left - n);
    // No other run is longer than all other bits.
    (count - len <= most).then_some(most)
}

/// The words that `n` bits from `start` on touch, each with the mask of those bits.
pub fn masks(start: usize, n: usize) -> impl Iterator<Item = (usize, u64)> {
    let end = start + n;
    let words = if n == 0 { 0..0 } else { start / 64..end.div_ceil(64) };
    words.map(move |i| {
        let low = start.saturating_sub(i * 64);
        let high = (end - i * 64).min(64);
        (i, (!0 >> (64 - (high - low))) << low)
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn fill(bits: &mut Bits, start: usize, n: usize, value: bool) {
        for (i, mask) in masks(start, n) {
            bits.0[i] = if value { bits.0[i] | mask } else { bits.0[i] & !mask };
        }
    }

    /// A bitmap and the same as booleans, from a small generator.
    fn sample(seed: u64) -> (Bits, Vec<bool>) {
        let mut bits = Bits::EMPTY;
        let mut plain = std::vec![false; BLOCK_PAGES];
        let mut x = seed * 2 + 1;
        for _ in 0..seed % 40 {
            x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let start = (x >> 33) as usize % BLOCK_PAGES;
            let n = ((x >> 50) as usize % 90).min(BLOCK_PAGES - start);
            let value = x >> 13 & 3 != 0;
            fill(&mut bits, start, n, value);
            plain[start..start + n].fill(value);
        }
        (bits, plain)
    }

    #[test]
    fn runs_and_searches_agree_with_a_plain_list_of_booleans() {
        let (mut asked, mut guessed) = (0, 0);
        for seed in 0..400 {
            let (bits, plain) = sample(seed);
            assert_eq!(bits.count(), plain.iter().filter(|b| **b).count());
            let rebuilt = bits.runs().fold(Bits::EMPTY, |mut all, (start, n)| {
                fill(&mut all, start, n, true);
                all
            });
            assert_eq!(rebuilt, bits);
            for (n, align) in [(1, 1), (3, 1), (7, 4), (64, 1), (65, 64), (512, 1)] {
                let want = (0..=BLOCK_PAGES - n)
                    .step_by(align)
                    .find(|&start| plain[start..start + n].iter().all(|b| *b));
                assert_eq!(bits.find(n, align), want, "seed {seed} n {n} align {align}");
            }
            let here: u32 = masks(5, 200).map(|(i, mask)| (bits.0[i] & mask).count_ones()).sum();
            assert_eq!(here as usize, plain[5..205].iter().filter(|b| **b).count());
            assert!(bits.longest() == 0 || bits.find(bits.longest(), 1).is_some());
            assert_eq!(bits.complement().count() + bits.count(), BLOCK_PAGES);
            for (start, n) in bits.runs() {
                for at in [start, start + n / 2, start + n - 1] {
                    assert_eq!(bits.around(at), (start, n));
                    let mut rest = bits;
                    fill(&mut rest, at, (start + n - at).div_ceil(2), false);
                    let guess = longest_without(
                        |i| bits.0[i],
                        (bits.longest(), bits.count()),
                        at,
                        (start + n - at).div_ceil(2),
                    );
                    assert!(guess.is_none_or(|longest| longest == rest.longest()));
                    guessed += guess.is_some() as usize;
                    asked += 1;
                }
            }
            assert!((0..BLOCK_PAGES).all(|at| bits.has(at) == plain[at]));
        }
        assert!(asked > 1000 && guessed > asked / 2 && guessed < asked);
    }
}
