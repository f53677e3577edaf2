//! `stats.*` and `approximate_stats.*`: the tree over the rows of metrics, in the order of the reference.

use super::Metric;
use super::rows::*;
use crate::arena::table;
use crate::page::classes::NPSIZES;
use crate::size_class::{NBINS, NLEXTENTS};
use crate::stats;
use crate::tables::leaf::{action, needing, raw, ro};
use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type, Value};
use crate::units::PAGE;

/// The rows, with `branches` between those of the reference and ours.
const fn with<const N: usize, const B: usize, const ALL: usize>(
    rows: &'static [Metric; N],
    branches: [Node; B],
) -> [Node; ALL] {
    assert!(N + B == ALL);
    let mut nodes = [Node::Metric(&rows[0]); ALL];
    let (mut row, mut branch, mut at) = (0, 0, 0);
    while at < ALL {
        nodes[at] = if branch < B && (row == N || rows[row].own) {
            branch += 1;
            branches[branch - 1]
        } else {
            row += 1;
            Node::Metric(&rows[row - 1])
        };
        at += 1;
    }
    nodes
}

const fn only<const N: usize>(rows: &'static [Metric; N]) -> [Node; N] {
    with(rows, [])
}

const fn named<const N: usize, const ALL: usize>(
    names: &'static [&'static str; N],
    children: &'static [Node],
    last: Option<Node>,
) -> [Node; ALL] {
    let mut nodes = [Node::Branch { name: "", children }; ALL];
    let mut i = 0;
    while i < N {
        nodes[i] = Node::Branch { name: names[i], children };
        i += 1;
    }
    if let Some(last) = last {
        nodes[N] = last;
    }
    nodes
}

static BACKGROUND_NODES: [Node; background::COUNT] = only(&BACKGROUND);
static MUTEX_NODES: [Node; mutex::COUNT] = only(&MUTEX);
static MUTEXES: [Node; MUTEX_NAMES.len() + 1] = named(
    &MUTEX_NAMES,
    &MUTEX_NODES,
    Some(needing(action("reset", reset_mutexes, "Sets the counters of all locks to zero."), built)),
);
static ARENA_MUTEX_NODES: [Node; arena_mutex::COUNT] = only(&ARENA_MUTEX);
static ARENA_MUTEXES: [Node; ARENA_MUTEX_NAMES.len()] = named(&ARENA_MUTEX_NAMES, &ARENA_MUTEX_NODES, None);
static SMALL_NODES: [Node; small::COUNT] = only(&SMALL);
static LARGE_NODES: [Node; large::COUNT] = only(&LARGE);
static BIN_MUTEX_NODES: [Node; bin_mutex::COUNT] = only(&BIN_MUTEX);
static BIN_NODES: [Node; bin::COUNT + 1] =
    with(&BIN, [Node::Branch { name: "mutex", children: &BIN_MUTEX_NODES }]);
static LEXTENT_NODES: [Node; lextent::COUNT] = only(&LEXTENT);
static EXTENT_NODES: [Node; extent::COUNT] = only(&EXTENT);

static SLABS_NODES: [Node; hpa_slabs::COUNT] = only(&HPA_SLABS);
static HPA_SHARD: [Node; hpa_totals::COUNT + hpa_events::COUNT + 4] = {
    let slabs = Node::Branch { name: "slabs", children: &SLABS_NODES };
    let mut nodes = [slabs; hpa_totals::COUNT + hpa_events::COUNT + 4];
    let mut i = 0;
    while i < hpa_totals::COUNT {
        nodes[i] = Node::Metric(&HPA_TOTALS[i]);
        i += 1;
    }
    let mut event = 0;
    i += 1;
    while event < hpa_events::COUNT {
        nodes[i] = Node::Metric(&HPA_EVENTS[event]);
        (i, event) = (i + 1, event + 1);
    }
    nodes[i] = Node::Branch { name: "full_slabs", children: &SLABS_NODES };
    nodes[i + 1] = Node::Branch { name: "empty_slabs", children: &SLABS_NODES };
    nodes[i + 2] = Node::Indexed { name: "nonfull_slabs", exists: |j| j < HPA_LISTS, children: &SLABS_NODES };
    nodes
};

static ARENA_NODES: [Node; arena::COUNT + sec::COUNT + 7] = with(
    &ARENA,
    [
        Node::Metric(&SEC[sec::BYTES]),
        Node::Metric(&SEC[sec::HITS]),
        Node::Metric(&SEC[sec::MISSES]),
        Node::Metric(&SEC[sec::NOFLUSH]),
        Node::Metric(&SEC[sec::FLUSH]),
        Node::Metric(&SEC[sec::OVERFILLS]),
        Node::Branch { name: "small", children: &SMALL_NODES },
        Node::Branch { name: "large", children: &LARGE_NODES },
        Node::Indexed { name: "bins", exists: |j| j < NBINS, children: &BIN_NODES },
        Node::Indexed { name: "lextents", exists: |j| j < NLEXTENTS, children: &LEXTENT_NODES },
        Node::Indexed { name: "extents", exists: |j| j < NPSIZES, children: &EXTENT_NODES },
        Node::Branch { name: "mutexes", children: &ARENA_MUTEXES },
        Node::Branch { name: "hpa_shard", children: &HPA_SHARD },
    ],
);

/// How many rows of the process stand before the branches: all that the reference has but the last.
const FIRST: usize = process::ZERO_REALLOCS;

/// `stats.*`
pub static NODES: [Node; process::COUNT + 4] = {
    let mut nodes = [Node::Metric(&PROCESS[0]); process::COUNT + 4];
    let mut i = 0;
    while i < process::COUNT {
        nodes[if i < FIRST { i } else { i + 3 }] = Node::Metric(&PROCESS[i]);
        i += 1;
    }
    nodes[FIRST] = Node::Branch { name: "background_thread", children: &BACKGROUND_NODES };
    nodes[FIRST + 1] = Node::Branch { name: "mutexes", children: &MUTEXES };
    nodes[FIRST + 2] = Node::Indexed { name: "arenas", exists: stats::has_arena, children: &ARENA_NODES };
    nodes[i + 3] = needing(
        raw(
            "print",
            Type::Struct(24),
            "-w",
            stats::print_leaf,
            "Prints the statistics: as messages, or, given a function, its first argument and letters, to the function.",
        ),
        built,
    );
    nodes
};

/// `approximate_stats.*`
pub static APPROXIMATE: &[Node] = &[needing(
    ro(
        "active",
        Type::Size,
        |_| {
            let pages: usize = table::all().map(|arena| arena.pages.counts().active).sum();
            Ok(Value((pages * PAGE) as u64))
        },
        "Bytes of pages that hold objects, now, without a snapshot.",
    ),
    built,
)];

fn built() -> Result<(), CtlError> {
    if cfg!(feature = "stats") { Ok(()) } else { Err(CtlError::NotFound) }
}

fn reset_mutexes(_: &[usize]) -> Result<(), CtlError> {
    stats::reset_mutexes();
    Ok(())
}
