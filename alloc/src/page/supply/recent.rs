//! Runs that were freed last. They stay out of the bitmaps until something else than a request for just as many pages comes,
//! which the next one often is: then neither taking nor giving costs a look at a bitmap.

use crate::page::run::Run;
use crate::units::PAGE;

/// How many there are at most: a bound for what is to be entered into the bitmaps at once, under the lock.
const MOST: usize = 8;

/// Runs whose pages are dirty, and look used to their blocks. All-zero is none.
#[derive(Default)]
pub struct Recent {
    runs: [Run; MOST],
    len: usize,
}

impl Recent {
    /// Takes the newest run of `npages` pages whose address is a multiple of `align` pages.
    #[inline]
    pub fn take(&mut self, npages: usize, align: usize) -> Option<Run> {
        let fits = |run: &Run| run.npages == npages && (run.base.addr() / PAGE).is_multiple_of(align);
        let at = self.runs[..self.len].iter().rposition(fits)?;
        let run = self.runs[at];
        self.len -= 1;
        self.runs[at] = self.runs[self.len];
        Some(run)
    }

    /// Adds a run; `false` when there is no room.
    #[inline]
    pub fn push(&mut self, run: Run) -> bool {
        let Some(slot) = self.runs.get_mut(self.len) else { return false };
        *slot = run;
        self.len += 1;
        true
    }

    /// Takes any run.
    #[inline]
    pub fn pop(&mut self) -> Option<Run> {
        self.len = self.len.checked_sub(1)?;
        Some(self.runs[self.len])
    }
}
