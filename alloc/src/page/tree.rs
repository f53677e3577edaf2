//! Ordered sets of structures in base memory, linked through the structures themselves: search trees balanced by
//! chance (treaps), whose priority is a hash of the structure's address. Every operation takes about `2 ln n` steps.

use crate::relaxed::Link;

/// Membership in a tree: a structure has one per tree that it can be in.
#[derive(Default)]
pub struct TreeNode<T: 'static> {
    left: Link<T>,
    right: Link<T>,
}

/// How a structure is ordered in a tree; a zero-sized key type tells two trees of one type apart.
pub trait Ordered<By>: Sized + 'static {
    /// What is compared. No two structures in one tree have the same, and it does not change while in the tree.
    type Key: Ord + Copy;
    /// The structure's own.
    fn key(&self) -> Self::Key;
    /// The links.
    fn tree_node(&self) -> &TreeNode<Self>;
}

/// An ordered set, guarded by the lock of whoever owns it. All-zero is empty.
pub struct Tree<T: Ordered<By>, By> {
    root: Link<T>,
    by: core::marker::PhantomData<fn() -> By>,
}

impl<T: Ordered<By>, By> Default for Tree<T, By> {
    fn default() -> Self {
        Tree::new()
    }
}

/// The heap order: parents have the higher one.
fn priority<T>(item: &T) -> u64 {
    let mixed = (core::ptr::from_ref(item).addr() as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

impl<T: Ordered<By>, By> Tree<T, By> {
    /// The empty set.
    pub const fn new() -> Tree<T, By> {
        Tree { root: Link::new(), by: core::marker::PhantomData }
    }

    /// Adds `item`, which is in no tree of this kind.
    pub fn insert(&self, item: &'static T) {
        let key = item.key();
        let mut at = &self.root;
        while let Some(node) = at.get().filter(|node| priority(*node) >= priority(item)) {
            let links = node.tree_node();
            at = if key < node.key() { &links.left } else { &links.right };
        }
        // The rest of the way is cut in two, below and above the item, which takes its place.
        let mut rest = at.get();
        at.set(Some(item));
        let (mut low, mut high) = (&item.tree_node().left, &item.tree_node().right);
        while let Some(node) = rest {
            if node.key() < key {
                low.set(Some(node));
                low = &node.tree_node().right;
                rest = low.get();
            } else {
                high.set(Some(node));
                high = &node.tree_node().left;
                rest = high.get();
            }
        }
        low.set(None);
        high.set(None);
    }

    /// Takes out `item`, which is in this tree.
    pub fn remove(&self, item: &'static T) {
        let key = item.key();
        let mut at = &self.root;
        while let Some(node) = at.get().filter(|node| !core::ptr::eq(*node, item)) {
            let links = node.tree_node();
            at = if key < node.key() { &links.left } else { &links.right };
        }
        let links = item.tree_node();
        let (mut low, mut high) = (links.left.get(), links.right.get());
        loop {
            match (low, high) {
                (Some(a), Some(b)) if priority(a) >= priority(b) => {
                    at.set(low);
                    at = &a.tree_node().right;
                    low = at.get();
                }
                (Some(_), Some(b)) => {
                    at.set(high);
                    at = &b.tree_node().left;
                    high = at.get();
                }
                (rest, None) | (None, rest) => return at.set(rest),
            }
        }
    }

    /// The one with the lowest key.
    pub fn first(&self) -> Option<&'static T> {
        let mut at = self.root.get()?;
        while let Some(left) = at.tree_node().left.get() {
            at = left;
        }
        Some(at)
    }

    /// The one with the highest key that is at most `key`.
    pub fn at_most(&self, key: T::Key) -> Option<&'static T> {
        let (mut at, mut best) = (self.root.get(), None);
        while let Some(node) = at {
            if node.key() <= key {
                best = at;
                at = node.tree_node().right.get();
            } else {
                at = node.tree_node().left.get();
            }
        }
        best
    }

    /// The one with the lowest key above `key`.
    pub fn above(&self, key: T::Key) -> Option<&'static T> {
        let (mut at, mut best) = (self.root.get(), None);
        while let Some(node) = at {
            if node.key() > key {
                best = at;
                at = node.tree_node().left.get();
            } else {
                at = node.tree_node().right.get();
            }
        }
        best
    }

    /// All, from the lowest key up. Cost: a search for each.
    pub fn iter(&self) -> impl Iterator<Item = &'static T> {
        core::iter::successors(self.first(), |item| self.above(item.key()))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::boxed::Box;
    use std::collections::BTreeMap;
    use std::vec::Vec;

    #[derive(Default)]
    struct Item {
        key: u32,
        node: TreeNode<Item>,
    }

    struct ByKey;

    impl Ordered<ByKey> for Item {
        type Key = u32;
        fn key(&self) -> u32 {
            self.key
        }
        fn tree_node(&self) -> &TreeNode<Item> {
            &self.node
        }
    }

    fn depth(item: Option<&'static Item>) -> usize {
        item.map_or(0, |item| 1 + depth(item.node.left.get()).max(depth(item.node.right.get())))
    }

    #[test]
    fn the_set_behaves_as_a_sorted_map_and_stays_shallow() {
        let tree = Tree::<Item, ByKey>::default();
        let mut model: BTreeMap<u32, &'static Item> = BTreeMap::new();
        let mut x = 2463534242u32;
        let mut next = |n: u32| {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            x % n
        };
        for round in 0..20_000 {
            let key = next(4000);
            match model.remove(&key) {
                Some(item) => tree.remove(item),
                None => {
                    let item: &'static Item = Box::leak(Box::new(Item { key, ..Item::default() }));
                    model.insert(key, item);
                    tree.insert(item);
                }
            }
            let probe = next(4000);
            let key_of = |item: Option<&'static Item>| item.map(|item| item.key);
            assert_eq!(key_of(tree.at_most(probe)), model.range(..=probe).next_back().map(|(k, _)| *k));
            assert_eq!(key_of(tree.above(probe)), model.range(probe + 1..).next().map(|(k, _)| *k));
            assert_eq!(key_of(tree.first()), model.keys().next().copied());
            if round % 1000 == 0 {
                let keys: Vec<u32> = tree.iter().map(|item| item.key).collect();
                assert_eq!(keys, model.keys().copied().collect::<Vec<_>>());
                assert!(depth(tree.root.get()) < 60);
            }
        }
    }
}
