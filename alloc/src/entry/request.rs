//! What is asked for, in full.

use crate::units::ArenaInd;

/// An allocation that is not just a size.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Bytes wanted.
    pub size: usize,
    /// Alignment, a power of two.
    pub align: usize,
    /// Whether the memory is to be zero.
    pub zero: bool,
    /// Cache that takes part.
    pub cache: Cache,
    /// Arena to take from instead of the thread's own. As in jemalloc, an object that the cache holds is taken all the same.
    pub arena: Option<ArenaInd>,
}

impl Request {
    /// A byte with no wish.
    pub const PLAIN: Request = Request { size: 1, align: 1, zero: false, cache: Cache::Own, arena: None };

    /// From the flags word of `mallocx` and its like: `aaaaaaaa aaaatttt tttttttt 0znnnnnn` (arena + 1, cache + 2, zero,
    /// log2 of the alignment).
    #[inline]
    pub fn from_flags(size: usize, flags: i32) -> Request {
        let flags = flags as u32;
        Request {
            size,
            align: 1 << (flags & 0x3f),
            zero: flags & 0x40 != 0,
            cache: match flags >> 8 & 0xfff {
                0 => Cache::Own,
                1 => Cache::Bypassed,
                id => Cache::Explicit(id - 2),
            },
            arena: (flags >> 20).checked_sub(1).map(ArenaInd),
        }
    }
}

/// Cache that takes part in an allocation or a free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// The thread's own.
    Own,
    /// None.
    Bypassed,
    /// The explicit one of this id; none when there is no such id.
    Explicit(u32),
}
