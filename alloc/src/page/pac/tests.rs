//! The supply against hooks that keep their own account of what exists, and refuse at random.

extern crate std;

use core::ffi::{c_uint, c_void};
use core::ptr::{NonNull, null_mut};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::vec::Vec;

use super::{Mode, Pac};
use crate::base::Base;
use crate::os::pages;
use crate::page::growth::Growth;
use crate::page::hooks::ExtentHooks;
use crate::page::purge::Step;
use crate::page::state::PageCounts;
use crate::sync::Patience;
use crate::units::PAGE;

/// What the hooks' owner knows: extents by address with their lengths, and how often each hook was called.
#[derive(Default)]
struct Owner {
    extents: BTreeMap<usize, usize>,
    calls: BTreeMap<&'static str, usize>,
    /// Refuses a call of a name if it says so.
    refuses: Option<fn(&str, usize) -> bool>,
    /// Whether memory comes uncommitted.
    bare: bool,
}

std::thread_local! {
    static OWNER: RefCell<Owner> = RefCell::default();
}

impl Owner {
    fn called(&mut self, name: &'static str) -> bool {
        let n = self.calls.entry(name).or_default();
        *n += 1;
        let n = *n;
        self.refuses.is_some_and(|refuses| refuses(name, n))
    }

    #[track_caller]
    fn exists(&self, at: *mut c_void, size: usize) {
        assert_eq!(self.extents.get(&at.addr()), Some(&size), "an extent of which its owner knows nothing");
    }
}

fn owner<R>(f: impl FnOnce(&mut Owner) -> R) -> R {
    OWNER.with(|owner| f(&mut owner.borrow_mut()))
}

type Table = *mut ExtentHooks;

unsafe extern "C" fn alloc(
    _: Table,
    wanted: *mut c_void,
    size: usize,
    align: usize,
    zero: *mut bool,
    commit: *mut bool,
    arena: c_uint,
) -> *mut c_void {
    assert_eq!(arena, 7);
    assert!(size.is_multiple_of(PAGE) && align.is_power_of_two());
    owner(|owner| {
        if owner.called("alloc") {
            return null_mut();
        }
        let got = match NonNull::new(wanted.cast::<u8>()) {
            Some(wanted) => pages::reserve_at(wanted.as_ptr(), size),
            None => pages::reserve_aligned(size, align.max(PAGE)),
        };
        let Some(at) = got else { return null_mut() };
        // SAFETY: both flags are valid places.
        unsafe {
            *zero = true;
            // Committing is mandatory when it is asked for.
            *commit |= !owner.bare;
        }
        owner.extents.insert(at.as_ptr().addr(), size);
        at.as_ptr().cast()
    })
}

unsafe extern "C" fn dalloc(_: Table, at: *mut c_void, size: usize, _: bool, _: c_uint) -> bool {
    owner(|owner| {
        owner.exists(at, size);
        let refused = owner.called("dalloc");
        if !refused {
            owner.extents.remove(&at.addr());
            // SAFETY: the extent came from `alloc`.
            unsafe { pages::release(at.cast(), size) };
        }
        refused
    })
}

unsafe extern "C" fn destroy(_: Table, at: *mut c_void, size: usize, _: bool, _: c_uint) {
    owner(|owner| {
        owner.exists(at, size);
        owner.called("destroy");
        owner.extents.remove(&at.addr());
        // SAFETY: the extent came from `alloc`.
        unsafe { pages::release(at.cast(), size) };
    });
}

fn range(name: &'static str, at: *mut c_void, size: usize, offset: usize, length: usize) -> bool {
    owner(|owner| {
        owner.exists(at, size);
        assert_eq!((offset, length), (0, size));
        owner.called(name)
    })
}

unsafe extern "C" fn commit(
    _: Table,
    at: *mut c_void,
    size: usize,
    offset: usize,
    length: usize,
    _: c_uint,
) -> bool {
    range("commit", at, size, offset, length)
}

unsafe extern "C" fn decommit(
    _: Table,
    at: *mut c_void,
    size: usize,
    offset: usize,
    length: usize,
    _: c_uint,
) -> bool {
    // SAFETY: the extent is there, and its contents are no longer wanted.
    range("decommit", at, size, offset, length) || unsafe { !pages::purge_forced(at.cast(), size) }
}

