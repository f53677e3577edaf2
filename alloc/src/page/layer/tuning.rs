//! What can be set for the pages of one arena while it works.

use super::{PageLayer, Source};
use crate::page::beside;
use crate::page::default_hooks;
use crate::page::growth::Growth;
use crate::page::settings::{self, Dss};
use crate::relaxed::Relaxed;
use crate::sync::Patience;

impl PageLayer {
    /// `arena.<i>.oversize_threshold`: bytes from which dirty pages side by side are purged at once.
    pub fn oversize_threshold(&self) -> usize {
        settings::oversize_threshold().wrapping_add_signed(self.oversize.get())
    }

    /// Sets it; 0 for all that are long enough for a large object.
    pub fn set_oversize_threshold(&self, bytes: usize) {
        self.oversize.set(bytes.wrapping_sub(settings::oversize_threshold()) as isize);
    }

    /// `arena.<i>.retain_grow_limit`: most bytes that address space grows by, unless more is asked for.
    pub fn retain_grow_limit(&self) -> usize {
        self.growth(|growth| growth.limit())
    }

    /// Sets it, rounded down to a page size class; `false` when that is less than a page.
    pub fn set_retain_grow_limit(&self, bytes: usize) -> bool {
        if bytes < beside::BYTES
            && let Some(Source::Blocks(mut supply)) = self.source(Patience::Endless)
        {
            supply.close_stock(&self.beside);
        }
        self.growth(|growth| growth.set_limit(bytes))
    }

    fn growth<R>(&self, f: impl FnOnce(&mut Growth) -> R) -> R {
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) => f(&mut supply.growth),
            Some(Source::Extents(pac)) => pac.growth(f),
            None => f(&mut Growth::default()),
        }
    }

    /// `arena.<i>.dss`.
    pub fn dss(&self) -> Dss {
        default_hooks::dss_of(self.owner.get())
    }

    /// Sets it, for address space that is taken from now on.
    pub fn set_dss(&self, dss: Dss) {
        default_hooks::set_dss_of(self.owner.get(), dss);
    }
}
