//! The allocator under a whole Rust program: this test binary itself allocates from it.

use std::alloc::{GlobalAlloc, Layout};
use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc;

use jealloc::{Jealloc, ctl};

#[global_allocator]
static ALLOC: Jealloc = Jealloc;

/// Small random numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }

    /// 1 byte to 1 MiB, each power of two as often as the others.
    fn size(&mut self) -> usize {
        let lg = self.below(20);
        1 + self.below(1 << lg) as usize
    }
}

#[test]
fn collections_keep_their_contents_across_threads() {
    let (to, from) = mpsc::channel::<Vec<String>>();
    let consumer = std::thread::spawn(move || {
        let mut by_length: BTreeMap<usize, HashMap<String, u64>> = BTreeMap::new();
        for batch in from {
            for text in batch {
                *by_length.entry(text.len()).or_default().entry(text).or_default() += 1;
            }
        }
        by_length.values().flat_map(|texts| texts.values()).sum::<u64>()
    });
    let producers: Vec<_> = (0..4)
        .map(|seed| {
            let to = to.clone();
            std::thread::spawn(move || {
                let mut random = Random(seed);
                for _ in 0..200 {
                    let batch = (0..100).map(|i| "x".repeat(1 + random.below(1 + i * 20) as usize)).collect();
                    to.send(batch).unwrap();
                }
            })
        })
        .collect();
    drop(to);
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    assert_eq!(consumer.join().unwrap(), 4 * 200 * 100);
}

#[test]
fn any_layout_is_served_aligned_and_kept_by_realloc() {
    let mut random = Random(7);
    let mut live: Vec<(*mut u8, Layout, u8)> = Vec::new();
    for step in 0..20_000u32 {
        let fill = step as u8;
        if random.below(3) < 2 || live.is_empty() {
            let size = random.size();
            let layout = Layout::from_size_align(size, 1 << random.below(15)).unwrap();
            // SAFETY: the layout's size is not zero.
            let object =
                unsafe { if step % 5 == 0 { ALLOC.alloc_zeroed(layout) } else { ALLOC.alloc(layout) } };
            assert!(!object.is_null() && object.addr().is_multiple_of(layout.align()));
            // SAFETY: the object has `size` bytes, and nobody else has it.
            unsafe {
                if step % 5 == 0 {
                    assert!(std::slice::from_raw_parts(object, size).iter().all(|&byte| byte == 0));
                }
                assert!(jealloc::usable_size(object) >= size);
                object.write_bytes(fill, size);
            }
            live.push((object, layout, fill));
        } else {
            let at = random.below(live.len() as u64) as usize;
            let (object, layout, fill) = live.swap_remove(at);
            let size = random.size();
            // SAFETY: the object is live, with this layout, and all of its bytes were filled.
            unsafe {
                assert!(std::slice::from_raw_parts(object, layout.size()).iter().all(|&byte| byte == fill));
                let moved = ALLOC.realloc(object, layout, size);
                assert!(moved.addr().is_multiple_of(layout.align()));
                let kept = layout.size().min(size);
                assert!(std::slice::from_raw_parts(moved, kept).iter().all(|&byte| byte == fill));
                ALLOC.dealloc(moved, Layout::from_size_align(size, layout.align()).unwrap());
            }
        }
    }
    for (object, layout, _) in live {
        // SAFETY: live, with this layout.
        unsafe { ALLOC.dealloc(object, layout) };
    }
}

#[test]
fn a_thread_s_counters_are_exact_with_and_without_asking_for_their_place() {
    let read = |name| ctl::read::<u64>(name).unwrap();
    std::thread::spawn(move || {
        let sizes = [8usize, 100, 1000, 5000, 20_000, 40_000, 1_000_000];
        let usable: u64 = sizes.iter().map(|&size| jealloc::usable_of_size(size).unwrap() as u64).sum();
        let round = || {
            let before = (read(c"thread.allocated"), read(c"thread.deallocated"));
            let objects = sizes.map(|size| {
                let layout = Layout::from_size_align(size, 8).unwrap();
                // SAFETY: the size is not zero.
                (unsafe { ALLOC.alloc(layout) }, layout)
            });
            let between = (read(c"thread.allocated"), read(c"thread.deallocated"));
            for (object, layout) in objects {
                // SAFETY: just allocated with this layout.
                unsafe { ALLOC.dealloc(object, layout) };
            }
            let after = (read(c"thread.allocated"), read(c"thread.deallocated"));
            assert_eq!(between, (before.0 + usable, before.1));
            assert_eq!(after, (between.0, between.1 + usable));
        };
        (0..300).for_each(|_| round());
        let place = ctl::read::<*mut u64>(c"thread.allocatedp").unwrap();
        // SAFETY: the place is a word of the calling thread's block.
        assert_eq!(unsafe { *place }, read(c"thread.allocated"));
        (0..300).for_each(|_| round());
        // SAFETY: as above.
        assert_eq!(unsafe { *place }, read(c"thread.allocated"));
    })
    .join()
    .unwrap();
}

