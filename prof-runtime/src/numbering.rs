//! Dense numbers for ids, in the order of their first use.

use crate::memory::Rows;

/// Per id 0 for none yet, else its number plus one. Memory is touched only for ids that are met.
pub struct Numbering(Rows<u32>);

impl Numbering {
    /// For ids below `limit`; `None` when memory is out.
    pub fn new(limit: usize) -> Option<Numbering> {
        Rows::zeroed(limit).map(Numbering)
    }

    /// The number of an id, `next` when it is new, and whether it is. `None` when the id is too large.
    pub fn of(&mut self, id: u32, next: usize) -> Option<(u32, bool)> {
        let slot = self.0.get_mut(id as usize)?;
        let new = *slot == 0;
        if new {
            *slot = next as u32 + 1;
        }
        Some((*slot - 1, new))
    }

    /// The number of an id that was met.
    pub fn known(&self, id: u32) -> Option<u32> {
        self.0.get(id as usize)?.checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbered_as_they_come() {
        let mut numbers = Numbering::new(10).unwrap();
        assert_eq!(numbers.of(7, 0), Some((0, true)));
        assert_eq!(numbers.of(0, 1), Some((1, true)));
        assert_eq!(numbers.of(7, 2), Some((0, false)));
        assert_eq!((numbers.known(0), numbers.known(1), numbers.of(10, 2)), (Some(1), None, None));
    }
}
