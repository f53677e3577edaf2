//! Figures, bounds, limits and verdicts in words, as every form for people has them.

use crate::check::finding::{Finding, Findings, Kind, Measured};
use crate::check::growth::TOTAL;
use crate::inference::interval::Verdict;
use crate::plan::check::Undecided;
use crate::units::{bytes_for_people, count_for_people};

/// `1.1 MiB`, or with its bounds `~11.0 MiB [9.4-12.7]`.
pub fn measured(figure: &Measured) -> String {
    if figure.is_exact() {
        return bytes_for_people(figure.value);
    }
    let unit = Unit::of(figure.value.abs().max(figure.high.abs() / 8.0));
    format!("~{} [{}-{}]", unit.with(figure.value), unit.bare(figure.low), unit.bare(figure.high))
}

/// A change with its sign: `+41.2 MiB [+33.0,+50.1]`.
pub fn change(figure: &Measured) -> String {
    let bounds = [figure.value, figure.low, figure.high].map(f64::abs);
    let largest = bounds.into_iter().filter(|bound| bound.is_finite()).fold(0.0, f64::max);
    let unit = Unit::of(if figure.is_exact() { figure.value.abs() } else { largest / 4.0 });
    let sign = |value: f64, text: String| if value >= 0.0 { format!("+{text}") } else { text };
    let value = sign(figure.value, unit.with(figure.value));
    if figure.is_exact() {
        return value;
    }
    if !(figure.low.is_finite() && figure.high.is_finite()) {
        return format!("{value} (too few dumps for bounds)");
    }
    let [low, high] = [figure.low, figure.high].map(|bound| sign(bound, unit.bare(bound)));
    format!("{value} [{low},{high}]")
}

/// A unit that fits a figure, for its bounds, too.
struct Unit {
    word: &'static str,
    bytes: f64,
}

impl Unit {
    fn of(bytes: f64) -> Unit {
        const WORDS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
        let power = WORDS.iter().enumerate().rev().find(|(power, _)| bytes >= 1024_f64.powi(*power as i32));
        let power = power.map_or(0, |(power, _)| power);
        Unit { word: WORDS[power], bytes: 1024_f64.powi(power as i32) }
    }

    fn bare(&self, bytes: f64) -> String {
        format!("{:.*}", usize::from(self.bytes > 1.0), bytes / self.bytes)
    }

    fn with(&self, bytes: f64) -> String {
        format!("{} {}", self.bare(bytes), self.word)
    }
}

/// `2 stacks`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{} {noun}{}", count_for_people(count as i64), if count == 1 { "" } else { "s" })
}

/// `1 block of 112 B`, `10,001 blocks (112 B each)`, `~102,000 blocks`.
pub fn blocks(findings: &Findings, bytes: f64, objects: f64) -> String {
    let count = objects.round().max(0.0);
    let about = if findings.is_exact() { "" } else { "~" };
    let each = bytes / count;
    let each = if findings.is_exact() && count > 0.0 && each.fract() == 0.0 {
        format!(" ({} each)", bytes_for_people(each))
    } else {
        String::new()
    };
    format!("{about}{}{each}", counted(count as usize, "block"))
}

/// How the dumps were sampled, and what the bounds hold with.
pub fn sampling(findings: &Findings) -> String {
    match findings.is_exact() {
        true => "sampling: exact".into(),
        false => format!(
            "sampling: 1 in {}, bounds of {} %",
            bytes_for_people(findings.period as f64),
            findings.confidence * 100.0
        ),
    }
}

/// `q=0.031`.
pub fn chance(name: &str, value: f64) -> String {
    match value {
        _ if value < 1e-4 => format!("{name}<0.0001"),
        _ if value < 0.01 => format!("{name}={value:.4}"),
        _ => format!("{name}={value:.3}"),
    }
}

/// A finding in one line, without colours, for what CI systems show.
pub fn plain_line(finding: &Finding) -> String {
    let limit = limit_text(finding).map_or(String::new(), |limit| format!(" ({limit})"));
    let owner = finding.owner.as_ref().map_or(String::new(), |owner| format!(" {owner}"));
    format!("{} {}: {}{limit}{owner}", finding.kind.word(), finding.subject, figure_text(finding))
}

/// The figure with its unit and bounds.
pub fn figure_text(finding: &Finding) -> String {
    match finding.kind {
        Kind::Growth | Kind::Shrinkage | Kind::Trend | Kind::Slope => change_in(finding),
        _ if finding.unit == "objects" => {
            format!("{} objects", count_for_people(finding.figure.value.round() as i64))
        }
        _ => measured(&finding.figure),
    }
}

