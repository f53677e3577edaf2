//! `bench-rust PROGRAM THREADS FOLDER COUNT`: programs that allocate much, under the allocator that a feature chooses.
//! FOLDER is where Rust sources are. Each prints the seconds of its measured part.

mod index;
mod json;
mod map;
mod parse;
mod sources;

use std::time::Instant;

#[cfg(feature = "ours")]
#[global_allocator]
static ALLOCATOR: jealloc::Jealloc = jealloc::Jealloc;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(feature = "snmalloc")]
#[global_allocator]
static ALLOCATOR: snmalloc_rs::SnMalloc = snmalloc_rs::SnMalloc;

/// A random sequence; the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Runs `work` in `threads` threads at once, each with its number, and tells how long they took.
fn timed(threads: u64, work: impl Fn(u64) + Sync) {
    let started = Instant::now();
    std::thread::scope(|scope| {
        for number in 0..threads {
            let work = &work;
            scope.spawn(move || work(number));
        }
    });
    println!("seconds\t{:.6}", started.elapsed().as_secs_f64());
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [program, threads, folder, count] = words.as_slice() else {
        panic!("bench-rust PROGRAM THREADS FOLDER COUNT");
    };
    let threads: u64 = threads.parse().expect("THREADS is a number");
    let count: u64 = count.parse().expect("COUNT is a number");
    match program.as_str() {
        "parse" => parse::run(threads, folder, count),
        "json" => json::run(threads, count),
        "map" => map::run(threads, count),
        "index" => index::run(threads, folder, count),
        _ => panic!("no program {program}"),
    }
}
