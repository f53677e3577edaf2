//! Sums over the stacks of a view: rows of a table, paths, the call graph.

mod by_key;
pub mod comparison;
pub mod graph;
pub mod groups;
pub mod instructions;
pub mod keys;
pub mod listing;
pub mod lives;
pub mod paths;
pub mod pinned;
pub mod samples;
pub mod table;
