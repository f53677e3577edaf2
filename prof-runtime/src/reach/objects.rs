//! The living objects by address, and which of them an address leads to.

use super::memory::Span;
use crate::{
    live::{Live, SampleRef},
    memory::{Plain, Rows},
};

/// A living object.
#[derive(Clone, Copy)]
pub struct Object {
    start: usize,
    end: usize,
    /// Bits of its reference.
    sample: u64,
}

// SAFETY: numbers only, nothing to drop.
unsafe impl Plain for Object {}

impl Object {
    /// Usable bytes.
    pub fn bytes(&self) -> usize {
        self.end - self.start
    }

    /// The whole words in it.
    pub fn words(&self) -> Span {
        Span { start: self.start.next_multiple_of(8), end: self.end & !7 }
    }
}

/// All of them in order. Addresses that have the same upper bits share a bucket, which is searched.
pub struct Objects {
    rows: Rows<Object>,
    /// By bucket, how many objects begin before it.
    buckets: Rows<u32>,
    low: usize,
    high: usize,
    lg_bucket: u32,
}

/// The object of 8 bytes that ends at an address counts beside the one that the address is in.
type Led = [Option<usize>; 2];

impl Objects {
    /// Room for so many.
    pub fn with_room(most: usize) -> Option<Objects> {
        let buckets = Rows::zeroed(most.next_power_of_two().max(64) + 2)?;
        Some(Objects { rows: Rows::new(most)?, buckets, low: 0, high: 0, lg_bucket: 0 })
    }

    /// Lists all that are alive and have an address; `None` when there is no room for all.
    pub fn fill(self, live: &Live) -> Option<Objects> {
        let alive = live.walk().map(|alive| (alive.object, alive.birth.usize_ as usize, alive.sample));
        self.list(alive)
    }

    fn list(mut self, all: impl Iterator<Item = (usize, usize, SampleRef)>) -> Option<Objects> {
        for (start, bytes, sample) in all.filter(|(start, ..)| *start != 0) {
            self.rows.push(Object { start, end: start.saturating_add(bytes), sample: sample.to_bits() })?;
        }
        self.rows.sort_unstable_by_key(|object| object.start);
        self.low = self.rows.first().map_or(0, |object| object.start);
        self.high = self.rows.iter().map(|object| object.end).max().unwrap_or(0);
        let most = self.buckets.len() - 2;
        while (self.high - self.low) >> self.lg_bucket >= most {
            self.lg_bucket += 1;
        }
        let mut from = 0;
        for (index, object) in self.rows.iter().enumerate() {
            // All buckets up to this object's, its own included, begin at or before it.
            let bucket = (object.start - self.low) >> self.lg_bucket;
            while from <= bucket {
                if let Some(slot) = self.buckets.get_mut(from) {
                    *slot = index as u32;
                }
                from += 1;
            }
        }
        let count = self.rows.len() as u32;
        self.buckets.iter_mut().skip(from).for_each(|slot| *slot = count);
        Some(self)
    }

    /// The object that begins last at or before an address within the range of all.
    #[inline]
    fn before(&self, address: usize) -> Option<usize> {
        let bucket = (address - self.low) >> self.lg_bucket;
        let first = *self.buckets.get(bucket)? as usize;
        let next = *self.buckets.get(bucket + 1)? as usize;
        let within = self.rows.get(first..next)?.partition_point(|object| object.start <= address);
        (first + within).checked_sub(1)
    }

    /// What a word leads to.
    #[inline]
    pub fn led_to(&self, word: usize) -> Led {
        // One past the end of the last one may count, too.
        if word < self.low || word > self.high || self.rows.is_empty() {
            return [None, None];
        }
        self.search(word)
    }

    fn search(&self, word: usize) -> Led {
        let Some(index) = self.before(word) else { return [None, None] };
        let holds = |index: usize, past: bool| {
            let object = self.rows.get(index)?;
            let held = word < object.end || past && word == object.end && object.bytes() == 8;
            held.then_some(index)
        };
        let begins = self.rows.get(index).is_some_and(|object| object.start == word);
        let other = if begins { index.checked_sub(1).and_then(|before| holds(before, true)) } else { None };
        [holds(index, true), other]
    }

