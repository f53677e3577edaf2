//! Extent hooks of a program, and the change from blocks to extents that they need.

use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use super::PageLayer;
use crate::base::Base;
use crate::page::default_hooks;
use crate::page::hooks::ExtentHooks;
use crate::page::pac::Pac;
use crate::page::supply::Supply;
use crate::relaxed::Relaxed;
use crate::units::PAGE;

impl PageLayer {
    /// `arena.<i>.extent_hooks`.
    pub fn hooks(&self) -> *mut ExtentHooks {
        self.pac.acquire().map_or(default_hooks::table().as_ptr(), |pac| pac.hooks().table())
    }

    /// Whether a program has set hooks of its own. They may be others a moment later.
    pub fn has_hooks(&self) -> bool {
        self.pac.acquire().is_some_and(|pac| !pac.is_default())
    }

    /// Sets the extent hooks, which rule all pages from now on, those that are there included; answers the former
    /// ones, `None` when there is no memory for the change. Cost: a look at every page that the arena has.
    ///
    /// # Safety
    /// 1. `hooks` points to a table that stays valid until other hooks are set or the arena is destroyed.
    /// 2. Its functions do what their types say, for all memory that the arena has or gets.
    pub unsafe fn set_hooks(&self, hooks: NonNull<ExtentHooks>, base: &Base) -> Option<*mut ExtentHooks> {
        if let Some(pac) = self.pac.acquire() {
            return Some(pac.set_hooks(hooks));
        }
        let default = default_hooks::table();
        if hooks == default {
            return Some(default.as_ptr());
        }
        // No purge is under way with these held.
        let (_dirty, _muzzy) = (self.dirty.lock(), self.muzzy.lock());
        let mut supply = self.supply.lock();
        let pac = self.pac.acquire().or_else(|| self.change_over(&mut supply, base))?;
        Some(pac.set_hooks(hooks))
    }

    /// Lets extents supply pages from now on, under the default hooks.
    #[cold]
    pub(super) fn change_over(&self, supply: &mut Supply, base: &Base) -> Option<&'static Pac> {
        let pac: &'static Pac = match self.spare_pac.get() {
            Some(pac) => pac,
            None => base.make()?,
        };
        pac.start(default_hooks::table(), self.owner.get(), supply.growth);
        self.close(supply);
        let guards = supply.counts().guards as isize;
        supply.hand_over(|part| {
            if !pac.adopt(part.base, part.npages, part.state, part.head, base) {
                self.abandoned.fetch_add(part.npages * PAGE, Ordering::Relaxed);
            }
        });
        pac.count_guards(guards);
        self.pac.publish(pac);
        Some(pac)
    }
}
