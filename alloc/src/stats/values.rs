//! The values of a snapshot: for each scope of metrics an array in the order of its rows.

use core::ffi::{CStr, c_char};
use core::sync::atomic::*;

use crate::base::Zeroable;
use crate::page::classes::NPSIZES;
use crate::relaxed::{Link, Relaxed};
use crate::size_class::{NBINS, NLEXTENTS};
use crate::tables::metric::rows::*;
use crate::tables::metric::{Kind, Merge, Metric, Scope};
use crate::units::ARENAS_MAX;

/// The values of the rows of one scope.
///
/// **Synchronization**: written while the lock of the snapshots is held and nobody reads the slot that they are in.
pub struct Values<const N: usize>([AtomicU64; N]);

impl<const N: usize> Values<N> {
    /// The value of a row.
    pub fn get(&self, row: usize) -> u64 {
        self.0[row].get()
    }

    /// Sets the value of a row.
    pub fn set(&self, row: usize, value: u64) {
        self.0[row].set(value);
    }

    /// Adds to the value of a row.
    pub fn add(&self, row: usize, value: u64) {
        self.set(row, self.get(row).wrapping_add(value));
    }

    /// Sets all values.
    pub fn fill(&self, values: [u64; N]) {
        self.0.iter().zip(values).for_each(|(to, value)| to.set(value));
    }

    fn copy(&self, from: &Values<N>) {
        self.0.iter().zip(&from.0).for_each(|(to, from)| to.set(from.get()));
    }

    /// Adds the values of an arena that goes on, or of one that is destroyed, of which only counters stay.
    fn merge(&self, from: &Values<N>, rows: &[Metric; N], first: bool, destroyed: bool) {
        for (row, metric) in rows.iter().enumerate() {
            if destroyed && metric.kind != Kind::Counter {
                continue;
            }
            match metric.merge {
                Merge::Sum => self.add(row, from.get(row)),
                Merge::Max => self.set(row, self.get(row).max(from.get(row))),
                Merge::First if first => self.set(row, from.get(row)),
                Merge::First | Merge::Apart => {}
            }
        }
    }
}

/// Statistics of one arena, or of several.
pub struct ArenaValues {
    /// [`ARENA`]
    pub own: Values<{ arena::COUNT }>,
    /// [`SMALL`]
    pub small: Values<{ small::COUNT }>,
    /// [`LARGE`]
    pub large: Values<{ large::COUNT }>,
    /// [`BIN`]
    pub bins: [Values<{ bin::COUNT }>; NBINS],
    /// [`BIN_MUTEX`]
    pub bin_mutexes: [Values<{ bin_mutex::COUNT }>; NBINS],
    /// [`LEXTENT`]
    pub lextents: [Values<{ lextent::COUNT }>; NLEXTENTS],
    /// [`EXTENT`]
    pub extents: [Values<{ extent::COUNT }>; NPSIZES],
    /// [`ARENA_MUTEX`], in the order of [`ARENA_MUTEX_NAMES`]
    pub mutexes: [Values<{ arena_mutex::COUNT }>; ARENA_MUTEX_NAMES.len()],
    /// Whether the snapshot has the arena.
    pub there: AtomicBool,
    /// Which of the arenas that had the index one after the other it is.
    pub life: AtomicU32,
}

// SAFETY: atomic zeros.
unsafe impl Zeroable for ArenaValues {}

impl ArenaValues {
    /// Sets everything to zero.
    pub fn clear(&self) {
        self.own.fill([0; _]);
        self.small.fill([0; _]);
        self.large.fill([0; _]);
        self.bins.iter().for_each(|values| values.fill([0; _]));
        self.bin_mutexes.iter().for_each(|values| values.fill([0; _]));
        self.lextents.iter().for_each(|values| values.fill([0; _]));
        self.extents.iter().for_each(|values| values.fill([0; _]));
        self.mutexes.iter().for_each(|values| values.fill([0; _]));
        self.there.set(false);
        self.life.set(0);
    }

    /// Copies everything.
    pub fn copy(&self, from: &ArenaValues) {
        self.own.copy(&from.own);
        self.small.copy(&from.small);
        self.large.copy(&from.large);
        self.bins.iter().zip(&from.bins).for_each(|(to, from)| to.copy(from));
        self.bin_mutexes.iter().zip(&from.bin_mutexes).for_each(|(to, from)| to.copy(from));
        self.lextents.iter().zip(&from.lextents).for_each(|(to, from)| to.copy(from));
        self.extents.iter().zip(&from.extents).for_each(|(to, from)| to.copy(from));
        self.mutexes.iter().zip(&from.mutexes).for_each(|(to, from)| to.copy(from));
        self.there.set(from.there.get());
        self.life.set(from.life.get());
    }

