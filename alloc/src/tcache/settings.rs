//! What the options make of the thread caches of the process. Set once, before the first thread starts; the defaults
//! need no setting.

use core::sync::atomic::*;

use super::geometry::{CAPACITY_MAX, slots};
use super::ranges;
use crate::relaxed::Relaxed;
use crate::size_class::{NBINS, NCACHED, NCACHED_MAX, SLABS, TCACHE_LIMIT, TCACHE_MAX, class_size, index_of};
use crate::units::SzInd;

/// The options, with the defaults of the reference.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Whether threads cache (`tcache`).
    pub caching: bool,
    /// Largest request that threads cache (`tcache_max`).
    pub max: usize,
    /// Objects per small class, at least (`tcache_nslots_small_min`).
    pub small_min: u32,
    /// Objects per small class, at most (`tcache_nslots_small_max`).
    pub small_max: u32,
    /// Objects per large class (`tcache_nslots_large`).
    pub large: u32,
    /// Log2 of the number of slabs that a small class holds, within those bounds (`lg_tcache_nslots_mul`).
    pub lg_mul: i32,
    /// Sizes and numbers of objects, as [`ranges`] reads them (`tcache_ncached_max`).
    pub ncached_max: &'a [u8],
    /// Bytes between two collection steps (`tcache_gc_incr_bytes`).
    pub gc_bytes: u64,
    /// Requests between two collection steps, instead of bytes; 0 for bytes (`tcache_gc_interval`).
    pub gc_requests: u64,
    /// Bytes of a small class that collections leave alone at first (`tcache_gc_delay_bytes`).
    pub gc_delay: usize,
    /// Log2 of the share of a small bin that leaves it when it is full (`lg_tcache_flush_small_div`).
    pub flush_small: u32,
    /// The same for large ones (`lg_tcache_flush_large_div`).
    pub flush_large: u32,
    /// Whether bins grow and shrink as needed, instead of having their full size always (`experimental_tcache_gc`).
    pub adaptive: bool,
}

impl Options<'_> {
    /// All defaults.
    pub const DEFAULT: Options<'static> = Options {
        caching: true,
        max: TCACHE_MAX,
        small_min: 20,
        small_max: 200,
        large: 20,
        lg_mul: 1,
        ncached_max: b"",
        gc_bytes: 64 << 10,
        gc_requests: 0,
        gc_delay: 0,
        flush_small: 1,
        flush_large: 1,
        adaptive: true,
    };
}

static CACHING: AtomicBool = AtomicBool::new(true);
/// The last class that threads cache.
static LAST: AtomicU8 = AtomicU8::new(NCACHED as u8 - 1);
/// Most objects of each class, whether or not it is cached.
static LIMITS: [AtomicU16; NCACHED_MAX] = {
    let mut limits = [const { AtomicU16::new(0) }; NCACHED_MAX];
    let mut class = 0;
    while class < NCACHED_MAX {
        limits[class] = AtomicU16::new(slots(SzInd(class as u8)) as u16);
        class += 1;
    }
    limits
};
static EACH_CALL: AtomicBool = AtomicBool::new(false);
static ADAPTIVE: AtomicBool = AtomicBool::new(true);
static FLUSH: [AtomicU8; 2] = [AtomicU8::new(1), AtomicU8::new(1)];
static DELAY: AtomicUsize = AtomicUsize::new(0);
/// Whether collection has a pace of its own; otherwise it goes with decay, every 64 KiB.
static PACED: AtomicBool = AtomicBool::new(false);
static GC_BYTES: AtomicU64 = AtomicU64::new(Options::DEFAULT.gc_bytes);
static GC_REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Sets everything; of `ncached_max` as much as can be read.
pub fn configure(options: &Options) {
    CACHING.set(options.caching);
    LAST.set(last_of(options.max).0);
    for (class, limit) in LIMITS.iter().enumerate() {
        limit.set(limit_of(SzInd(class as u8), options));
    }
    ADAPTIVE.set(options.adaptive);
    FLUSH[0].set(options.flush_small.min(16) as u8);
    FLUSH[1].set(options.flush_large.min(16) as u8);
    DELAY.set(options.gc_delay);
    GC_BYTES.set(options.gc_bytes.max(1));
    GC_REQUESTS.set(options.gc_requests);
    PACED.set(options.gc_bytes != Options::DEFAULT.gc_bytes || options.gc_requests != 0);
    ranges::read(options.ncached_max, |class, n| LIMITS[class.idx()].set(n));
}

/// The last class that a thread caches which caches requests of up to `max` bytes: the one that serves them.
pub fn last_of(max: usize) -> SzInd {
    index_of(max.min(TCACHE_LIMIT))
}

