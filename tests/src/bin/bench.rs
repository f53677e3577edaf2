//! Times our allocator, the C jemalloc and the system's in one process, in turns, and prints ratios.
//!
//! `cargo bench-peers [--rounds N] [NAME...]`. Every round runs each benchmark once with each allocator, in rotating
//! order, so that a slow moment of the machine hits all of them alike; the table holds medians over the rounds. The
//! C jemalloc is called as its Rust binding calls it, ours as a program with one line of `#[global_allocator]` does.
//! The measuring itself allocates from the system's allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_void;
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use suite::bench::figures::{geometric_mean, median};
use suite::bench::in_turn;

/// The C jemalloc with its binding's calls.
struct CJemalloc;

const ALIGN_ALWAYS: usize = 16;

/// Flags for the extended calls: none for what plain `malloc` aligns anyway.
fn flags(layout: Layout) -> i32 {
    if layout.align() <= ALIGN_ALWAYS && layout.align() <= layout.size() {
        0
    } else {
        layout.align().trailing_zeros() as i32
    }
}

// SAFETY: jemalloc's calls give blocks of the size and alignment asked for, or null, and take back their own.
unsafe impl GlobalAlloc for CJemalloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match flags(layout) {
            // SAFETY: any size but 0 is allowed, and the trait's caller promises that.
            0 => unsafe { tikv_jemalloc_sys::malloc(layout.size()) as *mut u8 },
            // SAFETY: as above.
            flags => unsafe { tikv_jemalloc_sys::mallocx(layout.size(), flags) as *mut u8 },
        }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the trait's caller promises that `start` came from here with this layout.
        unsafe { tikv_jemalloc_sys::sdallocx(start as *mut c_void, layout.size(), flags(layout)) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let flags = flags(layout);
        // SAFETY: the trait's caller promises that `start` came from here and that `size` is not 0.
        unsafe { tikv_jemalloc_sys::rallocx(start as *mut c_void, size, flags) as *mut u8 }
    }
}

/// A random sequence; the same for every allocator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// Sizes as programs ask for them: mostly below 256 bytes, some kilobytes, now and then more.
    fn size(&mut self) -> usize {
        let n = self.next() as usize;
        match n % 100 {
            0..60 => 8 + n / 100 % 120,
            60..90 => 128 + n / 100 % 900,
            90..99 => 1024 + n / 100 % 15_000,
            _ => 16_384 + n / 100 % 100_000,
        }
    }
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("sizes here are small")
}

/// A block that is written at its first byte, as every program does.
fn take<A: GlobalAlloc>(allocator: &A, size: usize) -> *mut u8 {
    // SAFETY: sizes here are never 0.
    let start = unsafe { allocator.alloc(layout(size)) };
    assert!(!start.is_null(), "out of memory");
    // SAFETY: the block has at least one byte.
    unsafe { start.write_volatile(1) };
    start
}

fn give<A: GlobalAlloc>(allocator: &A, start: *mut u8, size: usize) {
    // SAFETY: `start` came from `take` with the same allocator and size, and is given back once.
    unsafe { allocator.dealloc(start, layout(size)) }
}

/// One block at a time, given back at once.
fn pairs<A: GlobalAlloc>(allocator: &A, size: usize, operations: u64) {
    for _ in 0..operations {
        give(allocator, take(allocator, size), size);
    }
}

/// A thousand blocks, given back in the order they were taken.
fn batches<A: GlobalAlloc>(allocator: &A, size: usize, operations: u64) {
    let mut blocks = Vec::with_capacity(1000);
    for _ in 0..operations / 1000 {
        blocks.extend((0..1000).map(|_| take(allocator, size)));
        blocks.drain(..).for_each(|start| give(allocator, start, size));
    }
}

/// One thread takes, another gives back, in batches of 256.
fn handed_over<A: GlobalAlloc + Sync>(allocator: &A, size: usize, operations: u64) {
    let (full_in, full_out) = sync_channel::<Vec<usize>>(16);
    let (empty_in, empty_out) = sync_channel::<Vec<usize>>(32);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for mut batch in full_out {
                for address in batch.drain(..) {
                    give(allocator, std::ptr::with_exposed_provenance_mut(address), size);
                }
                // The other side may have ended; then the batch is of no more use.
                let _ = empty_in.send(batch);
            }
        });
        for _ in 0..operations / 256 {
            let mut batch = empty_out.try_recv().unwrap_or_else(|_| Vec::with_capacity(256));
            batch.extend((0..256).map(|_| take(allocator, size).expose_provenance()));
            full_in.send(batch).expect("the other thread listens");
        }
        drop(full_in);
        // Drain, so that the other thread is never stuck on a full channel of empty batches.
        empty_out.iter().for_each(drop);
    });
}

/// Random blocks among many live ones are replaced; one in eight is resized instead.
fn replaced<A: GlobalAlloc>(allocator: &A, seed: u64, slots: usize, operations: u64) {
    let mut random = Random(seed);
    let mut live: Vec<(*mut u8, usize)> = (0..slots)
        .map(|_| {
            let size = random.size();
            (take(allocator, size), size)
        })
        .collect();
    for _ in 0..operations {
        let slot = random.next() as usize % slots;
        let (start, size) = live[slot];
        let fresh = random.size();
        live[slot] = if random.next().is_multiple_of(8) {
            // SAFETY: `start` came from `take` with `size`, and `fresh` is not 0.
            let moved = unsafe { allocator.realloc(start, layout(size), fresh) };
            assert!(!moved.is_null(), "out of memory");
            (moved, fresh)
        } else {
            give(allocator, start, size);
            (take(allocator, fresh), fresh)
        };
    }
    live.into_iter().for_each(|(start, size)| give(allocator, start, size));
}

