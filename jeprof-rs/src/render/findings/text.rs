//! For people.

use std::fmt::Write;

use super::{Form, Shown};
use crate::check::finding::{Finding, Findings, Kind, Measured, Where, word};
use crate::check::growth::TOTAL;
use crate::check::stack_key::short_key;
use crate::check::stacks;
use crate::error::Result;
use crate::inference::interval::Verdict;
use crate::plan::check::Undecided;
use crate::plan::choice::{Frames, Rows};
use crate::render::rows_max;
use crate::terminal::{harmless, paint, style};
use crate::units::{bytes_for_people, count_for_people};

/// The row of this form.
pub const FORM: Form = Form { name: "text", about: "people", render };

fn render(shown: &Shown<'_>) -> Result<Vec<u8>> {
    let mut out = match shown.command {
        "leaks" => leaks(shown),
        "check" => verdicts(shown),
        _ => changes(shown),
    };
    if shown.request.plan.check.print_suppressions {
        suppressions(shown.findings, &mut out);
    }
    for note in &shown.findings.notes {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{note}");
    }
    Ok(out.into_bytes())
}

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
fn counted(count: usize, noun: &str) -> String {
    format!("{} {noun}{}", count_for_people(count as i64), if count == 1 { "" } else { "s" })
}

/// `1 block of 112 B`, `10,001 blocks (112 B each)`, `~102,000 blocks`.
fn blocks(findings: &Findings, bytes: f64, objects: f64) -> String {
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

fn sampling(findings: &Findings) -> String {
    match findings.is_exact() {
        true => "sampling: exact".into(),
        false => format!(
            "sampling: 1 in {}, bounds of {} %",
            bytes_for_people(findings.period as f64),
            findings.confidence * 100.0
        ),
    }
}

fn leaks(shown: &Shown<'_>) -> String {
    let findings = shown.findings;
    let screen = shown.request.screen;
    let failing: Vec<&Finding> = findings
        .all
        .iter()
        .filter(|finding| finding.verdict == Verdict::Fail || shown.request.plan.check.all)
        .collect();
    let total = findings.totals.first().copied().unwrap_or_default();
    let objects: f64 = failing.iter().filter_map(|finding| finding.objects).sum();
    let mut out = String::new();
    let head = match failing.len() {
        0 => "no leaks".to_string(),
        count => format!(
            "{}, {} in {}",
            counted(count, "leaking stack"),
            measured(&total),
            blocks(findings, f64::NAN, objects)
        ),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{:<56} ({})", paint(&head, style::HEAD, screen), sampling(findings));
    if let Some((stacks, bytes, objects)) = findings.reachable
        && stacks > 0
    {
        let _ = writeln!(
            out,
            "still pointed to, no leak: {} in {} of {} (--reachable shows them)",
            bytes_for_people(bytes),
            blocks(findings, f64::NAN, objects),
            counted(stacks, "stack"),
        );
    }
    suppressed(findings, &mut out);
    let count = rows_max(shown.request.plan.rows.count, screen);
    for (index, finding) in failing.iter().take(count).enumerate() {
        let key = finding.key().map_or("", short_key);
        let number = format!("#{}", index + 1);
        let figure = measured(&finding.figure);
        let blocks = blocks(findings, finding.figure.value, finding.objects.unwrap_or(0.0));
        let _ = writeln!(out, "\n{number:<3} {:<50} key {key}", format!("{figure} in {blocks}"));
        if let Some(place) = &finding.place {
            frames(shown, place, &mut out);
        }
        for note in &finding.notes {
            let _ = writeln!(out, "      {note}");
        }
    }
    if failing.len() > count {
        let _ = writeln!(out, "\n({} more: --nodecount=0 shows all)", failing.len() - count);
    }
    if !failing.is_empty() {
        let _ = writeln!(
            out,
            "\nleaked {} bytes in {}. exit status {}",
            count_for_people(total.value.round() as i64),
            blocks(findings, f64::NAN, objects),
            shown.status
        );
    }
    out
}

fn suppressed(findings: &Findings, out: &mut String) {
    let stacks: usize = findings.suppressed.iter().map(|rule| rule.stacks).sum();
    if stacks > 0 {
        let bytes: f64 = findings.suppressed.iter().map(|rule| rule.bytes).sum();
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "suppressed: {}, {} (by {}; --print_suppressions shows them)",
            counted(stacks, "stack"),
            bytes_for_people(bytes),
            counted(findings.suppressed.len(), "rule"),
        );
    }
}

/// The table of LeakSanitizer.
fn suppressions(findings: &Findings, out: &mut String) {
    *out += "-----------------------------------------------------\nSuppressions used:\n  count      bytes template\n";
    for rule in &findings.suppressed {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{:>7} {:>10} {}", rule.objects.round(), rule.bytes.round(), rule.template);
    }
    *out += "-----------------------------------------------------\n";
}

/// Frames of a stack below each other with their places, leaf first, and how many are not shown.
fn frames(shown: &Shown<'_>, place: &Where, out: &mut String) {
    let request = shown.request;
    let all = request.plan.selection.frames == Frames::All;
    let frames = if all { place.frames.as_slice() } else { place.own_frames() };
    let name = |frame: &stacks::Shown| harmless(&frame.function, request.screen);
    let widest = frames.iter().map(|frame| name(frame).chars().count()).max().unwrap_or(0).min(60);
    for frame in frames {
        let location = match (frame.file.as_str(), frame.line) {
            ("", _) => String::new(),
            (file, 0) => file.into(),
            (file, line) => format!("{file}:{line}"),
        };
        let line = format!("      {:<widest$}  {}", name(frame), harmless(&location, request.screen));
        *out += line.trim_end();
        out.push('\n');
    }
    let hidden = place.frames.len() - frames.len();
    if hidden > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "      ... {} (--all_frames)", counted(hidden, "more frame"));
    }
}