/// A change with what it is per.
fn change_in(finding: &Finding) -> String {
    let Measured { value, low, high, .. } = finding.figure;
    if value == 0.0 && !low.is_finite() && !high.is_finite() {
        return "not known".into();
    }
    let per = finding.unit.strip_prefix("bytes").unwrap_or_default();
    format!("{}{per}", change(&finding.figure))
}

/// What is allowed, with its unit, where there is a limit: of what changes with a sign.
pub fn allowed(finding: &Finding) -> Option<String> {
    let limit = finding.limit?;
    Some(match finding.unit {
        "objects" => count_for_people(limit as i64),
        unit => {
            let is_change =
                matches!(finding.kind, Kind::Growth | Kind::Shrinkage | Kind::Trend | Kind::Slope);
            let sign = if is_change { "+" } else { "" };
            let per = unit.strip_prefix("bytes").unwrap_or_default();
            format!("{sign}{}{per}", bytes_for_people(limit))
        }
    })
}

/// The same as part of a line.
pub fn limit_text(finding: &Finding) -> Option<String> {
    allowed(finding).map(|allowed| format!("allowed {allowed}"))
}

/// What leaked, in one line: `2 leaking stacks, 1.2 MiB in 10,402 blocks`.
pub fn leaked(findings: &Findings, leaking: &[&Finding]) -> String {
    if leaking.is_empty() {
        return match findings.count(Verdict::Unsure) {
            0 => "no leaks".into(),
            unsure => format!("no leak is certain, {} not decided", counted(unsure, "stack")),
        };
    }
    let total = findings.totals.first().copied().unwrap_or_default();
    let stacks = counted(leaking.len(), "leaking stack");
    format!("{stacks}, {} in {}", measured(&total), blocks(findings, f64::NAN, objects(leaking)))
}

/// The objects of several findings together.
pub fn objects(of: &[&Finding]) -> f64 {
    of.iter().filter_map(|finding| finding.objects).sum()
}

/// What is no leak because it is still pointed to, where that was looked for.
pub fn still_reachable(findings: &Findings) -> Option<String> {
    let (stacks, bytes, objects) = findings.reachable.filter(|(stacks, ..)| *stacks > 0)?;
    Some(format!(
        "still pointed to, no leak: {} in {} of {} (--reachable shows them)",
        bytes_for_people(bytes),
        blocks(findings, f64::NAN, objects),
        counted(stacks, "stack"),
    ))
}

/// From what to what everything together went, and whether chance explains it, of what compares.
pub fn total_change(findings: &Findings) -> Option<String> {
    let is_total = |finding: &&Finding| finding.subject == TOTAL && finding.place.is_none();
    let total = findings.all.iter().find(is_total)?;
    let (before, after) = total.sides.as_ref()?;
    let verdict = match total.q {
        None => "exact".into(),
        Some(p) if p <= findings.fdr => format!("significant ({})", chance("p", p)),
        Some(p) => format!("within noise ({})", chance("p", p)),
    };
    let (before, after) = (bytes_for_people(before.value), bytes_for_people(after.value));
    Some(format!("total  {before} -> {after}  {}  {verdict}", change(&total.figure)))
}

/// How many stacks changed, and how.
pub fn movements(findings: &Findings) -> String {
    let of = |kind: Kind| {
        findings.all.iter().filter(|finding| finding.kind == kind && finding.place.is_some()).count()
    };
    let noted = |note: &str| {
        findings.all.iter().filter(|finding| finding.notes.iter().any(|had| had == note)).count()
    };
    format!(
        "grew {} of {}   shrank {}   new {}   gone {}",
        of(Kind::Growth),
        counted(findings.stacks, "stack"),
        of(Kind::Shrinkage),
        noted("new"),
        noted("gone"),
    )
}

/// How many stacks changed by no more than chance or the limit allows.
pub fn unshown(findings: &Findings) -> Option<String> {
    let why = if findings.is_exact() { "is below --min_growth" } else { "is within sampling noise" };
    (findings.noise > 0)
        .then(|| format!("not shown: {} whose change {why}", counted(findings.noise, "stack")))
}

/// How many verdicts there are of each kind.
pub fn tally(findings: &Findings) -> String {
    let undecided = match findings.undecided {
        Undecided::Fail => "fail",
        Undecided::Pass | Undecided::Warn => "pass",
    };
    format!(
        "{} failed, {} passed, {} undecided (treated as {undecided})",
        findings.count(Verdict::Fail),
        findings.count(Verdict::Pass),
        findings.count(Verdict::Unsure),
    )
}
