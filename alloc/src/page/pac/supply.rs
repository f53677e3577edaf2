//! The supply itself: its hooks, the pages it has, its locks.

use core::ptr::NonNull;
use core::sync::atomic::*;

use super::extents::Extents;
use super::pool::Quantum;
use super::span::Origin;
use crate::base::{Base, Zeroable};
use crate::page::growth::Growth;
use crate::page::hooks::{ExtentHooks, Hooks};
use crate::page::state::{Free, PageCounts};
use crate::page::{default_hooks, settings};
use crate::relaxed::Relaxed;
use crate::size_class;
use crate::sync::{Mutex, MutexCounts, Patience};
use crate::units::PAGE;

/// The page supply of an arena by extents.
///
/// **Locks**: growth, then extents. The hooks that give, take back and purge memory are called with growth locked at most; those that allow cuts and joints with both,
/// as in the reference.
#[derive(Default)]
pub struct Pac {
    hooks: AtomicPtr<ExtentHooks>,
    arena: AtomicU32,
    pub(super) growth: Mutex<Growth>,
    pub(super) extents: Mutex<Extents>,
    /// Bytes lost because the hooks refused to cut an extent.
    pub(super) abandoned: AtomicUsize,
    /// Pages ever taken that no memory backed.
    pub(super) grown: AtomicUsize,
}

// SAFETY: numbers, a null pointer, and mutexes over all-zero-valid values.
unsafe impl Zeroable for Pac {}

/// Conditions that the page layer knows.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// Bytes from which a dirty extent is purged at once.
    pub oversize: usize,
    /// Whether there may be muzzy extents.
    pub muzzy: bool,
}

impl Pac {
    /// Makes an empty supply usable.
    pub fn start(&self, hooks: NonNull<ExtentHooks>, arena: u32, growth: Growth) {
        self.hooks.set(hooks.as_ptr());
        self.arena.set(arena);
        *self.growth.lock() = growth;
        let mut extents = self.extents.lock();
        extents.quantum = Quantum { shift: size_class::large_pad() / PAGE };
        extents.lg_fit = settings::lg_fit();
    }

    /// Replaces the hooks; answers the old ones.
    pub fn set_hooks(&self, hooks: NonNull<ExtentHooks>) -> *mut ExtentHooks {
        self.hooks.swap(hooks.as_ptr(), Ordering::AcqRel)
    }

    /// The hooks.
    pub fn hooks(&self) -> Hooks {
        let table = NonNull::new(self.hooks.load(Ordering::Acquire)).unwrap_or(default_hooks::table());
        // SAFETY: by the promise given to the page layer with the table; the default one is a static.
        unsafe { Hooks::new(table, self.arena.get()) }
    }

    /// Whether the hooks are the default ones.
    pub fn is_default(&self) -> bool {
        self.hooks.get() == default_hooks::table().as_ptr()
    }

    /// Whether the hooks take nothing back, without being asked.
    pub(super) fn never_dallocs(&self, hooks: &Hooks) -> bool {
        if self.is_default() { settings::retain() } else { hooks.never_dallocs() }
    }

    /// Pages by state, if the lock is to be had in time.
    pub fn counts(&self, patience: Patience) -> Option<PageCounts> {
        Some(self.extents.lock_within(patience)?.counts())
    }

    /// Lets pages that count as active count as guards, or, with less than 0, guards as active.
    pub fn count_guards(&self, npages: isize) {
        let mut extents = self.extents.lock();
        extents.active = extents.active.wrapping_sub_signed(npages);
        extents.guards = extents.guards.wrapping_add_signed(npages);
    }

    /// Where the number of active pages is kept. It stays there: a supply is never moved.
    pub fn active_address(&self) -> *const usize {
        &raw const self.extents.lock().active
    }

    /// Calls `visit` with each extent in use until it answers `false`.
    pub fn visit_used(&self, visit: &mut dyn FnMut(*mut u8, usize) -> bool) {
        let extents = self.extents.lock();
        extents.in_use().all(|span| visit(span.base(), span.npages.get()));
    }

    /// Bytes lost because the hooks refused to cut an extent.
    pub fn abandoned(&self) -> usize {
        self.abandoned.get()
    }

    /// Pages ever taken that no memory backed.
    pub fn grown(&self) -> usize {
        self.grown.get()
    }

    /// Reads or changes the series of growths.
    pub fn growth<R>(&self, f: impl FnOnce(&mut Growth) -> R) -> R {
        f(&mut self.growth.lock())
    }

    /// Describes pages that were there before: `state` says which free ones they are, `None` that objects lie in them. Answers whether there was memory for the description.
    pub fn adopt(&self, at: *mut u8, npages: usize, state: Option<Free>, head: bool, base: &Base) -> bool {
        let mut extents = self.extents.lock();
        let Some(span) = extents.descriptor(base) else { return false };
        let serial = extents.next_serial();
        let zeroed = state == Some(Free::Retained);
        extents.enter(span, Origin { base: at, npages, serial, zeroed, committed: true, head });
        match state {
            Some(state) => extents.release(span, state),
            None => {
                span.blurred.set(true);
                extents.active += npages;
            }
        }
        true
    }

    /// Calls `with`, shows state and pages of each free extent to `count`, and answers the pages, all of one moment;
    /// `None` when the lock was not to be had in time.
    pub fn survey(
        &self,
        patience: Patience,
        with: impl FnOnce(),
        mut count: impl FnMut(Free, usize),
    ) -> Option<PageCounts> {
        let extents = self.extents.lock_within(patience)?;
        with();
        for state in Free::ALL {
            extents.pool(state).iter().for_each(|span| count(state, span.npages.get()));
        }
        Some(extents.counts())
    }

    /// How often its locks were taken and waited for: that of the extents, and that of growth.
    pub fn mutex_counts(&self) -> [MutexCounts; 2] {
        [self.extents.counts(), self.growth.counts()]
    }

    /// Sets these to zero.
    pub fn reset_mutex_counts(&self) {
        self.extents.reset_counts();
        self.growth.reset_counts();
    }

    /// Locks for a fork.
    pub fn hold(&self) {
        self.growth.hold();
        self.extents.hold();
    }

    /// Unlocks after a fork.
    ///
    /// # Safety
    /// As [`Mutex::unhold`].
    pub unsafe fn unhold(&self) {
        // SAFETY: by the caller's promise, for both.
        unsafe {
            self.extents.unhold();
            self.growth.unhold();
        }
    }
}
