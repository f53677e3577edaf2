//! A concurrent map of strings to lists, used by all threads: entries come, grow, are copied, and go, whoever made them.
//! COUNT operations of each thread.

use dashmap::DashMap;

use crate::{Random, timed};

const KEYS: u64 = 200_000;

pub fn run(threads: u64, count: u64) {
    let map: DashMap<String, Vec<u64>> = DashMap::new();
    timed(threads, |thread| {
        let mut random = Random(thread + 1);
        let mut read = 0;
        for _ in 0..count {
            let key = format!("user/{}/session", random.below(KEYS));
            match random.below(10) {
                0..5 => map.entry(key).or_default().push(random.next()),
                5 => {
                    map.insert(key, (0..random.below(40)).collect());
                }
                6..8 => {
                    map.remove(&key);
                }
                _ => read += map.get(&key).map_or(0, |list| list.clone().len()),
            }
        }
        std::hint::black_box(read);
    });
    assert!(!map.is_empty());
}
