//! Who is alive and how old, by context: one walk over the living.
//!
//! Objects that come or go meanwhile are found or not. The counts of a context are read after the walk, so that the sum of
//! both is what they tell, unless an object was found that then died.

use prof_format::{
    snapshot::Leak,
    unbias::{self, Weight},
    vocab::{Counts, Tally},
};

use super::tables::Tables;
use crate::{
    context::ContextId,
    lifetimes::lg,
    live::Alive,
    memory::{Plain, Rows},
    settings::Fullness,
};

/// The living of a context that are of about the same age, and lost in the same way or not at all.
#[derive(Clone, Copy)]
pub struct Age {
    /// Log2 of their age.
    pub lg_nanos: u8,
    /// How they are lost, if that is known.
    pub leak: Option<Leak>,
    /// What they are.
    pub live: Tally,
    /// Estimate of the bytes that were asked for.
    pub requested: u64,
    /// Their part of the free regions in the slabs that they keep, in bytes.
    pub pinned: u64,
    /// Variance of the estimate of their bytes.
    pub variance: f64,
    /// The next age of the context, plus one; 0 for the last.
    next: u32,
}

// SAFETY: numbers only, nothing to drop.
unsafe impl Plain for Age {}

/// All of them.
pub struct Ages {
    /// By context the first age, plus one; 0 for none.
    heads: Rows<u32>,
    ages: Rows<Age>,
}

/// What objects of a size that were drawn at a rate stand for: neighbours are often alike.
#[derive(Clone, Copy, Default)]
struct Kind {
    usize_: u64,
    period: u64,
    weight: Weight,
    variance: f64,
}

/// What falls to an object, and to those that it stands for, of the free regions of its slab, in bytes.
fn pinned(tables: &Tables, alive: &Alive, objs_q16: u64) -> u64 {
    let fullness = tables.fullness.and_then(|fullness| fullness(alive.object));
    let Some(Fullness { used, nregs }) = fullness.filter(|fullness| fullness.used != 0) else { return 0 };
    let share = nregs.saturating_sub(used) as f64 / used as f64;
    (share * alive.birth.usize_ as f64 * objs_q16 as f64 / 65536.0 + 0.5) as u64
}

impl Ages {
    /// Walks over the living of the first `contexts` contexts; `None` when memory is out. About 50 ns for each.
    pub fn walk(tables: &Tables, contexts: u32) -> Option<Ages> {
        let heads = Rows::zeroed(contexts as usize + 1)?;
        let most = if contexts == 0 { 0 } else { tables.live.most() };
        let mut found = Ages { heads, ages: Rows::new(most as usize)? };
        let mut kind = Kind::default();
        // Records that are added meanwhile may be more than there is room for.
        for alive in tables.live.walk().take(most as usize) {
            let birth = alive.birth;
            if birth.generation != tables.generation {
                continue;
            }
            if (kind.usize_, kind.period) != (birth.usize_, birth.period) {
                kind = Kind {
                    usize_: birth.usize_,
                    period: birth.period,
                    weight: birth.weight(),
                    variance: unbias::variance(birth.usize_, birth.period),
                };
            }
            let Weight { objs_q16, bytes } = kind.weight;
            let lg_nanos = lg(tables.now_nanos.saturating_sub(birth.nanos));
            let leak = tables.marks.and_then(|marks| marks.of(alive.sample, alive.object));
            let Some(age) = found.of(birth.context, lg_nanos, leak) else { continue };
            let sampled = Counts { objs: 1, bytes: birth.usize_ };
            age.live = age.live.plus(Tally { sampled, est_objs_q16: objs_q16, est_bytes: bytes });
            let scale = bytes as f64 / birth.usize_.max(1) as f64;
            age.requested = age.requested.saturating_add((birth.requested as f64 * scale + 0.5) as u64);
            age.pinned = age.pinned.saturating_add(pinned(tables, &alive, objs_q16));
            age.variance += kind.variance;
        }
        Some(found)
    }

    /// The row of an age, made when it is new; `None` for contexts that came later.
    fn of(&mut self, context: ContextId, lg_nanos: u8, leak: Option<Leak>) -> Option<&mut Age> {
        let head = self.heads.get_mut(context.to_bits() as usize)?;
        let mut at = *head;
        while let Some(index) = at.checked_sub(1) {
            let age = self.ages.get(index as usize)?;
            if (age.lg_nanos, age.leak) == (lg_nanos, leak) {
                return self.ages.get_mut(index as usize);
            }
            at = age.next;
        }
        let next = core::mem::replace(head, self.ages.len() as u32 + 1);
        let live = Tally::default();
        self.ages.push(Age { lg_nanos, leak, live, requested: 0, pinned: 0, variance: 0.0, next })?;
        self.ages.last_mut()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.ages.len()
    }

    /// The first age of a context.
    pub fn first(&self, context: ContextId) -> Option<&Age> {
        let head = self.heads.get(context.to_bits() as usize)?;
        self.ages.get(head.checked_sub(1)? as usize)
    }

    /// The next one of the same context.
    pub fn next(&self, age: &Age) -> Option<&Age> {
        self.ages.get(age.next.checked_sub(1)? as usize)
    }
}
