//! Processors.

use rustix::thread::{CpuSet, sched_getaffinity};

/// Number of processors that the process may run on; 1 when the kernel does not say.
pub fn count() -> u32 {
    sched_getaffinity(None).map_or(1, |set| set.count()).max(1)
}

/// One more than the highest number of a processor that the process may run on; 1 when the kernel does not say.
pub fn numbers() -> u32 {
    let Ok(set) = sched_getaffinity(None) else { return 1 };
    (0..CpuSet::MAX_CPU).rev().find(|&cpu| set.is_set(cpu)).map_or(1, |cpu| cpu as u32 + 1)
}

/// Number of the processor that the caller runs on, at the moment; 0 when the kernel does not say.
pub fn current() -> u32 {
    // SAFETY: sched_getcpu has no conditions.
    u32::try_from(unsafe { libc::sched_getcpu() }).unwrap_or(0)
}
