//! Settings of the page layers of all arenas, from the options.

use core::sync::atomic::*;

use super::advice::{self, Thp};
use super::bits::BLOCK;
use crate::relaxed::Relaxed;
use crate::size_class::LARGE_MAX;
use crate::units::PAGE;

/// `opt.dss`, `arena.<i>.dss`: what `sbrk(2)` is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Dss {
    /// Nothing.
    Disabled,
    /// Address space, before `mmap(2)`.
    Primary,
    /// Address space, when `mmap(2)` has none.
    Secondary,
}

impl Dss {
    /// All, in the order of their numbers.
    pub const ALL: [Dss; 3] = [Dss::Disabled, Dss::Primary, Dss::Secondary];

    pub(super) fn from_bits(bits: u8) -> Dss {
        Dss::ALL.get(bits as usize).copied().unwrap_or(Dss::Disabled)
    }

    /// As options and `arena.<i>.dss` spell it.
    pub const fn name(self) -> &'static core::ffi::CStr {
        match self {
            Dss::Disabled => c"disabled",
            Dss::Primary => c"primary",
            Dss::Secondary => c"secondary",
        }
    }
}

/// Settings of all page layers.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// `opt.retain`: address space is kept when it is not used.
    pub retain: bool,
    /// `opt.dss`.
    pub dss: Dss,
    /// `opt.thp`.
    pub thp: Thp,
    /// `opt.oversize_threshold`: bytes from which a free extent is purged at once; 0 for never.
    pub oversize_threshold: usize,
    /// `opt.lg_extent_max_active_fit`: log2 of how many times larger than a request the dirty extent may be that serves it.
    pub lg_extent_max_active_fit: usize,
    /// `lg_chunk`: log2 of the bytes that address space grows by at least.
    pub lg_chunk: u32,
    /// `opt.process_madvise_max_batch`.
    pub process_madvise_max_batch: usize,
    /// `opt.trust_madvise`.
    pub trust_madvise: bool,
    /// `calloc_madvise_threshold`: bytes from which the kernel provides zeros.
    pub calloc_threshold: usize,
}

impl Settings {
    /// The reference's defaults.
    pub const DEFAULT: Settings = Settings {
        retain: true,
        dss: Dss::Secondary,
        thp: Thp::Default,
        oversize_threshold: 8 << 20,
        lg_extent_max_active_fit: 6,
        lg_chunk: BLOCK.ilog2(),
        process_madvise_max_batch: 0,
        trust_madvise: false,
        calloc_threshold: 8 << 20,
    };
}

static RETAIN: AtomicBool = AtomicBool::new(Settings::DEFAULT.retain);
static DSS: AtomicU8 = AtomicU8::new(Settings::DEFAULT.dss as u8);
static OVERSIZE: AtomicUsize = AtomicUsize::new(Settings::DEFAULT.oversize_threshold);
static LG_FIT: AtomicUsize = AtomicUsize::new(Settings::DEFAULT.lg_extent_max_active_fit);
static LG_CHUNK: AtomicU32 = AtomicU32::new(Settings::DEFAULT.lg_chunk);
static CALLOC_THRESHOLD: AtomicUsize = AtomicUsize::new(Settings::DEFAULT.calloc_threshold);

/// Sets everything; called once, before the first page is taken.
pub fn configure(settings: Settings) {
    RETAIN.set(settings.retain);
    DSS.set(settings.dss as u8);
    OVERSIZE.set(settings.oversize_threshold);
    LG_FIT.set(settings.lg_extent_max_active_fit);
    LG_CHUNK.set(settings.lg_chunk);
    CALLOC_THRESHOLD.set(settings.calloc_threshold);
    advice::configure(settings.trust_madvise, settings.process_madvise_max_batch, settings.thp);
}

/// `opt.retain`.
pub fn retain() -> bool {
    RETAIN.get()
}

/// `dss` of arenas for which none was set.
pub fn dss() -> Dss {
    Dss::from_bits(DSS.get())
}

/// Sets [`dss`] (`arena.4096.dss`).
pub fn set_dss(dss: Dss) {
    DSS.set(dss as u8);
}

/// Bytes from which dirty pages side by side are purged at once: `opt.oversize_threshold`; more than there can be when that is 0.
pub fn oversize_threshold() -> usize {
    match OVERSIZE.get() {
        0 => LARGE_MAX + PAGE,
        bytes => bytes,
    }
}

/// `calloc_madvise_threshold`.
pub fn calloc_threshold() -> usize {
    CALLOC_THRESHOLD.get()
}

/// `opt.lg_extent_max_active_fit`.
pub fn lg_fit() -> u32 {
    LG_FIT.get().min(63) as u32
}

/// Step by which address space grows at least, in bytes: `lg_chunk`, but a block or more, and 1 GiB at most: every
/// block of it is described at once.
pub fn chunk() -> usize {
    1 << LG_CHUNK.get().clamp(BLOCK.ilog2(), 30)
}