unsafe extern "C" fn lazy(
    _: Table,
    at: *mut c_void,
    size: usize,
    offset: usize,
    length: usize,
    _: c_uint,
) -> bool {
    range("purge_lazy", at, size, offset, length)
}

unsafe extern "C" fn forced(
    _: Table,
    at: *mut c_void,
    size: usize,
    offset: usize,
    length: usize,
    _: c_uint,
) -> bool {
    // SAFETY: as in `decommit`.
    range("purge_forced", at, size, offset, length) || unsafe { !pages::purge_forced(at.cast(), size) }
}

unsafe extern "C" fn split(
    _: Table,
    at: *mut c_void,
    size: usize,
    a: usize,
    b: usize,
    _: bool,
    _: c_uint,
) -> bool {
    owner(|owner| {
        owner.exists(at, size);
        assert_eq!(a + b, size);
        let refused = owner.called("split");
        if !refused {
            owner.extents.insert(at.addr(), a);
            owner.extents.insert(at.addr() + a, b);
        }
        refused
    })
}

unsafe extern "C" fn merge(
    _: Table,
    a: *mut c_void,
    size_a: usize,
    b: *mut c_void,
    size_b: usize,
    _: bool,
    _: c_uint,
) -> bool {
    owner(|owner| {
        owner.exists(a, size_a);
        owner.exists(b, size_b);
        assert_eq!(a.addr() + size_a, b.addr());
        let refused = owner.called("merge");
        if !refused {
            owner.extents.remove(&b.addr());
            owner.extents.insert(a.addr(), size_a + size_b);
        }
        refused
    })
}

const ALL: ExtentHooks = ExtentHooks {
    alloc: Some(alloc),
    dalloc: Some(dalloc),
    destroy: Some(destroy),
    commit: Some(commit),
    decommit: Some(decommit),
    purge_lazy: Some(lazy),
    purge_forced: Some(forced),
    split: Some(split),
    merge: Some(merge),
};

/// A supply with these hooks, and the account of their owner begun anew.
fn supply(hooks: ExtentHooks, refuses: Option<fn(&str, usize) -> bool>) -> (&'static Pac, &'static Base) {
    owner(|owner| *owner = Owner { refuses, ..Owner::default() });
    let base = std::boxed::Box::leak(std::boxed::Box::new(Base::default()));
    let table = std::boxed::Box::leak(std::boxed::Box::new(hooks));
    let pac: &'static Pac = base.make().unwrap();
    pac.start(NonNull::from(table), 7, Growth::default());
    (pac, base)
}

const CALM: Mode = Mode { oversize: usize::MAX, muzzy: true };

fn counts(pac: &Pac) -> PageCounts {
    pac.counts(Patience::Endless).unwrap()
}

fn calls(name: &str) -> usize {
    owner(|owner| owner.calls.get(name).copied().unwrap_or(0))
}

