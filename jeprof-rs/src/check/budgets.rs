//! The gate: growth from dump to dump, and limits that a configuration sets.

use super::Sieve;
use super::config::{Budget, Config};
use super::finding::{Finding, Findings, Kind, Measured, Where};
use super::growth::{Sides, TOTAL, changes};
use super::leaks::last_of_each;
use super::stacks::{Stack, Stacks};
use super::survival::add_survivals;
use super::trend::{add_trends, times};
use crate::inference::estimate::Estimate;
use crate::inference::growth::growth;
use crate::inference::interval::{Verdict, lg_sample_that_decides};
use crate::inference::slope::{least_squares, theil_sen};
use crate::plan::check::CheckPlan;

/// Fewer dumps than this are compared, the last with the first; of so many or more the trend is looked at.
const DUMPS_OF_A_TREND: usize = 4;

/// Verdicts of growth, process by process, and of each limit.
pub fn check(stacks: &Stacks, sieve: &mut Sieve<'_>, config: &Config, plan: &CheckPlan) -> Findings {
    let mut findings = Findings { period: stacks.period(), stacks: stacks.all.len(), ..Findings::new(plan) };
    for dumps in stacks.series() {
        match dumps.as_slice() {
            [] | [_] => {}
            [first, .., last] if dumps.len() < DUMPS_OF_A_TREND => {
                let sides = Sides { before: vec![*first], after: vec![*last] };
                let changed = changes(stacks, &sides, sieve, plan);
                let grown = changed.all.into_iter().filter(|finding| finding.kind == Kind::Growth);
                findings.all.extend(grown.filter(|finding| finding.subject != TOTAL));
                findings.noise += changed.noise;
            }
            dumps => add_trends(stacks, dumps, sieve, plan, &mut findings),
        }
    }
    let total: Estimate = last_of_each(stacks).into_iter().map(|dump| stacks.total(dump)).sum();
    findings.totals = vec![Measured::bytes(&total, plan.confidence())];
    add_survivals(stacks, sieve, plan, &mut findings);
    add_budgets(stacks, sieve, config, plan, &mut findings);
    findings
}

/// Stacks of a budget: each belongs to the first that is about it, and to all that say `all`.
fn add_budgets(
    stacks: &Stacks,
    sieve: &mut Sieve<'_>,
    config: &Config,
    plan: &CheckPlan,
    findings: &mut Findings,
) {
    let last = last_of_each(stacks);
    let live = |stack: &Stack| -> Estimate { last.iter().map(|&dump| stack.live[dump]).sum() };
    let counted: Vec<&Stack> = stacks
        .all
        .iter()
        .filter(|stack| sieve.lets_through(stack, &live(stack), plan.confidence()))
        .collect();
    let mut taken = vec![false; counted.len()];
    for budget in &config.budgets {
        let mut of_budget: Vec<&Stack> = Vec::new();
        for (stack, taken) in counted.iter().zip(&mut taken) {
            if budget.is_about(stack) && (budget.all || budget.is_total() || !*taken) {
                *taken |= !budget.all && !budget.is_total();
                of_budget.push(stack);
            }
        }
        add_budget(stacks, budget, &of_budget, plan, findings);
    }
}

/// The smallest size class, in bytes.
const SMALLEST: f64 = 8.0;

/// An estimate of the objects of a stack, in the place of its bytes: each sample stands for `1/p` of them.
fn objects_of(live: &Estimate) -> Estimate {
    let size = live.bytes / live.objects;
    let p = if live.is_exact() || !size.is_finite() { 1.0 } else { -libm::expm1(-size / live.period) };
    let variance = live.objects * (1.0 - p) / p;
    Estimate { bytes: live.objects, variance, period: if p < 1.0 { 1.0 / p } else { 0.0 }, ..*live }
}

