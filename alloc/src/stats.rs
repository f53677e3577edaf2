//! Statistics: sums over arenas at one moment, and the report.

use core::ffi::CStr;
use core::fmt::Write;

use crate::arena::{Arena, table};
use crate::ctl;
use crate::extent::map;
use crate::os::clock;
use crate::report::Line;
pub use crate::report::{write, write_for};
use crate::size_class::{NBINS, NSIZES, QUANTUM, class_size};
use crate::sync::{Mutex, Patience};
use crate::tables::leaf::config;
pub use crate::tables::metric::Totals;
use crate::tables::value::{Type, Value};
use crate::tables::{metric, option};
use crate::tcache::{explicit, settings};
use crate::thread::lifecycle;
use crate::units::{Ns, PAGE};

struct Snapshot {
    epoch: u64,
    totals: Totals,
}

static SNAPSHOT: Mutex<Snapshot> = Mutex::new(Snapshot { epoch: 0, totals: Totals::ZERO });

/// Usable bytes of the objects of an arena that its slabs and large extents count as taken; `None` when a lock was not
/// to be had in time.
pub fn allocated(arena: &Arena, patience: Patience) -> Option<usize> {
    let small = arena.all_bins().map(|(class, bin)| {
        let counts = bin.counts_within(patience)?;
        Some((counts.nmalloc - counts.ndalloc) as usize * class_size(class.idx()))
    });
    let small = small.sum::<Option<usize>>()?;
    Some(small + arena.large.bytes.load(core::sync::atomic::Ordering::Relaxed))
}

/// Usable bytes of the objects of an arena that lie in thread caches, explicit caches and depots; `None` when a lock was not to be had
/// in time.
pub fn cached(arena: &Arena, patience: Patience) -> Option<usize> {
    let depots = arena.depots().map(|(class, depot)| {
        depot.objects(class, patience).map(|objects| objects * class_size(class.idx()))
    });
    let explicit = explicit::cached_bytes(arena.index(), patience)?;
    Some(lifecycle::cached_bytes(arena, patience)? + depots.sum::<Option<usize>>()? + explicit)
}

/// Adds up all arenas now; `None` when a lock was not to be had in time. Changes no snapshot.
/// Cost: every bin lock of every arena, once.
pub fn gather(patience: Patience) -> Option<Totals> {
    // What describes arenas that were destroyed describes the next ones.
    let (retired_metadata, retired_resident, retired_mapped) = table::retired_metadata(patience)?;
    let mut totals = Totals {
        metadata: table::BASE.allocated() + retired_metadata,
        resident: table::BASE.resident() + retired_resident,
        mapped: table::BASE.mapped() + retired_mapped,
        ..Totals::default()
    };
    for arena in table::all() {
        let pages = arena.pages.counts_within(patience)?;
        // By what is reserved, not by what is used: a bound that purging does not change.
        let reserved = pages.active + pages.dirty + pages.muzzy + pages.retained;
        let described = map::bytes_for(reserved).next_multiple_of(PAGE);
        totals.allocated += allocated(arena, patience)?;
        totals.active += pages.active * PAGE;
        totals.metadata += arena.base.allocated() + described;
        totals.resident += arena.base.resident() + described + (pages.active + pages.dirty) * PAGE;
        totals.mapped += arena.base.mapped() + described + (pages.active + pages.dirty + pages.muzzy) * PAGE;
        totals.retained += pages.retained * PAGE;
        totals.dirty += pages.dirty * PAGE;
        totals.muzzy += pages.muzzy * PAGE;
        totals.tcache_bytes += cached(arena, patience)?;
    }
    Some(totals)
}

/// [`gather`], however long it takes to get the locks.
pub fn totals() -> Totals {
    gather(Patience::Endless).unwrap_or_default()
}

/// Takes a new snapshot and answers its number.
pub fn advance() -> u64 {
    let totals = gather(Patience::Endless);
    let mut snapshot = SNAPSHOT.lock();
    snapshot.totals = totals.unwrap_or(snapshot.totals);
    snapshot.epoch += 1;
    snapshot.epoch
}

/// Number of the last snapshot; takes the first one if there is none.
pub fn epoch() -> u64 {
    let epoch = SNAPSHOT.lock().epoch;
    if epoch == 0 { advance() } else { epoch }
}

/// The last snapshot.
pub fn snapshot() -> Totals {
    epoch();
    SNAPSHOT.lock().totals
}

/// Locks for a fork.
pub(crate) fn hold() {
    SNAPSHOT.hold();
}

/// Unlocks after a fork.
///
/// # Safety
/// As [`Mutex::unhold`].
pub(crate) unsafe fn unhold() {
    // SAFETY: by the caller's promise.
    unsafe { SNAPSHOT.unhold() }
}

/// Formats one line and hands it to `out`.
macro_rules! line {
    ($out:expr, $($format:tt)*) => {{
        let mut line = Line::new();
        // Writing to a `Line` never fails.
        let _ = writeln!(line, $($format)*);
        $out(line.as_bytes());
    }};
}

/// Parts that a report leaves out, by the letters of `malloc_stats_print`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Omit {
    /// `g`: version and options.
    pub general: bool,
    /// `a`: single arenas.
    pub arenas: bool,
    /// `b`: the bins of an arena.
    pub bins: bool,
}

impl Omit {
    /// From the letters; others are ignored.
    pub fn from_letters(letters: &[u8]) -> Omit {
        let has = |letter| letters.contains(&letter);
        Omit { general: has(b'g'), arenas: has(b'a'), bins: has(b'b') }
    }
}

