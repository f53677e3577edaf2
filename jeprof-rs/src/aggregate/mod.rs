//! Sums over the stacks of a view: rows of a table, the tree of call paths.

pub mod call_tree;
pub mod keys;
pub mod table;
