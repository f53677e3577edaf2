//! Which stacks' survivors keep slabs that are mostly empty, and how many bytes would come back without them.
//!
//! Two ways to know. A profile of our allocator that ran with `prof_frag` tells, for each live sample, how full its slab is.
//! For any other, the statistics tell how full the slabs of each size class are, and the free regions of a class are
//! shared out among all its objects: right for the class, and blind to which of its stacks are the scattered ones.

use super::by_key::ByKey;
use super::keys::Keys;
use crate::load::statistics::Bin;
use crate::model::Figures;
use crate::transform::View;

/// How it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// By the slab of each sample.
    BySample,
    /// By size class, from statistics.
    ByClass,
}

/// The live objects of a stack.
#[derive(Clone, Debug, PartialEq)]
pub struct Pinned {
    /// Keys, leaf first.
    pub stack: Vec<usize>,
    /// Bytes of free regions that they keep from coming back.
    pub bytes: f64,
    /// Their own bytes.
    pub live_bytes: f64,
    /// How many they are.
    pub live_objects: f64,
}

impl Pinned {
    /// How full their slabs are, from 0 to 1: their own bytes as a part of those and of what they pin.
    pub fn fullness(&self) -> Option<f64> {
        let all = self.live_bytes + self.bytes;
        (self.live_bytes > 0.0 && all > 0.0).then(|| self.live_bytes / all)
    }
}

/// The stacks that pin something, most bytes first; `None` when neither the dumps nor statistics tell.
///
/// Cost: one hash look-up per stack.
pub fn pinned(view: &View<'_>, keys: &Keys, bins: &[Bin]) -> Option<(Known, Vec<Pinned>)> {
    let known = match (view.profile().has_pinned, bins) {
        (true, _) => Known::BySample,
        (false, [_, ..]) => Known::ByClass,
        (false, []) => return None,
    };
    let mut by_stack = ByKey::new();
    view.walk_every_figure(|seen| {
        let bytes = match known {
            Known::BySample => seen.stack.pinned,
            Known::ByClass => of_class(seen.stack.figures, bins),
        };
        let stack: Vec<usize> = keys.of_stack(view, seen.lines).map(|(_, key)| key).collect();
        let row = by_stack.of(stack, |stack| Pinned {
            stack: stack.clone(),
            bytes: 0.0,
            live_bytes: 0.0,
            live_objects: 0.0,
        });
        row.bytes += bytes;
        row.live_bytes += seen.stack.figures.live_bytes;
        row.live_objects += seen.stack.figures.live_objs;
    });
    let mut all = by_stack.all;
    all.retain(|row| row.bytes != 0.0);
    all.sort_by(|a, b| b.bytes.total_cmp(&a.bytes));
    Some((known, all))
}

/// What falls to the live objects of a stack of the free regions of their class, which their mean size tells.
fn of_class(figures: Figures, bins: &[Bin]) -> f64 {
    if figures.live_objs <= 0.0 {
        return 0.0;
    }
    let mean = figures.live_bytes / figures.live_objs;
    let class = bins.iter().find(|bin| bin.size as f64 >= mean - 0.5);
    let class = class.filter(|bin| bin.curregs != 0);
    class.map_or(0.0, |bin| bin.free_bytes() as f64 * figures.live_objs / bin.curregs as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::example;
    use crate::plan::Plan;
    use crate::plan::choice::Granularity;

    fn bin(size: u64, nregs: u64, curregs: u64, curslabs: u64) -> Bin {
        Bin { size, nregs, curregs, curslabs }
    }

    #[test]
    fn free_regions_of_a_class_are_shared_out_among_its_objects() {
        let bins = [bin(64, 64, 640, 100), bin(128, 32, 320, 10)];
        let figures = |live_objs, live_bytes| Figures { live_objs, live_bytes, ..Figures::default() };
        // 100 slabs of 64 regions, of which 640 are taken: 9 free ones for each.
        assert_eq!(of_class(figures(10.0, 640.0), &bins), 10.0 * 9.0 * 64.0);
        assert_eq!(of_class(figures(10.0, 1280.0), &bins), 0.0, "full slabs");
        assert_eq!(of_class(figures(1.0, 1e6), &bins), 0.0, "no small object");
        assert_eq!(of_class(figures(0.0, 0.0), &bins), 0.0);
    }

    #[test]
    fn what_samples_tell_counts_before_what_classes_tell() {
        let mut example = example(&[("main;dense", 100.0), ("main;sparse", 10.0), ("main;none", 5.0)]);
        let bins = [bin(64, 64, 640, 100)];
        let rows = |example: &crate::model::testing::Example, bins: &[Bin]| {
            let plan = Plan::default();
            let view = View::new(&example.profile, &example.symbols, &plan);
            let keys = Keys::new(&view, Granularity::Functions);
            let named = |row: &Pinned| (keys.name(&view, row.stack[0]), row.bytes);
            pinned(&view, &keys, bins)
                .map(|(known, rows)| (known, rows.iter().map(named).collect::<Vec<_>>()))
        };
        assert_eq!(rows(&example, &[]), None);
        assert_eq!(rows(&example, &bins).unwrap().0, Known::ByClass);
        example.profile.has_pinned = true;
        example.profile.stacks[0].pinned = 1.0;
        example.profile.stacks[1].pinned = 1000.0;
        let expected = vec![("sparse".to_string(), 1000.0), ("dense".to_string(), 1.0)];
        assert_eq!(rows(&example, &bins), Some((Known::BySample, expected)));
    }
}
