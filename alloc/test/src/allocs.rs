//! What one call allocates.

use crate::counts::{Amount, allocated, must_count};
use crate::dump::{Pair, profiling};
use crate::growth::how_to_profile;

/// Most that a call may allocate; `None` for no limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Usable bytes of all allocations together, those that are freed again included.
    pub bytes: Option<u64>,
    /// Allocations.
    pub blocks: Option<u64>,
}

impl Limits {
    fn allow(&self, amount: Amount) -> bool {
        let within = |limit: Option<u64>, n: i64| limit.is_none_or(|limit| n as u64 <= limit);
        within(self.bytes, amount.bytes) && within(self.blocks, amount.blocks)
    }
}

/// `5120, at most 4096 allowed`.
fn against(n: i64, limit: Option<u64>) -> String {
    match limit {
        Some(limit) if n as u64 > limit => format!("{n}, at most {limit} allowed"),
        Some(limit) => format!("{n} (of {limit})"),
        None => n.to_string(),
    }
}

/// What [`assert_allocs!`] calls: runs the closure once, and fails when it allocated more than the limits say. Answers what
/// the closure does.
///
/// # Panics
/// When it fails, and when jealloc is not the program's global allocator.
#[track_caller]
pub fn assert_allocs<T>(limits: Limits, run: impl FnOnce() -> T) -> T {
    must_count();
    let pair = Pair::begin();
    let before = allocated();
    let answer = run();
    let found = allocated() - before;
    if limits.allow(found) {
        if let Some(pair) = pair {
            pair.forget();
        }
        return answer;
    }
    let stacks = match pair.and_then(|pair| pair.end("--alloc_space ")) {
        Some(command) => command,
        None if profiling() => {
            "the profiler is on, but no dump could be written (see prof_prefix)".to_owned()
        }
        None => how_to_profile("MALLOC_CONF=prof:true,lg_prof_sample:0,prof_accum:true"),
    };
    panic!(
        "a call allocated more than it may\n  bytes:  {}\n  blocks: {}\n  stacks: {stacks}",
        against(found.bytes, limits.bytes),
        against(found.blocks, limits.blocks)
    );
}

/// Fails when running the closure once allocates more `bytes` or more `blocks` than allowed, those that it frees again
/// included; is worth what the closure is.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: jealloc_test::Jealloc = jealloc_test::Jealloc;
/// # fn main() {
/// use jealloc_test::assert_allocs;
///
/// let text = assert_allocs!(bytes <= 16, blocks <= 1, || String::from("sixteen bytes..."));
/// let sum = assert_allocs!(blocks <= 0, || text.bytes().map(u64::from).sum::<u64>());
/// assert!(sum > 0);
/// # }
/// ```
///
/// A `realloc` that moves a block, or resizes a large one, counts as an allocation of the new size.
#[macro_export]
macro_rules! assert_allocs {
    (bytes <= $bytes:expr, blocks <= $blocks:expr, $run:expr $(,)?) => {
        $crate::assert_allocs($crate::Limits { bytes: Some($bytes), blocks: Some($blocks) }, $run)
    };
    (blocks <= $blocks:expr, bytes <= $bytes:expr, $run:expr $(,)?) => {
        $crate::assert_allocs($crate::Limits { bytes: Some($bytes), blocks: Some($blocks) }, $run)
    };
    (bytes <= $bytes:expr, $run:expr $(,)?) => {
        $crate::assert_allocs($crate::Limits { bytes: Some($bytes), blocks: None }, $run)
    };
    (blocks <= $blocks:expr, $run:expr $(,)?) => {
        $crate::assert_allocs($crate::Limits { bytes: None, blocks: Some($blocks) }, $run)
    };
}
