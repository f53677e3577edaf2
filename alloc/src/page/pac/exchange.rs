//! Taking extents from the pools or the hooks, taking them back, and resizing them in place.

use core::sync::atomic::Ordering;

use super::extents::Cut;
use super::span::Span;
use super::supply::{Mode, Pac};
use crate::base::Base;
use crate::page::classes::{NPSIZES, at_least, pages_of};
use crate::page::hooks::Hooks;
use crate::page::state::Free;
use crate::relaxed::Relaxed;
use crate::size_class;
use crate::units::PAGE;

/// Pages of a huge page.
const HUGE: usize = (2 << 20) / PAGE;

/// Pages taken.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// First byte.
    pub base: *mut u8,
    /// Whether they read as zero.
    pub zeroed: bool,
}

impl Pac {
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
    pub(super) fn recycle(
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
    pub(super) fn commit(&self, hooks: &Hooks, span: &'static Span, state: Free) -> Option<&'static Span> {
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
    pub(super) fn abandon(&self, hooks: &Hooks, lost: &'static Span, state: Free) {
        self.abandoned.fetch_add(lost.bytes(), Ordering::Relaxed);
        if state == Free::Dirty && !hooks.purge_lazy(lost.base(), lost.bytes()) {
            hooks.purge_forced(lost.base(), lost.bytes());
        }
        self.extents.lock().put_away(lost);
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
}

/// What is taken at once for a request of `npages`: the size class above it, but not beyond the next huge page.
fn ample(npages: usize) -> usize {
    let class = at_least(npages);
    if class >= NPSIZES {
        return npages;
    }
    pages_of(class).min(npages.next_multiple_of(HUGE))
}
