//! What has the same key, put together.

use std::hash::Hash;

use hashbrown::HashMap;

/// Values by key, in the order in which the keys were first met.
pub struct ByKey<K, T> {
    index: HashMap<K, usize>,
    /// The values.
    pub all: Vec<T>,
}

impl<K: Hash + Eq, T> ByKey<K, T> {
    /// None yet.
    pub fn new() -> ByKey<K, T> {
        ByKey { index: HashMap::new(), all: Vec::new() }
    }

    /// The value of a key, made when it is the first time.
    pub fn of(&mut self, key: K, make: impl FnOnce(&K) -> T) -> &mut T {
        let all = &mut self.all;
        let at = *self.index.entry(key).or_insert_with_key(|key| {
            all.push(make(key));
            all.len() - 1
        });
        &mut all[at]
    }
}
