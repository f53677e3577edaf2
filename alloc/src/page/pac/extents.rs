//! All extents of an arena: by address, and the free ones in pools. Every cut and every joining asks the hooks.

use super::pool::{Pool, Quantum};
use super::span::{ByAddress, Origin, Queued, Span};
use crate::base::Base;
use crate::page::hooks::Hooks;
use crate::page::state::{Free, PageCounts};
use crate::page::tree::Tree;
use crate::relaxed::{List, Relaxed};
use crate::size_class::{LARGE_MAX, LARGE_MIN};
use crate::units::PAGE;

/// What the extents of an arena are kept by. All-zero is empty.
#[derive(Default)]
pub struct Extents {
    /// In use, free, or on the way.
    all: Tree<Span, ByAddress>,
    pools: [Pool; 3],
    /// Unused descriptors.
    spare: List<Span, Queued>,
    /// Serial number of the next extent.
    serial: usize,
    /// Pages that extents in use have, but for those that guard.
    pub active: usize,
    /// Inaccessible pages on either side of them.
    pub guards: usize,
    /// Set once, before the first extent.
    pub quantum: Quantum,
    /// Log2 of how many times larger than a request the dirty extent may be that serves it.
    pub lg_fit: u32,
}

/// What is left of an extent of which a part was taken.
pub enum Cut {
    /// The part, with what lies below and above it.
    Done {
        /// Below.
        lead: Option<&'static Span>,
        /// The part.
        span: &'static Span,
        /// Above.
        trail: Option<&'static Span>,
    },
    /// The hooks refused: what can still be used, and what cannot.
    Refused {
        /// Whole, but not what was asked for.
        lead: Option<&'static Span>,
        /// Of the wrong length for good.
        lost: &'static Span,
    },
}

impl Extents {
    /// Pages by state.
    pub fn counts(&self) -> PageCounts {
        let [dirty, muzzy, retained] = [0, 1, 2].map(|at| self.pools[at].npages());
        PageCounts { active: self.active, dirty, muzzy, retained, guards: self.guards }
    }

    /// The free extents in a state.
    pub fn pool(&self, state: Free) -> &Pool {
        &self.pools[state as usize]
    }

    /// A serial number, higher than all before.
    pub fn next_serial(&mut self) -> usize {
        self.serial += 1;
        self.serial
    }

