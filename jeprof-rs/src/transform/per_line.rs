//! A yes or no for every line, worked out once per report.

use std::collections::HashSet;

use regex::Regex;

use super::allocator_frames::AllocatorFrames;
use crate::model::{FrameId, Place, Profile};
use crate::symbolize::symbols::{LineId, Symbols};

/// A yes or no for every line of a profile. Lines that were added later, for labels, are a no.
pub struct PerLine(Vec<bool>);

impl PerLine {
    /// These answers, in the order of the lines.
    pub fn new(answers: Vec<bool>) -> PerLine {
        PerLine(answers)
    }

    /// No for every line.
    pub fn none(symbols: &Symbols) -> PerLine {
        PerLine(vec![false; symbols.lines.len()])
    }

    /// The answer for a line.
    pub fn is(&self, line: LineId) -> bool {
        self.0.get(line.index()).copied().unwrap_or(false)
    }
}

/// The allocator's lines.
pub fn allocator_lines(
    profile: &Profile,
    symbols: &Symbols,
    frame_of: &[FrameId],
    warnings: &mut Vec<String>,
) -> PerLine {
    let (patterns, problems) = AllocatorFrames::new(&profile.drop_frames);
    warnings.extend(problems);
    let by_name: Vec<bool> = symbols.names.texts().map(|name| patterns.has_function(name)).collect();
    let by_image: Vec<bool> =
        profile.images.iter().map(|image| AllocatorFrames::has_library(image.name())).collect();
    let answers = symbols
        .lines
        .iter()
        .zip(frame_of)
        .map(|(line, frame)| {
            let in_library = match profile.frames[frame.index()].place {
                Place::Image { image, .. } => by_image[image.index()],
                Place::Unmapped(_) => false,
            };
            in_library
                || by_name[symbols.function(line).name.index()]
                || AllocatorFrames::has_source(symbols.function_name(line), symbols.names.text(line.file))
        })
        .collect();
    PerLine::new(answers)
}

/// jeprof's rule: the address, the function or `file:line` matches, anywhere.
pub fn matching_lines(
    profile: &Profile,
    symbols: &Symbols,
    frame_of: &[FrameId],
    pattern: &Regex,
) -> PerLine {
    let names: Vec<bool> = symbols.names.texts().map(|name| pattern.is_match(name)).collect();
    let mut addresses: HashSet<FrameId> = HashSet::new();
    for (frame, id) in profile.frames.iter().zip(profile.frame_ids()) {
        if pattern.is_match(&format!("{:016x}", frame.address)) {
            addresses.insert(id);
        }
    }
    let answers = symbols
        .lines
        .iter()
        .zip(frame_of)
        .map(|(line, frame)| {
            names[symbols.function(line).name.index()]
                || addresses.contains(frame)
                || pattern.is_match(&symbols.location(line))
        })
        .collect();
    PerLine::new(answers)
}
