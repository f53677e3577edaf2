//! The stacks of a view as samples of distinct locations: what profile.proto and its relatives are made of.

use std::ops::Range;

use hashbrown::HashMap;

use crate::model::{FrameId, ImageId, Place};
use crate::plan::choice::Metric;
use crate::symbolize::symbols::LineId;
use crate::transform::tags::labels_of;
use crate::transform::{Seen, View};
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

/// The distinct locations of a view's stacks, numbered in the order in which they were first seen.
pub struct Locations<'v> {
    view: &'v View<'v>,
    /// All of them.
    pub all: Vec<Location>,
    known: HashMap<Vec<LineId>, u32>,
    /// By first line, the location that was last made of it: almost every one has all lines of its frame from there on.
    by_first: Vec<Recent>,
}

#[derive(Clone, Copy)]
struct Recent {
    at: u32,
    /// How many lines it has if they are all to the end of the frame, else 0.
    length: u32,
}

impl<'v> Locations<'v> {
    /// None yet.
    pub fn new(view: &'v View<'v>) -> Locations<'v> {
        let by_first = vec![Recent { at: 0, length: 0 }; view.symbols().lines.len()];
        Locations { view, all: Vec::new(), known: HashMap::new(), by_first }
    }

    /// Appends the locations of a stack's lines.
    pub fn of_stack(&mut self, mut lines: &[LineId], into: &mut Vec<u32>) {
        while let Some((&first, _)) = lines.split_first() {
            let recent = self.by_first[first.index()];
            let whole = lines.get(..recent.length as usize).filter(|own| !own.is_empty() && follow(own));
            let (at, length) = match whole {
                Some(own) => (recent.at, own.len()),
                None => self.look_up(lines),
            };
            into.push(at);
            lines = &lines[length..];
        }
    }

    /// The location at the beginning of these lines, and how many of them it has.
    fn look_up(&mut self, lines: &[LineId]) -> (u32, usize) {
        let length = run_length(self.view, lines);
        let own = &lines[..length];
        let at = self.known.get(own).copied().unwrap_or_else(|| {
            self.all.push(location(self.view, own));
            let at = self.all.len() as u32 - 1;
            self.known.insert(own.to_vec(), at);
            at
        });
        let frame = |line: LineId| self.view.frame_of(line);
        let next = LineId::new(own[length - 1].index() + 1);
        let reaches_end = frame(own[0]).is_some() && frame(next) != frame(own[0]);
        let length_if_whole = if reaches_end && follow(own) { length as u32 } else { 0 };
        self.by_first[own[0].index()] = Recent { at, length: length_if_whole };
        (at, length)
    }
}

/// Whether each line is the next one.
fn follow(lines: &[LineId]) -> bool {
    lines.windows(2).all(|pair| pair[0].index() + 1 == pair[1].index())
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

/// Shows each stack of a view with its values of these metrics, unless all are zero.
pub fn walk_values(view: &View<'_>, metrics: &[Metric], mut visit: impl FnMut(Seen<'_>, &[f64])) {
    let mut values = Vec::with_capacity(metrics.len());
    view.walk_every_figure(|seen| {
        values.clear();
        values.extend(metrics.iter().map(|metric| view.figure_of(seen.stack, *metric)));
        if values.iter().any(|value| *value != 0.0) {
            visit(seen, &values);
        }
    });
}

impl Samples {
    /// Collects them. `metrics` are those that all dumps have.
    ///
    /// Cost: one look-up per frame of every stack.
    pub fn new(view: &View<'_>, metrics: Vec<Metric>) -> Samples {
        let (mut stacks, mut samples) = (Vec::new(), Vec::new());
        let mut locations = Locations::new(view);
        walk_values(view, &metrics, |seen, values| {
            let start = stacks.len();
            locations.of_stack(seen.lines, &mut stacks);
            samples.push(Sample {
                locations: start..stacks.len(),
                values: values.to_vec(),
                labels: labels_of(view.profile(), seen.stack),
            });
        });
        Samples { metrics, locations: locations.all, stacks, samples }
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
