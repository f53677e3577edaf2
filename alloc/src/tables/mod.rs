//! The tables that carry the user-visible surface: one row per option, mallctl leaf and metric. Parsing, lookup,
//! reports and tests are derived from the rows.

pub mod leaf;
pub mod metric;
pub mod option;
pub mod tree;
pub mod value;

#[cfg(test)]
mod reference;