/// Most objects that the bin of a class holds. As long as the options that bound them have their defaults, bins have
/// the sizes of `geometry`; any other value gives the sizes of the reference.
fn limit_of(class: SzInd, options: &Options) -> u16 {
    let default = Options::DEFAULT;
    if class.idx() >= NBINS {
        let ours = options.large == default.large;
        return if ours { slots(class) as u16 } else { options.large.clamp(1, CAPACITY_MAX as u32) as u16 };
    }
    if (options.small_min, options.small_max, options.lg_mul)
        == (default.small_min, default.small_max, default.lg_mul)
    {
        return slots(class) as u16;
    }
    let even_max = options.small_max.clamp(2, CAPACITY_MAX as u32) & !1;
    let even_min = options.small_min.max(2).next_multiple_of(2).min(even_max);
    let regions = SLABS[class.idx()].nregs;
    let by_slab = match options.lg_mul {
        lg @ ..0 => regions >> lg.unsigned_abs().min(31),
        lg => regions << lg.min(16),
    };
    by_slab.next_multiple_of(2).clamp(even_min, even_max) as u16
}

/// Whether every allocation takes the slow path, so that new memory can be filled there.
pub fn each_call() -> bool {
    EACH_CALL.get()
}

/// Sets that.
pub fn watch_each_call(on: bool) {
    EACH_CALL.set(on);
}

/// Whether threads that start cache.
pub fn caching() -> bool {
    CACHING.get()
}

/// The last class that threads cache.
pub fn last() -> SzInd {
    SzInd(LAST.get())
}

/// Largest size that threads cache (`arenas.tcache_max`).
pub fn max() -> usize {
    class_size(last().idx())
}

/// Most objects that the bin of a class holds in a thread that caches the class.
pub fn limit(class: SzInd) -> u16 {
    LIMITS[class.idx()].get()
}

/// Whether bins grow and shrink as needed.
pub fn adaptive() -> bool {
    ADAPTIVE.get()
}

/// Log2 of the share of a full bin that leaves it.
pub fn flush_div(class: SzInd) -> u32 {
    FLUSH[(class.idx() >= NBINS) as usize].get() as u32
}

/// Objects of a class that collections leave alone at first.
pub fn gc_delay(class: SzInd) -> u16 {
    match DELAY.get() {
        delay if delay != 0 && class.idx() < NBINS => {
            (delay / class_size(class.idx())).min(u8::MAX as usize) as u16
        }
        _ => 0,
    }
}

/// The pace of collection: `None` for a step with each of decay's.
pub fn pace() -> Option<Pace> {
    PACED.get().then(|| match GC_REQUESTS.get() {
        0 => Pace::Bytes(GC_BYTES.get()),
        n => Pace::Requests(n),
    })
}

/// How often a collection step is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Every so many bytes.
    Bytes(u64),
    /// Every so many requests.
    Requests(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_leave_the_geometry_alone() {
        for class in (0..NCACHED_MAX as u8).map(SzInd) {
            assert_eq!(limit_of(class, &Options::DEFAULT) as usize, slots(class));
            assert_eq!(limit(class) as usize, slots(class));
        }
        assert_eq!((last().idx(), max()), (NCACHED - 1, TCACHE_MAX));
        assert_eq!(pace(), None);
    }

    #[test]
    fn other_bounds_give_the_reference_s_sizes() {
        let d = Options::DEFAULT;
        let small = |options: Options, class: u8| limit_of(SzInd(class), &options);
        // 512 regions of 8 bytes, 256 of 16, 2 of 14 KiB.
        assert_eq!(small(Options { small_max: 100, ..d }, 0), 100);
        assert_eq!(small(Options { small_max: 101, ..d }, 0), 100);
        assert_eq!(small(Options { small_min: 7, ..d }, 35), 8);
        assert_eq!(small(Options { lg_mul: -2, ..d }, 0), 128);
        assert_eq!(small(Options { lg_mul: -16, ..d }, 0), 20);
        assert_eq!(small(Options { small_min: 2048, small_max: 30, ..d }, 7), 30);
        assert_eq!(limit_of(SzInd(40), &Options { large: 3, ..d }), 3);
        assert_eq!(limit_of(SzInd(0), &Options { large: 3, ..d }) as usize, slots(SzInd(0)));
    }

    #[test]
    fn the_last_class_is_the_one_that_serves_the_largest_request() {
        assert_eq!(
            [0, 8, 9, 64, 65, 32768, 32769, usize::MAX].map(|max| last_of(max).0),
            [0, 0, 1, 4, 5, 40, 41, 72]
        );
    }
}
