//! The page layer of one arena: its supply, the decay of its unused pages, and the counters of both.

mod decay;
mod ebb;
mod exchange;
mod fork;
mod guard;
mod hooks;
mod kept;
mod release;
mod survey;
mod tuning;

use core::sync::atomic::*;

use super::beside::Beside;
use super::decay::Decay;
use super::late::Late;
use super::pac::{Mode, Pac};
use super::parked::Parked;
use super::supply::Supply;
use super::{caretaker, settings};
use crate::base::{Base, Zeroable};
use crate::relaxed::{Link, Relaxed};
use crate::sync::{Guard, Mutex, Patience};
use crate::units::ArenaInd;

/// The decay times that an arena begins with.
#[derive(Clone, Copy, Debug, Default)]
pub struct DecayTimes {
    /// Milliseconds until dirty pages are purged; -1 for never.
    pub dirty_ms: i64,
    /// Milliseconds until muzzy pages are purged; -1 for never.
    pub muzzy_ms: i64,
    /// Whether it is nobody's wish that there are no dirty pages.
    pub lenient: bool,
    /// Whether nobody set them, so that much may go before its time when nearly everything was freed.
    pub ebbs: bool,
}

/// Counters of the purges of one state.
#[derive(Default)]
pub struct PurgeCounts {
    /// Passes that purged something.
    pub npurge: AtomicU64,
    /// System calls.
    pub nmadvise: AtomicU64,
    /// Pages.
    pub purged: AtomicU64,
}

/// Pages of one arena. All-zero is valid; [`PageLayer::start`] sets the decay times.
#[derive(Default)]
pub struct PageLayer {
    owner: AtomicU32,
    supply: Mutex<Supply>,
    /// Dirty runs in front of `supply`, for which nobody needs its lock.
    parked: Parked,
    /// Fresh pages beside `supply`, for when the holder of its lock does not run.
    beside: Beside,
    /// Runs that came back at such times.
    late: Late,
    /// What supplies pages instead of `supply`, once there is one.
    pac: Link<Pac>,
    /// What was `pac` in an earlier life, to be so again.
    spare_pac: Link<Pac>,
    /// `arena.<i>.oversize_threshold`: what it differs by from `opt.oversize_threshold`.
    oversize: AtomicIsize,
    /// Bytes of which nothing was left but their addresses, because there was no memory to describe them.
    abandoned: AtomicUsize,
    dirty: Mutex<Decay>,
    muzzy: Mutex<Decay>,
    /// Counters of the purges of dirty pages.
    pub dirty_counts: PurgeCounts,
    /// Counters of the purges of muzzy pages.
    pub muzzy_counts: PurgeCounts,
    /// Pages freed since the last look at the clock.
    fresh: AtomicUsize,
    /// Time of the last look.
    looked: AtomicU64,
    /// `dirty_decay_ms`, readable without the lock.
    dirty_ms: AtomicI64,
    /// `muzzy_decay_ms`, readable without the lock.
    muzzy_ms: AtomicI64,
    /// Whether nobody asked for a decay time of 0, and it is so only because of what the arena is for.
    lenient: AtomicBool,
    /// Whether much goes at once when nearly everything was freed.
    ebbs: AtomicBool,
    /// Pages that stay for a little although a run of them is oversize.
    kept: AtomicUsize,
    /// Until when.
    kept_until: AtomicU64,
}

// SAFETY: counters, an empty link, mutexes over all-zero-valid values.
unsafe impl Zeroable for PageLayer {}

/// Where the pages of an arena come from.
enum Source<'a> {
    /// Blocks of pages.
    Blocks(Guard<'a, Supply>),
    /// Extents, since hooks were set or nothing is retained.
    Extents(&'static Pac),
}

impl PageLayer {
    /// Says whose pages these are. Called once, before there are any.
    pub fn belong_to(&self, arena: ArenaInd, base: &Base) {
        self.owner.set(arena.0);
        let mut supply = self.supply.lock();
        supply.arena = arena.0;
        if !settings::retain() {
            // Without memory for it, the arena retains what it has.
            self.change_over(&mut supply, base);
        }
    }

    fn owner(&self) -> ArenaInd {
        ArenaInd(self.owner.get())
    }

    fn mode(&self) -> Mode {
        let muzzy_ms = self.muzzy_ms.get();
        let eager = self.dirty_ms.get() >= 0 && muzzy_ms >= 0 && caretaker::workers() == 0;
        Mode { oversize: if eager { self.oversize_threshold() } else { usize::MAX }, muzzy: muzzy_ms != 0 }
    }

    /// Whether a thread has the lock of the supply that seems not to run.
    fn is_stuck(&self) -> bool {
        self.supply.is_stuck() && self.pac.acquire().is_none()
    }

    /// Enters all that is given and taken without the lock.
    fn enter_all(&self, supply: &mut Supply) {
        supply.unpark(&self.parked);
        supply.unstock(&self.beside);
    }

    /// As [`PageLayer::enter_all`], and from now on nothing is given or taken so.
    fn close(&self, supply: &mut Supply) {
        supply.close(&self.parked);
        supply.close_late(&self.late);
        supply.close_stock(&self.beside);
    }

    /// Ends [`PageLayer::close`]. With the lock of the supply held.
    fn open(&self) {
        self.parked.open();
        self.beside.open();
        self.late.open();
    }

    /// Where pages come from now.
    #[inline(never)]
    fn source(&self, patience: Patience) -> Option<Source<'_>> {
        self.source_by(|| self.supply.lock_within(patience))
    }

    /// [`PageLayer::source`] unless a thread that seems not to run has the lock.
    #[inline(always)]
    fn source_unless_stuck(&self) -> Option<Source<'_>> {
        self.source_by(|| self.supply.lock_unless_stuck())
    }

    #[inline(always)]
    fn source_by<'a>(&'a self, lock: impl FnOnce() -> Option<Guard<'a, Supply>>) -> Option<Source<'a>> {
        if let Some(pac) = self.pac.acquire() {
            return Some(Source::Extents(pac));
        }
        let mut supply = lock()?;
        // It changes with the lock held.
        if let Some(pac) = self.pac.acquire() {
            return Some(Source::Extents(pac));
        }
        supply.catch_up(&self.late, &self.beside);
        Some(Source::Blocks(supply))
    }
}