    /// The sampled object that begins at an address.
    pub fn at(&self, address: usize, sample: SampleRef) -> Option<usize> {
        if address < self.low || address > self.high {
            return None;
        }
        let index = self.before(address)?;
        let object = self.rows.get(index)?;
        (object.start == address && object.sample == sample.to_bits()).then_some(index)
    }
}

impl core::ops::Deref for Objects {
    type Target = [Object];

    fn deref(&self) -> &[Object] {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn listed(objects: &[(usize, usize)]) -> Objects {
        let all = objects
            .iter()
            .zip(1..)
            .map(|(object, bits)| (object.0, object.1, SampleRef::from_bits(bits).unwrap()));
        Objects::with_room(objects.len()).unwrap().list(all).unwrap()
    }

    fn starts(objects: &Objects, word: usize) -> Vec<usize> {
        objects.led_to(word).into_iter().flatten().map(|index| objects[index].start).collect()
    }

    #[test]
    fn an_address_leads_to_the_object_around_it_and_one_past_the_end_to_none() {
        let objects = listed(&[(0x5000, 0x100), (0x1000, 16), (0x1010, 16), (0x7f00_0000_0000, 1 << 30)]);
        let cases: &[(usize, &[usize])] = &[
            (0xfff, &[]),
            (0x1000, &[0x1000]),
            (0x100f, &[0x1000]),
            (0x1010, &[0x1010]),
            (0x1020, &[]),
            (0x50ff, &[0x5000]),
            (0x5100, &[]),
            (0x7f00_0000_0000 + (1 << 30) - 1, &[0x7f00_0000_0000]),
            (0x7f00_0000_0000 + (1 << 30), &[]),
            (0, &[]),
            (usize::MAX, &[]),
        ];
        for (word, expected) in cases {
            assert_eq!(starts(&objects, *word), *expected, "{word:#x}");
        }
    }

    #[test]
    fn the_end_of_an_object_of_eight_bytes_leads_to_it_and_to_what_begins_there() {
        let objects = listed(&[(0x1000, 8), (0x1008, 8), (0x1018, 8)]);
        assert_eq!(starts(&objects, 0x1008), [0x1008, 0x1000]);
        assert_eq!(starts(&objects, 0x1010), [0x1008]);
        assert_eq!(starts(&objects, 0x1020), [0x1018]);
        assert_eq!(starts(&objects, 0x1021), []);
    }

    #[test]
    fn any_number_of_objects_at_any_distance_is_found_as_by_a_search_through_all() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % below
        };
        for (count, gap) in [(1, 1), (10, 1 << 30), (1000, 40), (3000, 1 << 20)] {
            let mut at = 0x10_0000;
            let all: Vec<_> = (0..count)
                .map(|_| {
                    at += random(gap) as usize / 8 * 8;
                    let object = (at, 16 + random(200) as usize / 8 * 8);
                    at += object.1;
                    object
                })
                .collect();
            let objects = listed(&all);
            for _ in 0..3000 {
                let word = 0x10_0000 + random((at - 0x10_0000) as u64 + 50) as usize;
                let expected: Vec<_> = all
                    .iter()
                    .filter(|(start, bytes)| (*start..start + bytes).contains(&word))
                    .map(|o| o.0)
                    .collect();
                assert_eq!(starts(&objects, word), expected, "{count} {gap} {word:#x}");
            }
            for ((start, _), bits) in all.iter().zip(1..) {
                let sample = SampleRef::from_bits(bits).unwrap();
                assert_eq!(objects.at(*start, sample).map(|index| objects[index].start), Some(*start));
                assert_eq!(objects.at(*start, SampleRef::from_bits(bits + 1).unwrap()), None);
            }
        }
    }

    #[test]
    fn nothing_leads_nowhere() {
        let objects = listed(&[]);
        assert_eq!((starts(&objects, 0), starts(&objects, 8)), (Vec::new(), Vec::new()));
        assert_eq!(objects.at(0, SampleRef::from_bits(1).unwrap()), None);
    }
}
