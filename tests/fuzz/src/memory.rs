//! Ends the process when a target holds more than a gigabyte: libFuzzer's own limit looks at the process once a second,
//! and so misses what is asked for and not touched, or given back soon.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

const LIMIT: usize = 1 << 30;

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
/// What was held when the target was called: the fuzzer's own.
static BEFORE: AtomicUsize = AtomicUsize::new(0);

/// Counts from here on.
pub fn forget_peak() {
    BEFORE.store(HELD.load(Ordering::Relaxed), Ordering::Relaxed);
}

fn take(bytes: usize) {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
    if held.saturating_sub(BEFORE.load(Ordering::Relaxed)) > LIMIT {
        // So that saying so does not end here again.
        HELD.store(0, Ordering::Relaxed);
        panic!("more than {} MiB of memory", LIMIT >> 20);
    }
}

// SAFETY: hands everything on to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promise is the system allocator's condition.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;
