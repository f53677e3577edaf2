//! Source code with figures: `list REGEX` in pprof's layout, `--list=REGEX` in jeprof's.

pub mod source;

use std::fmt::Write;
use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use super::pprof_head::{Figures, name_behind};
use super::{Output, Request};
use crate::aggregate::listing::{FlatCum, Routine, routines};
use crate::error::{Error, Result};
use crate::plan::Part;
use crate::terminal::{harmless, paint, source_line, style};
use source::{Sources, trim};

const PARTS: &[Part] =
    &[Part::Output, Part::Figure, Part::Selection, Part::Input, Part::Naming, Part::Listing];

/// Those of the command, which looks better on a terminal; the flag's layout is jeprof's everywhere.
pub const COMMAND_PARTS: &[Part] =
    &[Part::Output, Part::Terminal, Part::Figure, Part::Selection, Part::Input, Part::Naming, Part::Listing];

/// The row of the command.
pub const COMMAND: Output = Output {
    name: "list",
    command: true,
    argument: Some("REGEX"),
    about: "Source code of functions that match, with figures per line",
    examples: "\
Examples:
  jeprof-rs list 'Cache::insert' svc.1234.0.f.heap
  jeprof-rs list parse --trim_path=/build/src --source_path=. svc.1234.0.f.heap    built elsewhere",
    parts: COMMAND_PARTS,
    json: Some(json_body),
    render: |request| render(request, Layout::Pprof),
    ..Output::BASE
};

/// The row of the flag.
pub const FLAG: Output = Output {
    name: "list",
    flag: true,
    argument: Some("REGEX"),
    about: "Source code of functions that match, with figures per line",
    parts: PARTS,
    json: Some(json_body),
    render: |request| render(request, Layout::Jeprof),
    ..Output::BASE
};

/// Whose layout.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Pprof,
    Jeprof,
}

/// Lines shown before the first line with a figure and behind the last.
const CONTEXT_LINES: u32 = 5;

fn chosen(request: &Request<'_>) -> Result<Vec<Routine>> {
    let pattern = request.plan.argument.as_ref().ok_or_else(|| Error::new("list wants a REGEX"))?;
    let found = routines(request.view, pattern);
    if found.is_empty() {
        return Err(Error::at("list", format!("no function with samples matches '{}'", pattern.as_str())));
    }
    Ok(found)
}

fn render(request: &Request<'_>, layout: Layout) -> Result<Vec<u8>> {
    let routines = chosen(request)?;
    let mut sources = Sources::new(&request.plan.listing);
    let figures = Figures::new(request, request.view.total());
    let mut out = String::new();
    // Writing to a String cannot fail.
    if layout == Layout::Pprof {
        let _ = writeln!(out, "Total: {}", figures.label(figures.total));
    }
    let mut missing: Vec<&str> = Vec::new();
    for routine in &routines {
        match layout {
            Layout::Pprof => pprof_head(&mut out, request, routine, &figures),
            Layout::Jeprof => jeprof_head(&mut out, request, routine),
        }
        let lines = sources.lines(&routine.file);
        if lines.is_none() && !missing.contains(&routine.file.as_str()) {
            missing.push(&routine.file);
        }
        let (first, last) = sampled(routine);
        // Without the source only lines with figures say anything.
        let with_figures = |number: &u32| lines.is_some() || routine.lines.contains_key(number);
        for number in span(routine, lines.map(<[String]>::len)).filter(with_figures) {
            let at = routine.lines.get(&number).copied().unwrap_or_default();
            let text = lines.and_then(|lines| lines.get(number as usize - 1)).map_or("", String::as_str);
            match layout {
                Layout::Pprof => {
                    let label = |value: f64| if value == 0.0 { ".".into() } else { figures.label(value) };
                    let start = format!("{:>10} {:>10} {number:>6}:", label(at.flat), label(at.cum));
                    out.push_str(&source_row(request, &start, text, at, figures.total));
                }
                Layout::Jeprof => {
                    if number == first {
                        out.push_str("---\n");
                    }
                    let unit = request.plan.unit();
                    let label = |value: f64| if value == 0.0 { ".".into() } else { unit.figure(value) };
                    let _ = writeln!(out, "{:>6} {:>6} {number:>4}: {text}", label(at.flat), label(at.cum));
                    if number == last {
                        out.push_str("---\n");
                    }
                }
            }
        }
        let nowhere = routine.lines.get(&0).copied().unwrap_or_default();
        if nowhere != FlatCum::default() {
            let (flat, cum) = (figures.label(nowhere.flat), figures.label(nowhere.cum));
            let _ = writeln!(out, "{flat:>10} {cum:>10}      ?: (line unknown)");
        }
    }
    for file in missing {
        request.warn(match file {
            "" => "some functions have no source file in the debug information (built without -g?)".into(),
            file => format!("{file}: source not found (--source_path=FOLDER, --trim_path=PREFIX)"),
        });
    }
    Ok(out.into_bytes())
}

