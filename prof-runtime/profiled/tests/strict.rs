//! The wrapper over an allocator that looks closely: every object must come back with the layout that it was asked for
//! with, and may be refused.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use profiled::{Profiled, Totals};

/// Knows the layout of each of its objects.
struct Strict {
    live: Mutex<Option<HashMap<usize, Layout>>>,
    /// Requests with this alignment or a greater one are refused; so is everything when it is 0.
    refused_align: Mutex<usize>,
}

impl Strict {
    const fn new() -> Strict {
        Strict { live: Mutex::new(None), refused_align: Mutex::new(usize::MAX) }
    }

    fn map<R>(&self, act: impl FnOnce(&mut HashMap<usize, Layout>) -> R) -> R {
        act(self.live.lock().unwrap().get_or_insert_default())
    }

    fn refuse(&self, align: usize) {
        *self.refused_align.lock().unwrap() = align;
    }

    fn refuses(&self, layout: Layout) -> bool {
        layout.align() >= *self.refused_align.lock().unwrap()
    }

    fn born(&self, object: *mut u8, layout: Layout) -> *mut u8 {
        assert!(object.addr().is_multiple_of(layout.align()));
        assert_eq!(self.map(|live| live.insert(object.addr(), layout)), None);
        object
    }

    fn dies(&self, object: *mut u8, layout: Layout) {
        assert_eq!(self.map(|live| live.remove(&object.addr())), Some(layout), "another layout");
    }

    fn count(&self) -> usize {
        self.map(|live| live.len())
    }
}

// SAFETY: objects are the system's.
unsafe impl GlobalAlloc for Strict {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.refuses(layout) {
            return std::ptr::null_mut();
        }
        // SAFETY: by the caller's promises.
        self.born(unsafe { System.alloc(layout) }, layout)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if self.refuses(layout) {
            return std::ptr::null_mut();
        }
        // SAFETY: by the caller's promises.
        self.born(unsafe { System.alloc_zeroed(layout) }, layout)
    }

    unsafe fn dealloc(&self, object: *mut u8, layout: Layout) {
        self.dies(object, layout);
        // SAFETY: by the caller's promises.
        unsafe { System.dealloc(object, layout) }
    }

    unsafe fn realloc(&self, object: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if self.refuses(layout) {
            return std::ptr::null_mut();
        }
        self.dies(object, layout);
        // SAFETY: by the caller's promises.
        let new = unsafe { System.realloc(object, layout, size) };
        self.born(new, Layout::from_size_align(size, layout.align()).unwrap())
    }
}

/// No files are written.
static ALLOC: Profiled<Strict> =
    Profiled::with_conf(Strict::new(), "prof:true,lg_prof_sample:10,prof_prefix:");

/// One test at a time, with nothing counted: there is one profiler.
fn alone(lg_sample: u8) -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    ALLOC.activate().unwrap();
    ALLOC.reset(Some(lg_sample)).unwrap();
    ALLOC.inner().refuse(usize::MAX);
    guard
}

/// An object with a pattern in it.
struct Object {
    place: *mut u8,
    layout: Layout,
    stamp: u8,
}

// SAFETY: memory belongs to no thread.
unsafe impl Send for Object {}

impl Object {
    fn new(layout: Layout, zeroed: bool, stamp: u8) -> Option<Object> {
        // SAFETY: the size is not 0.
        let place = unsafe { if zeroed { ALLOC.alloc_zeroed(layout) } else { ALLOC.alloc(layout) } };
        if place.is_null() {
            return None;
        }
        assert!(place.addr().is_multiple_of(layout.align()));
        let mut object = Object { place, layout, stamp };
        assert!(!zeroed || object.bytes().iter().all(|byte| *byte == 0));
        object.bytes().fill(stamp);
        Some(object)
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the object has as many bytes, which were zeroed or will be filled as a whole, and is not shared.
        unsafe { std::slice::from_raw_parts_mut(self.place, self.layout.size()) }
    }