    /// A descriptor; to be given to [`Extents::enter`] or [`Extents::put_away`].
    pub fn descriptor(&mut self, base: &Base) -> Option<&'static Span> {
        self.spare.pop().or_else(|| base.make())
    }

    /// Keeps a descriptor that describes nothing for later.
    pub fn put_away(&mut self, span: &'static Span) {
        self.spare.push(span);
    }

    /// Lets `span` describe an extent, which is in no pool.
    pub fn enter(&mut self, span: &'static Span, origin: Origin) {
        span.describe(origin);
        self.all.insert(span);
    }

    /// Forgets an extent that is in no pool; the descriptor still holds what it was.
    pub fn forget(&mut self, span: &'static Span) {
        self.all.remove(span);
    }

    /// Takes a forgotten extent back.
    pub fn remember(&mut self, span: &'static Span) {
        self.all.insert(span);
    }

    /// Extents that are in no pool.
    pub fn in_use(&self) -> impl Iterator<Item = &'static Span> {
        self.all.iter().filter(|span| span.state().is_none())
    }

    /// The extent that holds the address.
    pub fn holding(&self, at: *mut u8) -> Option<&'static Span> {
        self.all.at_most(at.addr()).filter(|span| at.addr() < span.end().addr())
    }

    /// Puts an extent into a pool.
    pub fn release(&mut self, span: &'static Span, state: Free) {
        span.set_state(Some(state));
        self.pools[state as usize].insert(span, self.quantum);
    }

    /// Takes an extent out of its pool.
    pub fn acquire(&mut self, span: &'static Span) {
        if let Some(state) = span.state() {
            self.pools[state as usize].remove(span, self.quantum);
            span.set_state(None);
        }
    }

    /// Cuts an extent that is in no pool after `npages` and answers the rest; `None` when the hooks or memory refuse.
    pub fn split(
        &mut self,
        hooks: &Hooks,
        base: &Base,
        span: &'static Span,
        npages: usize,
    ) -> Option<&'static Span> {
        if hooks.never_splits() {
            return None;
        }
        let rest = self.descriptor(base)?;
        let (first, second) = (npages * PAGE, span.bytes() - npages * PAGE);
        if !hooks.split(span.base(), first, second, span.committed.get()) {
            self.put_away(rest);
            return None;
        }
        self.cut(span, npages, rest);
        Some(rest)
    }

    /// Lets `rest` describe what lies behind the first `npages` of an extent.
    fn cut(&mut self, span: &'static Span, npages: usize, rest: &'static Span) {
        self.enter(
            rest,
            Origin {
                base: span.base().wrapping_add(npages * PAGE),
                npages: span.npages.get() - npages,
                serial: span.serial.get(),
                zeroed: span.zeroed.get(),
                committed: span.committed.get(),
                head: false,
            },
        );
        rest.blurred.set(span.blurred.get());
        span.npages.set(npages);
    }

    /// Makes one of two extents side by side that are in no pool; answers whether the hooks allowed it.
    pub fn merge(&mut self, hooks: &Hooks, low: &'static Span, high: &'static Span) -> bool {
        if !hooks.merge(low.base(), low.bytes(), high.bytes(), low.committed.get()) {
            return false;
        }
        self.forget(high);
        low.npages.set(low.npages.get() + high.npages.get());
        low.serial.set(low.serial.get().min(high.serial.get()));
        low.zeroed.set(low.zeroed.get() && high.zeroed.get());
        self.put_away(high);
        true
    }

    /// The free extent in `state` right behind `span`.
    pub fn behind(&self, span: &Span, state: Free) -> Option<&'static Span> {
        let next = self.all.at_most(span.end().addr())?;
        (next.base() == span.end() && !next.head.get() && next.state() == Some(state)).then_some(next)
    }

    /// The free extent in `state` right before `span`.
    fn before(&self, span: &Span, state: Free) -> Option<&'static Span> {
        let below = self.all.at_most(span.base().addr().checked_sub(1)?)?;
        (below.end() == span.base() && !span.head.get() && below.state() == Some(state)).then_some(below)
    }

    /// Joins `span`, which is in no pool, with one free neighbour in `state`, if the result has at most `most`
    /// pages; answers the result.
    fn join_one(
        &mut self,
        hooks: &Hooks,
        span: &'static Span,
        state: Free,
        most: usize,
    ) -> Option<&'static Span> {
        for forward in [true, false] {
            let other = if forward { self.behind(span, state) } else { self.before(span, state) };
            let Some(other) = other else { continue };
            if span.committed.get() != other.committed.get()
                || other.npages.get() > most.saturating_sub(span.npages.get())
            {
                continue;
            }
            let (low, high) = if forward { (span, other) } else { (other, span) };
            self.acquire(other);
            if self.merge(hooks, low, high) {
                return Some(low);
            }
            self.release(other, state);
        }
        None
    }

    /// Joins `span` with its free neighbours in `state`, on and on, both sides in turn.
    fn join_all(&mut self, hooks: &Hooks, mut span: &'static Span, state: Free) -> &'static Span {
        loop {
            let before = span.npages.get();
            for forward in [true, false] {
                let other = if forward { self.behind(span, state) } else { self.before(span, state) };
                let Some(other) = other.filter(|other| other.committed.get() == span.committed.get()) else {
                    continue;
                };
                let (low, high) = if forward { (span, other) } else { (other, span) };
                self.acquire(other);
                if self.merge(hooks, low, high) {
                    span = low;
                } else {
                    self.release(other, state);
                }
            }
            if span.npages.get() == before {
                return span;
            }
        }
    }

    /// Frees an extent that is in no pool, into the pool of `state`, after joining it with its neighbours there.
    ///
    /// Dirty extents are joined later (when they are purged), since they are often taken again as they are, but for
    /// large ones, within limits. A dirty extent that becomes `oversize` bytes long or more is not put into
    /// the pool, but answered.
    pub fn record(
        &mut self,
        hooks: &Hooks,
        mut span: &'static Span,
        state: Free,
        oversize: usize,
    ) -> Option<&'static Span> {
        if state != Free::Dirty {
            span = self.join_all(hooks, span, state);
        } else if span.bytes() >= LARGE_MIN {
            let whole = LARGE_MAX / PAGE;
            let most = if whole >> self.lg_fit > span.npages.get() {
                span.npages.get() << self.lg_fit
            } else {
                whole
            };
            while let Some(joined) = self.join_one(hooks, span, state, most) {
                span = joined;
            }
            if span.bytes() >= oversize {
                return Some(span);
            }
        }
        self.release(span, state);
        None
    }

    /// Takes the extent in the pool of `state` that is to be purged first, if more than `keep` pages are there.
    pub fn evict(&mut self, hooks: &Hooks, state: Free, keep: usize) -> Option<&'static Span> {
        loop {
            let span = self.pool(state).oldest_freed()?;
            if self.pool(state).npages() <= keep {
                return None;
            }
            self.acquire(span);
            if state != Free::Dirty {
                return Some(span);
            }
            // What was put off is made up for now.
            match self.join_one(hooks, span, state, LARGE_MAX / PAGE) {
                Some(joined) => self.release(joined, state),
                None => return Some(span),
            }
        }
    }

    /// Takes a free extent in `state` from which `npages` at a multiple of `align` pages can be cut; `behind` asks
    /// for the one right behind that extent.
    pub fn extract(
        &mut self,
        state: Free,
        npages: usize,
        align: usize,
        behind: Option<&Span>,
    ) -> Option<&'static Span> {
        let span = match behind {
            Some(span) => self.behind(span, state).filter(|next| next.npages.get() >= npages)?,
            None => {
                let lg_fit = if state == Free::Dirty { self.lg_fit } else { u32::MAX };
                self.pool(state).fit(npages, align, lg_fit.min(usize::BITS - 1), self.quantum)?
            }
        };
        self.acquire(span);
        Some(span)
    }

    /// Cuts `npages` at a multiple of `align` pages out of an extent that is in no pool and long enough.
    pub fn carve(
        &mut self,
        hooks: &Hooks,
        base: &Base,
        whole: &'static Span,
        npages: usize,
        align: usize,
    ) -> Cut {
        let lead = whole.lead(align);
        let mut span = whole;
        if lead != 0 {
            match self.split(hooks, base, whole, lead) {
                Some(rest) => span = rest,
                None => return Cut::Refused { lead: None, lost: whole },
            }
        }
        let lead = (lead != 0).then_some(whole);
        if span.npages.get() == npages {
            return Cut::Done { lead, span, trail: None };
        }
        match self.split(hooks, base, span, npages) {
            Some(trail) => Cut::Done { lead, span, trail: Some(trail) },
            None => Cut::Refused { lead, lost: span },
        }
    }

    /// The extent in use of exactly this range. Where only the bounds of several together are known, they are cut now, without
    /// asking: the hooks never gave them.
    pub fn exactly(&mut self, base: &Base, at: *mut u8, npages: usize) -> Option<&'static Span> {
        let mut span = self.holding(at)?;
        if span.blurred.get() {
            let before = (at.addr() - span.base().addr()) / PAGE;
            if before != 0 {
                let rest = self.descriptor(base)?;
                self.cut(span, before, rest);
                span = rest;
            }
            if span.npages.get() > npages {
                let rest = self.descriptor(base)?;
                self.cut(span, npages, rest);
            }
            span.blurred.set(false);
        }
        (span.base() == at && span.npages.get() == npages).then_some(span)
    }
}