/// The limits of one budget, held against its stacks.
fn add_budget(stacks: &Stacks, budget: &Budget, of: &[&Stack], plan: &CheckPlan, findings: &mut Findings) {
    let sum = |dump: usize| -> Estimate { of.iter().map(|stack| stack.live[dump]).sum() };
    let ends = last_of_each(stacks);
    let last: Estimate = ends.iter().map(|&dump| sum(dump)).sum();
    // Where nothing is live, the sampling distance of the dumps says how much may have been missed.
    let period = stacks.period() as f64;
    let last = if last.bytes == 0.0 {
        Estimate { period: if period > 1.0 { period } else { 0.0 }, ..last }
    } else {
        last
    };
    let live = |stack: &Stack| stack.live_in(&ends).bytes;
    let largest = of.iter().max_by(|a, b| live(a).total_cmp(&live(b)));
    let mut add = |figure: Measured, unit: &'static str, limit: f64, kind: Kind, notes: Vec<String>| {
        findings.all.push(Finding {
            kind,
            verdict: figure.verdict(limit),
            subject: budget.name.clone(),
            figure,
            unit,
            sides: None,
            objects: Some(last.objects),
            limit: Some(limit),
            q: None,
            place: largest.filter(|_| !budget.is_total()).map(|stack| Where::of(stack)),
            by_pattern: true,
            owner: budget.owner.clone(),
            notes,
        });
    };
    if let Some(limit) = budget.max {
        let figure = Measured::bytes(&last, plan.confidence());
        let undecided = figure.verdict(limit) == Verdict::Unsure;
        let notes = undecided.then(|| {
            format!(
                "to decide this with {} % confidence, sample at lg_prof_sample:{} or lower",
                plan.confidence() * 100.0,
                lg_sample_that_decides(last.bytes, limit, plan.confidence())
            )
        });
        add(figure, "bytes", limit, Kind::Budget, notes.into_iter().collect());
    }
    if let Some(limit) = budget.objects {
        let objects: Estimate = of.iter().map(|stack| objects_of(&stack.live_in(&ends))).sum();
        // Of nothing at all there may be as many of the smallest as a sampling distance holds.
        let objects = match objects.bytes == 0.0 && period > 1.0 {
            true => Estimate { period: period / SMALLEST, ..objects },
            false => objects,
        };
        let figure = Measured::bytes(&objects, plan.confidence());
        add(figure, "objects", limit, Kind::Budget, Vec::new());
    }
    // What is said of a series is said of one process.
    let processes = stacks.processes();
    let unknown = Measured { value: 0.0, low: f64::NEG_INFINITY, high: f64::INFINITY, samples: None };
    let dumps = match processes.as_slice() {
        [dumps] if dumps.len() >= 2 => dumps,
        _ => {
            let limits = [
                (budget.growth, "bytes", Kind::Growth),
                (budget.rate, "bytes/min", Kind::Slope),
                (budget.per_iteration, "bytes/iteration", Kind::Slope),
            ];
            for (limit, unit, kind) in limits {
                let what = "not checked: that takes two dumps or more, of one process";
                limit.into_iter().for_each(|limit| add(unknown, unit, limit, kind, vec![what.into()]));
            }
            return;
        }
    };
    let live: Vec<Estimate> = dumps.iter().map(|&dump| sum(dump)).collect();
    let change =
        growth(&live[0], &live[live.len() - 1], budget.growth.unwrap_or(0.0), None, plan.confidence());
    if let Some(limit) = budget.growth {
        add(change.into(), "bytes", limit, Kind::Growth, Vec::new());
    }
    let (times, unit) = times(stacks, dumps);
    let points: Vec<(f64, f64)> = times.iter().zip(&live).map(|(time, live)| (*time, live.bytes)).collect();
    if let Some(limit) = budget.rate {
        match theil_sen(&points, plan.confidence()).filter(|_| unit == "bytes/min") {
            Some(slope) => add(slope.into(), unit, limit, Kind::Slope, Vec::new()),
            None => {
                let what = "not checked: the dumps do not tell when they were made";
                add(unknown, "bytes/min", limit, Kind::Slope, vec![what.into()]);
            }
        }
    }
    if let Some(limit) = budget.per_iteration {
        let iterations = plan.iterations.unwrap_or(1.0);
        let numbered: Vec<(f64, f64)> =
            live.iter().enumerate().map(|(number, live)| (number as f64 * iterations, live.bytes)).collect();
        if let Some(slope) = least_squares(&numbered, plan.confidence()) {
            add(slope.into(), "bytes/iteration", limit, Kind::Slope, Vec::new());
        }
    }
}