/// Random work; afterwards everything is freed, purged and destroyed.
fn churn(pac: &'static Pac, base: &Base, seed: u64, rounds: usize) {
    let mut live: Vec<(usize, usize)> = Vec::new();
    let mut x = seed;
    let mut next = move |n: u64| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (x % n) as usize
    };
    let pointer = |at: usize| core::ptr::with_exposed_provenance_mut::<u8>(at);
    for _ in 0..rounds {
        match next(10) {
            0..=3 => {
                let lg = next(11) as u64;
                let npages = 1 + next(1 << lg);
                let align = if next(4) == 0 { 1 << next(9) } else { 1 };
                let Some(taken) = pac.take(npages, align, CALM, base) else { continue };
                let at = taken.base.expose_provenance();
                assert!(at.is_multiple_of(align * PAGE));
                assert!(live.iter().all(|&(other, n)| at + npages * PAGE <= other || other + n * PAGE <= at));
                let words = [0, npages / 2, npages - 1].map(|page| pointer(at + page * PAGE).cast::<u64>());
                // SAFETY: the pages were just taken.
                unsafe {
                    words.iter().for_each(|word| assert!(!taken.zeroed || **word == 0));
                    words.iter().for_each(|word| **word = 7);
                }
                live.push((at, npages));
            }
            4..=6 if !live.is_empty() => {
                let (at, npages) = live.swap_remove(next(live.len() as u64));
                let mode = Mode { oversize: if next(2) == 0 { 512 * PAGE } else { usize::MAX }, ..CALM };
                pac.give(pointer(at), npages, mode, base);
            }
            7 if !live.is_empty() => {
                let which = next(live.len() as u64);
                let (at, npages) = live[which];
                if npages > 1 && next(2) == 0 {
                    let keep = 1 + next(npages as u64 - 1);
                    if pac.shrink(pointer(at), npages, keep, CALM, base, || ()).is_some() {
                        live[which].1 = keep;
                    }
                } else {
                    let extra = 1 + next(40);
                    if let Some(zeroed) = pac.extend(pointer(at), npages, extra, base) {
                        let word = pointer(at + npages * PAGE).cast::<u64>();
                        // SAFETY: the page was just added.
                        assert!(!zeroed || unsafe { *word } == 0);
                        live[which].1 = npages + extra;
                    }
                }
            }
            8 => {
                let steps = [Step::DirtyToMuzzy, Step::MuzzyToRetained, Step::DirtyToRetained];
                pac.purge(steps[next(3)], next(300));
            }
            _ => {}
        }
        let sum = counts(pac);
        assert_eq!(sum.active, live.iter().map(|(_, n)| n).sum::<usize>());
        let owned = owner(|owner| owner.extents.values().sum::<usize>()) / PAGE;
        assert_eq!(sum.active + sum.dirty + sum.muzzy + sum.retained + pac.abandoned() / PAGE, owned);
    }
    for (at, npages) in live {
        pac.give(pointer(at), npages, CALM, base);
    }
    pac.purge(Step::DirtyToRetained, 0);
    pac.purge(Step::MuzzyToRetained, 0);
    pac.destroy();
    assert_eq!(counts(pac), PageCounts::default());
    let left: usize = owner(|owner| owner.extents.values().sum());
    assert_eq!(left, pac.abandoned());
}

#[test]
fn willing_hooks_are_told_of_exactly_the_extents_that_exist() {
    for seed in 1..6 {
        let (pac, base) = supply(ALL, None);
        churn(pac, base, seed * 7919, 1500);
        assert_eq!(pac.abandoned(), 0);
        for name in ["alloc", "dalloc", "split", "merge"] {
            assert!(calls(name) > 0, "{name}");
        }
    }
}

#[test]
fn hooks_that_keep_everything_see_it_retained_and_destroyed() {
    for seed in 1..6 {
        let (pac, base) = supply(ALL, Some(|name, _| matches!(name, "dalloc" | "decommit")));
        churn(pac, base, seed * 104_729, 1500);
        for name in ["purge_forced", "purge_lazy", "destroy"] {
            assert!(calls(name) > 0, "{name}");
        }
    }
}

#[test]
fn hooks_that_refuse_now_and_then_lose_no_page_unseen() {
    fn moody(name: &str, call: usize) -> bool {
        (call * 2_654_435_761 + name.len() * 40_503) >> 7 & 3 == 0
    }
    for seed in 1..10 {
        let (pac, base) = supply(ALL, Some(moody));
        owner(|owner| owner.bare = seed % 2 == 0);
        churn(pac, base, seed * 15_485_863, 1500);
    }
}

#[test]
fn hooks_that_are_null_refuse() {
    let bare = ExtentHooks {
        dalloc: None,
        destroy: None,
        commit: None,
        decommit: None,
        purge_lazy: None,
        purge_forced: None,
        split: None,
        merge: None,
        ..ALL
    };
    let (pac, base) = supply(bare, None);
    let first = pac.take(8, 1, CALM, base).unwrap();
    // Nothing can be cut, so what the series gives is lost, and then just what is needed is asked for.
    assert_eq!(calls("alloc"), 2);
    assert!(pac.shrink(first.base, 8, 4, CALM, base, || ()).is_none());
    assert!(pac.extend(first.base, 8, 1, base).is_none());
    pac.give(first.base, 8, CALM, base);
    pac.purge(Step::DirtyToRetained, 0);
    assert_eq!(counts(pac).retained, 8);
    let again = pac.take(8, 1, CALM, base).unwrap();
    assert_eq!(again.base, first.base);
    assert!(!again.zeroed);
}

