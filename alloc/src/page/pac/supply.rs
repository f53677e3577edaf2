//! Takes pages from the pools or the hooks, takes them back, resizes in place.

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::*;

use super::extents::{Cut, Extents};
use super::pool::Quantum;
use super::span::{Origin, Span};
use crate::base::{Base, Zeroable};
use crate::os::pages;
use crate::page::classes::{at_least, pages_of};
use crate::page::growth::Growth;
use crate::page::hooks::{ExtentHooks, Hooks};
use crate::page::state::{Free, PageCounts};
use crate::page::{default_hooks, settings};
use crate::relaxed::Relaxed;
use crate::size_class;
use crate::sync::{Mutex, MutexCounts, Patience};
use crate::units::PAGE;

/// Pages of a huge page.
const HUGE: usize = (2 << 20) / PAGE;

/// The page supply of an arena by extents.
///
/// **Locks**: growth, then extents. The hooks that give, take back and purge memory are called with growth locked at most; those that allow cuts and joints with both,
/// as in the reference.
#[derive(Default)]
pub struct Pac {
    hooks: AtomicPtr<ExtentHooks>,
    arena: AtomicU32,
    growth: Mutex<Growth>,
    pub(super) extents: Mutex<Extents>,
    /// Bytes lost because the hooks refused to cut an extent.
    abandoned: AtomicUsize,
    /// Pages ever taken that no memory backed.
    grown: AtomicUsize,
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

/// Pages taken.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// First byte.
    pub base: *mut u8,
    /// Whether they read as zero.
    pub zeroed: bool,
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

    /// Takes `npages` at a multiple of `align` pages.
    pub fn take(&self, npages: usize, align: usize, mode: Mode, base: &Base) -> Option<Taken> {
        let hooks = self.hooks();
        let span = self
            .recycle(&hooks, Free::Dirty, npages, align, None, base)
            .or_else(|| {
                let muzzy = || self.recycle(&hooks, Free::Muzzy, npages, align, None, base);
                mode.muzzy.then(muzzy).flatten()
            })
            .or_else(|| self.generously(&hooks, npages, align, mode, base))
            .or_else(|| self.grow(&hooks, npages, align, None, base))?;
        Some(self.taken(span))
    }

    fn taken(&self, span: &Span) -> Taken {
        self.extents.lock().active += span.npages.get();
        Taken { base: span.base(), zeroed: span.zeroed.get() }
    }

