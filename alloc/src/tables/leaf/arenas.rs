//! `arenas.*`: what holds for every arena.

use super::ro;
use crate::arena::table;
use crate::size_class::NBINS;
use crate::tables::tree::Node;
use crate::tables::value::{Type, Value};
use crate::units::PAGE;

/// In the order of the reference's tree.
pub static NODES: &[Node] = &[
    ro("narenas", Type::Unsigned, |_| Ok(Value(table::narenas() as u64)), "Number of arenas."),
    ro("page", Type::Size, |_| Ok(Value(PAGE as u64)), "Page size in bytes."),
    ro("nbins", Type::Unsigned, |_| Ok(Value(NBINS as u64)), "Number of small size classes."),
];