    /// Adds an arena, the `first` or another; of a destroyed one only what it counted.
    pub fn merge(&self, from: &ArenaValues, first: bool, destroyed: bool) {
        self.own.merge(&from.own, &ARENA, first, destroyed);
        self.small.merge(&from.small, &SMALL, first, destroyed);
        self.large.merge(&from.large, &LARGE, first, destroyed);
        let each = |to: &_, from| Values::merge(to, from, &BIN, first, destroyed);
        self.bins.iter().zip(&from.bins).for_each(|(to, from)| each(to, from));
        let each = |to: &_, from| Values::merge(to, from, &BIN_MUTEX, first, destroyed);
        self.bin_mutexes.iter().zip(&from.bin_mutexes).for_each(|(to, from)| each(to, from));
        let each = |to: &_, from| Values::merge(to, from, &LEXTENT, first, destroyed);
        self.lextents.iter().zip(&from.lextents).for_each(|(to, from)| each(to, from));
        let each = |to: &_, from| Values::merge(to, from, &EXTENT, first, destroyed);
        self.extents.iter().zip(&from.extents).for_each(|(to, from)| each(to, from));
        let each = |to: &_, from| Values::merge(to, from, &ARENA_MUTEX, first, destroyed);
        self.mutexes.iter().zip(&from.mutexes).for_each(|(to, from)| each(to, from));
        self.there.set(true);
    }

    /// Whether the snapshot has it.
    pub fn is_there(&self) -> bool {
        self.there.get()
    }

    /// What the arena uses sbrk for.
    pub fn dss(&self) -> &'static CStr {
        let text = core::ptr::with_exposed_provenance::<c_char>(self.own.get(arena::DSS) as usize);
        // SAFETY: the value is 0, or the exposed address of a C string that lives for ever.
        if text.is_null() { c"" } else { unsafe { CStr::from_ptr(text) } }
    }

    /// The value that a metric of an arena has, given the components of its MIB behind the arena's index.
    pub fn value(&self, metric: &Metric, rest: &[usize]) -> Option<u64> {
        let row = metric.index;
        let at = || rest.get(1).copied();
        Some(match metric.scope {
            Scope::Arena => self.own.get(row),
            Scope::Small => self.small.get(row),
            Scope::Large => self.large.get(row),
            Scope::Bin => self.bins.get(at()?)?.get(row),
            Scope::BinMutex => self.bin_mutexes.get(at()?)?.get(row),
            Scope::Lextent => self.lextents.get(at()?)?.get(row),
            Scope::Extent => self.extents.get(at()?)?.get(row),
            Scope::ArenaMutex => self.mutexes.get(at()?)?.get(row),
            Scope::Absent => 0,
            Scope::Process | Scope::Background | Scope::Mutex => return None,
        })
    }
}

/// One snapshot. Those that nobody reads are used again.
pub struct Slot {
    /// [`PROCESS`]
    pub process: Values<{ process::COUNT }>,
    /// [`BACKGROUND`]
    pub background: Values<{ background::COUNT }>,
    /// [`MUTEX`], in the order of [`MUTEX_NAMES`]
    pub mutexes: [Values<{ mutex::COUNT }>; MUTEX_NAMES.len()],
    /// All arenas together.
    pub merged: ArenaValues,
    /// What destroyed arenas counted.
    pub destroyed: ArenaValues,
    /// Each arena. Made when the arena is there for the first time.
    pub arenas: [Link<ArenaValues>; ARENAS_MAX as usize],
    /// Number of arenas when it was taken, which stands for all of them in MIBs, too.
    pub narenas: AtomicU32,
    /// How many read it.
    pub readers: AtomicU32,
    /// The next of all snapshots.
    pub next: Link<Slot>,
}

// SAFETY: atomic zeros and empty links.
unsafe impl Zeroable for Slot {}

impl Slot {
    /// Each arena that the snapshot has, with its index.
    pub fn each(&self) -> impl Iterator<Item = (u32, &'static ArenaValues)> {
        let some = (0..).zip(&self.arenas[..self.narenas.get() as usize]);
        some.filter_map(|(index, link)| Some((index, link.get()?))).filter(|(_, values)| values.there.get())
    }
}