    /// Takes more than is asked for, and leaves the rest dirty: where usable sizes are page multiples, a slightly different size is likely to be asked for next, and
    /// will find it.
    fn generously(
        &self,
        hooks: &Hooks,
        npages: usize,
        align: usize,
        mode: Mode,
        base: &Base,
    ) -> Option<&'static Span> {
        if !size_class::pages_are_sizes() {
            return None;
        }
        let ample = ample(npages);
        let span = self.grow(hooks, ample, align, None, base)?;
        if ample == npages {
            return Some(span);
        }
        let rest = self.extents.lock().split(hooks, base, span, npages);
        match rest {
            Some(rest) => {
                self.put(hooks, rest, Free::Dirty, mode.oversize);
                Some(span)
            }
            None => {
                self.put(hooks, span, Free::Retained, usize::MAX);
                None
            }
        }
    }

    /// Takes a free extent of a state, or a part of one.
    fn recycle(
        &self,
        hooks: &Hooks,
        state: Free,
        npages: usize,
        align: usize,
        behind: Option<&Span>,
        base: &Base,
    ) -> Option<&'static Span> {
        let cut = {
            let mut extents = self.extents.lock();
            let whole = extents.extract(state, npages, align, behind)?;
            let cut = extents.carve(hooks, base, whole, npages, align);
            match cut {
                Cut::Done { lead, trail, .. } => {
                    lead.into_iter().chain(trail).for_each(|rest| extents.release(rest, state));
                }
                Cut::Refused { lead, lost } => {
                    lead.into_iter().for_each(|rest| extents.release(rest, state));
                    extents.forget(lost);
                }
            }
            cut
        };
        match cut {
            Cut::Done { span, .. } => self.commit(hooks, span, state),
            Cut::Refused { lost, .. } => {
                self.abandon(hooks, lost, state);
                None
            }
        }
    }

    /// Lets an extent be used; puts it back when the hooks refuse.
    fn commit(&self, hooks: &Hooks, span: &'static Span, state: Free) -> Option<&'static Span> {
        if !span.committed.get() {
            if !hooks.commit(span.base(), span.bytes()) {
                self.extents.lock().record(hooks, span, state, usize::MAX);
                return None;
            }
            span.committed.set(true);
        }
        if state == Free::Retained {
            self.grown.fetch_add(span.npages.get(), Ordering::Relaxed);
        }
        Some(span)
    }

    /// Gives up an extent of the wrong length, but not the memory behind it.
    fn abandon(&self, hooks: &Hooks, lost: &'static Span, state: Free) {
        self.abandoned.fetch_add(lost.bytes(), Ordering::Relaxed);
        if state == Free::Dirty && !hooks.purge_lazy(lost.base(), lost.bytes()) {
            hooks.purge_forced(lost.base(), lost.bytes());
        }
        self.extents.lock().put_away(lost);
    }

    /// Takes retained pages, or new ones; `behind` wants those right behind that extent.
    fn grow(
        &self,
        hooks: &Hooks,
        npages: usize,
        align: usize,
        behind: Option<&Span>,
        base: &Base,
    ) -> Option<&'static Span> {
        let retain = settings::retain();
        {
            let mut growth = self.growth.lock();
            let found = self.recycle(hooks, Free::Retained, npages, align, behind, base).or_else(|| {
                let series = || self.grow_series(hooks, &mut growth, npages, align, base);
                (retain && behind.is_none()).then(series).flatten()
            });
            if found.is_some() {
                return found;
            }
        }
        if retain && behind.is_some() {
            return None;
        }
        self.grow_exactly(hooks, npages, align, behind, base)
    }

    /// Takes the next extent of the series from the hooks; what is not needed now is retained.
    fn grow_series(
        &self,
        hooks: &Hooks,
        growth: &mut Growth,
        npages: usize,
        align: usize,
        base: &Base,
    ) -> Option<&'static Span> {
        let next = growth.next(npages.checked_add(align - 1)?)?;
        let step = if self.is_default() { settings::chunk() / PAGE } else { 1 };
        let whole = next.npages.checked_next_multiple_of(step)?;
        let whole = self.obtain(hooks, null_mut(), whole, 1, false, true, base)?;
        let cut = {
            let mut extents = self.extents.lock();
            let cut = extents.carve(hooks, base, whole, npages, align);
            match cut {
                Cut::Done { lead, trail, .. } => lead.into_iter().chain(trail).for_each(|rest| {
                    extents.record(hooks, rest, Free::Retained, usize::MAX);
                }),
                Cut::Refused { lead, lost } => {
                    lead.into_iter().for_each(|rest| {
                        extents.record(hooks, rest, Free::Retained, usize::MAX);
                    });
                    extents.forget(lost);
                }
            }
            cut
        };
        match cut {
            Cut::Done { span, .. } => {
                let span = self.commit(hooks, span, Free::Retained)?;
                growth.took(next);
                Some(span)
            }
            Cut::Refused { lost, .. } => {
                self.abandon(hooks, lost, Free::Retained);
                None
            }
        }
    }

    /// Takes an extent of just this length from the hooks.
    fn grow_exactly(
        &self,
        hooks: &Hooks,
        npages: usize,
        align: usize,
        behind: Option<&Span>,
        base: &Base,
    ) -> Option<&'static Span> {
        let wanted = behind.map_or(null_mut(), Span::end);
        let span = self.obtain(hooks, wanted, npages, align, true, settings::retain(), base)?;
        self.grown.fetch_add(npages, Ordering::Relaxed);
        Some(span)
    }

    /// Asks the hooks for an extent and describes it.
    #[expect(clippy::too_many_arguments, reason = "what the hook is asked for, and what becomes of it")]
    fn obtain(
        &self,
        hooks: &Hooks,
        wanted: *mut u8,
        npages: usize,
        align: usize,
        commit: bool,
        head: bool,
        base: &Base,
    ) -> Option<&'static Span> {
        let span = self.extents.lock().descriptor(base)?;
        let bytes = npages.checked_mul(PAGE).filter(|bytes| *bytes <= isize::MAX as usize);
        let (mut zeroed, mut committed) = (false, commit);
        let got = bytes.zip(align.checked_mul(PAGE)).and_then(|(bytes, align)| {
            Some((hooks.alloc(wanted, bytes, align, &mut zeroed, &mut committed)?, bytes, align))
        });
        let mut extents = self.extents.lock();
        let Some((at, bytes, align)) = got else {
            extents.put_away(span);
            return None;
        };
        let at = at.as_ptr();
        // What the hooks answer is only as good as they are; the address map cannot describe everything.
        let elsewhere = !wanted.is_null() && at != wanted;
        if elsewhere || !at.addr().is_multiple_of(align) || !pages::addressable(at.addr(), bytes) {
            extents.put_away(span);
            drop(extents);
            hooks.dalloc(at, bytes, committed);
            return None;
        }
        let serial = extents.next_serial();
        extents.enter(span, Origin { base: at, npages, serial, zeroed, committed, head });
        Some(span)
    }

    /// Takes back pages that [`Pac::take`] gave, in a whole; answers how many were purged at once.
    pub fn give(&self, at: *mut u8, npages: usize, mode: Mode, base: &Base) -> usize {
        let hooks = self.hooks();
        let span = {
            let mut extents = self.extents.lock();
            let Some(span) = extents.exactly(base, at, npages) else { return 0 };
            extents.active -= npages;
            span
        };
        self.put(&hooks, span, Free::Dirty, mode.oversize)
    }

    /// Frees an extent that is in no pool, with contents that are not zero; answers how many pages were purged at once.
    pub(super) fn put(&self, hooks: &Hooks, span: &'static Span, state: Free, oversize: usize) -> usize {
        span.zeroed.set(false);
        let at_once = self.extents.lock().record(hooks, span, state, oversize);
        at_once.map_or(0, |span| {
            let npages = span.npages.get();
            self.discard(hooks, span);
            npages
        })
    }

    /// Adds the `extra` pages behind a run to it; answers whether it did and they are zero.
    pub fn extend(&self, at: *mut u8, npages: usize, extra: usize, base: &Base) -> Option<bool> {
        let hooks = self.hooks();
        if hooks.never_merges() {
            return None;
        }
        let span = self.extents.lock().exactly(base, at, npages)?;
        let trail = self
            .recycle(&hooks, Free::Dirty, extra, 1, Some(span), base)
            .or_else(|| self.recycle(&hooks, Free::Muzzy, extra, 1, Some(span), base))
            .or_else(|| self.grow(&hooks, extra, 1, Some(span), base))?;
        let zeroed = trail.zeroed.get();
        let merged = self.extents.lock().merge(&hooks, span, trail);
        if !merged {
            self.discard(&hooks, trail);
            return None;
        }
        self.extents.lock().active += extra;
        Some(zeroed)
    }

    /// Frees all but the first `keep` pages of a run; `None` when the hooks refuse, otherwise how many pages were purged at once.
    /// `leave` is called before they are freed.
    pub fn shrink(
        &self,
        at: *mut u8,
        npages: usize,
        keep: usize,
        mode: Mode,
        base: &Base,
        leave: impl FnOnce(),
    ) -> Option<usize> {
        let hooks = self.hooks();
        let trail = {
            let mut extents = self.extents.lock();
            let span = extents.exactly(base, at, npages)?;
            let trail = extents.split(&hooks, base, span, keep)?;
            extents.active -= npages - keep;
            trail
        };
        leave();
        Some(self.put(&hooks, trail, Free::Dirty, mode.oversize))
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

/// What is taken at once for a request of `npages`: the size class above it, but not beyond the next huge page.
fn ample(npages: usize) -> usize {
    let class = at_least(npages);
    if class >= crate::page::classes::NPSIZES {
        return npages;
    }
    pages_of(class).min(npages.next_multiple_of(HUGE))
}
