//! What was not given back by the end.
//!
//! Where the dumps tell what nobody points to any more, that is a leak, and all else is not. Where they do not, everything
//! that is live and that no rule leaves out counts. Where threads could not be stopped while that was looked for, what only
//! their registers held seems to be lost as well: such a leak is not decided.

use super::Sieve;
use super::finding::{Finding, Findings, Kind, Measured};
use super::stacks::{Stack, Stacks, process_of};
use super::suppressions::Rule;
use crate::inference::estimate::Estimate;
use crate::inference::interval::Verdict;
use crate::plan::check::CheckPlan;

/// The leaks of the last dump of each process.
pub fn leaks(stacks: &Stacks, rules: &[Rule], plan: &CheckPlan) -> Findings {
    // Names that tell no process are each of one by itself.
    let last: Vec<usize> = stacks
        .processes()
        .into_iter()
        .flat_map(|dumps| match dumps.last() {
            Some(last) if process_of(&stacks.names[*last]).is_some() => vec![*last],
            _ => dumps,
        })
        .collect();
    let tells = |dump: usize| stacks.dumps[dump].tells_reach && !plan.reachable;
    let by_reach = last.iter().any(|&dump| tells(dump));
    let mut sieve = Sieve::new(rules);
    let mut findings = Findings {
        period: last.iter().map(|&dump| stacks.dumps[dump].period).max().unwrap_or(1),
        ..Findings::new(plan)
    };
    let mut total = Estimate::default();
    let mut reachable = (0, 0.0, 0.0);
    for stack in &stacks.all {
        let live = stack.live_in(&last);
        if live.bytes <= 0.0 {
            continue;
        }
        findings.stacks += 1;
        let lost: Estimate = last
            .iter()
            .map(|&dump| if tells(dump) { unreachable(stack, dump) } else { stack.live[dump] })
            .sum();
        if by_reach && lost.bytes < live.bytes {
            let stays = (live.bytes - lost.bytes, live.objects - lost.objects);
            reachable = (reachable.0 + 1, reachable.1 + stays.0, reachable.2 + stays.1);
        }
        let is_unsure = |dump: usize| {
            tells(dump) && stacks.dumps[dump].unseen_threads > 0 && stack.unreachable[dump].0 > 0.0
        };
        let figure = Measured::bytes(&lost, plan.confidence());
        if lost.bytes <= 0.0 || !sieve.lets_through(stack, &lost, plan.confidence()) {
            continue;
        }
        total += lost;
        let mut verdict = verdict(&figure, plan.min_leak);
        let mut notes = Vec::new();
        if verdict == Verdict::Fail && last.iter().any(|&dump| is_unsure(dump)) {
            verdict = Verdict::Unsure;
            notes.push(UNSEEN.to_string());
        }
        findings.all.push(Finding {
            verdict,
            notes,
            objects: Some(lost.objects),
            limit: (plan.min_leak > 0.0).then_some(plan.min_leak),
            ..Finding::of_stack(Kind::Leak, stack, figure)
        });
    }
    findings
        .all
        .sort_by(|a, b| b.figure.value.total_cmp(&a.figure.value).then_with(|| a.key().cmp(&b.key())));
    findings.totals = vec![Measured::bytes(&total, plan.confidence())];
    findings.reachable = by_reach.then_some(reachable);
    sieve.tell(&mut findings);
    findings
}

/// What is said of a leak that may be none.
const UNSEEN: &str =
    "not decided: a thread did not stop (it holds signals back), and its registers may point to this";

/// A sample is proof of an object, which is more than nothing whatever the lower bound.
fn verdict(figure: &Measured, limit: f64) -> Verdict {
    match figure.verdict(limit) {
        Verdict::Unsure if limit == 0.0 => Verdict::Fail,
        verdict => verdict,
    }
}

/// What of a stack nobody points to in a dump. Reachability is told of exact dumps only.
fn unreachable(stack: &Stack, dump: usize) -> Estimate {
    let (bytes, objects) = stack.unreachable[dump];
    Estimate::of_heap_v2(bytes, objects, 1.0)
}

/// The last dump of each process.
pub fn last_of_each(stacks: &Stacks) -> Vec<usize> {
    stacks.processes().iter().filter_map(|dumps| dumps.last().copied()).collect()
}
