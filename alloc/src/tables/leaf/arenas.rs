//! `arenas.*`: what holds for every arena.

use super::ro;
use crate::arena::table;
use crate::size_class::NBINS;
use crate::tables::tree::Node;
use crate::tables::value::{Type, Value};
use crate::tcache::settings;
use crate::units::PAGE;

/// In the order of the reference's tree.
pub static NODES: &[Node] = &[
    ro("narenas", Type::Unsigned, |_| Ok(Value(table::narenas() as u64)), "Number of arenas."),
    ro("page", Type::Size, |_| Ok(Value(PAGE as u64)), "Page size in bytes."),
    ro(
        "tcache_max",
        Type::Size,
        |_| Ok(Value(settings::max() as u64)),
        "Bytes of the largest objects that threads cache.",
    ),
    ro("nbins", Type::Unsigned, |_| Ok(Value(NBINS as u64)), "Number of small size classes."),
    ro(
        "nhbins",
        Type::Unsigned,
        |_| Ok(Value(settings::last().0 as u64 + 1)),
        "Number of size classes that threads cache.",
    ),
];
