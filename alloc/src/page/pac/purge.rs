//! Gives unused extents back, as far as the hooks take them.

use super::span::{Queued, Span};
use super::supply::Pac;
use crate::os::pages::BATCH_MAX;
use crate::page::advice;
use crate::page::hooks::Hooks;
use crate::page::purge::{Purged, Step};
use crate::page::state::Free;
use crate::relaxed::{List, Relaxed};

impl Pac {
    /// Takes the step for extents until at most `keep` pages are left in its from-state.
    ///
    /// Extents that are freed meanwhile are left for the next time, so that this ends.
    pub fn purge(&self, step: Step, keep: usize) -> Purged {
        let hooks = self.hooks();
        let out: List<Span, Queued> = List::default();
        let mut done = Purged::default();
        let excess = self.extents.lock().pool(step.from()).npages().saturating_sub(keep);
        let mut last: Option<&'static Span> = None;
        while done.npages < excess {
            let Some(span) = self.extents.lock().evict(&hooks, step.from(), keep) else { break };
            match last {
                Some(last) => out.push_after(last, span),
                None => out.push(span),
            }
            last = Some(span);
            done.npages += span.npages.get();
            done.nmadvise += 1;
        }
        let purged = step != Step::DirtyToMuzzy
            && self.is_default()
            && self.never_dallocs(&hooks)
            && purge_together(&out);
        while let Some(span) = out.pop() {
            if step == Step::DirtyToMuzzy && hooks.purge_lazy(span.base(), span.bytes()) {
                self.put(&hooks, span, Free::Muzzy, usize::MAX);
            } else if purged {
                span.zeroed.set(true);
                self.extents.lock().record(&hooks, span, Free::Retained, usize::MAX);
            } else {
                self.discard(&hooks, span);
            }
        }
        done
    }

    /// Gives an extent that is in no pool back to the hooks. If they do not take it, it is retained, its memory taken away by
    /// the most thorough of the means that they do not refuse.
    pub(super) fn discard(&self, hooks: &Hooks, span: &'static Span) {
        if !self.never_dallocs(hooks) {
            // As soon as it is taken, another arena may describe the same addresses.
            self.extents.lock().forget(span);
            if hooks.dalloc(span.base(), span.bytes(), span.committed.get()) {
                return self.extents.lock().put_away(span);
            }
            self.extents.lock().remember(span);
        }
        span.zeroed.set(self.clear(hooks, span));
        self.extents.lock().record(hooks, span, Free::Retained, usize::MAX);
    }

    /// Takes the memory of an extent away; answers whether it reads as zero when it is used next.
    fn clear(&self, hooks: &Hooks, span: &Span) -> bool {
        if !span.committed.get() {
            return true;
        }
        if hooks.decommit(span.base(), span.bytes()) {
            span.committed.set(false);
            return true;
        }
        if hooks.purge_forced(span.base(), span.bytes()) {
            return true;
        }
        hooks.purge_lazy(span.base(), span.bytes());
        false
    }

    /// Gives every retained extent to the hooks for good. There is no other: the arena is being destroyed.
    pub fn destroy(&self) {
        let hooks = self.hooks();
        loop {
            let mut extents = self.extents.lock();
            let Some(span) = extents.evict(&hooks, Free::Retained, 0) else { return };
            extents.forget(span);
            drop(extents);
            hooks.destroy(span.base(), span.bytes(), span.committed.get());
            self.extents.lock().put_away(span);
        }
    }
}

/// Purges all extents of a list in as few system calls as the kernel allows; answers whether all read as zero now.
fn purge_together(out: &List<Span, Queued>) -> bool {
    let batch = advice::batch();
    if batch == 0 {
        return false;
    }
    let mut ranges = [(core::ptr::null_mut(), 0); BATCH_MAX];
    let mut n = 0;
    let mut all = true;
    for span in out.iter() {
        ranges[n] = (span.base(), span.bytes());
        n += 1;
        if n == batch {
            // SAFETY: the extents are in no pool and not in use: nobody wants their contents.
            all &= unsafe { advice::purge_together(&ranges[..n]) };
            n = 0;
        }
    }
    // SAFETY: as above.
    all && (n == 0 || unsafe { advice::purge_together(&ranges[..n]) })
}
