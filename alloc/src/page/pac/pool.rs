//! The free extents of one state.

use super::span::{ByAge, Queued, Span};
use crate::page::classes::{NPSIZES, at_least, at_most, pages_of};
use crate::page::tree::Tree;
use crate::relaxed::{Link, List, Listed, Relaxed};
use crate::units::PAGE;

/// Extents of the class below a request's that are looked at for one that is long enough.
const LOOK: usize = 32;

/// Pages that every large object has beyond its size, by which classes are shifted ([`Quantum::shift`]).
#[derive(Clone, Copy, Debug, Default)]
pub struct Quantum {
    /// 1 with `cache_oblivious:true`, else 0.
    pub shift: usize,
}

impl Quantum {
    /// Largest class of objects of at most `npages` with the shift, and the pages that it has.
    fn floor(self, npages: usize) -> usize {
        match npages - self.shift {
            0 => npages,
            rest => pages_of(at_most(rest)) + self.shift,
        }
    }

    /// Where an extent is kept.
    fn class_of(self, npages: usize) -> usize {
        at_least(self.floor(npages))
    }

    /// The first class all of whose extents have `npages`.
    fn class_for(self, npages: usize) -> usize {
        let floor = self.floor(npages);
        if floor == npages {
            return at_least(npages);
        }
        let above = at_least(floor - self.shift + 1);
        if above >= NPSIZES { NPSIZES } else { at_least(pages_of(above) + self.shift) }
    }
}

/// A pool. All-zero is an empty one.
pub struct Pool {
    classes: [Tree<Span, ByAge>; NPSIZES + 1],
    /// Least recently freed first.
    queue: Queue,
    npages: usize,
}

impl Default for Pool {
    fn default() -> Self {
        Pool { classes: [const { Tree::new() }; NPSIZES + 1], queue: Queue::default(), npages: 0 }
    }
}

impl Pool {
    /// Pages in it.
    pub fn npages(&self) -> usize {
        self.npages
    }

    /// Adds an extent, as the most recently freed one.
    pub fn insert(&mut self, span: &'static Span, quantum: Quantum) {
        self.classes[quantum.class_of(span.npages.get())].insert(span);
        self.queue.push(span);
        self.npages += span.npages.get();
    }

    /// Takes an extent out.
    pub fn remove(&mut self, span: &'static Span, quantum: Quantum) {
        self.classes[quantum.class_of(span.npages.get())].remove(span);
        self.queue.remove(span);
        self.npages -= span.npages.get();
    }

    /// The least recently freed one.
    pub fn oldest_freed(&self) -> Option<&'static Span> {
        self.queue.list.first()
    }

    /// All, least recently freed first.
    pub fn iter(&self) -> impl Iterator<Item = &'static Span> {
        self.queue.list.iter()
    }

    /// The extent to serve `npages` at a multiple of `align` pages from: of those that are long enough wherever they
    /// begin, and at most `2^lg_fit` times too long, the oldest and lowest one; failing that, one that happens to be aligned.
    pub fn fit(&self, npages: usize, align: usize, lg_fit: u32, quantum: Quantum) -> Option<&'static Span> {
        let most = npages.checked_add(align - 1)?;
        self.oldest(most, lg_fit, quantum).or_else(|| {
            let aligned = || self.aligned(npages, most, align, quantum);
            (align > 1).then(aligned).flatten()
        })
    }

    fn oldest(&self, npages: usize, lg_fit: u32, quantum: Quantum) -> Option<&'static Span> {
        let (below, class) = (quantum.class_of(npages), quantum.class_for(npages));
        let near = || self.classes[below].iter().take(LOOK).find(|span| span.npages.get() >= npages);
        let near = if below != class { near() } else { None };
        let least = |class: usize| if class == NPSIZES { pages_of(NPSIZES - 1) + 1 } else { pages_of(class) };
        let close = |class: &usize| (least(*class) * PAGE) >> lg_fit <= npages * PAGE;
        (class..=NPSIZES)
            .take_while(|class| close(class))
            .filter_map(|class| self.classes[class].first())
            .chain(near)
            .min_by_key(|span| (span.serial.get(), span.base().addr()))
    }

    fn aligned(&self, npages: usize, most: usize, align: usize, quantum: Quantum) -> Option<&'static Span> {
        let (below, class) = (quantum.class_of(npages), quantum.class_for(npages));
        let fits = |span: &&'static Span| span.fits(npages, align);
        let near = || self.classes[below].iter().take(LOOK).find(fits);
        let near = if below != class { near() } else { None };
        near.or_else(|| {
            let classes = class..quantum.class_for(most).min(NPSIZES);
            classes.filter_map(|class| self.classes[class].first()).find(fits)
        })
    }
}

/// A list that is added to at the end.
#[derive(Default)]
struct Queue {
    list: List<Span, Queued>,
    last: Link<Span>,
}

impl Queue {
    fn push(&self, span: &'static Span) {
        match self.last.get() {
            Some(last) => self.list.push_after(last, span),
            None => self.list.push(span),
        }
        self.last.set(Some(span));
    }

    fn remove(&self, span: &'static Span) {
        if self.last.get().is_some_and(|last| core::ptr::eq(last, span)) {
            self.last.set(span.node().before());
        }
        self.list.remove(span);
    }
}
