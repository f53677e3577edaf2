//! The locks of a page layer across a fork.

use super::PageLayer;
use crate::page::pac::Pac;

impl PageLayer {
    /// Locks for a fork, in the order in which the locks are taken elsewhere.
    pub fn hold(&self) {
        self.dirty.hold();
        self.muzzy.hold();
        self.supply.hold();
        self.pac.acquire().into_iter().for_each(Pac::hold);
    }

    /// Unlocks after a fork. A run that another thread was just parking is found by the child; one in its hands is lost to it.
    ///
    /// # Safety
    /// As [`Mutex::unhold`].
    pub unsafe fn unhold(&self) {
        self.parked.forked();
        // SAFETY: by the caller's promise, for each lock that `hold` took: the supply is not changed over in between.
        unsafe {
            self.pac.acquire().into_iter().for_each(|pac| pac.unhold());
            self.supply.unhold();
            self.muzzy.unhold();
            self.dirty.unhold();
        }
    }

    /// In the child, before it has a second thread: a thread of the parent may have been about to list a block to which it had
    /// given pages; and who gives some to a block that waits leaves it to others to list it.
    pub fn forked(&self) {
        self.supply.lock().catch_up_forked(&self.late, &self.beside);
    }
}