    fn resize(&mut self, size: usize) -> bool {
        // SAFETY: the object's own layout; sizes are small and not 0.
        let new = unsafe { ALLOC.realloc(self.place, self.layout, size) };
        let (stamp, kept) = (self.stamp, size.min(self.layout.size()));
        if !new.is_null() {
            self.place = new;
            self.layout = Layout::from_size_align(size, self.layout.align()).unwrap();
            assert!(self.bytes()[..kept].iter().all(|byte| *byte == stamp));
            self.bytes().fill(stamp);
        }
        !new.is_null()
    }

    fn free(mut self) {
        let stamp = self.stamp;
        assert!(self.bytes().iter().all(|byte| *byte == stamp));
        // SAFETY: the object's own layout, once.
        unsafe { ALLOC.dealloc(self.place, self.layout) }
    }
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn layout(&mut self) -> Layout {
        let size = match self.below(8) {
            0 => 1 + self.below(200_000),
            1 => 1 + self.below(40_000),
            _ => 1 + self.below(700),
        };
        let align = if self.below(8) == 0 { 1 << self.below(15) } else { 1 << self.below(5) };
        Layout::from_size_align(size as usize, align as usize).unwrap()
    }
}

/// Random requests against what the wrapped allocator knows, at several rates, one of which changes meanwhile.
#[test]
fn every_object_goes_back_with_the_layout_that_it_was_asked_for_with() {
    for lg in [0, 6, 10, 14, 19] {
        let _alone = alone(lg);
        let before = ALLOC.inner().count();
        let mut random = Random(lg as u64 * 77 + 5);
        let mut objects: Vec<Object> = Vec::new();
        for n in 0..8_000_u64 {
            match random.below(3) {
                0 if objects.len() < 400 => {
                    let layout = random.layout();
                    objects.extend(Object::new(layout, n % 3 == 0, n as u8));
                }
                1 if !objects.is_empty() => {
                    let at = random.below(objects.len() as u64) as usize;
                    let size = random.layout().size();
                    assert!(objects[at].resize(size));
                }
                _ if !objects.is_empty() => {
                    let at = random.below(objects.len() as u64) as usize;
                    objects.swap_remove(at).free();
                }
                _ => {}
            }
            if n == 4_000 {
                // What was sampled before is forgotten by the counts, and yet has to be found when it is freed.
                ALLOC.reset(Some(lg.saturating_sub(3))).unwrap();
            }
        }
        assert!(ALLOC.totals().live_samples > 0);
        objects.into_iter().for_each(Object::free);
        assert_eq!(ALLOC.inner().count(), before);
        let Totals { live_samples, live_objects, live_bytes, samples, .. } = ALLOC.totals();
        assert_eq!((live_samples, live_objects, live_bytes), (0, 0, 0));
        assert!(samples > 0);
    }
}

#[test]
fn objects_that_other_threads_free_are_known_there() {
    let _alone = alone(6);
    let (give, take) = std::sync::mpsc::channel::<Object>();
    let maker = std::thread::spawn(move || {
        let mut random = Random(3);
        for n in 0..20_000_u64 {
            give.send(Object::new(random.layout(), false, n as u8).unwrap()).unwrap();
        }
    });
    take.into_iter().for_each(Object::free);
    maker.join().unwrap();
    let totals = ALLOC.totals();
    assert!(totals.samples > 10_000 && totals.live_samples == 0, "{totals:?}");
}

#[test]
fn what_is_refused_is_not_counted_and_only_a_greater_alignment_is_no_reason_to_fail() {
    let _alone = alone(0);
    let layout = Layout::from_size_align(100, 8).unwrap();
    ALLOC.inner().refuse(0);
    assert!(Object::new(layout, false, 1).is_none() && Object::new(layout, true, 1).is_none());
    assert_eq!((ALLOC.totals().samples, ALLOC.totals().live_samples), (0, 0));

    ALLOC.inner().refuse(16);
    let plain = Object::new(layout, true, 2).unwrap();
    assert_eq!((ALLOC.totals().samples, ALLOC.totals().live_samples), (0, 0));
    plain.free();

    ALLOC.inner().refuse(usize::MAX);
    let mut small = Object::new(layout, false, 3).unwrap();
    let mut large = Object::new(Layout::from_size_align(100_000, 8).unwrap(), false, 4).unwrap();
    assert_eq!(ALLOC.totals().live_bytes, 100_100);
    ALLOC.inner().refuse(0);
    assert!(!small.resize(200) && !large.resize(200_000) && !large.resize(10) && !small.resize(100_000));
    // Both are as they were, and still known.
    assert_eq!((ALLOC.totals().live_bytes, ALLOC.totals().allocated_bytes), (100_100, 100_100));
    ALLOC.inner().refuse(usize::MAX);
    assert!(small.resize(200) && large.resize(200_000));
    assert_eq!((ALLOC.totals().live_bytes, ALLOC.totals().allocated_bytes), (200_200, 300_300));
    small.free();
    large.free();
    assert_eq!(ALLOC.totals().live_bytes, 0);
}