/// Writes the report of `malloc_stats_print` in pieces, labels as in the reference, from a fresh snapshot.
pub fn report(omit: Omit, out: &mut dyn FnMut(&[u8])) {
    advance();
    line!(out, "___ Begin jemalloc statistics ___");
    if !omit.general {
        report_general(out);
    }
    report_totals(out);
    if !omit.arenas {
        table::all().for_each(|arena| report_arena(arena, omit, out));
    }
    line!(out, "--- End jemalloc statistics ---");
}

fn report_general(out: &mut dyn FnMut(&[u8])) {
    line!(out, "Version: \"{}\"", crate::VERSION);
    line!(out, "Build-time option settings");
    for node in config::NODES {
        report_value(out, "config", node.name(), ctl::value(node));
    }
    line!(out, "Run-time option settings");
    for node in &option::NODES {
        report_value(out, "opt", node.name(), ctl::value(node));
    }
    line!(out, "Arenas: {}", table::total());
    line!(out, "Quantum size: {QUANTUM}");
    line!(out, "Page size: {PAGE}");
    line!(out, "Maximum thread-cached size class: {}", settings::max());
    line!(out, "Number of bin size classes: {NBINS}");
    line!(out, "Number of thread-cache bin size classes: {}", settings::last().0 + 1);
    line!(out, "Number of large size classes: {}", NSIZES - NBINS);
}

fn report_value(out: &mut dyn FnMut(&[u8]), branch: &str, name: &str, value: Option<(Type, Value)>) {
    match value {
        None => {}
        Some((Type::Bool, value)) => line!(out, "  {branch}.{name}: {}", value.0 != 0),
        Some((Type::SSize | Type::I64, value)) => line!(out, "  {branch}.{name}: {}", value.0 as i64),
        Some((Type::Text, value)) => {
            // SAFETY: texts of these two branches are C strings of ours that live for ever.
            let text = unsafe { CStr::from_ptr(value.text()) }.to_bytes();
            line!(out, "  {branch}.{name}: \"{}\"", core::str::from_utf8(text).unwrap_or("?"));
        }
        Some((_, value)) => line!(out, "  {branch}.{name}: {}", value.0),
    }
}

fn report_totals(out: &mut dyn FnMut(&[u8])) {
    let totals = snapshot();
    let mut line = Line::new();
    for (i, metric) in metric::ALL.iter().enumerate() {
        let name = if i == 0 { "Allocated" } else { metric.name };
        let _ = write!(line, "{}{name}: {}", if i == 0 { "" } else { ", " }, (metric.of)(&totals));
    }
    let _ = writeln!(line);
    out(line.as_bytes());
}

fn report_arena(arena: &'static Arena, omit: Omit, out: &mut dyn FnMut(&[u8])) {
    let pages = arena.pages.counts();
    let (dirty_ms, muzzy_ms) = arena.pages.decay_ms();
    let load = |counter: &core::sync::atomic::AtomicU64| counter.load(core::sync::atomic::Ordering::Relaxed);
    line!(out, "arenas[{}]:", arena.index().0);
    line!(out, "assigned threads: {}", arena.bound_threads());
    line!(out, "uptime: {}", clock::now().since(Ns(load(&arena.born))).0);
    line!(out, "decaying:  time       npages       sweeps     madvises       purged");
    for (name, ms, npages, counts) in [
        ("dirty", dirty_ms, pages.dirty, &arena.pages.dirty_counts),
        ("muzzy", muzzy_ms, pages.muzzy, &arena.pages.muzzy_counts),
    ] {
        let (sweeps, calls, purged) = (load(&counts.npurge), load(&counts.nmadvise), load(&counts.purged));
        line!(out, "   {name}: {ms:>5} {npages:>12} {sweeps:>12} {calls:>12} {purged:>12}");
    }
    line!(out, "allocated: {:>12}", allocated(arena, Patience::Endless).unwrap_or(0));
    line!(out, "active: {:>12}", pages.active * PAGE);
    line!(out, "mapped: {:>12}", (pages.active + pages.dirty + pages.muzzy) * PAGE + arena.base.mapped());
    line!(out, "retained: {:>12}", pages.retained * PAGE);
    line!(out, "base: {:>12}", arena.base.allocated());
    line!(out, "tcache_bytes: {:>12}", cached(arena, Patience::Endless).unwrap_or(0));
    if !omit.bins {
        report_bins(arena, out);
    }
}

fn report_bins(arena: &Arena, out: &mut dyn FnMut(&[u8])) {
    line!(
        out,
        "bins:           size ind    allocated      nmalloc      ndalloc      curregs     curslabs  nonfull_slabs   util"
    );
    for (class, bin) in arena.all_bins() {
        let counts = bin.counts();
        if counts.nmalloc == 0 {
            continue;
        }
        let nonfull = bin.lock().nonfull();
        let current = counts.nmalloc - counts.ndalloc;
        let room = counts.curslabs * crate::size_class::SLABS[class.idx()].nregs as u64;
        // Three decimals without floating point, which may not run this early or late.
        let util = (current * 1000).checked_div(room).unwrap_or(1000);
        let (size, ind, slabs) = (class_size(class.idx()), class.0, counts.curslabs);
        let bytes = current as usize * size;
        line!(
            out,
            "{size:>20} {ind:>3} {bytes:>12} {:>12} {:>12} {current:>12} {slabs:>12} {nonfull:>14} {:>2}.{:03}",
            counts.nmalloc,
            counts.ndalloc,
            util / 1000,
            util % 1000
        );
    }
}

/// Writes the report to where messages go, with the parts that the letters of `malloc_stats_print` leave.
pub fn print(letters: &[u8]) {
    report(Omit::from_letters(letters), &mut |piece| write(piece));
}
