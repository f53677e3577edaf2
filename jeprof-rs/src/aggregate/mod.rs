//! Sums over the stacks of a view: rows of a table, the tree of call paths, the call graph.

pub mod call_tree;
pub mod comparison;
pub mod graph;
pub mod instructions;
pub mod keys;
pub mod listing;
pub mod paths;
pub mod samples;
pub mod table;
