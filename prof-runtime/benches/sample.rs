//! What one sample and its free cost at several stack depths, against one walk by libgcc's `_Unwind_Backtrace`, which
//! is what the usual unwinders call. `cargo bench -p prof-runtime`. Best of several rounds; figures of one machine.

use std::{
    ffi::{c_int, c_void},
    hint::black_box,
    time::Instant,
};

use prof_runtime::{Profiler, Settings, ThreadProf};

static PROFILER: Profiler = Profiler::new();

unsafe extern "C" {
    fn _Unwind_Backtrace(each: extern "C" fn(*mut c_void, *mut c_void) -> c_int, data: *mut c_void) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
}

extern "C" fn count(context: *mut c_void, data: *mut c_void) -> c_int {
    // SAFETY: `data` is the sum below, alive for the walk; `context` is libgcc's own.
    unsafe { *data.cast::<usize>() += _Unwind_GetIP(context) & 1 | 2 };
    0
}

fn libgcc() -> usize {
    let mut sum = 0usize;
    // SAFETY: the callback gets the number it expects.
    unsafe { _Unwind_Backtrace(count, (&raw mut sum).cast()) };
    sum
}

/// Sixteen functions with four calls each: distinct return addresses along random paths.
macro_rules! paths {
    ($($name:ident $number:literal)*) => {
        $(#[inline(never)]
        fn $name(path: u64, depth: usize, leaf: &mut dyn FnMut()) -> u64 {
            let state = path.wrapping_mul(6364136223846793005).wrapping_add($number);
            if depth == 0 {
                leaf();
                return state;
            }
            let next = PATHS[(state >> 60) as usize];
            let below = match state >> 40 & 3 {
                0 => next(state, depth - 1, leaf) ^ 1,
                1 => next(state, depth - 1, leaf) ^ 2,
                2 => next(state, depth - 1, leaf) ^ 3,
                _ => next(state, depth - 1, leaf) ^ 4,
            };
            black_box(below)
        })*
        const PATHS: [fn(u64, usize, &mut dyn FnMut()) -> u64; 16] = [$($name),*];
    };
}
paths!(p0 10 p1 11 p2 12 p3 13 p4 14 p5 15 p6 16 p7 17 p8 18 p9 19 pa 20 pb 21 pc 22 pd 23 pe 24 pf 25);

/// Nanoseconds per call of `leaf` at a depth, over 64 paths, without the cost of getting there: many calls per path.
fn cost(depth: usize, leaf: &mut dyn FnMut()) -> f64 {
    const CALLS: u32 = 40;
    let mut best = f64::MAX;
    for _ in 0..30 {
        let mut nanos = 0;
        for path in 0..64 {
            p0(path, depth, &mut || {
                let start = Instant::now();
                (0..CALLS).for_each(|_| leaf());
                nanos += start.elapsed().as_nanos();
            });
        }
        best = best.min(nanos as f64 / f64::from(64 * CALLS));
    }
    best
}

fn main() {
    let settings = Settings { lg_sample: 16, ..Settings::default() };
    PROFILER.boot(&settings).expect("memory for the first tables");
    let thread = ThreadProf::new();
    println!("{:>5} {:>18} {:>16} {:>8}", "depth", "sample+free ns", "libgcc walk ns", "ratio");
    for depth in [10, 30, 60] {
        let ours = cost(depth, &mut || {
            if let Some(sample) = PROFILER.sample(&thread, PROFILER.rate(), black_box(99), black_box(100)) {
                PROFILER.unsample(Some(&thread), black_box(sample), std::ptr::null(), black_box(100));
            }
        });
        let theirs = cost(depth, &mut || {
            black_box(libgcc());
        });
        println!("{depth:>5} {ours:>18.0} {theirs:>16.0} {:>8.1}", theirs / ours);
    }
    let draw = cost(0, &mut || {
        black_box(PROFILER.draw_allocs(&thread, black_box(100)));
    });
    println!("one draw: {draw:.0} ns");
    dump_cost(&thread);
}

/// Writes dumps of many distinct stacks.
fn dump_cost(thread: &ThreadProf) {
    for stacks in [10_000u64, 100_000] {
        for path in 0..stacks {
            p0(path.wrapping_mul(0x9e37_79b9_7f4a_7c15), 20, &mut || {
                black_box(PROFILER.sample(thread, PROFILER.rate(), 100, 100));
            });
        }
        for path in [&b"/tmp/prof-runtime-bench.heap"[..], b"/tmp/prof-runtime-bench.pb"] {
            let start = Instant::now();
            PROFILER.dump(Some(thread), Some(path)).expect("a dump");
            let name = String::from_utf8_lossy(path);
            let bytes = std::fs::metadata(&*name).map_or(0, |file| file.len());
            println!("dump after {stacks} paths: {} ms, {bytes} bytes, {name}", start.elapsed().as_millis());
            let _ = std::fs::remove_file(&*name);
        }
    }
}