/// `q=0.031`.
fn chance(name: &str, value: f64) -> String {
    match value {
        _ if value < 1e-4 => format!("{name}<0.0001"),
        _ if value < 0.01 => format!("{name}={value:.4}"),
        _ => format!("{name}={value:.3}"),
    }
}

fn changes(shown: &Shown<'_>) -> String {
    let findings = shown.findings;
    let screen = shown.request.screen;
    let mut out = String::new();
    let of = |kind: Kind| {
        findings.all.iter().filter(move |finding| finding.kind == kind && finding.place.is_some())
    };
    if let Some(total) =
        findings.all.iter().find(|finding| finding.subject == TOTAL && finding.place.is_none())
        && let Some((before, after)) = &total.sides
    {
        let significant = total.q.is_none_or(|q| q <= findings.fdr);
        let verdict = match (&total.q, significant) {
            (None, _) => "exact".into(),
            (Some(p), true) => format!("significant ({})", chance("p", *p)),
            (Some(p), false) => format!("within noise ({})", chance("p", *p)),
        };
        let head = format!(
            "total  {} -> {}  {}  {verdict}",
            bytes_for_people(before.value),
            bytes_for_people(after.value),
            change(&total.figure),
        );
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", paint(&head, style::HEAD, screen));
    }
    let noted = |note: &str| {
        findings.all.iter().filter(|finding| finding.notes.iter().any(|had| had == note)).count()
    };
    let _ = writeln!(
        out,
        "  grew {} of {}   shrank {}   new {}   gone {}   ({})",
        of(Kind::Growth).count(),
        counted(findings.stacks, "stack"),
        of(Kind::Shrinkage).count(),
        noted("new"),
        noted("gone"),
        sampling(findings),
    );
    suppressed(findings, &mut out);
    let rows: Vec<&Finding> = of(Kind::Growth).chain(of(Kind::Shrinkage)).collect();
    let count = match shown.request.plan.rows.count {
        Rows::All => usize::MAX,
        count => rows_max(count, screen),
    };
    for finding in rows.iter().take(count) {
        let key = finding.key().map_or("", short_key);
        let path = finding.place.as_ref().map_or(String::new(), path);
        let line = format!(
            "  {:<34} {:<9} {key}  {}",
            change(&finding.figure),
            finding.q.map_or("exact".into(), |q| chance("q", q)),
            harmless(&path, screen)
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    if rows.len() > count {
        let _ = writeln!(out, "  ({} more: --nodecount=0 shows all)", rows.len() - count);
    }
    if findings.noise > 0 {
        let why = if findings.is_exact() { "is below --min_growth" } else { "is within sampling noise" };
        let _ = writeln!(out, "  not shown: {} whose change {why} (--all)", counted(findings.noise, "stack"));
    }
    out
}

/// One line for each verdict, and the stack of what fails.
fn verdicts(shown: &Shown<'_>) -> String {
    let findings = shown.findings;
    let mut out = String::new();
    let is_shown = |finding: &&Finding| {
        finding.verdict != Verdict::Pass || finding.kind == Kind::Budget || shown.request.plan.check.all
    };
    for finding in findings.all.iter().filter(is_shown) {
        let (figure, limit) = (figure_text(finding), limit_text(finding).unwrap_or_default());
        let subject = harmless(&finding.subject, shown.request.screen);
        let line = format!(
            "{:<6} {:<9} {subject:<40} {figure:<32} {limit}",
            word(finding.verdict),
            finding.kind.word()
        );
        let style = match finding.verdict {
            Verdict::Fail => style::HEAVY,
            Verdict::Unsure | Verdict::Pass => "",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", paint(line.trim_end(), style, shown.request.screen));
        let key = finding.key().map_or(String::new(), |key| format!(" key {}", short_key(key)));
        let chance = finding.q.map_or(String::new(), |q| format!(" {}", chance("q", q)));
        let owner = finding.owner.as_ref().map_or(String::new(), |owner| format!(" {owner}"));
        let more = format!("      {key}{chance}{owner} {}", finding.notes.join("; "));
        if !more.trim().is_empty() {
            let _ = writeln!(out, "{}", more.trim_end());
        }
        if let (Some(place), Verdict::Fail) = (&finding.place, finding.verdict) {
            frames(shown, place, &mut out);
        }
    }
    suppressed(findings, &mut out);
    if findings.noise > 0 {
        let _ = writeln!(out, "not shown: {} that chance explains", counted(findings.noise, "stack"));
    }
    let undecided = match findings.undecided {
        Undecided::Fail => "fail",
        Undecided::Pass | Undecided::Warn => "pass",
    };
    let _ = writeln!(
        out,
        "{} failed, {} passed, {} undecided (treated as {undecided}) ({})",
        findings.count(Verdict::Fail),
        findings.count(Verdict::Pass),
        findings.count(Verdict::Unsure),
        sampling(findings),
    );
    out
}

/// A finding in one line, without colours, for what CI systems show.
pub fn plain_line(finding: &Finding) -> String {
    let limit = limit_text(finding).map_or(String::new(), |limit| format!(" ({limit})"));
    let owner = finding.owner.as_ref().map_or(String::new(), |owner| format!(" {owner}"));
    format!("{} {}: {}{limit}{owner}", finding.kind.word(), finding.subject, figure_text(finding))
}

/// The figure with its unit and bounds.
fn figure_text(finding: &Finding) -> String {
    match finding.kind {
        Kind::Growth | Kind::Trend | Kind::Slope => change_in(finding),
        _ if finding.unit == "objects" => {
            format!("{} objects", count_for_people(finding.figure.value.round() as i64))
        }
        _ => measured(&finding.figure),
    }
}

/// A change with what it is per.
fn change_in(finding: &Finding) -> String {
    let per = finding.unit.strip_prefix("bytes").unwrap_or_default();
    format!("{}{per}", change(&finding.figure))
}

/// What is allowed, with its unit, where there is a limit.
fn limit_text(finding: &Finding) -> Option<String> {
    let limit = finding.limit?;
    Some(match finding.unit {
        "objects" => format!("allowed {}", count_for_people(limit as i64)),
        unit => {
            let sign = if finding.kind == Kind::Budget { "" } else { "+" };
            let per = unit.strip_prefix("bytes").unwrap_or_default();
            format!("allowed {sign}{}{per}", bytes_for_people(limit))
        }
    })
}

/// Leaf and callers in one line.
fn path(place: &Where) -> String {
    const FRAMES: usize = 3;
    let mut shown: Vec<&str> = place.texts.iter().take(FRAMES).map(String::as_str).collect();
    if place.texts.len() > FRAMES {
        shown.push("...");
    }
    shown.join(" < ")
}