/// Objects of any size, a third of them kept: counts kept by hand beside the thread's own, while others allocate.
#[test]
fn a_thread_s_objects_are_counted_exactly_whatever_others_do() {
    let others: Vec<_> = (0..2)
        .map(|seed| {
            std::thread::spawn(move || {
                let mut random = Random(seed);
                (0..3000).for_each(|_| drop(std::hint::black_box(vec![0u8; random.size()])));
            })
        })
        .collect();
    let mut random = Random(99);
    let mut kept = Vec::with_capacity(1000);
    let mut hand = jealloc::thread_counts().unwrap();
    for step in 0..3000 {
        let layout = Layout::from_size_align(random.size(), 8).unwrap();
        // SAFETY: the size is not zero; the object is given back with the layout that it came with.
        unsafe {
            let object = ALLOC.alloc(layout);
            let usable = jealloc::usable_size(object) as u64;
            (hand.allocations, hand.allocated) = (hand.allocations + 1, hand.allocated + usable);
            if step % 3 == 0 {
                kept.push((object, layout));
            } else {
                ALLOC.dealloc(object, layout);
                (hand.deallocations, hand.deallocated) = (hand.deallocations + 1, hand.deallocated + usable);
            }
        }
        assert_eq!(jealloc::thread_counts().unwrap(), hand, "step {step}");
    }
    // SAFETY: live, with this layout.
    kept.drain(..).for_each(|(object, layout)| unsafe { ALLOC.dealloc(object, layout) });
    let end = jealloc::thread_counts().unwrap();
    assert_eq!((end.allocations, end.deallocations), (hand.allocations, hand.deallocations + 1000));
    assert_eq!(end.allocated, hand.allocated);
    others.into_iter().for_each(|other| other.join().unwrap());
}

#[test]
fn values_of_another_type_are_refused() {
    assert_eq!(ctl::read::<u32>(c"epoch"), Err(ctl::CtlError::Invalid));
    assert_eq!(ctl::write(c"arenas.page", 1usize), Err(ctl::CtlError::NotPermitted));
    assert_eq!(ctl::call(c"arena.4096.purge"), Ok(()));
    assert!(ctl::read::<usize>(c"stats.allocated").unwrap() > 0);
}

/// Runs one of the tests here in a process of its own, with options, and answers what it said.
fn alone(test: &str, conf: &str) -> std::process::Output {
    let own = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new(own);
    command.args(["--exact", test, "--include-ignored", "--nocapture"]).env("MALLOC_CONF", conf);
    command.output().unwrap()
}

#[test]
#[ignore = "a misuse"]
fn an_object_freed_with_another_layout() {
    let layout = |size| Layout::from_size_align(size, 8).unwrap();
    // SAFETY: the size is not zero; that the layout is another one is what this is about.
    unsafe { ALLOC.dealloc(ALLOC.alloc(layout(100)), layout(200)) };
}

#[test]
#[ignore = "a misuse"]
fn an_object_resized_with_another_layout() {
    let layout = |size| Layout::from_size_align(size, 8).unwrap();
    // SAFETY: as above.
    unsafe { ALLOC.realloc(ALLOC.alloc(layout(100)), layout(200), 300) };
}

#[test]
fn a_wrong_layout_is_told_when_sizes_are_checked_and_right_ones_pass() {
    for test in ["an_object_freed_with_another_layout", "an_object_resized_with_another_layout"] {
        let output = alone(test, "size_checks:true");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains("<jemalloc>: size mismatch: 0x"), "{told}");
        assert!(told.contains("with size 200, but its usable size is 112"), "{told}");
        assert!(alone(test, "").status.success());
    }
    for conf in
        ["size_checks:true", "size_checks:true,cache_oblivious:true,san_guard_small:1,san_guard_large:1"]
    {
        let output = alone("any_layout_is_served_aligned_and_kept_by_realloc", conf);
        assert!(output.status.success() && output.stderr.is_empty(), "{conf}: {output:?}");
    }
}
