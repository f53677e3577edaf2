//! Statistics: snapshots of all arenas, sums for others, and reports.
//!
//! A snapshot is taken by a write to `epoch`, and by a report for itself. Snapshots lie in base memory; one that somebody
//! reads is left alone, so that a report is consistent however long it takes and whatever its receiver does.
//!
//! **Locks**: the lock of the snapshots is held while one is taken, that is, over all locks of threads and arenas. A function
//! of the program that is called under some of these, an extent hook, does not wait for them: a snapshot that it takes has
//! older figures of the arena that it is called for, and while another thread takes one it sees the one before.

mod gather;
pub mod report;
mod requested;
mod totals;
pub mod values;

use core::ops::Deref;
use core::sync::atomic::*;

pub use self::report::{Parts, print, print_leaf, report};
pub use self::totals::{Totals, gather, totals};
use self::values::{ArenaValues, Slot};
use crate::arena::{Arena, table};
use crate::background;
use crate::relaxed::{Link, Relaxed};
pub use crate::report::{write, write_for};
use crate::sampling;
use crate::sync::Patience;
use crate::sync::fair::{Fair, Turn};
use crate::tables::metric::{Metric, Scope};
use crate::tables::value::{ARENAS_ALL, CtlError, Value};
use crate::units::ArenaInd;

/// Index that stands for all destroyed arenas.
pub const ARENAS_DESTROYED: usize = ARENAS_ALL + 1;

/// The last snapshot, and its number. They change with the lock held.
static CURRENT: Link<Slot> = Link::new();
static EPOCH: AtomicU64 = AtomicU64::new(0);

/// All snapshots.
struct Slots(Link<Slot>);

/// Who asks for statistics all the time has the lock nearly all the time.
static SLOTS: Fair<Slots> = Fair::new(Slots(Link::new()));

/// The lock of the snapshots; `None` for a function of the program that cannot wait for the thread that has it.
fn locked() -> Option<Turn<'static, Slots>> {
    SLOTS.lock_within(Patience::of_caller())
}

impl Slots {
    /// A snapshot that is neither the current one nor read by anybody.
    fn spare(&mut self) -> Option<&'static Slot> {
        let current = CURRENT.get().map_or(core::ptr::null(), core::ptr::from_ref);
        let mut next = self.0.get();
        while let Some(slot) = next {
            // Acquire pairs with the Release of a reader that ends.
            if !core::ptr::eq(slot, current) && slot.readers.load(Ordering::Acquire) == 0 {
                return Some(slot);
            }
            next = slot.next.get();
        }
        let slot = table::BASE.make::<Slot>()?;
        slot.next.set(self.0.get());
        self.0.set(Some(slot));
        Some(slot)
    }

    fn advance(&mut self) -> Option<&'static Slot> {
        // The first arena is there from the start, whether or not anything was allocated.
        table::get_or_make(ArenaInd(0))?;
        let slot = self.spare()?;
        gather::make_room(slot)?;
        gather::fill(slot, CURRENT.get(), SLOTS.counts(), Patience::of_caller());
        CURRENT.publish(slot);
        EPOCH.change(|n| n + 1);
        Some(slot)
    }

    /// The current snapshot, taken now if there is none yet.
    fn current(&mut self) -> Option<&'static Slot> {
        CURRENT.get().or_else(|| self.advance())
    }
}

/// Takes a new snapshot; `None` when there is no memory for one. An extent hook is not made to wait for one that another
/// thread takes.
///
/// Cost: see [`gather::fill`].
pub fn advance() -> Option<()> {
    match locked() {
        Some(mut slots) => slots.advance(),
        None => CURRENT.acquire(),
    }
    .map(drop)
}

/// The current snapshot, taken now if there is none yet, with the lock that [`locked`] answered.
fn current_under(slots: &mut Option<Turn<'static, Slots>>) -> Option<&'static Slot> {
    match slots {
        Some(slots) => slots.current(),
        None => CURRENT.acquire(),
    }
}

/// The current snapshot, taken now if there is none yet.
fn current() -> Option<&'static Slot> {
    current_under(&mut locked())
}

/// Takes the first snapshot if there is none, so that extent hooks find one that they need not wait for.
///
/// # Errors
/// [`CtlError::Exhausted`] when there is no memory for it.
pub fn begin() -> Result<(), CtlError> {
    current().map(drop).ok_or(CtlError::Exhausted)
}

/// Number of the last snapshot; takes the first one if there is none.
pub fn epoch() -> Option<u64> {
    current()?;
    Some(EPOCH.get())
}

/// The values of an index in `stats.arenas`, if the snapshot has them.
fn arena_of(slot: &'static Slot, index: usize) -> Option<&'static ArenaValues> {
    let values = match index {
        ARENAS_ALL => &slot.merged,
        ARENAS_DESTROYED => &slot.destroyed,
        // What programs wrote before there was `ARENAS_ALL`.
        _ if index == slot.narenas.get() as usize => &slot.merged,
        _ => slot.arenas.get(index)?.get()?,
    };
    values.there.get().then_some(values)
}

/// Whether the last snapshot has an arena of this index, or all arenas, or destroyed ones.
pub fn has_arena(index: usize) -> bool {
    current().is_some_and(|slot| arena_of(slot, index).is_some())
}

/// The value of a metric in the last snapshot. `mib` leads to its leaf.
///
/// # Errors
/// [`CtlError::NotFound`] when the snapshot has no such arena, or there is no memory for the first one.
pub fn value(metric: &Metric, mib: &[usize]) -> Result<Value, CtlError> {
    let mut slots = locked();
    let slot = current_under(&mut slots).ok_or(CtlError::NotFound)?;
    let value = match metric.scope {
        Scope::Process => Some(slot.process.get(metric.index)),
        Scope::Background => Some(slot.background.get(metric.index)),
        Scope::Mutex => mib.get(2).and_then(|&at| slot.mutexes.get(at)).map(|of| of.get(metric.index)),
        _ => mib
            .get(2)
            .and_then(|&index| arena_of(slot, index))
            .and_then(|arena| arena.value(metric, &mib[3..])),
    };
    value.map(Value).ok_or(CtlError::NotFound)
}

/// Sets the counters of all locks to zero (`stats.mutexes.reset`).
pub fn reset_mutexes() {
    background::reset_mutex_counts();
    sampling::reset_mutex_counts();
    table::BASE.reset_mutex_counts();
    table::reset_mutex_counts();
    table::all().for_each(Arena::reset_mutex_counts);
    SLOTS.reset_counts();
}

/// A snapshot that stays as it is for as long as this lives.
pub struct Reading(&'static Slot);

impl Deref for Reading {
    type Target = Slot;
    fn deref(&self) -> &Slot {
        self.0
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // Release pairs with the Acquire of who wants to fill the snapshot again.
        self.0.readers.fetch_sub(1, Ordering::Release);
    }
}

impl Reading {
    /// Takes a new snapshot and keeps it; `None` when there is no memory for one, or another thread takes one and an extent
    /// hook would have to wait for it.
    pub fn fresh() -> Option<Reading> {
        let slot = locked()?.advance()?;
        slot.readers.fetch_add(1, Ordering::Relaxed);
        Some(Reading(slot))
    }

    /// The snapshot itself.
    pub fn slot(&self) -> &'static Slot {
        self.0
    }
}

/// Locks for a fork.
pub(crate) fn hold() {
    SLOTS.hold();
}

/// Unlocks after a fork.
///
/// # Safety
/// As [`Fair::unhold`].
pub(crate) unsafe fn unhold() {
    // SAFETY: by the caller's promise.
    unsafe { SLOTS.unhold() }
}
