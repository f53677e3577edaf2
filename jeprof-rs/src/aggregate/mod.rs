//! Sums over the stacks of a view: rows of a table, equal stacks.

pub mod stacks;
pub mod table;
