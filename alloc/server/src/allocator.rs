//! Whether what endpoints tell about is there.

use jealloc::ctl;

/// Whether the profiler is there.
pub fn has_profiler() -> bool {
    ctl::read(c"opt.prof").unwrap_or(false)
}

/// Whether the program's memory comes from jealloc: a program may link it and allocate from another.
pub fn is_allocator() -> bool {
    // The thread's own counter; one that cannot be read says nothing against it.
    let allocated = || ctl::read::<u64>(c"thread.allocated").ok();
    let before = allocated();
    std::hint::black_box(Vec::<u8>::with_capacity(4096));
    before.is_none() || before != allocated()
}