/// The same in two threads at once.
fn replaced_by_two<A: GlobalAlloc + Sync>(allocator: &A, slots: usize, operations: u64) {
    std::thread::scope(|scope| {
        for seed in 0..2 {
            scope.spawn(move || replaced(allocator, seed, slots, operations / 2));
        }
    });
}

/// A buffer grows by half from 64 bytes to 2 MiB, again and again.
fn growing<A: GlobalAlloc>(allocator: &A, operations: u64) {
    let mut done = 0;
    while done < operations {
        let mut size = 64;
        let mut start = take(allocator, size);
        while size < 2 << 20 {
            let larger = size + size / 2;
            // SAFETY: `start` came from this allocator with `size`, and `larger` is not 0.
            start = unsafe { allocator.realloc(start, layout(size), larger) };
            assert!(!start.is_null(), "out of memory");
            size = larger;
            done += 1;
        }
        give(allocator, start, size);
    }
}

/// What a benchmark does.
#[derive(Clone, Copy)]
enum Work {
    Pairs(usize),
    Batches(usize),
    HandedOver(usize),
    Replaced,
    ReplacedByTwo,
    Growing,
}

/// One benchmark: name, what it does, operations per round.
struct Row(&'static str, Work, u64);

const ROWS: [Row; 13] = [
    Row("pair 16 B", Work::Pairs(16), 4_000_000),
    Row("pair 64 B", Work::Pairs(64), 4_000_000),
    Row("pair 512 B", Work::Pairs(512), 4_000_000),
    Row("pair 4 KiB", Work::Pairs(4096), 2_000_000),
    Row("pair 32 KiB", Work::Pairs(32 << 10), 1_000_000),
    Row("pair 1 MiB", Work::Pairs(1 << 20), 50_000),
    Row("batch 64 B", Work::Batches(64), 2_000_000),
    Row("batch 1 KiB", Work::Batches(1024), 1_000_000),
    Row("handed over 64 B", Work::HandedOver(64), 1_000_000),
    Row("handed over 1 KiB", Work::HandedOver(1024), 500_000),
    Row("mixed, 1 thread", Work::Replaced, 600_000),
    Row("mixed, 2 threads", Work::ReplacedByTwo, 600_000),
    Row("growing buffer", Work::Growing, 20_000),
];

/// Nanoseconds per operation.
fn time<A: GlobalAlloc + Sync>(allocator: &A, row: &Row) -> f64 {
    let Row(_, work, operations) = row;
    let started = Instant::now();
    match *work {
        Work::Pairs(size) => pairs(allocator, size, *operations),
        Work::Batches(size) => batches(allocator, size, *operations),
        Work::HandedOver(size) => handed_over(allocator, size, *operations),
        Work::Replaced => replaced(allocator, 1, 20_000, *operations),
        Work::ReplacedByTwo => replaced_by_two(allocator, 20_000, *operations),
        Work::Growing => growing(allocator, *operations),
    }
    started.elapsed().as_nanos() as f64 / *operations as f64
}

fn main() -> ExitCode {
    let mut rounds = 9;
    let mut names = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--rounds" {
            match arguments.next().and_then(|value| value.parse().ok()).filter(|n| (1..=1000).contains(n)) {
                Some(value) => rounds = value,
                None => {
                    eprintln!("bench: --rounds needs a number from 1 to 1000");
                    return ExitCode::from(2);
                }
            }
        } else if ROWS.iter().any(|Row(name, ..)| name.contains(&argument)) {
            names.push(argument);
        } else {
            eprintln!("bench: no benchmark has `{argument}` in its name");
            return ExitCode::from(2);
        }
    }

    println!(
        "median of {rounds} interleaved rounds, nanoseconds per operation; a ratio below 1 means ours is faster\n"
    );
    println!("{:<18} {:>9} {:>9} {:>9} {:>9} {:>9}", "", "ours", "C", "system", "ours/C", "ours/sys");
    let (mut to_c, mut to_system) = (Vec::new(), Vec::new());
    for row in
        ROWS.iter().filter(|Row(name, ..)| names.is_empty() || names.iter().any(|part| name.contains(part)))
    {
        let mut samples = [const { Vec::new() }; 3];
        for round in 0..rounds + 1 {
            for which in in_turn(samples.len(), round) {
                let nanoseconds = match which {
                    0 => time(&jealloc::Jealloc, row),
                    1 => time(&CJemalloc, row),
                    _ => time(&System, row),
                };
                // The first round warms up.
                if round > 0 {
                    samples[which].push(nanoseconds);
                }
            }
        }
        let [ours, c, system] = samples.map(|samples| median(&samples).expect("there is a round"));
        println!("{:<18} {ours:>9.1} {c:>9.1} {system:>9.1} {:>9.2} {:>9.2}", row.0, ours / c, ours / system);
        to_c.push(ours / c);
        to_system.push(ours / system);
    }
    println!(
        "{:<18} {:>9} {:>9} {:>9} {:>9.2} {:>9.2}",
        "geometric mean",
        "",
        "",
        "",
        geometric_mean(to_c).expect("there is a row"),
        geometric_mean(to_system).expect("there is a row")
    );
    ExitCode::SUCCESS
}
