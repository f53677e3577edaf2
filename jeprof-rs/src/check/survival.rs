//! What a single dump tells by ages: a part of a stack's objects that is never given back.

use super::Sieve;
use super::finding::{Finding, Findings, Kind, Measured};
use super::stacks::{Stack, Stacks};
use crate::inference::interval::Verdict;
use crate::inference::survival::plateau;
use crate::plan::check::CheckPlan;
use crate::units::time_for_people;

/// Each bound of one stack is wrong with at most this chance; with many stacks, so that all of them together are within `fdr`.
const ALPHA: f64 = 0.001;

/// Adds the stacks of the last dump of which a part stays, if that is more than the least growth that is reported. Nothing where
/// dumps do not tell ages and lifetimes.
pub fn add_survivals(stacks: &Stacks, sieve: &mut Sieve<'_>, plan: &CheckPlan, findings: &mut Findings) {
    let Some(last) = stacks.looked_at().next_back() else { return };
    let tells =
        |stack: &&Stack| stack.ages.freed.iter().chain(&stack.ages.alive).any(|samples| *samples > 0.0);
    let tested: Vec<&Stack> = stacks.all.iter().filter(tells).collect();
    let alpha = ALPHA.min(plan.fdr() / tested.len().max(1) as f64);
    let least = plan.growth_min(stacks.total(last).bytes);
    for stack in tested {
        let live = stack.live[last];
        let figure = Measured::bytes(&live, plan.confidence());
        let Some(plateau) = plateau(&stack.ages, alpha).filter(|_| figure.low > least) else { continue };
        if !sieve.lets_through(stack, &live, plan.confidence()) {
            continue;
        }
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        findings.all.push(Finding {
            verdict: Verdict::Fail,
            objects: Some(live.objects),
            limit: Some(least),
            notes: vec![format!(
                "{} % [{}-{}] of its objects are never given back: from an age of {} on none are",
                percent(plateau.share),
                percent(plateau.low),
                percent(plateau.high),
                time_for_people(plateau.from_nanos as f64),
            )],
            ..Finding::of_stack(Kind::Survival, stack, figure)
        });
    }
}
