//! Which stacks and frames a report sees: allocator frames cut off, filters applied, negative differences dropped.
//!
//! Stacks are handed out one by one in a reused buffer; a profile of a million stacks is never copied. The order is
//! that of jeprof and pprof: allocator frames, `--retain` and `--exclude`, `--focus` and `--ignore`, `--where`, `--hide` and `--show`, `--show_from`, labels,
//! `--prune_from`, inlining, labels as frames.

mod allocator_frames;
mod per_line;
mod standard_library;
pub mod tags;

use std::borrow::Cow;

use hashbrown::HashMap;

use crate::compat::names::JeprofNames;
use crate::model::{Figures, FrameId, Profile, Stack};
use crate::plan::Plan;
use crate::plan::choice::{Compat, Frames, Metric, Negative};
use crate::symbolize::symbols::{Function, Line, LineId, NameId, Symbols};
use per_line::{Lines, PerLine};

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

/// What is needed of a stack.
enum Wanted {
    /// Nothing.
    No,
    /// Its figures, without lines.
    Figure,
    /// Its lines, if the filters leave it.
    Lines,
}

/// A profile as a report sees it.
pub struct View<'a> {
    profile: &'a Profile,
    /// Those of the session, and with labels as frames some more.
    symbols: Cow<'a, Symbols>,
    plan: &'a Plan,
    /// The stacks of the process, or of the threads that the view is of.
    stacks: Cow<'a, [Stack]>,
    /// jeprof's idea of the names, when its rules are followed.
    jeprof: Option<JeprofNames>,
    /// The allocator's lines.
    allocator: PerLine,
    /// Per frame, whether any of its lines is the allocator's.
    has_allocator: Vec<bool>,
    /// A standard library's, hidden at the leaf end.
    standard: PerLine,
    /// What `--retain` and `--exclude` take out.
    removed: Option<PerLine>,
    focus: Option<PerLine>,
    ignore: Option<PerLine>,
    hide: Option<PerLine>,
    show: Option<PerLine>,
    show_from: Option<PerLine>,
    prune_from: Option<PerLine>,
    /// For each expression of the condition.
    in_condition: Vec<PerLine>,
    /// Lines of functions that are not inlined into another.
    physical: PerLine,
    /// Per line of a frame, its frame.
    frame_of: Vec<FrameId>,
    /// Lines that stand for labels, by what they say.
    label_lines: HashMap<String, LineId>,
    /// What figures of the dumps are multiplied with before the base is subtracted, in the order of [`Metric::ALL`].
    normal: [f64; Metric::ALL.len()],
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl<'a> View<'a> {
    /// Prepares the answers for every line once, so that walking is only array look-ups.
    pub fn new(profile: &'a Profile, symbols: &'a Symbols, plan: &'a Plan) -> View<'a> {
        let selection = &plan.selection;
        let mut frame_of = Vec::with_capacity(symbols.lines.len());
        let mut physical = vec![false; symbols.lines.len()];
        for id in profile.frame_ids() {
            let lines = symbols.line_ids(id.index());
            frame_of.extend(lines.clone().map(|_| id));
            if let Some(outermost) = lines.last() {
                physical[outermost.index()] = true;
            }
        }
        let mut warnings = Vec::new();
        let jeprof = (plan.compat == Compat::Jeprof).then(|| JeprofNames::new(profile, symbols));
        let lines = Lines { profile, symbols, frame_of: &frame_of, jeprof: jeprof.as_ref() };
        let allocator = match selection.frames {
            Frames::All => PerLine::none(symbols),
            Frames::Program | Frames::Own => lines.of_allocator(&mut warnings),
        };
        let has_allocator = profile
            .frame_ids()
            .map(|frame| symbols.line_ids(frame.index()).any(|line| allocator.is(line)))
            .collect();
        let standard = match selection.frames {
            Frames::Own => PerLine::new(standard_library::lines(symbols)),
            Frames::All | Frames::Program => PerLine::none(symbols),
        };
        let matching =
            |pattern: &Option<regex::Regex>| pattern.as_ref().map(|pattern| lines.matching(pattern));
        let [focus, ignore, hide, show, show_from] =
            [&selection.focus, &selection.ignore, &selection.hide, &selection.show, &selection.show_from]
                .map(matching);
        let prune_from = selection.prune_from.as_ref().map(|pattern| lines.of_functions(pattern));
        let patterns = selection.condition.iter().flat_map(|query| &query.patterns);
        let in_condition = patterns.map(|pattern| lines.matching(pattern)).collect();
        let removed = (selection.retain.is_some() || selection.exclude.is_some())
            .then(|| lines.without(selection.retain.as_ref(), selection.exclude.as_ref()));
        let mut view = View {
            profile,
            symbols: Cow::Borrowed(symbols),
            plan,
            stacks: Cow::Borrowed(&profile.stacks),
            jeprof,
            allocator,
            has_allocator,
            standard,
            removed,
            focus,
            ignore,
            hide,
            show,
            show_from,
            prune_from,
            in_condition,
            physical: PerLine::new(physical),
            frame_of,
            label_lines: HashMap::new(),
            normal: [1.0; Metric::ALL.len()],
            warnings,
        };
        if plan.figure.normalize {
            view.normalize();
        }
        view.add_label_lines();
        view
    }

    /// The same, of what the threads of these numbers have.
    pub fn of_threads(self, uids: &[u64]) -> View<'a> {
        let stacks = self.profile.stacks_of(uids);
        self.of_stacks(stacks)
    }

    /// The same, of these stacks of the profile, whose labels and figures may be others.
    pub fn of_stacks(mut self, stacks: Vec<Stack>) -> View<'a> {
        self.stacks = Cow::Owned(stacks);
        self
    }

    /// Scales the dumps to the total of the base, each figure by itself.
    fn normalize(&mut self) {
        for (metric, normal) in Metric::ALL.into_iter().zip(&mut self.normal) {
            let sum = |figure: &dyn Fn(&Stack) -> f64| self.profile.stacks.iter().map(figure).sum::<f64>();
            let before = sum(&|stack| stack.base.get(metric));
            let now = sum(&|stack| stack.figures.get(metric)) + before;
            if before > 0.0 && now > 0.0 {
                *normal = before / now;
            } else if metric == self.plan.figure.metric {
                self.warnings
                    .push("--normalize has nothing to go by: the dumps or the base add up to zero".into());
            }
        }
    }

    /// Makes a line for every value of the labels that become frames.
    fn add_label_lines(&mut self) {
        let selection = &self.plan.selection;
        for key in selection.tag_root.iter().chain(&selection.tag_leaf) {
            for stack in &self.profile.stacks {
                let text = tags::frame_text(&tags::labels_of(self.profile, stack), key);
                if self.label_lines.contains_key(&text) {
                    continue;
                }
                let symbols = self.symbols.to_mut();
                let name = symbols.names.id(&text);
                let function = symbols.function_id(Function { name, ..Function::default() });
                let line = LineId::new(symbols.lines.len());
                symbols.push([Line { function, file: NameId::EMPTY, line: 0, column: 0 }]);
                if let Some(names) = &mut self.jeprof {
                    names.push_label(&text);
                }
                self.label_lines.insert(text, line);
            }
        }
    }

    /// The names.
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// jeprof's idea of the names, when its rules are followed.
    pub fn jeprof(&self) -> Option<&JeprofNames> {
        self.jeprof.as_ref()
    }

    /// The profile.
    pub fn profile(&self) -> &'a Profile {
        self.profile
    }

    /// The frame that a line belongs to; `None` for a label.
    pub fn frame_of(&self, line: LineId) -> Option<FrameId> {
        self.frame_of.get(line.index()).copied()
    }

    /// Whether a line is of an inlined function.
    pub fn is_inlined(&self, line: LineId) -> bool {
        line.index() < self.frame_of.len() && !self.physical.is(line)
    }

    /// The look-up address of a line's frame; 0 for a label.
    pub fn address_of(&self, line: LineId) -> u64 {
        self.frame_of(line).map_or(0, |frame| self.profile.frames[frame.index()].address)
    }

    /// Whether columns of a source line are rows of their own.
    pub fn shows_columns(&self) -> bool {
        self.plan.rows.columns
    }

    /// The count of objects that goes with the figure of the report.
    pub fn object_metric(&self) -> Metric {
        if self.plan.figure.metric.is_accumulated() { Metric::AllocObjects } else { Metric::InuseObjects }
    }

    /// Sum over all stacks, before filters.
    pub fn total(&self) -> f64 {
        self.stacks.iter().map(|stack| self.figure(stack)).sum()
    }

    /// Hands over each stack that the filters leave. Stacks without frames are left out, and those whose figure is
    /// zero in the dumps and in the base, except where jeprof's rules are followed.
    pub fn walk(&self, mut visit: impl FnMut(Seen<'_>)) {
        self.walk_with_empty(|seen| {
            if !seen.lines.is_empty() {
                visit(seen);
            }
        });
    }

    /// The same with stacks of which no frame is left. jeprof counts them in some of its outputs.
    pub fn walk_with_empty(&self, visit: impl FnMut(Seen<'_>)) {
        // Stacks of threads are not numbered like those of the process, and are never of a base alone.
        let base_only = self.profile.base_only_from.filter(|_| matches!(self.stacks, Cow::Borrowed(_)));
        let drops = self.plan.selection.negative == Negative::Drop;
        let wanted = |index: usize, stack: &Stack| {
            let is_wanted = match self.jeprof {
                None => self.figure(stack) != 0.0 || self.before(stack) != 0.0,
                // compat: jeprof shows stacks of zero, but none that only the base has when it drops those.
                Some(_) => !drops || base_only.is_none_or(|from| index < from),
            };
            if is_wanted { Wanted::Lines } else { Wanted::No }
        };
        self.walk_where(wanted, visit);
    }

    /// As [`View::walk`], for reports of all four figures: stacks in which any is other than zero.
    pub fn walk_every_figure(&self, mut visit: impl FnMut(Seen<'_>)) {
        let wanted = |_, stack: &Stack| match stack.figures == Figures::default() {
            true => Wanted::No,
            false => Wanted::Lines,
        };
        self.walk_where(wanted, |seen| {
            if !seen.lines.is_empty() {
                visit(seen);
            }
        });
    }

    /// Hands over the lines of each stack that the filters leave, and its index in the profile, whatever its figures are.
    pub fn walk_all(&self, mut visit: impl FnMut(usize, &[LineId])) {
        let at = std::cell::Cell::new(0);
        let wanted = |index, _: &Stack| {
            at.set(index);
            Wanted::Lines
        };
        self.walk_where(wanted, |seen| {
            if !seen.lines.is_empty() {
                visit(at.get(), seen.lines);
            }
        });
    }

    /// As [`View::walk_every_figure`], for what needs no more of most frames than which they are: hands over lines at the
    /// leaf end, and the frames behind them, all of whose lines belong to the stack.
    ///
    /// Cost: one look at each frame, where nothing but the allocator is left out; otherwise all of a stack are lines.
    pub fn walk_frames(&self, mut visit: impl FnMut(&Stack, &[LineId], &[FrameId])) {
        let selection = &self.plan.selection;
        let keeps_frames = self.passes_all_stacks()
            && selection.frames != Frames::Own
            && !selection.no_inlines
            && self.label_lines.is_empty();
        if !keeps_frames {
            return self.walk_every_figure(|seen| visit(seen.stack, seen.lines, &[]));
        }
        let has_lines = |frame: &FrameId| !self.symbols.lines_of(frame.index()).is_empty();
        let mut lines: Vec<LineId> = Vec::new();
        for stack in self.stacks.iter().filter(|stack| stack.figures != Figures::default()) {
            lines.clear();
            let mut whole = self.profile.frames_of(stack);
            if let Some(outermost) = whole.iter().rposition(|frame| self.has_allocator[frame.index()]) {
                lines.extend(self.symbols.line_ids(whole[outermost].index()));
                whole = &whole[outermost + 1..];
                let cut = self.cut(&lines, lines.len());
                let is_left = lines.last().is_some_and(|outermost| !self.allocator.is(*outermost));
                // What is kept of a stack that would vanish is not needed when there is more of it.
                lines.drain(..if is_left || !whole.iter().any(has_lines) { cut } else { lines.len() });
            }
            if !lines.is_empty() || whole.iter().any(has_lines) {
                visit(stack, &lines, whole);
            }
        }
    }

    /// As [`View::walk`]; but where the filters let all stacks pass, those in which no frame is marked have no lines.
    ///
    /// Cost: for those, one look at each frame, which is a fraction of what its lines take.
    pub fn walk_marked(&self, marked: &[bool], visit: impl FnMut(Seen<'_>)) {
        if !self.passes_all_stacks() {
            return self.walk(visit);
        }
        let wanted = |_, stack: &Stack| {
            let frames = self.profile.frames_of(stack);
            if frames.is_empty() || self.figure(stack) == 0.0 && self.before(stack) == 0.0 {
                Wanted::No
            } else if frames.iter().any(|frame| marked[frame.index()]) {
                Wanted::Lines
            } else {
                Wanted::Figure
            }
        };
        self.walk_where(wanted, visit);
    }

    /// Whether no filter can take a stack out, or lines of it but for the allocator's, inlined ones and a standard
    /// library's.
    fn passes_all_stacks(&self) -> bool {
        let selection = &self.plan.selection;
        let filters = [&self.focus, &self.ignore, &self.hide, &self.show, &self.show_from, &self.removed];
        filters.iter().all(|filter| filter.is_none())
            && self.jeprof.is_none()
            && self.prune_from.is_none()
            && selection.tag_focus.is_none()
            && selection.tag_ignore.is_none()
            && selection.condition.is_none()
    }

    fn walk_where(&self, wanted: impl Fn(usize, &Stack) -> Wanted, mut visit: impl FnMut(Seen<'_>)) {
        let mut lines: Vec<LineId> = Vec::new();
        for (index, stack) in self.stacks.iter().enumerate() {
            let (figure, before) = (self.figure(stack), self.before(stack));
            match wanted(index, stack) {
                Wanted::Lines => {}
                Wanted::No => continue,
                Wanted::Figure => {
                    visit(Seen { lines: &[], figure, before, stack });
                    continue;
                }
            }
            lines.clear();
            // Lines up to the last frame that has one of the allocator's.
            let mut with_allocator = 0;
            // One by one: flattened, the millions of short runs cost three times as much.
            for frame in self.profile.frames_of(stack) {
                lines.extend(self.symbols.line_ids(frame.index()));
                if self.has_allocator[frame.index()] {
                    with_allocator = lines.len();
                }
            }
            lines.drain(..self.cut(&lines, with_allocator));
            if self.select(stack, &mut lines) {
                visit(Seen { lines: &lines, figure, before, stack });
            }
        }
    }

    /// How many lines at the leaf end are left out: all up to the outermost that is the allocator's, and those of the
    /// standard library that follow, if they are hidden. A stack that would vanish keeps its outermost line, except
    /// where jeprof's rules are followed. Lines behind the first `with_allocator` are none of the allocator's.
    fn cut(&self, lines: &[LineId], with_allocator: usize) -> usize {
        let outermost = lines[..with_allocator].iter().rposition(|line| self.allocator.is(*line));
        let allocator = outermost.map_or(0, |outermost| outermost + 1);
        let standard = lines[allocator..].iter().take_while(|line| self.standard.is(**line)).count();
        let kept = usize::from(self.jeprof.is_none());
        (allocator + standard).min(lines.len().saturating_sub(kept))
    }

    /// Applies the filters to the lines of a stack, leaf first; answers whether the stack is left.
    fn select(&self, stack: &Stack, lines: &mut Vec<LineId>) -> bool {
        let any = |answers: &PerLine, lines: &[LineId]| lines.iter().any(|line| answers.is(*line));
        if let Some(removed) = &self.removed {
            lines.retain(|line| !removed.is(*line));
            if lines.is_empty() {
                return false;
            }
        }
        if self.focus.as_ref().is_some_and(|focus| !any(focus, lines))
            || self.ignore.as_ref().is_some_and(|ignore| any(ignore, lines))
        {
            return false;
        }
        if !self.meets_condition(stack, lines) {
            return false;
        }
        if let Some(hide) = &self.hide {
            lines.retain(|line| !hide.is(*line));
        }
        if let Some(show) = &self.show {
            lines.retain(|line| show.is(*line));
        }
        if let Some(from) = &self.show_from {
            match lines.iter().rposition(|line| from.is(*line)) {
                Some(root) => lines.truncate(root + 1),
                None => return false,
            }
        }
        if !self.fits_labels(stack) {
            return false;
        }
        if let Some(from) = &self.prune_from
            && let Some(leaf) = lines.iter().position(|line| from.is(*line))
        {
            lines.drain(..leaf);
        }
        if self.plan.selection.no_inlines {
            lines.retain(|line| self.physical.is(*line));
        }
        if !self.label_lines.is_empty() && !lines.is_empty() {
            self.frame_labels(stack, lines);
        }
        true
    }

    fn fits_labels(&self, stack: &Stack) -> bool {
        let selection = &self.plan.selection;
        if selection.tag_focus.is_none() && selection.tag_ignore.is_none() {
            return true;
        }
        let labels = tags::labels_of(self.profile, stack);
        selection.tag_focus.as_ref().is_none_or(|filter| filter.fits(&labels))
            && selection.tag_ignore.as_ref().is_none_or(|filter| !filter.fits(&labels))
    }

    fn meets_condition(&self, stack: &Stack, lines: &[LineId]) -> bool {
        let Some(condition) = &self.plan.selection.condition else { return true };
        condition.fits(&tags::labels_of(self.profile, stack), &|pattern, leaf_only| {
            let lines = if leaf_only { &lines[..lines.len().min(1)] } else { lines };
            lines.iter().any(|line| self.in_condition[pattern].is(*line))
        })
    }

    /// Adds labels as frames: the first of `--tagroot` outermost, the last of `--tagleaf` innermost.
    fn frame_labels(&self, stack: &Stack, lines: &mut Vec<LineId>) {
        let labels = tags::labels_of(self.profile, stack);
        let line = |key: &String| self.label_lines.get(&tags::frame_text(&labels, key)).copied();
        lines.extend(self.plan.selection.tag_root.iter().rev().filter_map(line));
        let leaves: Vec<LineId> = self.plan.selection.tag_leaf.iter().rev().filter_map(line).collect();
        lines.splice(0..0, leaves);
    }

    /// What shares relate to: the total of the dumps, or, for comparing, that of the base; with a base that is
    /// subtracted, the sum of all changes.
    pub fn reference_total(&self) -> f64 {
        let stacks = &self.stacks;
        let before: f64 = stacks.iter().map(|stack| self.before(stack).abs()).sum();
        if self.plan.input.base_is_reference && before > 0.0 {
            before
        } else {
            stacks.iter().map(|stack| self.figure(stack).abs()).sum()
        }
    }

    fn figure(&self, stack: &Stack) -> f64 {
        self.figure_of(stack, self.plan.figure.metric)
    }

    /// Any figure of a stack, as the plan wants it.
    pub fn figure_of(&self, stack: &Stack, metric: Metric) -> f64 {
        let mut figure = stack.figures.get(metric);
        let normal = Metric::ALL.into_iter().zip(self.normal).find(|(of, _)| *of == metric);
        if let Some((_, normal)) = normal
            && normal != 1.0
        {
            let before = stack.base.get(metric);
            figure = (figure + before) * normal - before;
        }
        if figure < 0.0 && self.plan.selection.negative == Negative::Drop {
            return 0.0;
        }
        figure / self.plan.figure.divide_by
    }

    fn before(&self, stack: &Stack) -> f64 {
        stack.base.get(self.plan.figure.metric) / self.plan.figure.divide_by
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;

    use crate::model::testing::example;
    use crate::plan::selection::Selection;

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
            let name = |line: &LineId| view.symbols().function_name(view.symbols().line(*line)).to_string();
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
        assert!(figures(&focus("malloc")).is_empty());
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

    #[test]
    fn frames_are_hidden_shown_and_cut_at_both_ends() {
        let stacks = [("main;run;a;b", 1.0), ("main;run>x;c", 2.0), ("init;a;run;b", 4.0)];
        let regex = |text: &str| Some(Regex::new(text).unwrap());
        let left = |set: &dyn Fn(&mut Selection)| paths(&stacks, &selecting(set));
        assert_eq!(left(&|s| s.hide = regex("^(run|x)$")), ["main;a;b", "main;c", "init;a;b"]);
        assert_eq!(left(&|s| s.show = regex("^(a|b)$")), ["a;b", "a;b"]);
        assert_eq!(left(&|s| s.show_from = regex("^run$")), ["run;a;b", "run;x;c", "run;b"]);
        assert_eq!(left(&|s| s.show_from = regex("^(a|x)$")), ["a;b", "x;c", "a;run;b"]);
        assert_eq!(left(&|s| s.prune_from = regex("^run$")), ["main;run", "main;run", "init;a;run"]);
        assert_eq!(left(&|s| s.no_inlines = true), ["main;run;a;b", "main;run;c", "init;a;run;b"]);
    }

    #[test]
    fn labels_become_frames_and_choose_stacks() {
        let stacks = [("main;a", 100.0), ("main;b", 5000.0)];
        let keys = |keys: &str| keys.split(',').map(String::from).collect::<Vec<_>>();
        let rooted = selecting(|selection| selection.tag_root = keys("thread,size_class"));
        assert_eq!(
            paths(&stacks, &rooted),
            ["(no thread);size class 112 B;main;a", "(no thread);size class 5120 B;main;b"]
        );
        let leafed = selecting(|selection| selection.tag_leaf = keys("bytes"));
        assert_eq!(paths(&stacks, &leafed), ["main;a;100B", "main;b;5000B"]);
        let filter = |text: &str| Some(crate::plan::tag_filter::TagFilter::parse(text).unwrap());
        let focused = selecting(|selection| selection.tag_focus = filter("1kb:"));
        assert_eq!(paths(&stacks, &focused), ["main;b"]);
        let ignored = selecting(|selection| selection.tag_ignore = filter("bytes=1kb:"));
        assert_eq!(paths(&stacks, &ignored), ["main;a"]);
    }
}
