//! Metrics: one row each. How arenas add up, the `stats.*` leaves, the text report, JSON and OpenMetrics are derived from
//! the rows.
//!
//! The rows of one [`Scope`] are one list, and a snapshot holds the values of a scope as one array in the order of the
//! list, so that a row's number is where its value is.

pub mod nodes;
pub mod rows;

use prof_format::metrics::Family;

use super::value::Type;

/// What a number means over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// How much there is now.
    Gauge,
    /// How much there was since the start; stays when an arena is destroyed.
    Counter,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Pages.
    Pages,
    /// Huge pages.
    HugePages,
    /// Events or things.
    Count,
    /// Nanoseconds.
    Nanoseconds,
    /// Milliseconds.
    Milliseconds,
    /// A share of 1, as the bits of a double.
    Ratio,
    /// A word, as the address of a C string that lives for ever.
    Word,
}

/// How the values of several arenas become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Their sum.
    Sum,
    /// The largest.
    Max,
    /// The first arena's.
    First,
    /// There is none: a setting of single arenas.
    Apart,
}

/// Where a metric's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The process.
    Process,
    /// Background threads.
    Background,
    /// A lock of the process.
    Mutex,
    /// An arena.
    Arena,
    /// The small classes of an arena together.
    Small,
    /// The large classes of an arena together.
    Large,
    /// A small class of an arena.
    Bin,
    /// The lock of a small class of an arena.
    BinMutex,
    /// A large class of an arena.
    Lextent,
    /// Free pages of an arena by the length of their runs.
    Extent,
    /// A lock of an arena.
    ArenaMutex,
    /// Parts of jemalloc that are not here (the huge page allocator): always zero.
    Absent,
}

/// How a metric is shown in a table of the text report.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// Width, with the blank in front.
    pub width: usize,
    /// Width of the column `(#/sec)` behind it; 0 for none.
    pub rate: usize,
}

/// How a metric is shown in OpenMetrics.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// The family. Rows with one family are told apart by `label`.
    pub family: &'static Family,
    /// A label and its value, as they are written, or nothing.
    pub label: &'static str,
}

/// A metric.
pub struct Metric {
    /// Last component of its leaf, and its key in JSON unless `json` says otherwise.
    pub name: &'static str,
    /// Key in JSON.
    pub json: &'static str,
    /// Type of the leaf's value.
    pub ty: Type,
    /// What it is, one sentence.
    pub doc: &'static str,
    /// Meaning over time.
    pub kind: Kind,
    /// What it counts.
    pub unit: Unit,
    /// Sum over arenas.
    pub merge: Merge,
    /// Whether it is ours: its leaf comes behind those of the reference.
    pub own: bool,
    /// In tables of the text report.
    pub column: Column,
    /// In OpenMetrics, if it is there.
    pub open: Option<Open>,
    /// Where its values are.
    pub scope: Scope,
    /// Its place among the rows of the scope.
    pub index: usize,
}

impl Metric {
    const fn new(name: &'static str, kind: Kind, unit: Unit, ty: Type, doc: &'static str) -> Metric {
        Metric {
            name,
            json: name,
            ty,
            doc,
            kind,
            unit,
            merge: Merge::Sum,
            own: false,
            column: Column { title: name, width: 0, rate: 0 },
            open: None,
            scope: Scope::Absent,
            index: 0,
        }
    }

    const fn at(self, scope: Scope, index: usize) -> Metric {
        Metric { scope, index, ..self }
    }

    const fn merged(self, merge: Merge) -> Metric {
        Metric { merge, ..self }
    }

    const fn ours(self) -> Metric {
        Metric { own: true, ..self }
    }

    const fn column(self, title: &'static str, width: usize, rate: usize) -> Metric {
        Metric { column: Column { title, width, rate }, ..self }
    }

    const fn json(self, json: &'static str) -> Metric {
        Metric { json, ..self }
    }

    const fn open(self, family: &'static Family) -> Metric {
        self.labelled(family, "")
    }

    const fn labelled(self, family: &'static Family, label: &'static str) -> Metric {
        Metric { open: Some(Open { family, label }), ..self }
    }
}

const fn bytes(name: &'static str, doc: &'static str) -> Metric {
    Metric::new(name, Kind::Gauge, Unit::Bytes, Type::Size, doc)
}

const fn gauge(name: &'static str, doc: &'static str) -> Metric {
    Metric::new(name, Kind::Gauge, Unit::Count, Type::Size, doc)
}

const fn pages(name: &'static str, doc: &'static str) -> Metric {
    Metric::new(name, Kind::Gauge, Unit::Pages, Type::Size, doc)
}

const fn counter(name: &'static str, doc: &'static str) -> Metric {
    Metric::new(name, Kind::Counter, Unit::Count, Type::U64, doc)
}

const fn typed(metric: Metric, unit: Unit, ty: Type) -> Metric {
    Metric { unit, ty, ..metric }
}
