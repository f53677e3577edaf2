//! The profiler inside an allocator: it must not allocate, not touch errno, and survive signals and little memory.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    ptr::null,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use prof_runtime::{DumpError, Profiler, SampleRef, Settings, ThreadProf};

static PROFILER: Profiler = Profiler::new();
/// Whether the allocator below samples: only after the profiler was booted.
static ON: AtomicBool = AtomicBool::new(false);
static SAMPLED: AtomicU64 = AtomicU64::new(0);
/// Allocations that came out of the profiler itself.
static FROM_INSIDE: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static THREAD: ThreadProf = const { ThreadProf::new() };
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Marks the calling thread as inside the profiler while `body` runs.
fn inside<R>(body: impl FnOnce() -> R) -> R {
    INSIDE.set(true);
    let answer = body();
    INSIDE.set(false);
    answer
}

/// The system's allocator with every allocation sampled; the reference lies in front of the object.
struct Profiled;

const FRONT: usize = 16;

fn layouts(layout: Layout) -> Option<(Layout, usize)> {
    let front = FRONT.max(layout.align());
    Some((Layout::from_size_align(layout.size().checked_add(front)?, front).ok()?, front))
}

// SAFETY: hands out the system's blocks, moved by a front that keeps the alignment and is as large on every call for
// the same layout.
unsafe impl GlobalAlloc for Profiled {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((whole, front)) = layouts(layout) else { return std::ptr::null_mut() };
        if INSIDE.get() {
            FROM_INSIDE.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: `whole` has a size above zero.
        let block = unsafe { System.alloc(whole) };
        if block.is_null() {
            return block;
        }
        let mut bits = 0;
        if ON.load(Ordering::Relaxed) && !INSIDE.get() {
            let sample = THREAD.with(|thread| {
                inside(|| {
                    PROFILER.sample(thread, PROFILER.rate(), layout.size() as u64, layout.size() as u64)
                })
            });
            bits = sample.map_or(0, SampleRef::to_bits);
            SAMPLED.fetch_add(u64::from(bits != 0), Ordering::Relaxed);
        }
        // SAFETY: the block is longer than the front.
        let object = unsafe { block.add(front) };
        // SAFETY: the eight bytes before the object are in the front; the block is aligned to 16.
        unsafe { object.sub(8).cast::<u64>().write(bits) };
        object
    }

    unsafe fn dealloc(&self, object: *mut u8, layout: Layout) {
        let Some((whole, front)) = layouts(layout) else { return };
        // SAFETY: written by `alloc`.
        let bits = unsafe { object.sub(8).cast::<u64>().read() };
        if let Some(sample) = SampleRef::from_bits(bits) {
            let was = INSIDE.replace(true);
            PROFILER.unsample(None, sample, null(), layout.size() as u64);
            INSIDE.set(was);
        }
        // SAFETY: the block that `alloc` got, with the layout that it asked for.
        unsafe { System.dealloc(object.sub(front), whole) };
    }
}

#[global_allocator]
static ALLOCATOR: Profiled = Profiled;

fn settings() -> Settings<'static> {
    Settings { lg_sample: 0, accum: true, ..Settings::default() }
}

fn errno() -> &'static mut i32 {
    // SAFETY: the C library's own place for the calling thread's errno, used by this thread only.
    unsafe { &mut *libc::__errno_location() }
}

/// Everything in one test: the allocator and its profiler are those of the whole process.
#[test]
fn a_program_whose_every_allocation_is_sampled_runs_as_before() {
    // A dump that lacks memory must fail, and one that has it must not use the program's.
    *errno() = 1234;
    inside(|| PROFILER.boot(&settings())).unwrap();
    assert_eq!(*errno(), 1234, "booting");
    ON.store(true, Ordering::Relaxed);

    let mut kept: Vec<String> = Vec::new();
    for n in 0..2000 {
        let text = format!("text {n} {}", "x".repeat(n % 100));
        if n % 2 == 0 {
            kept.push(text);
        }
    }
    let threads: Vec<_> = (0..4)
        .map(|n| {
            std::thread::spawn(move || {
                let mut map = std::collections::BTreeMap::new();
                for key in 0..500u64 {
                    map.insert(key.wrapping_mul(0x9e37_79b9) % 1000, vec![n as u8; key as usize]);
                }
                map.into_values().map(|value| value.len()).sum::<usize>()
            })
        })
        .collect();
    let total: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert!(total > 0);

    for path in [&b"/dev/null"[..], b"/missing/directory/x.heap", b"/dev/full"] {
        *errno() = 1234;
        let answer = THREAD.with(|thread| inside(|| PROFILER.dump(Some(thread), Some(path))));
        assert_eq!(*errno(), 1234, "dumping");
        assert!(matches!(answer, Ok(()) | Err(DumpError::Open | DumpError::Write)));
    }
    *errno() = 1234;
    let sample = THREAD.with(|thread| inside(|| PROFILER.sample(thread, PROFILER.rate(), 100, 100)));
    assert_eq!(*errno(), 1234, "sampling");
    PROFILER.unsample(None, sample.unwrap(), null(), 100);

    signals();
    ON.store(false, Ordering::Relaxed);
    assert!(SAMPLED.load(Ordering::Relaxed) > 5000);
    assert_eq!(FROM_INSIDE.load(Ordering::Relaxed), 0);
    drop(kept);
    little_memory();
}