fn pprof_head(out: &mut String, request: &Request<'_>, routine: &Routine, figures: &Figures) {
    let file = trim(&routine.file, &request.plan.listing.trim_path);
    // Writing to a String cannot fail.
    let place = if file.is_empty() { String::new() } else { format!(" in {file}") };
    routine_line(out, request, &format!("{}{place}", routine.name));
    let _ = writeln!(
        out,
        "{:>10} {:>10} (flat, cum) {} of Total",
        figures.label(routine.sum.flat),
        figures.label(routine.sum.cum),
        figures.percent(routine.sum.cum)
    );
}

/// The line that a routine's listing or code begins with.
pub fn routine_line(out: &mut String, request: &Request<'_>, name: &str) {
    // pprof's; on a terminal the name has more use for the columns.
    let rule = if request.screen.width.is_some() { 5 } else { 24 };
    let head = format!("ROUTINE {:=<rule$} ", "");
    let name = name_behind(request, name, head.len());
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{}{}",
        paint(&head, style::HEAD, request.screen),
        paint(&name, style::NAME, request.screen)
    );
}

/// A line of a listing: on a terminal the source is cut to what is left of the line, and lines without a figure recede.
fn source_row(request: &Request<'_>, start: &str, text: &str, at: FlatCum, total: f64) -> String {
    let Some(width) = request.screen.width else { return format!("{start}{text}\n") };
    let left = if request.plan.screen.full_names { usize::MAX } else { width.saturating_sub(start.len()) };
    let text = harmless(&source_line(text, left), request.screen);
    let (figures, source) = match (at == FlatCum::default(), style::of_share(at.flat, total)) {
        (true, _) => (style::FAINT, style::FAINT),
        (false, style::HEAVY) => (style::HEAVY, style::NAME),
        (false, _) => ("", ""),
    };
    format!("{}{}\n", paint(start, figures, request.screen), paint(&text, source, request.screen))
}

fn jeprof_head(out: &mut String, request: &Request<'_>, routine: &Routine) {
    let unit = request.plan.unit();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "ROUTINE ====================== {} in {}", routine.name, routine.file);
    let _ = writeln!(
        out,
        "{:>6} {:>6} Total {} (flat / cumulative)",
        unit.figure(routine.sum.flat),
        unit.figure(routine.sum.cum),
        unit.word()
    );
}

/// First and last line with a figure.
fn sampled(routine: &Routine) -> (u32, u32) {
    let mut numbers = routine.lines.keys().copied().filter(|&number| number > 0);
    let first = numbers.next().unwrap_or(0);
    (first, numbers.next_back().unwrap_or(first))
}

/// The lines to show: from the declaration, if it is near, with some before and behind.
fn span(routine: &Routine, file_lines: Option<usize>) -> RangeInclusive<u32> {
    let (first, last) = sampled(routine);
    if first == 0 {
        return RangeInclusive::new(1, 0);
    }
    let declared = routine.start_line;
    let start = if declared > 0 && declared <= first { declared } else { first };
    let end = last.saturating_add(CONTEXT_LINES);
    let end = file_lines.map_or(last, |count| end.min(count as u32).max(last));
    start.saturating_sub(CONTEXT_LINES).max(1).max(last.saturating_sub(LINES_MAX))..=end
}

/// A routine is not longer than this; damaged line numbers must not make a listing of millions of lines.
const LINES_MAX: u32 = 5_000;

fn json_body(request: &Request<'_>) -> Map<String, Value> {
    let routines = chosen(request).unwrap_or_default();
    let line = |(number, at): (&u32, &FlatCum)| json!({ "line": number, "flat": at.flat, "cum": at.cum });
    let routine = |routine: &Routine| {
        json!({
            "name": routine.name,
            "file": routine.file,
            "start_line": routine.start_line,
            "flat": routine.sum.flat,
            "cum": routine.sum.cum,
            "lines": routine.lines.iter().map(line).collect::<Vec<Value>>(),
        })
    };
    Map::from_iter([("routines".to_string(), routines.iter().map(routine).collect())])
}
