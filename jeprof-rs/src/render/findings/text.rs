//! For people.

use std::fmt::Write;

use super::words::{self, blocks, chance, change, counted, figure_text, limit_text, measured, sampling};
use super::{Form, Shown};
use crate::check::finding::{Finding, Findings, Kind, Where, word};
use crate::check::stack_key::short_key;
use crate::check::stacks;
use crate::error::Result;
use crate::inference::interval::Verdict;
use crate::plan::choice::{Frames, Rows};
use crate::render::rows_max;
use crate::terminal::{harmless, paint, style};
use crate::units::{bytes_for_people, count_for_people};

/// The row of this form.
pub const FORM: Form = Form { name: "text", about: "people", binary: false, render };

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

fn leaks(shown: &Shown<'_>) -> String {
    let findings = shown.findings;
    let screen = shown.request.screen;
    let failing: Vec<&Finding> = findings
        .all
        .iter()
        .filter(|finding| finding.verdict == Verdict::Fail || shown.request.plan.check.all)
        .collect();
    let mut out = String::new();
    let head = words::leaked(findings, &failing);
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{:<56} ({})", paint(&head, style::HEAD, screen), sampling(findings));
    if let Some(line) = words::still_reachable(findings) {
        let _ = writeln!(out, "{line}");
    }
    suppressed(findings, &mut out);
    let count = rows_max(shown.request.plan.rows.count, screen);
    let is_unsure = |finding: &&Finding| finding.verdict == Verdict::Unsure && !shown.request.plan.check.all;
    let unsure = findings.all.iter().filter(is_unsure);
    let listed: Vec<&Finding> = failing.iter().copied().chain(unsure).collect();
    for (index, finding) in listed.iter().take(count).enumerate() {
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
    if listed.len() > count {
        let _ = writeln!(out, "\n({} more: --nodecount=0 shows all)", listed.len() - count);
    }
    if !failing.is_empty() {
        let total = findings.totals.first().copied().unwrap_or_default();
        let _ = writeln!(
            out,
            "\nleaked {} bytes in {}. exit status {}",
            count_for_people(total.value.round() as i64),
            blocks(findings, f64::NAN, words::objects(&failing)),
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

fn changes(shown: &Shown<'_>) -> String {
    let findings = shown.findings;
    let screen = shown.request.screen;
    let mut out = String::new();
    if let Some(total) = words::total_change(findings) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", paint(&total, style::HEAD, screen));
    }
    let _ = writeln!(out, "  {}   ({})", words::movements(findings), sampling(findings));
    suppressed(findings, &mut out);
    let of = |kind: Kind| {
        findings.all.iter().filter(move |finding| finding.kind == kind && finding.place.is_some())
    };
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
    if let Some(unshown) = words::unshown(findings) {
        let _ = writeln!(out, "  {unshown} (--all)");
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
    let _ = writeln!(out, "{} ({})", words::tally(findings), sampling(findings));
    out
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
