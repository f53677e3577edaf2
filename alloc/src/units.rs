//! Numbers with a unit: size-class index, arena index, pages, nanoseconds.

/// Log2 of the page size that the allocator works in.
pub const LG_PAGE: u32 = 12;
/// Page size in bytes. The host's page size must divide into it (checked at start).
pub const PAGE: usize = 1 << LG_PAGE;

/// Index of a size class: 0..36 are small (slab) classes, 36..232 large ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SzInd(pub u8);

impl SzInd {
    /// As an array index.
    pub const fn idx(self) -> usize {
        self.0 as usize
    }
}

/// Most arenas: an index fits the 12 bits that `MALLOCX_ARENA` has for it.
pub const ARENAS_MAX: u32 = 4095;

/// Index of an arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArenaInd(pub u32);

/// A number of pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pages(pub usize);

/// Smallest number of pages that holds `bytes`. `bytes` is at most the largest class.
pub const fn pages_ceil(bytes: usize) -> Pages {
    Pages(bytes.div_ceil(PAGE))
}

/// A point on the monotonic clock, or a span, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ns(pub u64);

impl Ns {
    /// From whole milliseconds; saturates.
    pub const fn from_ms(ms: u64) -> Ns {
        Ns(ms.saturating_mul(1_000_000))
    }

    /// Time since `earlier`, zero when that lies in the future.
    pub const fn since(self, earlier: Ns) -> Ns {
        Ns(self.0.saturating_sub(earlier.0))
    }
}
