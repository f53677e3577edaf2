//! What grows from dump to dump of one process.

use super::Sieve;
use super::finding::{Finding, Findings, Kind, Measured};
use super::growth::SAMPLES_MIN;
use super::stacks::{Stack, Stacks};
use crate::inference::interval::Verdict;
use crate::inference::trend::{
    Course, DUMPS_ADVISED, Moment, Trend, courses, dumps_needed, dumps_wanted, trend, warm_up,
};
use crate::plan::check::CheckPlan;
use crate::units::bytes_for_people;

/// When dumps were made: in minutes where all tell, else their numbers, with the unit of a slope.
pub fn times(stacks: &Stacks, dumps: &[usize]) -> (Vec<f64>, &'static str) {
    let nanos: Vec<u64> = dumps.iter().map(|&dump| stacks.dumps[dump].time_nanos).collect();
    let told = nanos.first().filter(|first| **first != 0 && nanos.is_sorted_by(|a, b| a < b));
    if let Some(&first) = told {
        let minutes = nanos.iter().map(|time| (time - first) as f64 / 60e9);
        return (minutes.collect(), "bytes/min");
    }
    ((0..dumps.len()).map(|number| number as f64).collect(), "bytes/dump")
}

/// Judges every stack over the dumps of a process, but for `skip` of them at the beginning (or those of the warm-up), and adds
/// what grows to the findings.
pub fn add_trends(
    stacks: &Stacks,
    all: &[usize],
    sieve: &mut Sieve<'_>,
    plan: &CheckPlan,
    findings: &mut Findings,
) {
    let totals: Vec<f64> = all.iter().map(|&dump| stacks.total(dump).bytes).collect();
    let (times, unit) = times(stacks, all);
    // No more are left out than can be spared: the order of those that are left has to prove something.
    let spare = all.len().saturating_sub(dumps_needed(stacks.all.len(), plan.fdr()));
    let skip = plan
        .skip_first
        .unwrap_or_else(|| warm_up(&times, &totals).min(spare))
        .min(all.len().saturating_sub(2));
    let (dumps, times) = (&all[skip..], &times[skip..]);
    if dumps.len() < 2 {
        return;
    }
    let mut tested: Vec<(&Stack, Trend)> = Vec::new();
    for stack in &stacks.all {
        let moments: Vec<Moment> =
            dumps.iter().zip(times).map(|(&dump, &at)| Moment { at, live: stack.live[dump] }).collect();
        let enough = moments.iter().any(|moment| {
            moment.live.is_exact() && moment.live.bytes > 0.0 || moment.live.is_worth(SAMPLES_MIN)
        });
        let last = stack.live[dumps[dumps.len() - 1]];
        if enough
            && sieve.lets_through(stack, &last, plan.confidence())
            && let Some(trend) = trend(&moments, None, plan.confidence())
        {
            tested.push((stack, trend));
        }
    }
    let trends: Vec<Trend> = tested.iter().map(|(_, trend)| *trend).collect();
    let largest = totals.iter().copied().fold(0.0, f64::max);
    let least = plan.growth_min(largest);
    let mut grown = 0;
    // So few dumps that their order cannot prove anything among so many stacks: the comparison of the ends has to do, and does
    // not say that growth goes on.
    let blind = dumps.len() < dumps_needed(tested.len(), plan.fdr());
    let changes: Vec<f64> = trends.iter().map(|trend| trend.change.p).collect();
    let judged = courses(&trends, plan.correction, plan.fdr()).into_iter().zip(plan.correction.of(&changes));
    for ((stack, trend), ((course, q), changed)) in tested.iter().zip(judged) {
        let (course, q) = match course {
            Course::Steady if blind && changed <= plan.fdr() && trend.order.p < 0.5 => {
                (Course::Unclear, changed)
            }
            course => (course, q),
        };
        let verdict = match course {
            Course::Steady => continue,
            _ if trend.change.low <= least => continue,
            Course::Growing => Verdict::Fail,
            Course::Unclear => Verdict::Unsure,
            Course::StoppedGrowing => Verdict::Pass,
        };
        grown += 1;
        let mut finding = finding(stack, trend, q, unit);
        finding.verdict = verdict;
        finding.limit = Some(least);
        finding.notes.push(
            match course {
                Course::Growing => "still growing at the end",
                Course::Unclear => {
                    "whether it still grows at the end cannot be told: run longer, or look at ages (old)"
                }
                Course::StoppedGrowing | Course::Steady => "stopped growing",
            }
            .into(),
        );
        let between = (stack.live[dumps[0]], stack.live[dumps[dumps.len() - 1]]);
        finding.sides = Some((
            Measured::bytes(&between.0, plan.confidence()),
            Measured::bytes(&between.1, plan.confidence()),
        ));
        findings.all.push(finding);
    }
    findings.noise += tested.len() - grown;
    if skip > 0 {
        findings.notes.push(format!(
            "{skip} of {} dumps are of the start, and were left out (--skip_first)",
            all.len()
        ));
    }
    if dumps.len() < DUMPS_ADVISED {
        findings.notes.push(format!(
            "{} dumps make a weak case of growth: {} or more are better",
            dumps.len(),
            dumps_wanted(tested.len(), plan.fdr())
        ));
    }
}

fn finding(stack: &Stack, trend: &Trend, q: f64, unit: &'static str) -> Finding {
    let per = unit.strip_prefix("bytes").unwrap_or_default();
    Finding {
        q: (trend.change.low != trend.change.high).then_some(q),
        notes: vec![format!("about {}{per}", bytes_for_people(trend.slope.value))],
        ..Finding::of_stack(Kind::Trend, stack, trend.change.into())
    }
}
