//! Metrics: one row each. The `stats.*` leaves and the report are derived from them.

use super::leaf::background;
use super::tree::Node;

/// Sums over all arenas, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Usable bytes of objects, cached ones included.
    pub allocated: usize,
    /// Pages that hold objects.
    pub active: usize,
    /// The allocator's own structures.
    pub metadata: usize,
    /// Pages that memory backs.
    pub resident: usize,
    /// Address space in use.
    pub mapped: usize,
    /// Address space kept for reuse.
    pub retained: usize,
    /// Unused pages that were not given back.
    pub dirty: usize,
    /// Unused pages that the kernel may take.
    pub muzzy: usize,
    /// Usable bytes of objects in thread caches and depots.
    pub tcache_bytes: usize,
}

impl Totals {
    /// Nothing.
    pub const ZERO: Totals = Totals {
        allocated: 0,
        active: 0,
        metadata: 0,
        resident: 0,
        mapped: 0,
        retained: 0,
        dirty: 0,
        muzzy: 0,
        tcache_bytes: 0,
    };
}

/// A metric of the whole process, in bytes.
pub struct Metric {
    /// Name below `stats.`.
    pub name: &'static str,
    /// What it is, one sentence.
    pub doc: &'static str,
    /// Its value in a snapshot.
    pub of: fn(&Totals) -> usize,
}

/// Every metric, in the order of the reference's report.
pub static ALL: [Metric; 6] = [
    Metric {
        name: "allocated",
        doc: "Usable bytes of all objects that the program holds or that lie in caches.",
        of: |totals| totals.allocated,
    },
    Metric { name: "active", doc: "Bytes of pages that hold objects.", of: |totals| totals.active },
    Metric {
        name: "metadata",
        doc: "Bytes of the allocator's own structures.",
        of: |totals| totals.metadata,
    },
    Metric {
        name: "resident",
        doc: "Bytes of pages that memory backs: active, dirty and metadata.",
        of: |totals| totals.resident,
    },
    Metric {
        name: "mapped",
        doc: "Bytes of address space in use: active, dirty, muzzy and metadata.",
        of: |totals| totals.mapped,
    },
    Metric {
        name: "retained",
        doc: "Bytes of address space kept for reuse that no memory backs.",
        of: |totals| totals.retained,
    },
];

/// `stats.*`
pub static NODES: [Node; ALL.len() + 1] = {
    let threads = Node::Branch { name: "background_thread", children: background::STATS_NODES };
    let mut nodes = [threads; ALL.len() + 1];
    let mut i = 0;
    while i < ALL.len() {
        nodes[i] = Node::Metric(&ALL[i]);
        i += 1;
    }
    nodes
};
