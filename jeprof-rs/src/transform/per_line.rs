//! A yes or no for every line, worked out once per report.

use std::collections::HashSet;

use regex::Regex;

use super::allocator_frames::{AllocatorFrames, InSource};
use crate::compat::allocator;
use crate::compat::names::JeprofNames;
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

/// What the questions about lines are answered from.
pub struct Lines<'a> {
    /// Frames and images.
    pub profile: &'a Profile,
    /// The lines.
    pub symbols: &'a Symbols,
    /// Per line its frame.
    pub frame_of: &'a [FrameId],
    /// jeprof's idea of the names, when its rules are followed.
    pub jeprof: Option<&'a JeprofNames>,
}

impl Lines<'_> {
    /// The allocator's lines. Warnings are about expressions of the dumps that are none.
    pub fn of_allocator(&self, warnings: &mut Vec<String>) -> PerLine {
        let (profile, symbols) = (self.profile, self.symbols);
        if let Some(names) = self.jeprof {
            // compat: jeprof looks at the outermost function of an address only, by a list of its own. In an allocator
            // library without symbols it guesses an exported name, nearly always one of the list.
            return self.of_frames(|line| {
                let is_listed = names.of(line).is_some_and(|known| allocator::has(&known.short));
                let frame = &profile.frames[self.frame_of[line.index()].index()];
                let is_guessed = symbols.is_stand_in(symbols.line(line))
                    && matches!(frame.place, Place::Image { image, .. }
                        if AllocatorFrames::has_library(profile.images[image.index()].name()));
                if is_listed || is_guessed { Whole::Outermost } else { Whole::No }
            });
        }
        let (patterns, problems) = AllocatorFrames::new(&profile.drop_frames);
        warnings.extend(problems);
        // Per function, not per text: most texts are files and linkage names.
        let mut by_name: Vec<Option<bool>> = vec![None; symbols.names.texts().len()];
        for function in &symbols.functions {
            let name = function.name;
            by_name[name.index()].get_or_insert_with(|| patterns.has_function(symbols.names.text(name)));
        }
        // Likewise per file: there are far fewer than lines.
        let mut by_file: Vec<Option<InSource>> = vec![None; symbols.names.texts().len()];
        for line in &symbols.lines {
            by_file[line.file.index()]
                .get_or_insert_with(|| AllocatorFrames::in_source(symbols.names.text(line.file)));
        }
        let by_image: Vec<bool> =
            profile.images.iter().map(|image| AllocatorFrames::has_library(image.name())).collect();
        self.each(|id, frame| {
            let line = symbols.line(id);
            let in_library = match profile.frames[frame.index()].place {
                Place::Image { image, .. } => by_image[image.index()],
                Place::Unmapped(_) => false,
            };
            in_library
                || by_name[symbols.function(line).name.index()] == Some(true)
                || by_file[line.file.index()].is_some_and(|of_file| {
                    of_file != InSource::None && of_file.has(symbols.function_name(line))
                })
        })
    }

    /// Lines whose function is none of those to keep, or one of those to leave out.
    pub fn without(&self, retain: Option<&Regex>, exclude: Option<&Regex>) -> PerLine {
        let removes = |name: &str| {
            retain.is_some_and(|retain| !retain.is_match(name))
                || exclude.is_some_and(|exclude| exclude.is_match(name))
        };
        if let Some(names) = self.jeprof {
            // compat: the outermost function decides for all of its address.
            return self.of_frames(|outermost| {
                let removed = match names.of(outermost) {
                    Some(known) => removes(&known.short),
                    None => removes(&self.digits(self.frame_of[outermost.index()])),
                };
                if removed { Whole::Frame } else { Whole::No }
            });
        }
        let by_name: Vec<bool> = self.symbols.names.texts().map(removes).collect();
        self.each(|line, _| by_name[self.symbols.function(self.symbols.line(line)).name.index()])
    }

    /// jeprof's rule: the address, the function or `file:line` matches, anywhere.
    pub fn matching(&self, pattern: &Regex) -> PerLine {
        let symbols = self.symbols;
        let frames = self.profile.frame_ids();
        let addresses: HashSet<FrameId> =
            frames.filter(|&frame| pattern.is_match(&self.digits(frame))).collect();
        if let Some(names) = self.jeprof {
            return self.each(|line, frame| {
                let known = names.of(line);
                addresses.contains(&frame)
                    || known
                        .is_some_and(|known| pattern.is_match(&known.short) || pattern.is_match(&known.place))
            });
        }
        let by_name: Vec<bool> = symbols.names.texts().map(|name| pattern.is_match(name)).collect();
        self.each(|id, frame| {
            let line = symbols.line(id);
            by_name[symbols.function(line).name.index()]
                || addresses.contains(&frame)
                || pattern.is_match(&symbols.location(line))
        })
    }

    /// pprof's rule for the end of a stack: the function matches, without the brackets behind its name.
    pub fn of_functions(&self, pattern: &Regex) -> PerLine {
        let by_name: Vec<bool> =
            self.symbols.names.texts().map(|name| pattern.is_match(without_arguments(name))).collect();
        self.each(|line, _| by_name[self.symbols.function(self.symbols.line(line)).name.index()])
    }

    fn each(&self, answer: impl Fn(LineId, FrameId) -> bool) -> PerLine {
        let lines = self.frame_of.iter().enumerate();
        PerLine(lines.map(|(index, frame)| answer(LineId::new(index), *frame)).collect())
    }

    /// Answers that the outermost line of a frame gives.
    fn of_frames(&self, answer: impl Fn(LineId) -> Whole) -> PerLine {
        let mut answers = vec![false; self.symbols.lines.len()];
        for frame in self.profile.frame_ids() {
            let lines = self.symbols.line_ids(frame.index());
            let Some(outermost) = lines.clone().next_back() else { continue };
            match answer(outermost) {
                Whole::No => {}
                Whole::Outermost => answers[outermost.index()] = true,
                Whole::Frame => lines.for_each(|line| answers[line.index()] = true),
            }
        }
        PerLine(answers)
    }

    /// The look-up address of a frame, as jeprof writes it.
    fn digits(&self, frame: FrameId) -> String {
        format!("{:016x}", self.profile.frames[frame.index()].address)
    }
}

/// A C++ name up to its arguments. Two names have brackets that are none.
fn without_arguments(name: &str) -> &str {
    const PARTS_OF_NAMES: [&str; 2] = ["(anonymous namespace)", "operator()"];
    let mut at = 0;
    while let Some(open) = name[at..].find('(').map(|found| at + found) {
        let part = PARTS_OF_NAMES.iter().find_map(|part| {
            let start = open.checked_sub(part.find('(')?)?;
            name.get(start..)?.starts_with(part).then_some(start + part.len())
        });
        match part {
            Some(behind) => at = behind,
            None => return &name[..open],
        }
    }
    name
}

/// Which lines of a frame an answer is for.
enum Whole {
    No,
    Outermost,
    Frame,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_cut_and_brackets_of_names_stay() {
        for (name, expected) in [
            ("main", "main"),
            ("f(int)", "f"),
            ("(anonymous namespace)::grow(char const*, int)", "(anonymous namespace)::grow"),
            ("Queue::operator()(int) const", "Queue::operator()"),
            ("(", ""),
        ] {
            assert_eq!(without_arguments(name), expected);
        }
    }
}
