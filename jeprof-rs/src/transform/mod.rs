//! Which stacks and frames a report sees: allocator frames cut off, filters applied, negative differences dropped.
//!
//! Stacks are handed out one by one in a reused buffer; a profile of a million stacks is never copied.

mod allocator_frames;
mod standard_library;

use std::collections::HashSet;

use regex::Regex;

use crate::model::{FrameId, Place, Profile, Stack};
use crate::plan::Plan;
use crate::plan::choice::{Frames, Negative};
use crate::symbolize::symbols::{LineId, Symbols};
use allocator_frames::AllocatorFrames;

/// One stack as a report sees it.
pub struct Seen<'s> {
    /// What is shown of it, leaf first, inlined functions before the one that they are inlined into.
    pub lines: &'s [LineId],
    /// The figure that the report is about. Zero only for a stack that is the same as in the base.
    pub figure: f64,
    /// That figure in the base, zero without one.
    pub before: f64,
    /// The stack itself, with its other figures.
    pub stack: &'s Stack,
}

/// A profile as a report sees it.
pub struct View<'a> {
    profile: &'a Profile,
    symbols: &'a Symbols,
    plan: &'a Plan,
    /// Per line: whether it is the allocator's.
    allocator: Vec<bool>,
    /// Per line: whether it is a standard library's and hidden at the leaf end; empty when those are shown.
    standard: Vec<bool>,
    /// Per line: whether `--focus` matches; empty without it.
    focused: Vec<bool>,
    /// Per line: whether `--ignore` matches; empty without it.
    ignored: Vec<bool>,
    /// Per line: its frame.
    frame_of: Vec<FrameId>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl<'a> View<'a> {
    /// Prepares the answers for every line once, so that walking is only array look-ups.
    pub fn new(profile: &'a Profile, symbols: &'a Symbols, plan: &'a Plan) -> View<'a> {
        let mut frame_of = Vec::with_capacity(symbols.lines.len());
        for id in profile.frame_ids() {
            frame_of.extend(symbols.line_ids(id.index()).map(|_| id));
        }
        let mut warnings = Vec::new();
        let allocator = match plan.selection.frames {
            Frames::All => vec![false; symbols.lines.len()],
            Frames::Program | Frames::Own => allocator_lines(profile, symbols, &frame_of, &mut warnings),
        };
        let standard =
            if plan.selection.frames == Frames::Own { standard_library::lines(symbols) } else { Vec::new() };
        let matches = |pattern: &Option<Regex>| match pattern {
            Some(pattern) => matching_lines(profile, symbols, &frame_of, pattern),
            None => Vec::new(),
        };
        let (focused, ignored) = (matches(&plan.selection.focus), matches(&plan.selection.ignore));
        View { profile, symbols, plan, allocator, standard, focused, ignored, frame_of, warnings }
    }

    /// The names.
    pub fn symbols(&self) -> &'a Symbols {
        self.symbols
    }

    /// The frame that a line belongs to.
    pub fn frame_of(&self, line: LineId) -> FrameId {
        self.frame_of[line.index()]
    }

    /// Whether a line is inlined into the line that calls it, which stands before it in a stack.
    pub fn is_inlined(&self, line: LineId, caller: LineId) -> bool {
        line < caller && self.frame_of(line) == self.frame_of(caller)
    }

    /// The look-up address of a line's frame.
    pub fn address_of(&self, line: LineId) -> u64 {
        self.profile.frames[self.frame_of(line).index()].address
    }

    /// Sum over all stacks, before filters.
    pub fn total(&self) -> f64 {
        self.profile.stacks.iter().map(|stack| self.figure(stack)).sum()
    }

    /// Hands over each stack that the filters leave. Stacks without frames are left out, and those whose figure is
    /// zero in the dumps and in the base.
    pub fn walk(&self, mut visit: impl FnMut(Seen<'_>)) {
        let mut lines: Vec<LineId> = Vec::new();
        for stack in &self.profile.stacks {
            let figure = self.figure(stack);
            let before = stack.base.get(self.plan.figure.metric);
            if figure == 0.0 && before == 0.0 {
                continue;
            }
            lines.clear();
            lines.extend(
                self.profile.frames_of(stack).iter().flat_map(|frame| self.symbols.line_ids(frame.index())),
            );
            let shown = &lines[self.cut(&lines)..];
            let any = |matches: &[bool]| shown.iter().any(|line| matches[line.index()]);
            if shown.is_empty()
                || (self.plan.selection.focus.is_some() && !any(&self.focused))
                || (self.plan.selection.ignore.is_some() && any(&self.ignored))
            {
                continue;
            }
            visit(Seen { lines: shown, figure, before, stack });
        }
    }

    /// How many lines at the leaf end are left out: all up to the outermost that is the allocator's, and those of the
    /// standard library that follow, if they are hidden. A stack that would vanish keeps its outermost line.
    fn cut(&self, lines: &[LineId]) -> usize {
        let outermost = lines.iter().rposition(|line| self.allocator[line.index()]);
        let allocator = outermost.map_or(0, |outermost| outermost + 1);
        let hidden = |line: &&LineId| self.standard.get(line.index()).is_some_and(|standard| *standard);
        let standard = lines[allocator..].iter().take_while(hidden).count();
        (allocator + standard).min(lines.len().saturating_sub(1))
    }

    fn figure(&self, stack: &Stack) -> f64 {
        let figure = stack.figures.get(self.plan.figure.metric);
        if figure < 0.0 && self.plan.selection.negative == Negative::Drop { 0.0 } else { figure }
    }
}

fn allocator_lines(
    profile: &Profile,
    symbols: &Symbols,
    frame_of: &[FrameId],
    warnings: &mut Vec<String>,
) -> Vec<bool> {
    let (patterns, problems) = AllocatorFrames::new(&profile.drop_frames);
    warnings.extend(problems);
    let by_name: Vec<bool> = symbols.names.texts().map(|name| patterns.has_function(name)).collect();
    let by_image: Vec<bool> =
        profile.images.iter().map(|image| AllocatorFrames::has_library(image.name())).collect();
    symbols
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
        .collect()
}

/// jeprof's rule: the address, the function or `file:line` matches, anywhere.
fn matching_lines(profile: &Profile, symbols: &Symbols, frame_of: &[FrameId], pattern: &Regex) -> Vec<bool> {
    let names: Vec<bool> = symbols.names.texts().map(|name| pattern.is_match(name)).collect();
    let mut addresses: HashSet<FrameId> = HashSet::new();
    for (frame, id) in profile.frames.iter().zip(profile.frame_ids()) {
        if pattern.is_match(&format!("{:016x}", frame.address)) {
            addresses.insert(id);
        }
    }
    symbols
        .lines
        .iter()
        .zip(frame_of)
        .map(|(line, frame)| {
            names[symbols.function(line).name.index()]
                || addresses.contains(frame)
                || pattern.is_match(&symbols.location(line))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::example;
    use crate::plan::Selection;

    fn plan() -> Plan {
        Plan::default()
    }

    fn selecting(selection: impl FnOnce(&mut Selection)) -> Plan {
        let mut plan = plan();
        selection(&mut plan.selection);
        plan
    }

    /// What is left of each stack, root first, and its figure.
    fn walk(stacks: &[(&str, f64)], plan: &Plan) -> Vec<(String, f64)> {
        let example = example(stacks);
        let view = View::new(&example.profile, &example.symbols, plan);
        let mut stacks = Vec::new();
        view.walk(|seen| {
            let name = |line: &LineId| example.symbols.function_name(example.symbols.line(*line)).to_string();
            let names: Vec<String> = seen.lines.iter().rev().map(name).collect();
            stacks.push((names.join(";"), seen.figure));
        });
        stacks
    }

    fn paths(stacks: &[(&str, f64)], plan: &Plan) -> Vec<String> {
        walk(stacks, plan).into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn everything_leafward_of_the_outermost_allocator_frame_is_cut() {
        let stacks = [
            ("main;work;malloc", 1.0),
            ("main;work;malloc;hook;calloc;deep", 1.0),
            ("main;work>alloc::alloc::alloc;__rust_alloc", 1.0),
            ("main;work>inner", 1.0),
        ];
        assert_eq!(paths(&stacks, &plan()), ["main;work", "main;work", "main;work", "main;work;inner"]);
        let all = selecting(|selection| selection.frames = Frames::All);
        assert_eq!(paths(&stacks[1..2], &all), ["main;work;malloc;hook;calloc;deep"]);
    }

    #[test]
    fn a_stack_of_the_allocator_alone_keeps_its_outermost_frame() {
        assert_eq!(paths(&[("malloc;calloc", 1.0)], &plan()), ["malloc"]);
    }

    #[test]
    fn filters_see_functions_lines_and_addresses_of_what_is_left() {
        let stacks = [("main;a;malloc", 1.0), ("main;b", 2.0), ("main;a>c", 4.0)];
        let figures = |plan: &Plan| walk(&stacks, plan).iter().map(|(_, figure)| *figure).collect::<Vec<_>>();
        let regex = |text: &str| Some(Regex::new(text).unwrap());
        let focus = |text: &str| selecting(|selection| selection.focus = regex(text));
        let ignore = |text: &str| selecting(|selection| selection.ignore = regex(text));
        assert_eq!(figures(&focus("^a$")), [1.0, 4.0]);
        assert_eq!(figures(&focus("b.c:1")), [2.0]);
        assert_eq!(figures(&focus("malloc")), []);
        assert_eq!(figures(&focus("^0000000000001002$")), [1.0, 2.0, 4.0]);
        assert_eq!(figures(&ignore("^c$")), [1.0, 2.0]);
        let both = selecting(|selection| (selection.focus, selection.ignore) = (regex("^a$"), regex("^c$")));
        assert_eq!(figures(&both), [1.0]);
    }

    #[test]
    fn negative_differences_stay_or_count_as_zero() {
        let stacks = [("main;a", 5.0), ("main;b", -3.0)];
        let dropped = selecting(|selection| selection.negative = Negative::Drop);
        assert_eq!(walk(&stacks, &plan()).len(), 2);
        assert_eq!(walk(&stacks, &dropped), [("main;a".to_string(), 5.0)]);
        let example = example(&stacks);
        assert_eq!(View::new(&example.profile, &example.symbols, &plan()).total(), 2.0);
        assert_eq!(View::new(&example.profile, &example.symbols, &dropped).total(), 5.0);
    }
}
