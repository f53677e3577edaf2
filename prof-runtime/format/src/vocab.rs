//! The words that writers and readers share: counts, tallies, build ids, formats.

/// Objects and bytes as exact integers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Number of objects.
    pub objs: u64,
    /// Usable bytes (size class), not requested bytes.
    pub bytes: u64,
}

/// What the sampler knows of a set of sampled objects: how many it holds, and what they stand for.
///
/// With `R` the mean sampling distance and `p(z) = 1 - exp(-z/R)`, each sampled object of usable size `z` adds
/// 1 and `z` to `sampled`, and `1/p(z)` and `z/p(z)` to the estimate (Horvitz-Thompson, unbiased per object).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Raw counts of sampled objects.
    pub sampled: Counts,
    /// Estimated objects in 1/65536ths: adding and removing an object cancel exactly, and a weight
    /// near 1 (an object larger than the sampling distance) still keeps four digits.
    pub est_objs_q16: u64,
    /// Estimated bytes.
    pub est_bytes: u64,
}

impl Tally {
    /// Whether nothing was sampled.
    pub fn is_empty(&self) -> bool {
        self.sampled.objs == 0
    }

    /// Sum of two disjoint sets. Wraps like the counters it adds up: accumulated ones only grow.
    pub fn plus(self, other: Tally) -> Tally {
        Tally {
            sampled: Counts {
                objs: self.sampled.objs.wrapping_add(other.sampled.objs),
                bytes: self.sampled.bytes.wrapping_add(other.sampled.bytes),
            },
            est_objs_q16: self.est_objs_q16.wrapping_add(other.est_objs_q16),
            est_bytes: self.est_bytes.wrapping_add(other.est_bytes),
        }
    }

    /// What is left of a set without some of its objects; nothing where that would be less.
    pub fn less(self, other: Tally) -> Tally {
        let objs = self.sampled.objs.saturating_sub(other.sampled.objs);
        if objs == 0 {
            return Tally::default();
        }
        Tally {
            sampled: Counts { objs, bytes: self.sampled.bytes.saturating_sub(other.sampled.bytes) },
            est_objs_q16: self.est_objs_q16.saturating_sub(other.est_objs_q16),
            est_bytes: self.est_bytes.saturating_sub(other.est_bytes),
        }
    }

    /// Estimated objects as a number.
    pub fn est_objs(&self) -> f64 {
        self.est_objs_q16 as f64 / 65536.0
    }
}

/// Un-sampled figures. Floating point, as jeprof keeps them: scaled per stack, rounded only for printing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figure {
    /// Estimated objects.
    pub objs: f64,
    /// Estimated usable bytes.
    pub bytes: f64,
}

/// An ELF build id, at most 32 bytes (SHA-1 ids have 20).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BuildId {
    bytes: [u8; 32],
    len: u8,
}

impl BuildId {
    /// The id from its note; longer ones are cut at 32 bytes.
    pub fn new(id: &[u8]) -> BuildId {
        let len = id.len().min(32);
        let mut bytes = [0; 32];
        bytes[..len].copy_from_slice(&id[..len]);
        BuildId { bytes, len: len as u8 }
    }

    /// From lower or upper case hex; `None` when a digit is not hex, or the number of digits is odd or zero.
    pub fn from_hex(hex: &[u8]) -> Option<BuildId> {
        if hex.is_empty() || !hex.len().is_multiple_of(2) || hex.len() > 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            let digit = |d: u8| (d as char).to_digit(16);
            *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
        }
        Some(BuildId { bytes, len: (hex.len() / 2) as u8 })
    }

    /// The id's bytes; empty when there is none.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len as usize]
    }

    /// Whether there is no id.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl core::fmt::Display for BuildId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.as_bytes().iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl core::fmt::Debug for BuildId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "BuildId({self})")
    }
}

/// The formats that this crate writes and reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// gperftools' `heap profile:` with `@ heap_v2/R`.
    Text,
    /// jemalloc's native `heap_v2/R`.
    HeapV2,
    /// profile.proto, uncompressed.
    Pprof,
}

impl Format {
    /// Every format, in the order in which options list them.
    pub const ALL: [Format; 3] = [Format::Text, Format::HeapV2, Format::Pprof];

    /// The name in `prof_dump_format`.
    pub fn name(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::HeapV2 => "heap_v2",
            Format::Pprof => "pprof",
        }
    }
}
