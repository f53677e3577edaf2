//! Growth: retained extents first, then new ones from the hooks, of a series that gets larger where they are retained.

use core::ptr::null_mut;
use core::sync::atomic::Ordering;

use super::extents::Cut;
use super::span::{Origin, Span};
use super::supply::Pac;
use crate::base::Base;
use crate::os::pages;
use crate::page::growth::Growth;
use crate::page::hooks::Hooks;
use crate::page::settings;
use crate::page::state::Free;
use crate::units::PAGE;

impl Pac {
    /// Takes retained pages, or new ones; `behind` wants those right behind that extent.
    pub(super) fn grow(
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
}