#[test]
fn sampling_that_is_off_counts_deaths_but_no_births() {
    let _alone = alone(0);
    let layout = Layout::from_size_align(64, 8).unwrap();
    let first = Object::new(layout, false, 1).unwrap();
    assert!(ALLOC.deactivate() && !ALLOC.is_active());
    let second = Object::new(layout, false, 2).unwrap();
    assert_eq!(ALLOC.totals().live_bytes, 64);
    first.free();
    assert_eq!((ALLOC.totals().live_bytes, ALLOC.totals().allocated_bytes), (0, 64));
    assert!(!ALLOC.activate().unwrap());
    second.free();
    assert_eq!((ALLOC.totals().live_bytes, ALLOC.totals().allocated_bytes), (0, 64));
}

/// An allocator that keeps notes in memory that it asks its own wrapper for.
struct Noting;

static NOTING: Profiled<Noting> = Profiled::new(Noting);

thread_local!(static DEPTH: Cell<u32> = const { Cell::new(0) });

// SAFETY: objects are the system's.
unsafe impl GlobalAlloc for Noting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if DEPTH.replace(DEPTH.get() + 1) == 0 {
            let note = Layout::new::<[u64; 9]>();
            // SAFETY: the size is not 0; it goes back as it came.
            unsafe { NOTING.dealloc(NOTING.alloc(note), note) };
        }
        DEPTH.set(DEPTH.get() - 1);
        // SAFETY: by the caller's promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, object: *mut u8, layout: Layout) {
        // SAFETY: by the caller's promises.
        unsafe { System.dealloc(object, layout) }
    }
}

#[test]
fn an_allocator_may_allocate_inside_of_itself() {
    let _alone = alone(0);
    let layout = Layout::from_size_align(500, 8).unwrap();
    // SAFETY: the size is not 0.
    let objects: Vec<*mut u8> = (0..1000).map(|_| unsafe { NOTING.alloc(layout) }).collect();
    let totals = ALLOC.totals();
    assert_eq!((totals.live_objects, totals.live_bytes), (1000, 500_000));
    assert_eq!((totals.allocated_objects, totals.allocated_bytes), (2000, 572_000));
    // SAFETY: each as it was asked for.
    objects.into_iter().for_each(|object| unsafe { NOTING.dealloc(object, layout) });
    assert_eq!(ALLOC.totals().live_samples, 0);
}

/// Sizes of four decades, some of them resized. The seed of the sampler is the clock's: five standard deviations are passed by
/// chance once in two million runs.
#[test]
fn estimates_are_those_of_the_sizes() {
    let _alone = alone(14);
    let period = f64::from(1 << 14);
    let (mut truth, mut variance, mut objects) = (0.0, 0.0, Vec::new());
    let mut random = Random(99);
    for n in 0..30_000_u64 {
        let size = 1 + (1u64 << random.below(17)) + random.below(100);
        let mut object =
            Object::new(Layout::from_size_align(size as usize, 8).unwrap(), false, n as u8).unwrap();
        if n % 5 == 0 {
            assert!(object.resize(1 + random.below(3000) as usize));
        }
        let z = object.layout.size() as f64;
        truth += z;
        let p = -(-z / period).exp_m1();
        variance += z * z * (1.0 - p) / p;
        objects.push(object);
    }
    let deviations = (ALLOC.totals().live_bytes as f64 - truth) / f64::sqrt(variance);
    assert!(deviations.abs() < 5.0, "{deviations}");
    objects.into_iter().for_each(Object::free);
    assert_eq!(ALLOC.totals().live_bytes, 0);
}
