//! The assertions in a test program that runs its tests in parallel, as most do.

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use jealloc_test::{Runs, assert_allocs, assert_no_growth, growth};

#[global_allocator]
static ALLOC: jealloc_test::Jealloc = jealloc_test::Jealloc;

/// What a failing assertion says.
fn message(failing: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(failing)).expect_err("it fails");
    payload.downcast_ref::<String>().expect("a text").clone()
}

/// Runs `test` while two other threads allocate, free and leak.
fn among_others(test: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for size in [100, 100_000] {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    drop(black_box(vec![1u8; size]));
                    std::mem::forget(black_box(Box::new(7u64)));
                }
            });
        }
        let done = catch_unwind(AssertUnwindSafe(test));
        stop.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

#[test]
fn what_other_threads_do_does_not_count() {
    among_others(|| {
        let mut kept = vec![0u8; 5000];
        assert_no_growth!(iterations = 20_000, warmup = 10, || {
            kept = vec![1; 5000];
            (String::from("dropped"), vec![0u8; 50_000])
        });
        let text = assert_allocs!(bytes <= 112, blocks <= 1, || black_box("x".repeat(100)));
        assert_eq!(text.len(), 100);
    });
}

#[test]
fn a_leak_of_one_block_is_told_exactly_among_threads_that_leak_more() {
    among_others(|| {
        let found = growth(Runs { iterations: 1000, warmup: 100 }, || {
            drop(black_box(vec![0u8; 3000]));
            std::mem::forget(black_box(Box::new([0u8; 100])));
        });
        assert_eq!((found.bytes(), found.blocks()), (112_000, 1000));
        let large = growth(Runs { iterations: 3, warmup: 1 }, || std::mem::forget(vec![0u8; 10 << 20]));
        assert_eq!((large.bytes(), large.blocks()), (3 * (10 << 20), 3));
    });
}

#[test]
fn no_growth_fails_with_what_a_developer_needs() {
    let found = message(|| {
        assert_no_growth!(iterations = 1000, warmup = 100, || std::mem::forget(black_box(Box::new(
            [0u8; 100]
        ))));
    });
    for part in [
        "memory grew in 1000 iterations after 100 of warm-up\n",
        "  per iteration: 112 bytes, 1 blocks\n",
        "  together:      112000 bytes in 1000 blocks; this thread held ",
        "  grew in:       every iteration\n",
        "  stacks:        MALLOC_CONF=prof:true,lg_prof_sample:0 cargo test -- --exact no_growth_fails_with_what_a_developer_needs\n",
        "(what another thread frees counts for that thread",
    ] {
        assert!(found.contains(part), "{part:?} is not in\n{found}");
    }
}

#[test]
fn growth_that_happens_now_and_then_is_told_from_a_leak_per_iteration() {
    let mut table = Vec::with_capacity(100);
    let mut fill = || table.push(1u64);
    let found = message(|| assert_no_growth!(iterations = 101, warmup = 0, bytes <= 100, &mut fill));
    let expected = "grew in:       1 of 101 iterations, number 101: rather something that is filled";
    assert!(found.contains(expected) && found.contains("and 100 bytes are allowed"), "{found}");
    let mut kept = Vec::with_capacity(100);
    let mut n = 0;
    let found = message(|| {
        assert_no_growth!(iterations = 50, warmup = 3, || {
            n += 1;
            if n % 10 == 0 {
                kept.push(Box::new(n));
            }
        });
    });
    assert!(found.contains("grew in:       5 of 50 iterations, the first number 7, the last 47"), "{found}");
    assert!(found.contains("per iteration: 0.8 bytes, 0.1 blocks"), "{found}");
}

#[test]
fn allowed_growth_and_shrinking_pass() {
    let mut table = Vec::new();
    assert_no_growth!(iterations = 1000, warmup = 0, bytes <= 8192, || table.push(1u64));
    let mut kept: Vec<_> = (0..100).map(Box::new).collect();
    assert_no_growth!(iterations = 100, warmup = 0, || kept.pop());
}

/// The documented limit: who frees is who counts.
#[test]
fn memory_that_another_thread_frees_counts_as_kept_here_and_as_freed_there() {
    let (to, from) = mpsc::sync_channel::<Box<[u8; 1000]>>(1000);
    let given = growth(Runs { iterations: 100, warmup: 0 }, || to.send(Box::new([1; 1000])).unwrap());
    assert!(given.bytes() >= 100 * 1024, "{given}");
    let taken =
        std::thread::spawn(move || growth(Runs { iterations: 100, warmup: 0 }, || from.recv().unwrap()));
    let taken = taken.join().unwrap();
    assert!(taken.bytes() <= -100 * 1024 && taken.blocks() <= -100, "{taken}");
}