#[test]
fn a_request_goes_to_dirty_then_muzzy_then_retained_extents_and_then_to_the_hooks() {
    let (pac, base) = supply(ALL, Some(|name, _| matches!(name, "dalloc" | "decommit")));
    // A class each, so that nothing is taken beyond the request; kept apart by pages in use.
    let take = |npages| pac.take(npages, 1, CALM, base).unwrap().base;
    let (muzzy, _a, retained, _b, dirty, _c) = (take(16), take(1), take(16), take(1), take(16), take(1));
    let give = |at, step: Option<Step>| {
        pac.give(at, 16, CALM, base);
        step.map(|step| pac.purge(step, 0))
    };
    give(retained, Some(Step::DirtyToRetained));
    give(muzzy, Some(Step::DirtyToMuzzy));
    give(dirty, None);
    let allocs = calls("alloc");
    assert_eq!([take(16), take(16), take(16)], [dirty, muzzy, retained]);
    assert_eq!(calls("alloc"), allocs);
}

#[test]
fn the_oldest_extent_is_taken_and_never_one_many_times_too_large() {
    let (pac, base) = supply(ALL, Some(|name, _| matches!(name, "dalloc" | "decommit")));
    let take = |npages| pac.take(npages, 1, CALM, base).unwrap().base;
    let (old, _a, new, _b, large, _c) = (take(32), take(1), take(16), take(1), take(448), take(1));
    for (at, npages) in [(large, 448), (new, 16), (old, 32)] {
        pac.give(at, npages, CALM, base);
    }
    // Both came from one extent of the hooks and are of one age: the lower one, though larger.
    assert_eq!(take(16), old);
    assert_eq!(take(16), old.wrapping_add(16 * PAGE));
    assert_eq!(take(16), new);
    // 448 is more than 64 times 6, and what is retained behind everything is taken instead.
    let small = take(6);
    assert!(small < large || small >= large.wrapping_add(448 * PAGE));
    assert_eq!(take(7), large);
}

#[test]
fn a_dirty_extent_of_the_oversize_threshold_is_given_back_at_once() {
    let (pac, base) = supply(ALL, None);
    let eager = Mode { oversize: 64 * PAGE, ..CALM };
    let at = pac.take(64, 1, CALM, base).unwrap().base;
    let _end = pac.take(1, 1, CALM, base);
    let second = at.wrapping_add(32 * PAGE);
    assert!(pac.shrink(at, 64, 32, eager, base, || ()).is_some());
    assert_eq!(counts(pac).dirty, 32);
    // Joined with its dirty neighbour it is long enough.
    assert_eq!(pac.give(at, 32, eager, base), 64);
    assert_eq!((counts(pac).dirty, calls("dalloc")), (0, 1));
    assert!(!owner(|owner| owner.extents.contains_key(&second.addr())));
}

#[test]
fn extents_taken_over_in_bulk_can_be_freed_one_by_one() {
    let (pac, base) = supply(ALL, None);
    let at = pages::reserve(100 * PAGE).unwrap().as_ptr();
    owner(|owner| owner.extents.insert(at.addr(), 100 * PAGE));
    assert!(pac.adopt(at, 100, None, true, base));
    let part = |page: usize| at.wrapping_add(page * PAGE);
    owner(|owner| {
        owner.extents.clear();
        for (page, npages) in [(0, 10), (10, 20), (30, 70)] {
            owner.extents.insert(part(page).addr(), npages * PAGE);
        }
    });
    pac.give(part(10), 20, CALM, base);
    assert_eq!((counts(pac).active, counts(pac).dirty), (80, 20));
    assert_eq!(pac.extend(part(0), 10, 5, base), Some(false));
    assert_eq!((counts(pac).active, counts(pac).dirty), (85, 15));
    pac.give(part(30), 70, CALM, base);
    pac.give(part(0), 15, CALM, base);
    assert_eq!((counts(pac).active, counts(pac).dirty), (0, 100));
}
