//! fork(2) in a program with threads: all locks are taken before, so that the child finds every structure whole.

use crate::arena::table;
use crate::stats;
use crate::thread::lifecycle;

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

/// Order: as everywhere (statistics, threads, arenas), the profiler first since it calls none of ours.
extern "C" fn prepare() {
    #[cfg(feature = "prof")]
    crate::sampling::PROFILER.fork_prepare();
    stats::hold();
    lifecycle::hold();
    table::hold();
}

fn release() {
    // SAFETY: `prepare` held exactly these, in the reverse order, in this thread or in the one that it is a copy of.
    unsafe {
        table::unhold();
        lifecycle::unhold();
        stats::unhold();
    }
}

extern "C" fn parent() {
    release();
    #[cfg(feature = "prof")]
    crate::sampling::PROFILER.fork_parent();
}

extern "C" fn child() {
    release();
    lifecycle::forget_others();
    #[cfg(feature = "prof")]
    crate::sampling::PROFILER.fork_child();
}