#[test]
fn limits_on_allocations_hold_each_by_itself_and_temporaries_count() {
    let three = || {
        drop(black_box(vec![0u8; 1000]));
        (black_box(Box::new([0u8; 500])), black_box(vec![0u8; 40_000]))
    };
    // 1024 + 512 + 40960 usable bytes.
    assert_allocs!(bytes <= 42_496, blocks <= 3, three);
    assert_allocs!(blocks <= 3, bytes <= 42_496, three);
    assert_allocs!(blocks <= 3, three);
    assert_allocs!(bytes <= 42_496, three);
    let found = message(|| drop(assert_allocs!(bytes <= 42_495, blocks <= 3, three)));
    assert!(found.contains("  bytes:  42496, at most 42495 allowed\n  blocks: 3 (of 3)\n"), "{found}");
    let found = message(|| drop(assert_allocs!(blocks <= 2, three)));
    assert!(found.contains("  bytes:  42496\n  blocks: 3, at most 2 allowed\n"), "{found}");
    assert!(found.contains("prof_accum:true cargo test -- --exact limits_on_allocations"), "{found}");
}

#[test]
fn no_iteration_is_no_test() {
    let payload = catch_unwind(|| assert_no_growth!(iterations = 0, warmup = 9, || ())).unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"at least one iteration is needed to see growth"));
}

#[test]
#[ignore = "run by the next one under the profiler"]
fn under_the_profiler() {
    for _ in 0..3 {
        assert!(jealloc_test::checkpoint());
        (0..10).for_each(|_| std::mem::forget(black_box(Box::new([0u8; 100]))));
    }
    let leak = || std::mem::forget(black_box(vec![0u8; 2000]));
    println!("{}", message(|| assert_no_growth!(iterations = 50, warmup = 0, leak)));
    let build = || black_box(vec![0u8; 3000]);
    assert_allocs!(blocks <= 1, build);
    println!("{}", message(|| drop(assert_allocs!(blocks <= 0, build))));
}

/// The totals of a dump, `curobjs: curbytes [accumobjs: accumbytes]`: in the first line of one that the profiler named, in
/// the row of all threads of one that was named for it.
fn totals(path: &str) -> [i64; 4] {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let row = text.lines().find_map(|line| {
        line.trim_start().strip_prefix("t*:").or_else(|| line.strip_prefix("heap profile:"))
    });
    let row = row.expect("a row of totals");
    let numbers = row.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
    let numbers: Vec<i64> = numbers.map(|word| word.parse().unwrap()).collect();
    numbers.try_into().expect("four numbers")
}

#[test]
fn under_the_profiler_a_failure_names_two_dumps_with_the_difference_between_them() {
    assert!(!jealloc_test::checkpoint(), "no dump without the profiler");
    let folder = std::env::temp_dir().join(format!("jealloc-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "under_the_profiler", "--include-ignored", "--nocapture", "--test-threads=1"]);
    let prefix = folder.join("j");
    let conf = format!("prof:true,lg_prof_sample:0,prof_accum:true,prof_prefix:{}", prefix.display());
    let output = command.env("MALLOC_CONF", conf).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let pairs: Vec<(&str, &str)> = told
        .lines()
        .filter_map(|line| line.split_once("--base="))
        .map(|(_, names)| {
            let mut names = names.split_whitespace();
            (names.next().unwrap(), names.next().unwrap())
        })
        .collect();
    assert_eq!(pairs.len(), 2, "{told}");
    let difference = |(before, after): (&str, &str), at: usize| totals(after)[at] - totals(before)[at];
    // 50 blocks of 2048 bytes, and what the harness, the messages and names hold meanwhile.
    let [objects, bytes] = [0, 1].map(|at| difference(pairs[0], at));
    assert!(
        (50..60).contains(&objects) && (50 * 2048..50 * 2048 + 2000).contains(&bytes),
        "{objects} {bytes}"
    );
    assert!(difference(pairs[1], 3) >= 3072, "{told}");
    // Three checkpoints and two pairs; the dump of the assertion that held is gone.
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let marks: Vec<&str> = names.iter().map(|name| name.splitn(3, '.').nth(2).unwrap()).collect();
    let checkpoints = ["0.m0.heap", "1.m1.heap", "2.m2.heap"];
    let pairs = ["t0.after.heap", "t0.before.heap", "t2.after.heap", "t2.before.heap"];
    assert_eq!(marks, [&checkpoints[..], &pairs].concat());
    let slopes: Vec<[i64; 4]> =
        names[..3].iter().map(|name| totals(folder.join(name).to_str().unwrap())).collect();
    for pair in slopes.windows(2) {
        assert_eq!((pair[1][0] - pair[0][0], pair[1][1] - pair[0][1]), (10, 1120));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
