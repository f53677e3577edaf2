//! The stacks of a view as samples of distinct locations: what profile.proto and its relatives are made of.

use std::ops::Range;

use hashbrown::HashMap;

use crate::model::{FrameId, ImageId, Place, Stack};
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
    /// Its part of [`LocationTable::lines`].
    lines: Range<usize>,
}

/// Distinct locations.
#[derive(Default)]
pub struct LocationTable {
    /// All of them.
    pub all: Vec<Location>,
    /// Their lines, one location's after another's.
    lines: Vec<LineId>,
}

impl LocationTable {
    /// The functions of a location, innermost first.
    pub fn lines_of(&self, location: &Location) -> &[LineId] {
        &self.lines[location.lines.clone()]
    }

    fn add(&mut self, view: &View<'_>, lines: impl IntoIterator<Item = LineId>) -> u32 {
        let start = self.lines.len();
        self.lines.extend(lines);
        self.all.push(location(view, &self.lines, start..self.lines.len()));
        self.all.len() as u32 - 1
    }
}

/// The distinct locations of a view's stacks, numbered in the order in which they were first seen.
pub struct Locations<'v> {
    view: &'v View<'v>,
    /// Those seen so far.
    pub table: LocationTable,
    /// Those that are not all lines of a frame.
    known: HashMap<Vec<LineId>, u32>,
    /// By first line, the location that was last made of it: almost every one has all lines of its frame from there on.
    by_first: Vec<Recent>,
    /// By frame, the location that all its lines make; [`UNKNOWN`] before it is looked up.
    by_frame: Vec<u32>,
}

/// No location: there are fewer than lines, which are fewer than 2^32.
const UNKNOWN: u32 = u32::MAX;

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
        let by_frame = vec![UNKNOWN; view.profile().frames.len()];
        Locations { view, table: LocationTable::default(), known: HashMap::new(), by_first, by_frame }
    }

    /// Appends the locations of a stack: of its lines, and of the whole frames behind them.
    pub fn of_stack(&mut self, lines: &[LineId], frames: &[FrameId], into: &mut Vec<u32>) {
        self.of_lines(lines, into);
        let start = into.len();
        // Without a question for each frame: after the first stacks hardly any is new.
        into.extend(frames.iter().map(|frame| self.by_frame[frame.index()]));
        if into[start..].contains(&UNKNOWN) {
            into.truncate(start);
            for frame in
                frames.iter().filter(|frame| self.view.symbols().line_ids(frame.index()).next().is_some())
            {
                into.push(self.of_frame(*frame));
            }
        }
    }

    /// The location that all lines of a frame make.
    fn of_frame(&mut self, frame: FrameId) -> u32 {
        let at = &mut self.by_frame[frame.index()];
        if *at == UNKNOWN {
            *at = self.table.add(self.view, self.view.symbols().line_ids(frame.index()));
        }
        *at
    }

    fn of_lines(&mut self, mut lines: &[LineId], into: &mut Vec<u32>) {
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
        let whole = self
            .view
            .frame_of(own[0])
            .filter(|frame| self.view.symbols().line_ids(frame.index()).eq(own.iter().copied()));
        let at = match (whole, self.known.get(own)) {
            (Some(frame), _) => self.of_frame(frame),
            (None, Some(at)) => *at,
            (None, None) => {
                let at = self.table.add(self.view, own.iter().copied());
                self.known.insert(own.to_vec(), at);
                at
            }
        };
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
    pub locations: LocationTable,
    /// Indices of locations, stack after stack, leaf first.
    pub stacks: Vec<u32>,
    /// The stacks that the filters leave.
    pub samples: Vec<Sample>,
}

/// Shows each stack of a view with its values of these metrics, unless all are zero: its lines, and the whole frames
/// behind them.
pub fn walk_values(
    view: &View<'_>,
    metrics: &[Metric],
    mut visit: impl FnMut(&Stack, &[LineId], &[FrameId], &[f64]),
) {
    let mut values = Vec::with_capacity(metrics.len());
    view.walk_frames(|stack, lines, frames| {
        values.clear();
        values.extend(metrics.iter().map(|metric| view.figure_of(stack, *metric)));
        if values.iter().any(|value| *value != 0.0) {
            visit(stack, lines, frames, &values);
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
        walk_values(view, &metrics, |stack, lines, frames, values| {
            let start = stacks.len();
            locations.of_stack(lines, frames, &mut stacks);
            samples.push(Sample {
                locations: start..stacks.len(),
                values: values.to_vec(),
                labels: labels_of(view.profile(), stack),
            });
        });
        Samples { metrics, locations: locations.table, stacks, samples }
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

fn location(view: &View<'_>, all_lines: &[LineId], lines: Range<usize>) -> Location {
    let first = all_lines[lines.start];
    let frame = view.frame_of(first);
    let (mut address, mut image) = (view.address_of(first), None);
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
    Location { address, image, frame, lines }
}
