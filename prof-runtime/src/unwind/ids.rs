//! What a walk writes to: room for its frames that is not zeroed first, which would take longer than a walk of ten frames.

use core::mem::MaybeUninit;

use super::{WALK_FRAMES_MAX, Walk};

/// Ids of addresses, leaf first.
pub struct Ids {
    /// The first `filled` were written.
    room: [MaybeUninit<u32>; WALK_FRAMES_MAX],
    filled: usize,
}

impl Ids {
    /// None.
    #[inline(always)]
    pub fn new() -> Ids {
        Ids { room: [const { MaybeUninit::uninit() }; WALK_FRAMES_MAX], filled: 0 }
    }

    /// How many there are.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Appends one; `None` when it is full.
    #[inline(always)]
    pub fn push(&mut self, id: u32) -> Option<()> {
        self.room.get_mut(self.filled)?.write(id);
        self.filled += 1;
        Some(())
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Those that a walk kept.
    #[inline(always)]
    pub fn kept(&self, walk: &Walk) -> Option<&[u32]> {
        self.all().get(walk.start..walk.end)
    }

    /// All of them.
    #[inline(always)]
    pub fn all(&self) -> &[u32] {
        let written = self.room.get(..self.filled).unwrap_or(&[]);
        // SAFETY: the first `filled` were written: only `push` makes them more, by one that it has just written.
        unsafe { written.assume_init_ref() }
    }
}
