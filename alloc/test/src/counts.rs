//! The calling thread's counts, and whether they count anything.

use std::fmt;
use std::hint::black_box;

/// Memory as a number of bytes and of blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Usable bytes.
    pub bytes: i64,
    /// Blocks.
    pub blocks: i64,
}

impl std::ops::Sub for Amount {
    type Output = Amount;

    fn sub(self, other: Amount) -> Amount {
        Amount { bytes: self.bytes - other.bytes, blocks: self.blocks - other.blocks }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n: i64| if n == 1 { "" } else { "s" };
        let Amount { bytes, blocks } = *self;
        write!(f, "{bytes} byte{} in {blocks} block{}", plural(bytes), plural(blocks))
    }
}

fn read() -> jealloc::ThreadCounts {
    jealloc::thread_counts().unwrap_or_default()
}

/// What the thread allocated and has not freed; below nothing when it freed what others had allocated.
pub fn held() -> Amount {
    let counts = read();
    Amount {
        bytes: counts.allocated.wrapping_sub(counts.deallocated) as i64,
        blocks: counts.allocations.wrapping_sub(counts.deallocations) as i64,
    }
}

/// What the thread ever allocated.
pub fn allocated() -> Amount {
    let counts = read();
    Amount { bytes: counts.allocated as i64, blocks: counts.allocations as i64 }
}

/// # Panics
/// When memory that the program allocates does not come from jealloc.
#[track_caller]
pub fn must_count() {
    let before = allocated();
    drop(black_box(Box::new(0u64)));
    assert!(
        (allocated() - before).blocks == 1,
        "jealloc is not the global allocator of this program, so nothing can be counted; add to its root:\n\n    \
         #[global_allocator]\n    static ALLOC: jealloc_test::Jealloc = jealloc_test::Jealloc;\n"
    );
}