static TICKS: AtomicU64 = AtomicU64::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// A handler that allocates, which programs should not do and do.
extern "C" fn on_tick(_: libc::c_int) {
    TICKS.fetch_add(1, Ordering::Relaxed);
    THREAD.with(|thread| match PROFILER.sample(thread, PROFILER.rate(), 64, 64) {
        Some(sample) => {
            PROFILER.unsample(None, sample, null(), 64);
        }
        None => {
            REFUSED.fetch_add(1, Ordering::Relaxed);
        }
    });
    THREAD.with(|thread| {
        if PROFILER.dump(Some(thread), Some(b"/dev/null")) == Err(DumpError::Reentered) {
            REFUSED.fetch_add(1, Ordering::Relaxed);
        }
    });
    // Without knowing the thread it is told by the lock.
    let answer = PROFILER.dump(None, Some(b"/dev/null"));
    assert!(matches!(answer, Ok(()) | Err(DumpError::Reentered)));
}

/// Interrupts sampling and dumping at random places, until the handler was turned away often enough.
fn signals() {
    // SAFETY: the handler has the signature for no flags.
    unsafe { libc::signal(libc::SIGALRM, on_tick as *const () as usize) };
    let every = |micros| {
        let interval = libc::timeval { tv_sec: 0, tv_usec: micros };
        let timer = libc::itimerval { it_interval: interval, it_value: interval };
        // SAFETY: a timer of this process, whose signal has a handler.
        assert_eq!(unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) }, 0);
    };
    every(2000);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while (TICKS.load(Ordering::Relaxed) < 200 || REFUSED.load(Ordering::Relaxed) < 5)
        && std::time::Instant::now() < end
    {
        THREAD.with(|thread| {
            for size in 1..50 {
                if let Some(sample) = PROFILER.sample(thread, PROFILER.rate(), size, size) {
                    PROFILER.unsample(None, sample, null(), size);
                }
            }
            let _ = PROFILER.dump(Some(thread), Some(b"/dev/null"));
        });
    }
    every(0);
    assert!(TICKS.load(Ordering::Relaxed) >= 200 && REFUSED.load(Ordering::Relaxed) >= 5);
}

/// In a child whose address space is nearly used up: samples end, the program goes on.
fn little_memory() {
    // SAFETY: the child only calls the profiler, and leaves by `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let profiler = Box::leak(Box::<Profiler>::default());
        let mapped = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = mapped.split(' ').next().unwrap().parse().unwrap();
        let limit = pages * 4096 + (3 << 20);
        let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
        // SAFETY: limits this child only.
        unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
        let fine = profiler.boot(&settings()).is_ok() && starve(profiler);
        // SAFETY: ends the child without running the parent's exit handlers.
        unsafe { libc::_exit(if fine { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: waits for the child just made.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
}

/// Samples until memory is out, and some more. Whether it ran out and old samples could still be freed.
fn starve(profiler: &Profiler) -> bool {
    let thread = ThreadProf::new();
    let mut first = None;
    let mut refused = 0;
    for path in 0..400_000u64 {
        let sample = branch(profiler, &thread, path, 18);
        first = first.or(sample);
        refused += u64::from(sample.is_none());
        if refused == 100 {
            break;
        }
    }
    profiler.unsample(None, first.unwrap(), null(), 64);
    // There may or may not be room for a dump; it must answer.
    let answer = profiler.dump(Some(&thread), Some(b"/dev/null"));
    refused == 100 && matches!(answer, Ok(()) | Err(DumpError::OutOfMemory))
}

/// Two functions that call each other or themselves: a stack of its own for each path of 18 bits.
macro_rules! branches {
    ($($name:ident $mark:literal)*) => {
        $(#[inline(never)]
        fn $name(profiler: &Profiler, thread: &ThreadProf, path: u64, depth: u32) -> Option<SampleRef> {
            std::hint::black_box($mark);
            if depth == 0 {
                return profiler.sample(thread, profiler.rate(), 64, 64);
            }
            let next = if path & 1 == 0 { branch } else { other_branch };
            std::hint::black_box(next(profiler, thread, path >> 1, depth - 1))
        })*
    };
}
branches!(branch 1 other_branch 2);
