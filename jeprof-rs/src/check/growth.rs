//! What grew from some dumps to others, by more than chance allows.
//!
//! Stacks of at least five samples, or distances between samples, on either side are tested; the share of false alarms among what is reported is held to
//! `fdr` (Benjamini and Hochberg), or, family-wise, the chance of any (Holm). The total is tested by itself.

use super::Sieve;
use super::finding::{Finding, Findings, Kind, Measured};
use super::stacks::{Stack, Stacks, process_of};
use crate::inference::estimate::Estimate;
use crate::inference::growth::{Churn, Growth, chance, growth};
use crate::inference::interval::Verdict;
use crate::plan::check::CheckPlan;

/// Stacks with fewer samples than this on both sides are not tested: whatever they did, chance does as much.
pub const SAMPLES_MIN: f64 = 5.0;

/// Two sides of a comparison: indices of dumps.
pub struct Sides {
    /// Before.
    pub before: Vec<usize>,
    /// After.
    pub after: Vec<usize>,
}

/// What a stack holds on both sides, and what it grew by.
struct Compared<'s> {
    stack: &'s Stack,
    before: Estimate,
    after: Estimate,
    change: Growth,
    /// By how much the chance of a false alarm is told, once all are tested.
    q: f64,
}

impl Compared<'_> {
    fn is_tested(&self) -> bool {
        let exact = self.before.is_exact() && self.after.is_exact();
        exact || [&self.before, &self.after].iter().any(|side| side.is_worth(SAMPLES_MIN))
    }
}

/// What changed between the sides. Rules leave stacks out of what is reported, not out of the totals.
pub fn changes(stacks: &Stacks, sides: &Sides, sieve: &mut Sieve<'_>, plan: &CheckPlan) -> Findings {
    let one_process = is_one_process(stacks, sides);
    let (mut before, mut after) = (Estimate::default(), Estimate::default());
    let mut all: Vec<Compared<'_>> = Vec::new();
    let mut stack_count = 0;
    for stack in &stacks.all {
        let side = Compared {
            stack,
            before: stack.live_in(&sides.before),
            after: stack.live_in(&sides.after),
            change: Growth::default(),
            q: 1.0,
        };
        if side.before.bytes == 0.0 && side.after.bytes == 0.0 {
            continue;
        }
        stack_count += 1;
        before += side.before;
        after += side.after;
        if sieve.lets_through(stack, &side.after, plan.confidence()) {
            let churn = one_process.then(|| churn(stack, sides, &side)).flatten();
            let change = growth(&side.before, &side.after, 0.0, churn, plan.confidence());
            all.push(Compared { change, ..side });
        }
    }
    let mut findings = Findings {
        period: stacks.period(),
        stacks: stack_count,
        totals: [&before, &after].map(|side| Measured::bytes(side, plan.confidence())).into(),
        ..Findings::new(plan)
    };
    let least = plan.growth_min(before.bytes.max(after.bytes));
    for up in [true, false] {
        correct(&mut all, up, plan);
        for compared in &all {
            findings.all.extend(finding(compared, up, least, plan));
        }
    }
    let changed = all.iter().filter(|compared| compared.change.by != 0.0).count();
    findings.noise = changed - findings.all.len();
    findings.all.sort_by(|a, b| {
        (a.kind, b.figure.value.abs())
            .partial_cmp(&(b.kind, a.figure.value.abs()))
            .unwrap_or(std::cmp::Ordering::Equal)
            .then_with(|| a.key().cmp(&b.key()))
    });
    findings.all.insert(0, total(&before, &after, least, plan));
    findings
}

/// Sets the chance of a false alarm of each that is tested for growth (or else for becoming less).
fn correct(all: &mut [Compared<'_>], up: bool, plan: &CheckPlan) {
    let mut tested: Vec<&mut Compared<'_>> = all.iter_mut().filter(|compared| compared.is_tested()).collect();
    let p: Vec<f64> = tested.iter().map(|compared| chance_of(compared, up)).collect();
    tested.iter_mut().zip(plan.correction.of(&p)).for_each(|(compared, q)| compared.q = q);
}

fn chance_of(compared: &Compared<'_>, up: bool) -> f64 {
    match up {
        true => compared.change.p,
        false => chance(&compared.after, &compared.before, 0.0, None),
    }
}

fn finding(compared: &Compared<'_>, up: bool, least: f64, plan: &CheckPlan) -> Option<Finding> {
    let Growth { low, high, .. } = compared.change;
    let is_certain = match up {
        true => low > least,
        false => -high > least,
    };
    if !compared.is_tested() || compared.q > plan.fdr() || !is_certain {
        return None;
    }
    let mut notes = Vec::new();
    notes.extend((compared.before.bytes == 0.0).then(|| "new".to_string()));
    notes.extend((compared.after.bytes == 0.0).then(|| "gone".to_string()));
    let is_exact = compared.before.is_exact() && compared.after.is_exact();
    Some(Finding {
        verdict: if up { Verdict::Fail } else { Verdict::Pass },
        sides: Some((
            Measured::bytes(&compared.before, plan.confidence()),
            Measured::bytes(&compared.after, plan.confidence()),
        )),
        objects: Some(compared.after.objects - compared.before.objects),
        limit: Some(least),
        q: (!is_exact).then_some(compared.q),
        notes,
        ..Finding::of_stack(
            if up { Kind::Growth } else { Kind::Shrinkage },
            compared.stack,
            compared.change.into(),
        )
    })
}

/// Of everything together, tested by itself, since it pools what is too small to be tested.
fn total(before: &Estimate, after: &Estimate, least: f64, plan: &CheckPlan) -> Finding {
    let change = growth(before, after, 0.0, None, plan.confidence());
    let grew = change.p <= plan.fdr() && change.low > least;
    Finding {
        kind: Kind::Growth,
        verdict: if grew { Verdict::Fail } else { Verdict::Pass },
        subject: TOTAL.into(),
        figure: change.into(),
        unit: "bytes",
        sides: Some((Measured::bytes(before, plan.confidence()), Measured::bytes(after, plan.confidence()))),
        objects: Some(after.objects - before.objects),
        limit: Some(least),
        q: (before.variance + after.variance > 0.0).then_some(change.p),
        place: None,
        by_pattern: false,
        owner: None,
        notes: Vec::new(),
    }
}

/// Subject of a finding about everything together.
pub const TOTAL: &str = "total";

/// Whether each side is one dump, and both are of one process.
fn is_one_process(stacks: &Stacks, sides: &Sides) -> bool {
    let ([before], [after]) = (sides.before.as_slice(), sides.after.as_slice()) else { return false };
    let process = |dump: usize| process_of(&stacks.names[dump]);
    process(*before).is_some() && process(*before) == process(*after)
}

/// What came and went between two dumps of one process, where both tell.
fn churn(stack: &Stack, sides: &Sides, compared: &Compared<'_>) -> Option<Churn> {
    let ([before], [after]) = (sides.before.as_slice(), sides.after.as_slice()) else { return None };
    let born = stack.allocated[*after] - stack.allocated[*before];
    let freed = born - (compared.after.bytes - compared.before.bytes);
    (stack.allocated[*after] > 0.0 && born >= 0.0 && freed >= 0.0).then_some(Churn { born, freed })
}
