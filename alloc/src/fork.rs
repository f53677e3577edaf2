//! fork(2) in a program with threads: all locks are taken before, so that the child finds every structure whole.

use crate::arena::{making, table};
use crate::stats;
use crate::sync;
use crate::tcache::explicit;
use crate::thread::registry;
use crate::{background, cgroup};

/// Registers the handlers. May allocate.
pub fn register() {
    unsafe extern "C" {
        fn pthread_atfork(
            prepare: Option<extern "C" fn()>,
            parent: Option<extern "C" fn()>,
            child: Option<extern "C" fn()>,
        ) -> core::ffi::c_int;
    }
    // SAFETY: the three have the handlers' signature.
    unsafe { pthread_atfork(Some(prepare), Some(parent), Some(child)) };
}

/// Order: as everywhere. Starting and ending background threads comes first, since that allocates, and with it samples;
/// then the profiler, which calls none of ours, statistics, explicit caches, arenas.
extern "C" fn prepare() {
    background::hold();
    #[cfg(feature = "prof")]
    crate::sampling::PROFILER.fork_prepare();
    stats::hold();
    cgroup::hold();
    explicit::hold();
    table::hold();
}

fn release() {
    // SAFETY: `prepare` held exactly these, in the reverse order, in this thread or in the one that it is a copy of.
    unsafe {
        table::unhold();
        explicit::unhold();
        cgroup::unhold();
        stats::unhold();
    }
}

extern "C" fn parent() {
    release();
    #[cfg(feature = "prof")]
    crate::sampling::PROFILER.fork_parent();
    // SAFETY: held first in `prepare`.
    unsafe { background::unhold() };
}

extern "C" fn child() {
    sync::forked(true);
    release();
    table::forked();
    making::forked();
    sync::forked(false);
    registry::forget_others();
    #[cfg(feature = "prof")]
    crate::sampling::PROFILER.fork_child();
    // SAFETY: held first in `prepare`, by the thread that this one is a copy of.
    unsafe { background::unhold() };
    background::forget();
}
