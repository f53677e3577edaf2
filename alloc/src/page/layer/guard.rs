//! Guards: an inaccessible page on either side of a run, so that a program that writes past the run ends at once.
//!
//! The run that is taken has two pages more than the one that is answered. To the supply these are pages in use like
//! others; they count apart, since nobody can use them.

use core::sync::atomic::Ordering;

use super::{PageLayer, Source};
use crate::base::Base;
use crate::os::pages;
use crate::page::advice;
use crate::page::run::Run;
use crate::sync::Patience;
use crate::units::PAGE;

/// Guards of a run.
const GUARDS: usize = 2;

/// The two guards of a run.
fn guards_of(run: &Run) -> [*mut u8; GUARDS] {
    [run.base.wrapping_sub(PAGE), run.base.wrapping_add(run.npages * PAGE)]
}

/// A run without its guards.
fn inside(outer: Run) -> Run {
    Run { base: outer.base.wrapping_add(PAGE), npages: outer.npages - GUARDS, ..outer }
}

/// A run with its guards.
fn outside(inner: Run) -> Run {
    Run { base: inner.base.wrapping_sub(PAGE), npages: inner.npages + GUARDS, ..inner }
}

impl PageLayer {
    /// Takes `npages` pages with guards; answers also whether they are zero. To be returned by
    /// [`PageLayer::give_guarded`], and neither extended nor shrunk in between.
    ///
    /// `None` also when the kernel makes no guards: it limits the number of mappings, which they add to. Cost: two system
    /// calls, and two more when the pages come back.
    #[cold]
    pub fn take_guarded(&self, npages: usize, base: &Base) -> Option<(Run, bool)> {
        let (outer, zeroed) = self.take(npages.checked_add(GUARDS)?, 1, false, base)?;
        let run = inside(outer);
        // SAFETY: the guards belong to the run that was just taken, and not to the part that is answered.
        let made = guards_of(&run).map(|at| unsafe { pages::forbid(at, PAGE, true) });
        if made != [true; GUARDS] {
            self.lift(run).then(|| self.give(outer, base));
            return None;
        }
        self.count_guards(GUARDS as isize);
        Some((run, zeroed))
    }

    /// Takes back what [`PageLayer::take_guarded`] gave. Pages whose guards the kernel does not lift stay in use for
    /// ever, without memory.
    #[cold]
    pub fn give_guarded(&self, run: Run, base: &Base) {
        if self.lift(run) {
            self.count_guards(-(GUARDS as isize));
            self.give(outside(run), base);
        }
    }

    /// Makes the guards of a run accessible; answers whether that worked, and otherwise gives up the run.
    fn lift(&self, run: Run) -> bool {
        // SAFETY: the pages belong to the run, which the caller owns, with its guards.
        let lifted = guards_of(&run).map(|at| unsafe { pages::forbid(at, PAGE, false) });
        if lifted == [true; GUARDS] {
            return true;
        }
        let bytes = run.npages * PAGE;
        // SAFETY: as above; nothing in the run is wanted any more.
        unsafe { advice::purge_forced(run.base, bytes) };
        self.abandoned.fetch_add(bytes + GUARDS * PAGE, Ordering::Relaxed);
        false
    }

    fn count_guards(&self, npages: isize) {
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) => supply.count_guards(npages),
            Some(Source::Extents(pac)) => pac.count_guards(npages),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::page::default_hooks;
    use crate::page::layer::DecayTimes;
    use crate::page::state::PageCounts;
    use crate::units::ArenaInd;
    use core::ptr::NonNull;
    use std::boxed::Box;

    /// Whether the kernel reads from the page, asked without touching it.
    fn accessible(at: *mut u8) -> bool {
        let mut ends = [0; 2];
        // SAFETY: `ends` has room for two descriptors; the kernel answers EFAULT for what cannot be read.
        unsafe {
            assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
            let written = libc::write(ends[1], at.cast(), 1);
            ends.into_iter().for_each(|end| assert_eq!(libc::close(end), 0));
            written == 1
        }
    }

    #[test]
    fn guards_count_apart_and_are_lifted_before_their_pages_serve_again() {
        let (layer, base) = (PageLayer::default(), Base::default());
        layer.belong_to(ArenaInd(0), &base);
        layer.start(DecayTimes { dirty_ms: -1, muzzy_ms: -1, ..Default::default() });
        let (run, zeroed) = layer.take_guarded(600, &base).unwrap();
        assert!(zeroed && !layer.has_hooks());
        let at = |page: isize| run.base.wrapping_offset(page * PAGE as isize);
        assert_eq!([-1, 0, 599, 600].map(|page| accessible(at(page))), [false, true, true, false]);
        let counts = layer.counts();
        assert_eq!((counts.active, counts.guards, counts.dirty), (600, 2, 0));
        let reserved = counts.reserved();
        layer.give_guarded(run, &base);
        assert_eq!([-1, 0, 599, 600].map(|page| accessible(at(page))), [true; 4]);
        let dirty = PageCounts { dirty: 602, retained: reserved - 602, ..PageCounts::default() };
        assert_eq!(layer.counts(), dirty);
        let (all, _) = layer.take(602, 1, false, &base).unwrap();
        assert_eq!(all.base, at(-1), "what was guarded is taken again as a whole");
    }

    #[test]
    fn hooks_of_a_program_end_guarding_and_find_the_guards_that_are_there() {
        let (layer, base) = (PageLayer::default(), Base::default());
        layer.belong_to(ArenaInd(0), &base);
        layer.start(DecayTimes { dirty_ms: -1, muzzy_ms: -1, ..Default::default() });
        let (run, _) = layer.take_guarded(5, &base).unwrap();
        // SAFETY: the default table is a static.
        let table = Box::leak(Box::new(unsafe { *default_hooks::table().as_ptr() }));
        // SAFETY: the table lives for ever, and its functions are the default ones.
        assert!(unsafe { layer.set_hooks(NonNull::from(table), &base) }.is_some());
        assert!(layer.has_hooks());
        assert_eq!((layer.counts().active, layer.counts().guards), (5, 2));
        layer.give_guarded(run, &base);
        let counts = layer.counts();
        assert_eq!((counts.active, counts.guards, counts.dirty), (0, 0, 7));
        assert!(accessible(run.base.wrapping_sub(1)));
    }
}
