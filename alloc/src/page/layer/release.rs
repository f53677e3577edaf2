//! Giving address space back: what is empty while the arena lives, all of it at its end.

use super::{PageLayer, Source};
use crate::page::pac::Pac;
use crate::page::{default_hooks, settings};
use crate::relaxed::Relaxed;
use crate::sync::Patience;

impl PageLayer {
    /// Enters all free pages that the supply has no hold of: those in front of it, and fresh ones beside it. Answers whether there were
    /// any, so that a request for which there was no address space may be tried again.
    #[cold]
    pub fn gather(&self) -> bool {
        let Some(Source::Blocks(mut supply)) = self.source(Patience::Endless) else { return false };
        let before = supply.counts().active;
        self.enter_all(&mut supply);
        supply.counts().active != before
    }

    /// Pages whose address space [`PageLayer::release_empty`] would give back.
    pub fn empty(&self) -> usize {
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) => {
                self.enter_all(&mut supply);
                supply.empty()
            }
            Some(Source::Extents(pac)) if unmaps(pac) => {
                pac.counts(Patience::Endless).map_or(0, |counts| counts.dirty + counts.muzzy)
            }
            _ => 0,
        }
    }

    /// Gives address space that nothing needs back to the kernel: the regions in which no page is in use, whose descriptors
    /// serve again, or all unused extents where they are not retained.
    pub fn release_empty(&self) {
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) => {
                self.enter_all(&mut supply);
                supply.release_empty();
            }
            Some(Source::Extents(pac)) if unmaps(pac) => self.purge_all(),
            _ => {}
        }
    }

    /// Gives all address space back, after all objects are gone: the arena is being destroyed. It can be
    /// started again, as fresh, under the default hooks.
    pub fn destroy(&self) {
        self.purge_all();
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) => {
                self.enter_all(&mut supply);
                supply.destroy();
                self.open();
            }
            Some(Source::Extents(pac)) => {
                pac.destroy();
                // A fork finds it either in its place, and lets go of its locks afterwards, or not at all.
                let _supply = self.supply.lock();
                self.pac.set(None);
                self.open();
                self.spare_pac.set(Some(pac));
            }
            None => {}
        }
        self.oversize.set(0);
        self.abandoned.set(0);
        default_hooks::forget_dss_of(self.owner.get());
    }
}

/// Whether purged extents are unmapped: nothing is retained, and no program's hooks decide.
fn unmaps(pac: &Pac) -> bool {
    pac.is_default() && !settings::retain()
}
