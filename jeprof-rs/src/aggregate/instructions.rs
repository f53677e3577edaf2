//! Figures per frame of chosen routines.

use hashbrown::HashMap;

use super::listing::FlatCum;
use crate::model::FrameId;
use crate::transform::View;

/// What the frames of routines allocated, and the routines as a whole.
pub struct PerFrame {
    /// By frame.
    pub frames: HashMap<FrameId, FlatCum>,
    /// By routine.
    pub routines: Vec<FlatCum>,
}

/// Adds up. `routine_of` tells the routine, below `routines`, of a frame.
///
/// Cost: one look-up per line of the stacks.
pub fn per_frame(
    view: &View<'_>,
    routines: usize,
    routine_of: impl Fn(FrameId) -> Option<usize>,
) -> PerFrame {
    let mut sums = PerFrame { frames: HashMap::new(), routines: vec![FlatCum::default(); routines] };
    // What was counted last in a stack, by its number from 1.
    let mut routine_seen = vec![0_usize; routines];
    let mut frame_seen: HashMap<FrameId, usize> = HashMap::new();
    let mut stack_number = 0;
    view.walk(|seen| {
        stack_number += 1;
        for (depth, &line) in seen.lines.iter().enumerate() {
            let Some(frame) = view.frame_of(line) else { continue };
            let Some(routine) = routine_of(frame) else { continue };
            let of_frame = sums.frames.entry(frame).or_default();
            let of_routine = &mut sums.routines[routine];
            if depth == 0 {
                of_frame.flat += seen.figure;
                of_routine.flat += seen.figure;
            }
            if frame_seen.insert(frame, stack_number) != Some(stack_number) {
                of_frame.cum += seen.figure;
            }
            if routine_seen[routine] != stack_number {
                routine_seen[routine] = stack_number;
                of_routine.cum += seen.figure;
            }
        }
    });
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::example;
    use crate::plan::Plan;

    #[test]
    fn a_frame_counts_once_per_stack_and_only_the_leaf_is_flat() {
        let example = example(&[("main;f;f>g", 4.0), ("main;f", 2.0), ("main;h", 1.0)]);
        let plan = Plan::default();
        let view = View::new(&example.profile, &example.symbols, &plan);
        let main = view.profile().frame_ids().find(|frame| {
            let line = example.symbols.line_ids(frame.index()).next().unwrap();
            example.symbols.function_name(example.symbols.line(line)) == "main"
        });
        let sums = per_frame(&view, 1, |frame| (Some(frame) == main).then_some(0));
        assert_eq!(sums.routines, [FlatCum { flat: 0.0, cum: 7.0 }]);
        let all = per_frame(&view, 1, |_| Some(0));
        assert_eq!(all.routines, [FlatCum { flat: 7.0, cum: 7.0 }]);
        assert_eq!(all.frames.values().map(|sum| sum.flat).sum::<f64>(), 7.0);
    }
}
