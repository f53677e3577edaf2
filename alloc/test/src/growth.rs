//! Memory that iterations leave behind.

use std::fmt;
use std::panic::Location;

use crate::counts::{Amount, held, must_count};
use crate::dump::{Pair, profiling};

/// How often a closure is to run.
#[derive(Clone, Copy, Debug)]
pub struct Runs {
    /// Times that are looked at.
    pub iterations: u64,
    /// Times before these.
    pub warmup: u64,
}

/// What iterations left behind in the thread that ran them. Its text is for people.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    runs: Runs,
    before: Amount,
    after: Amount,
    /// How many iterations left more than there was before them, and the first and the last of these, from 1.
    grew: u64,
    first: u64,
    last: u64,
}

impl Growth {
    /// Usable bytes more than before, all iterations together; below 0 when less.
    pub fn bytes(&self) -> i64 {
        (self.after - self.before).bytes
    }

    /// Blocks more than before, all iterations together; below 0 when fewer.
    pub fn blocks(&self) -> i64 {
        (self.after - self.before).blocks
    }
}

/// A number with up to two decimals, none when it is whole.
fn short(value: f64) -> String {
    format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Growth { runs, before, after, grew, first, last } = self;
        let each = |n: i64| short(n as f64 / runs.iterations as f64);
        writeln!(f, "  per iteration: {} bytes, {} blocks", each(self.bytes()), each(self.blocks()))?;
        writeln!(
            f,
            "  together:      {}; this thread held {before} before, {after} after",
            *after - *before
        )?;
        write!(f, "  grew in:       ")?;
        match grew {
            n if *n == runs.iterations => write!(f, "every iteration"),
            1 => write!(
                f,
                "1 of {} iterations, number {first}: rather something that is filled or enlarged now and then than a \
                 leak per iteration; a longer warm-up may reach it, or allow for it with `bytes <= {}`",
                runs.iterations,
                self.bytes()
            ),
            n => {
                write!(f, "{n} of {} iterations, the first number {first}, the last {last}", runs.iterations)
            }
        }
    }
}

fn repeat(runs: Runs, run: &mut dyn FnMut()) -> Growth {
    (0..runs.warmup).for_each(|_| run());
    let before = held();
    let mut growth = Growth { runs, before, after: before, grew: 0, first: 0, last: 0 };
    for number in 1..=runs.iterations {
        run();
        let now = held();
        if now.bytes > growth.after.bytes {
            growth.grew += 1;
            growth.last = number;
            if growth.first == 0 {
                growth.first = number;
            }
        }
        growth.after = now;
    }
    growth
}

/// Runs a closure, and tells what it left behind after the warm-up. Two looks at the counts an iteration, some 100 ns each.
///
/// # Panics
/// When jealloc is not the program's global allocator, or there is no iteration.
#[track_caller]
pub fn growth<T>(runs: Runs, mut run: impl FnMut() -> T) -> Growth {
    must_count();
    assert!(runs.iterations > 0, "at least one iteration is needed to see growth");
    repeat(runs, &mut || drop(run()))
}

/// What [`assert_no_growth!`] calls: fails when the thread holds more than `allowed` bytes more after the last iteration
/// than after the warm-up.
///
/// # Panics
/// As [`growth`], and when it fails.
#[track_caller]
pub fn assert_no_growth<T>(runs: Runs, allowed: u64, mut run: impl FnMut() -> T) {
    let found = growth(runs, &mut run);
    if found.bytes() <= i64::try_from(allowed).unwrap_or(i64::MAX) {
        return;
    }
    let Runs { iterations, warmup } = runs;
    let limit = if allowed == 0 { String::new() } else { format!(", and {allowed} bytes are allowed") };
    let stacks = stacks(&mut || {
        repeat(Runs { iterations, warmup: 0 }, &mut || drop(run()));
    });
    panic!(
        "memory grew in {iterations} iterations after {warmup} of warm-up{limit}\n{found}\n  stacks:        {stacks}\n  \
         (what another thread frees counts for that thread: memory that was handed away counts as kept)"
    );
}

/// How to see the stacks: the command, when `again` could be run between two dumps.
fn stacks(again: &mut dyn FnMut()) -> String {
    let shown = Pair::begin().and_then(|pair| {
        again();
        pair.end("")
    });
    match shown {
        Some(command) => format!("{command}   (the same iterations once more)"),
        None if profiling() => {
            "the profiler is on, but no dump could be written (see prof_prefix)".to_owned()
        }
        None => how_to_profile("MALLOC_CONF=prof:true,lg_prof_sample:0"),
    }
}

/// The command that runs the calling test under the profiler. The harness names threads after their tests.
#[track_caller]
pub fn how_to_profile(setting: &str) -> String {
    match std::thread::current().name() {
        Some("main") | None => format!("run {} again with {setting}", Location::caller().file()),
        Some(test) => format!("{setting} cargo test -- --exact {test}"),
    }
}

/// Fails when running the closure leaves more memory behind than there was: `iterations` runs are looked at, after `warmup`
/// others. What the closure answers is dropped each time.
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: jealloc_test::Jealloc = jealloc_test::Jealloc;
/// # fn main() {
/// use jealloc_test::assert_no_growth;
///
/// let mut buffer = Vec::new();
/// assert_no_growth!(iterations = 1000, warmup = 100, || {
///     buffer.clear();
///     buffer.extend_from_slice(b"GET / HTTP/1.1");
///     buffer.to_ascii_lowercase()
/// });
/// // A table that doubles now and then may take that much, over all iterations together.
/// let mut seen = std::collections::HashSet::new();
/// assert_no_growth!(iterations = 100, warmup = 0, bytes <= 16384, || seen.insert(seen.len()));
/// # }
/// ```
///
/// A leak of one block per iteration fails:
///
/// ```should_panic
/// # #[global_allocator]
/// # static ALLOC: jealloc_test::Jealloc = jealloc_test::Jealloc;
/// # fn main() {
/// jealloc_test::assert_no_growth!(iterations = 1000, warmup = 100, || std::mem::forget(Box::new([0u8; 100])));
/// # }
/// ```
///
/// Only the calling thread's memory counts; the crate's page says what that means.
#[macro_export]
macro_rules! assert_no_growth {
    (iterations = $iterations:expr, warmup = $warmup:expr, bytes <= $bytes:expr, $run:expr $(,)?) => {
        $crate::assert_no_growth($crate::Runs { iterations: $iterations, warmup: $warmup }, $bytes, $run)
    };
    (iterations = $iterations:expr, warmup = $warmup:expr, $run:expr $(,)?) => {
        $crate::assert_no_growth($crate::Runs { iterations: $iterations, warmup: $warmup }, 0, $run)
    };
}
