//! The first allocation of a thread, which may be the first of the process.

use super::block::{Block, current};
use super::lifecycle;
use crate::boot;
use crate::os::tls::{self, Phase};

/// The calling thread's block, made if this is its first allocation. `None` while it starts or after it ended, or
/// when there is no memory: the caller then serves the request uncached.
#[inline]
pub fn current_or_start() -> Option<&'static Block> {
    current().or_else(start)
}

#[cold]
#[inline(never)]
fn start() -> Option<&'static Block> {
    if tls::phase() != Phase::Fresh {
        return None;
    }
    tls::set_phase(Phase::Starting);
    boot::ensure();
    let Some(block) = lifecycle::make() else {
        tls::set_phase(Phase::Fresh);
        return None;
    };
    tls::set_block(core::ptr::from_ref(block).cast_mut().cast());
    tls::set_phase(Phase::Live);
    boot::complete();
    lifecycle::watch_end();
    Some(block)
}
