//! Code that is not the program's own malloc or free, but allocates on the way: extent hooks, and what of libc does.

use super::errno::Errno;
use super::tls::{self, Phase};

/// Takes the calling thread's cache away for as long as it lives, and keeps `errno`. What is allocated meanwhile comes from
/// arena 0, whichever arena the thread is bound to: that one may end before what was allocated.
pub struct Aside {
    block: *mut u8,
    phase: Phase,
    _errno: Errno,
}

impl Aside {
    /// From now on.
    pub fn step() -> Aside {
        let aside = Aside { block: tls::block(), phase: tls::phase(), _errno: Errno::kept() };
        tls::set_block(tls::nobody());
        tls::set_phase(Phase::Starting);
        aside
    }

    /// Whether the calling thread's cache is away, or not there yet.
    pub fn is_stepped() -> bool {
        tls::phase() == Phase::Starting
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        tls::set_block(self.block);
        tls::set_phase(self.phase);
    }
}
