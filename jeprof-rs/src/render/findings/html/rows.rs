//! Findings as rows of a table, each with its stack folded below it.

use super::bar::bar;
use crate::check::finding::{Finding, Findings, Kind, Where, word};
use crate::check::stack_key::short_key;
use crate::check::stacks;
use crate::inference::interval::Verdict;
use crate::render::findings::words::{allowed, blocks, chance, counted, figure_text, measured};
use crate::render::findings::xml::text;
use crate::render::findings::{source_frame, source_path};
use crate::units::count_for_people;

/// A table of findings, of which `left_out` more are not in it.
pub fn table(findings: &Findings, shown: &[&Finding], left_out: usize) -> String {
    let has_owner = shown.iter().any(|finding| finding.owner.is_some());
    let without_limit = shown.iter().filter(|finding| finding.limit.is_none());
    let most = without_limit
        .flat_map(|finding| [finding.figure.value, finding.figure.high])
        .filter(|figure| figure.is_finite())
        .fold(0.0, f64::max);
    let owner = if has_owner { "<th scope=\"col\">owner</th>" } else { "" };
    let against = if has_limit(shown) { "against the limit" } else { "compared" };
    let mut out = format!(
        "<div class=\"wide\"><table class=\"findings\">\n<thead><tr><th scope=\"col\">verdict</th>\
         <th scope=\"col\">what</th><th scope=\"col\" class=\"number\">estimate</th>\
         <th scope=\"col\">{against}</th><th scope=\"col\" class=\"number\">allowed</th>{owner}</tr></thead>\n<tbody>\n"
    );
    for finding in shown {
        out += &row(findings, finding, most, has_owner);
    }
    out += "</tbody></table></div>\n";
    if left_out > 0 {
        out += &format!(
            "<p class=\"note\">{} not shown (--nodecount=0 shows all)</p>\n",
            counted(left_out, "more row")
        );
    }
    out
}

/// Whether any of them has a limit.
pub fn has_limit(shown: &[&Finding]) -> bool {
    shown.iter().any(|finding| finding.limit.is_some())
}

/// The class of a verdict.
pub fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fail => "fail",
        Verdict::Unsure => "unsure",
        Verdict::Pass => "pass",
    }
}

fn row(findings: &Findings, finding: &Finding, most: f64, has_owner: bool) -> String {
    let figure = figure_text(finding);
    let limit = allowed(finding);
    let words = match &limit {
        Some(limit) => format!("{figure}, allowed {limit}"),
        None => figure.clone(),
    };
    let (value, bounds) = match figure.split_once(" [") {
        Some((value, bounds)) => (value, format!("<span class=\"bounds\">[{}</span>", text(bounds))),
        None => (figure.as_str(), String::new()),
    };
    let objects = objects(findings, finding)
        .map_or(String::new(), |objects| format!("<span class=\"objects\">{}</span>", text(&objects)));
    let owner = match (&finding.owner, has_owner) {
        (_, false) => String::new(),
        (owner, true) => format!("<td class=\"owner\">{}</td>", text(owner.as_deref().unwrap_or_default())),
    };
    // Below the row, as wide as it: names may be long.
    let stack = finding.place.as_ref().map_or(String::new(), |place| {
        let columns = if has_owner { 5 } else { 4 };
        format!(
            "<tr class=\"below\"><td></td><td colspan=\"{columns}\">{}</td></tr>\n",
            stack(place, finding.by_pattern)
        )
    });
    format!(
        "<tr class=\"{}\"><td><span class=\"verdict\">{}</span></td><td class=\"what\">{}</td>\
         <td class=\"number\"><span class=\"value\">{}</span>{bounds}{objects}</td><td>{}</td>\
         <td class=\"number allowed\">{}</td>{owner}</tr>\n{stack}",
        class(finding.verdict),
        word(finding.verdict),
        what(finding),
        text(value),
        bar(&finding.figure, finding.limit, most, &words),
        text(limit.as_deref().unwrap_or("nothing")),
    )
}

/// How many objects a figure of bytes is of.
fn objects(findings: &Findings, finding: &Finding) -> Option<String> {
    let count = finding.objects.filter(|_| finding.unit == "bytes")?;
    Some(match finding.kind {
        Kind::Growth | Kind::Shrinkage | Kind::Trend => {
            let count = count.round() as i64;
            let sign = if count >= 0 { "+" } else { "" };
            format!("{sign}{} blocks", count_for_people(count))
        }
        _ => format!("in {}", blocks(findings, finding.figure.value, count)),
    })
}

/// What a finding is about: its rule and subject, and what else is known.
fn what(finding: &Finding) -> String {
    let mut out = format!(
        "<div><span class=\"kind\">{}</span> <code class=\"subject\">{}</code></div>",
        finding.kind.word(),
        text(&finding.subject)
    );
    let mut facts: Vec<String> = Vec::new();
    facts.extend(finding.key().map(|key| format!("key <code>{}</code>", text(short_key(key)))));
    facts.extend(
        finding.place.as_ref().and_then(source_line).map(|at| format!("at <code>{}</code>", text(&at))),
    );
    facts.extend(finding.q.map(|q| text(&chance("q", q))));
    if let Some((before, after)) = &finding.sides {
        facts.push(format!("{} before, {} after", text(&measured(before)), text(&measured(after))));
    }
    if !facts.is_empty() {
        out += &format!("<div class=\"facts\">{}</div>", facts.join("; "));
    }
    for note in &finding.notes {
        out += &format!("<div class=\"note\">{}</div>", text(note));
    }
    out
}

/// Where in the program's own source a stack allocates, which is seldom where its leaf is.
fn source_line(place: &Where) -> Option<String> {
    let frame = source_frame(place)?;
    let path = source_path(&frame.file)?;
    Some(if frame.line > 0 { format!("{path}:{}", frame.line) } else { path.into() })
}

/// A stack, leaf first, with what is not the program's own set back.
fn stack(place: &Where, is_example: bool) -> String {
    let of = if is_example { "the largest stack of it: " } else { "stack: " };
    let others = place.frames.len() - place.own_frames().len();
    let more = if others > 0 {
        format!(" and {} of the runtime", count_for_people(others as i64))
    } else {
        String::new()
    };
    let mut out = format!(
        "<details><summary>{of}{}{more}</summary><ol class=\"stack\">",
        counted(place.own_frames().len(), "frame")
    );
    for (index, frame) in place.frames.iter().enumerate() {
        out += &line(frame, place.own.contains(&index));
    }
    out + "</ol></details>"
}

fn line(frame: &stacks::Shown, is_own: bool) -> String {
    let class = if is_own { "own" } else { "runtime" };
    let inlined = if frame.inlined { " <span class=\"inlined\">inlined</span>" } else { "" };
    let at = match (frame.file.as_str(), frame.line) {
        ("", _) => frame.module.clone(),
        (file, 0) => file.into(),
        (file, line) => format!("{file}:{line}"),
    };
    let at = if at.is_empty() { at } else { format!(" <span class=\"at\">{}</span>", text(&at)) };
    format!("<li class=\"{class}\"><code>{}</code>{inlined}{at}</li>", text(&frame.function))
}
