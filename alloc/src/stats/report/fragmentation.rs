//! The section "Fragmentation": in words, where the memory is that no object of the program uses.

use core::fmt;

use super::out::{Out, put};
use super::per_mille;
use crate::size_class::SLABS;
use crate::stats::values::ArenaValues;
use crate::tables::metric::rows::{arena, bin, large, small};
use crate::units::PAGE;

/// A share with one decimal, or a word when there is nothing.
struct Percent(u64, u64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match per_mille(self.0, self.1) {
            Some(share) => write!(f, "{}.{}%", share / 10, share % 10),
            None => f.write_str("none"),
        }
    }
}

/// Free and all bytes in slabs of an arena.
fn slabs(values: &ArenaValues) -> (u64, u64) {
    let of = |(class, values): (usize, &crate::stats::values::Values<{ bin::COUNT }>)| {
        let slab = &SLABS[class];
        let all = values.get(bin::CURSLABS) * u64::from(slab.nregs);
        let size = u64::from(slab.size);
        (all.saturating_sub(values.get(bin::CURREGS)) * size, all * size)
    };
    values.bins.iter().enumerate().map(of).fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
}

/// Writes the section for an arena or for all of them.
pub fn write(out: &mut Out, of: impl fmt::Display, values: &ArenaValues) {
    let own = |row| values.own.get(row);
    let allocated = values.small.get(small::ALLOCATED) + values.large.get(large::ALLOCATED);
    let (active, dirty) = (own(arena::PACTIVE) * PAGE as u64, own(arena::PDIRTY) * PAGE as u64);
    let (resident, cached, asked) = (own(arena::RESIDENT), own(arena::TCACHE_BYTES), own(arena::REQUESTED));
    let held = allocated.saturating_sub(cached);
    let (free, room) = slabs(values);
    let unused = active.saturating_sub(allocated);
    put!(
        out,
        "Fragmentation of {of}: {} of active pages hold no object ({unused} bytes)\n",
        Percent(unused, active)
    );
    put!(
        out,
        "  internal: {} of the bytes that objects have was not asked for ({held} usable, about {asked} asked for, by size class)\n",
        Percent(held.saturating_sub(asked), held)
    );
    put!(out, "  slabs: {} of the room in slabs is free ({free} of {room} bytes)\n", Percent(free, room));
    put!(
        out,
        "  pages: {} of resident memory holds no objects' pages ({dirty} bytes dirty, {} metadata)\n",
        Percent(resident.saturating_sub(active), resident),
        resident.saturating_sub(active + dirty)
    );
    put!(
        out,
        "  caches: {} of allocated lies in thread caches ({cached} bytes)\n",
        Percent(cached, allocated)
    );
}
