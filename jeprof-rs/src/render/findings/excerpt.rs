//! The stacks of findings as a view of their own, for what draws stacks or hands them on: each once, with the bytes that
//! its finding is about.

use hashbrown::HashMap;

use super::Shown;
use crate::check::finding::Kind;
use crate::inference::interval::Verdict;
use crate::model::labels::LabelsId;
use crate::model::{Figures, Stack};
use crate::plan::Plan;
use crate::render::Request;
use crate::transform::View;

/// Kinds whose figure is bytes of one stack. Where a stack has findings of several, the first counts: what it grew by goes
/// before what it holds.
const KINDS: [Kind; 5] = [Kind::Leak, Kind::Growth, Kind::Trend, Kind::Baseline, Kind::Survival];

/// See the module's head.
pub struct Excerpt {
    plan: Plan,
    stacks: Vec<Stack>,
}

impl Excerpt {
    /// The stacks of what fails or is undecided, and with `--all` of what passes, in the order of the findings. What a
    /// pattern finds is about many stacks, of which none is told; what became less is left out.
    pub fn of(shown: &Shown<'_>) -> Excerpt {
        let request = shown.request;
        let mut rows: Vec<(usize, u32, Figures)> = Vec::new();
        let mut known: HashMap<u32, usize> = HashMap::new();
        let is_told = |verdict: Verdict| verdict != Verdict::Pass || request.plan.check.all;
        for finding in shown.findings.all.iter().filter(|finding| is_told(finding.verdict)) {
            let (Some(rank), Some(place)) =
                (KINDS.iter().position(|kind| *kind == finding.kind), &finding.place)
            else {
                continue;
            };
            let bytes = finding.figure.value;
            if finding.by_pattern || finding.unit != "bytes" || bytes <= 0.0 {
                continue;
            }
            let figures = Figures {
                live_bytes: bytes,
                live_objs: finding.objects.unwrap_or(0.0),
                ..Figures::default()
            };
            let at = *known.entry(place.stack).or_insert(rows.len());
            match rows.get_mut(at) {
                None => rows.push((rank, place.stack, figures)),
                Some(row) if rank < row.0 => *row = (rank, place.stack, figures),
                // Of another process.
                Some(row) if rank == row.0 => row.2.add(figures, 1.0),
                Some(_) => {}
            }
        }
        let profile = request.view.profile();
        let stack = |(_, index, figures): (usize, u32, Figures)| {
            let mut stack = profile.stacks[index as usize].clone();
            // Of all threads, ages and sizes together.
            stack.labels = LabelsId::NONE;
            (stack.figures, stack.base, stack.pinned) = (figures, Figures::default(), 0.0);
            stack
        };
        Excerpt { plan: request.plan.of_chosen_stacks(), stacks: rows.into_iter().map(stack).collect() }
    }

    /// Says so where there is no stack although something was found.
    pub fn warn_if_empty(&self, shown: &Shown<'_>, form: &str) {
        let found = shown.findings.all.iter().any(|finding| finding.verdict != Verdict::Pass);
        if self.stacks.is_empty() && found {
            shown.request.warn(format!("{form} is empty: no finding is about the bytes of one stack"));
        }
    }

    /// What the view is made by.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The view.
    pub fn view<'v>(&'v self, request: &'v Request<'_>) -> View<'v> {
        View::new(request.view.profile(), request.view.symbols(), &self.plan).of_stacks(self.stacks.clone())
    }
}
