//! The states of pages, and how many pages are in each.

/// State of free pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Free {
    /// Stale contents.
    Dirty,
    /// The kernel may take them.
    Muzzy,
    /// Zero.
    Retained,
}

impl Free {
    /// All, in the order of their numbers.
    pub const ALL: [Free; 3] = [Free::Dirty, Free::Muzzy, Free::Retained];
}

/// Pages by state. `retained` costs address space only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageCounts {
    /// In extents.
    pub active: usize,
    /// Free, stale contents.
    pub dirty: usize,
    /// Free, `MADV_FREE`d.
    pub muzzy: usize,
    /// Free, not backed.
    pub retained: usize,
    /// Inaccessible, on either side of extents.
    pub guards: usize,
}

impl PageCounts {
    /// All that have addresses.
    pub fn reserved(&self) -> usize {
        self.mapped() + self.retained
    }

    /// All that may cost memory.
    pub fn mapped(&self) -> usize {
        self.active + self.dirty + self.muzzy + self.guards
    }
}
