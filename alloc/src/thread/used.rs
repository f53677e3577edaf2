//! Which classes a thread has used: most use few, and end soon after.

use super::block::Block;
use crate::relaxed::Relaxed;
use crate::size_class::NCACHED_MAX;
use crate::units::SzInd;

/// Classes of one thread.
#[derive(Clone, Copy, Debug)]
pub struct Used([u64; WORDS]);

const WORDS: usize = NCACHED_MAX.div_ceil(64);

impl Used {
    /// Those of which something was asked for, cached or freed since the block was made new.
    pub fn by(block: &Block) -> Used {
        let mut words = [0; WORDS];
        for (class, (bin, side)) in block.bins_and_sides().enumerate() {
            let is_used = side.armed.get() | !bin.is_empty() | (side.moved.get() != 0);
            words[class / 64] |= u64::from(is_used) << (class % 64);
        }
        Used(words)
    }

    /// In ascending order.
    pub fn classes(self) -> impl Iterator<Item = SzInd> {
        let of_word = |(at, mut rest): (usize, u64)| {
            core::iter::from_fn(move || {
                let class = (rest != 0).then(|| SzInd((at * 64) as u8 + rest.trailing_zeros() as u8))?;
                rest &= rest - 1;
                Some(class)
            })
        };
        self.0.into_iter().enumerate().flat_map(of_word)
    }
}
