//! Processors.

use rustix::thread::sched_getaffinity;

/// Number of processors that the process may run on; 1 when the kernel does not say.
pub fn count() -> u32 {
    sched_getaffinity(None).map_or(1, |set| set.count()).max(1)
}
