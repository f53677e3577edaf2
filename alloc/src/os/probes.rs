//! Events of the allocator that tools like bpftrace and gdb can wait for ([`prof_runtime::probe`]); the profiler has others.
//! A library without the profiler has none.

/// `jemalloc_rs:purge(arena, pages)`: so many unused pages of an arena were given back to the kernel.
pub fn purge(arena: usize, pages: usize) {
    #[cfg(feature = "prof")]
    prof_runtime::probe!("jemalloc_rs", "purge", arena = arena as u64, pages = pages as u64);
    #[cfg(not(feature = "prof"))]
    let _ = (arena, pages);
}

/// `jemalloc_rs:oom(size)`: a request for so many bytes is being answered with null.
pub fn oom(size: usize) {
    #[cfg(feature = "prof")]
    prof_runtime::probe!("jemalloc_rs", "oom", size = size as u64);
    #[cfg(not(feature = "prof"))]
    let _ = size;
}
