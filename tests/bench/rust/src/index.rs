//! An index of words in ordered maps, as a search engine's writer keeps one in memory: each thread has its own, puts all
//! words of all sources in, with their places, and takes the frequent ones out again. COUNT times.

use std::collections::BTreeMap;

use crate::{sources, timed};

pub fn run(threads: u64, folder: &str, count: u64) {
    let sources = sources::read(folder);
    timed(threads, |_| {
        for _ in 0..count {
            let mut index: BTreeMap<String, BTreeMap<usize, Vec<u32>>> = BTreeMap::new();
            for (number, source) in sources.iter().enumerate() {
                let words = source.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
                for (at, word) in words.enumerate() {
                    index.entry(word.to_lowercase()).or_default().entry(number).or_default().push(at as u32);
                }
            }
            index.retain(|_, places| places.len() < 20);
            assert!(index.values().map(BTreeMap::len).sum::<usize>() > sources.len());
        }
    });
}
