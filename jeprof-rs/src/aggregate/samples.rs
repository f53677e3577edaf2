//! The stacks of a view as samples of distinct locations: what profile.proto and its relatives are made of.

use std::ops::Range;

use hashbrown::HashMap;

use crate::model::{FrameId, ImageId, Place};
use crate::plan::choice::Metric;
use crate::symbolize::symbols::LineId;
use crate::transform::View;
use crate::transform::tags::labels_of;
use prof_format::dump::Label;

/// A distinct frame, or what the filters left of it.
pub struct Location {
    /// Look-up address in the run that its mapping is of; 0 for a label that became a frame.
    pub address: u64,
    /// The file that it is in.
    pub image: Option<ImageId>,
    /// Its frame.
    pub frame: Option<FrameId>,
    /// Its functions, innermost first.
    pub lines: Vec<LineId>,
}

/// One stack.
pub struct Sample {
    /// Part of [`Samples::stacks`].
    pub locations: Range<usize>,
    /// In the order of [`Samples::metrics`].
    pub values: Vec<f64>,
    /// Its labels, the average object size among them.
    pub labels: Vec<Label>,
}

/// All stacks of a view.
pub struct Samples {
    /// The figures that every dump has, in the order of profile.proto.
    pub metrics: Vec<Metric>,
    /// Distinct locations.
    pub locations: Vec<Location>,
    /// Indices of locations, stack after stack, leaf first.
    pub stacks: Vec<u32>,
    /// The stacks that the filters leave.
    pub samples: Vec<Sample>,
}

impl Samples {
    /// Collects them. `metrics` are those that all dumps have.
    ///
    /// Cost: one look-up per frame of every stack.
    pub fn new(view: &View<'_>, metrics: Vec<Metric>) -> Samples {
        let mut collected =
            Samples { metrics, locations: Vec::new(), stacks: Vec::new(), samples: Vec::new() };
        let mut known: HashMap<Vec<LineId>, u32> = HashMap::new();
        // Almost every location has all its lines, so the one that was last made of the first line mostly fits.
        const NONE: u32 = u32::MAX;
        let mut by_first = vec![NONE; view.symbols().lines.len()];
        view.walk_every_figure(|seen| {
            let values: Vec<f64> =
                collected.metrics.iter().map(|metric| view.figure_of(seen.stack, *metric)).collect();
            if values.iter().all(|value| *value == 0.0) {
                return;
            }
            let start = collected.stacks.len();
            let mut lines = seen.lines;
            while let Some((&first, _)) = lines.split_first() {
                let length = run_length(view, lines);
                let (own, rest) = lines.split_at(length);
                lines = rest;
                let recent = &mut by_first[first.index()];
                let fits = |at: u32| collected.locations.get(at as usize).is_some_and(|of| of.lines == own);
                let fitting = Some(*recent).filter(|&at| fits(at));
                let at = fitting.or_else(|| known.get(own).copied()).unwrap_or_else(|| {
                    collected.locations.push(location(view, own));
                    let at = collected.locations.len() as u32 - 1;
                    known.insert(own.to_vec(), at);
                    at
                });
                *recent = at;
                collected.stacks.push(at);
            }
            collected.samples.push(Sample {
                locations: start..collected.stacks.len(),
                values,
                labels: labels_of(view.profile(), seen.stack),
            });
        });
        collected
    }

    /// The locations of a sample, leaf first.
    pub fn stack(&self, sample: &Sample) -> &[u32] {
        &self.stacks[sample.locations.clone()]
    }
}

/// How many of the lines, from the first on, belong to one frame: lines of a frame have rising numbers.
fn run_length(view: &View<'_>, lines: &[LineId]) -> usize {
    let Some(frame) = view.frame_of(lines[0]) else { return 1 };
    let follows = |pair: &[LineId]| pair[0] < pair[1] && view.frame_of(pair[1]) == Some(frame);
    1 + lines.windows(2).take_while(|pair| follows(pair)).count()
}

fn location(view: &View<'_>, lines: &[LineId]) -> Location {
    let frame = view.frame_of(lines[0]);
    let (mut address, mut image) = (view.address_of(lines[0]), None);
    if let Some(frame) = frame
        && let Place::Image { image: of, offset } = view.profile().frames[frame.index()].place
    {
        image = Some(of);
        // The frame may have been seen first in another run than the image.
        let parts = &view.profile().images[of.index()].mapped;
        let holds = |offset: u64, start: u64, end: u64, from: u64| {
            offset.checked_sub(from).is_some_and(|within| within < end - start)
        };
        if let Some(part) = parts.iter().find(|part| holds(offset, part.start, part.end, part.file_offset)) {
            address = part.start + (offset - part.file_offset);
        }
    }
    Location { address, image, frame, lines: lines.to_vec() }
}
