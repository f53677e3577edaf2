//! Instructions with figures: `disasm REGEX` in pprof's layout, `--disasm=REGEX` in jeprof's.

mod decode;

use std::collections::BTreeMap;
use std::fmt::Write;

use hashbrown::HashMap;
use serde_json::{Map, Value, json};

use super::listing::source::{Sources, trim};
use super::listing::{COMMAND_PARTS, routine_line};
use super::pprof_head::{Figures, name_behind};
use super::{Output, Request};
use crate::aggregate::instructions::per_frame;
use crate::aggregate::listing::FlatCum;
use crate::error::{Error, Result};
use crate::model::{FrameId, ImageId, Place};
use crate::plan::Part;
use crate::symbolize::code::{Code, Extent};
use crate::symbolize::symbols::LineId;
use crate::terminal::{paint, style};

const PARTS: &[Part] =
    &[Part::Output, Part::Figure, Part::Selection, Part::Input, Part::Naming, Part::Listing];

/// The row of the command.
pub const COMMAND: Output = Output {
    name: "disasm",
    command: true,
    argument: Some("REGEX"),
    about: "Instructions of functions that match, with figures per instruction (x86)",
    examples: "\
Examples:
  jeprof-rs disasm '^server::parse$' svc.1234.0.f.heap
  jeprof-rs disasm parse --intel_syntax ./svc svc.1234.0.f.heap",
    parts: COMMAND_PARTS,
    json: Some(json_body),
    render: |request| render(request, Layout::Pprof),
    ..Output::BASE
};

/// The row of the flag.
pub const FLAG: Output = Output {
    name: "disasm",
    flag: true,
    argument: Some("REGEX"),
    about: "Instructions of functions that match, between their source lines (x86)",
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

/// A longer function is damaged symbols, or nothing that a person reads.
const FUNCTION_BYTES_MAX: u64 = 4 << 20;

/// One function, decoded.
struct Routine {
    name: String,
    sum: FlatCum,
    instructions: Vec<Row>,
}

/// An instruction: where it is from, and what was allocated at it.
struct Row {
    address: u64,
    text: String,
    figures: FlatCum,
    /// Innermost function, empty when unknown.
    function: String,
    /// Source file, empty when unknown.
    file: String,
    line: u32,
}

/// Where a frame that matches is.
struct Wanted {
    frame: FrameId,
    /// Address in the file's own space.
    address: u64,
}

fn routines(request: &Request<'_>) -> Result<Vec<Routine>> {
    let pattern = request.plan.argument.as_ref().ok_or_else(|| Error::new("disasm wants a REGEX"))?;
    let session = request.session;
    let by_image = matching(request, pattern)?;
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for (image, frames) in by_image {
        let path = &session.profile.images[image.index()].path;
        match Code::open(&session.profile, &session.outcome, &request.plan.finding, image) {
            Ok(code) => found.extend(of_image(request, &code, frames).map_err(|why| Error::at(path, why))?),
            Err(why) => problems.push(format!("{path}: {why}")),
        }
    }
    if found.is_empty() {
        let why = if problems.is_empty() {
            "no symbol tells where its code is".into()
        } else {
            problems.join("; ")
        };
        return Err(Error::at("disasm", format!("no code of '{}': {why}", pattern.as_str())));
    }
    for problem in problems {
        request.warn(problem);
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The frames of functions that match, by image. A function that is only ever inlined has no code of its own.
fn matching(request: &Request<'_>, pattern: &regex::Regex) -> Result<BTreeMap<ImageId, Vec<(FrameId, u64)>>> {
    let (view, profile) = (request.view, &request.session.profile);
    let symbols = view.symbols();
    let name = |line: LineId| symbols.function_name(symbols.line(line));
    let mut by_image: BTreeMap<ImageId, Vec<(FrameId, u64)>> = BTreeMap::new();
    let mut hosts: Vec<&str> = Vec::new();
    let mut seen = vec![false; profile.frames.len()];
    view.walk(|stack| {
        for frame in stack.lines.iter().filter_map(|line| view.frame_of(*line)) {
            seen[frame.index()] = true;
        }
    });
    for frame in profile.frame_ids().filter(|frame| seen[frame.index()]) {
        let mut lines = symbols.line_ids(frame.index());
        let Some(outermost) = lines.next_back() else { continue };
        if !pattern.is_match(name(outermost)) {
            if lines.any(|line| pattern.is_match(name(line))) && !hosts.contains(&name(outermost)) {
                hosts.push(name(outermost));
            }
            continue;
        }
        if let Place::Image { image, offset } = profile.frames[frame.index()].place {
            by_image.entry(image).or_default().push((frame, offset));
        }
    }
    if !by_image.is_empty() {
        return Ok(by_image);
    }
    let what = match hosts.as_slice() {
        [] => format!("no function with samples and a known place matches '{}'", pattern.as_str()),
        hosts => format!("'{}' is always inlined; into: {}", pattern.as_str(), hosts.join(", ")),
    };
    Err(Error::at("disasm", what))
}

fn of_image(
    request: &Request<'_>,
    code: &Code,
    frames: Vec<(FrameId, u64)>,
) -> std::result::Result<Vec<Routine>, String> {
    let mut wanted: Vec<Wanted> = frames
        .into_iter()
        .filter_map(|(frame, offset)| Some(Wanted { frame, address: code.address(offset)? }))
        .collect();
    wanted.sort_by_key(|wanted| wanted.address);
    let addresses: Vec<u64> = wanted.iter().map(|wanted| wanted.address).collect();
    let mut extents: Vec<Extent> = Vec::new();
    let mut routine_of: HashMap<FrameId, usize> = HashMap::new();
    for (extent, wanted) in code.functions(&addresses).into_iter().zip(&wanted) {
        let Some(extent) = extent else { continue };
        let at = extents.iter().position(|known| *known == extent).unwrap_or_else(|| {
            extents.push(extent);
            extents.len() - 1
        });
        routine_of.insert(wanted.frame, at);
    }
    let sums = per_frame(request.view, extents.len(), |frame| routine_of.get(&frame).copied());
    let mut routines = Vec::new();
    for (at, extent) in extents.iter().enumerate() {
        if extent.end - extent.start > FUNCTION_BYTES_MAX {
            request.warn(format!("{} has more than {FUNCTION_BYTES_MAX} bytes and is left out", extent.name));
            continue;
        }
        let intel_syntax = request.plan.listing.intel_syntax;
        let decoded = decode::decode(code.bytes(extent), extent.start, code.architecture(), intel_syntax)?;
        let mut targets: Vec<u64> = decoded.iter().filter_map(|one| one.target).collect();
        targets.sort_unstable();
        targets.dedup();
        let called: HashMap<u64, Extent> = targets
            .iter()
            .zip(code.functions(&targets))
            .filter_map(|(target, extent)| Some((*target, extent?)))
            .collect();
        let starts: Vec<u64> = decoded.iter().map(|one| one.address).collect();
        let lines = code.lines(&starts)?;
        let mut figures: BTreeMap<u64, FlatCum> = BTreeMap::new();
        for wanted in wanted.iter().filter(|wanted| routine_of.get(&wanted.frame) == Some(&at)) {
            if let Some(of_frame) = sums.frames.get(&wanted.frame) {
                let sum = figures.entry(wanted.address).or_default();
                sum.flat += of_frame.flat;
                sum.cum += of_frame.cum;
            }
        }
        let instructions = decoded
            .into_iter()
            .enumerate()
            .map(|(entry, one)| {
                let innermost = lines.lines_of(entry).first();
                let text = |id| lines.names.text(id).to_string();
                let inside = figures.range(one.address..one.address + one.length);
                Row {
                    address: one.address,
                    text: match one.target.and_then(|target| Some((target, called.get(&target)?))) {
                        Some((target, extent)) => format!("{} <{}>", one.text, place_in(extent, target)),
                        None => one.text,
                    },
                    figures: inside.fold(FlatCum::default(), |sum, (_, of)| FlatCum {
                        flat: sum.flat + of.flat,
                        cum: sum.cum + of.cum,
                    }),
                    function: innermost.map_or(String::new(), |line| lines.function_name(line).into()),
                    file: innermost.map_or(String::new(), |line| text(line.file)),
                    line: innermost.map_or(0, |line| line.line),
                }
            })
            .collect();
        routines.push(Routine { name: extent.name.clone(), sum: sums.routines[at], instructions });
    }
    Ok(routines)
}

/// As binutils write it: `name+0x12`.
fn place_in(extent: &Extent, address: u64) -> String {
    match address - extent.start {
        0 => extent.name.clone(),
        within => format!("{}+{within:#x}", extent.name),
    }
}

fn render(request: &Request<'_>, layout: Layout) -> Result<Vec<u8>> {
    let routines = routines(request)?;
    let figures = Figures::new(request, request.view.total());
    let mut out = String::new();
    if layout == Layout::Pprof {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "Total: {}", figures.label(figures.total));
    }
    let mut sources = Sources::new(&request.plan.listing);
    for routine in &routines {
        match layout {
            Layout::Pprof => pprof(&mut out, request, &figures, routine),
            Layout::Jeprof => jeprof(&mut out, request, &mut sources, routine),
        }
    }
    Ok(out.into_bytes())
}

fn pprof(out: &mut String, request: &Request<'_>, figures: &Figures, routine: &Routine) {
    let label = |value: f64| if value == 0.0 { ".".into() } else { figures.label(value) };
    // Writing to a String cannot fail.
    routine_line(out, request, &routine.name);
    let _ = writeln!(
        out,
        "{:>10} {:>10} (flat, cum) {} of Total",
        figures.label(routine.sum.flat),
        figures.label(routine.sum.cum),
        figures.percent(routine.sum.cum)
    );
    let screen = request.screen;
    // Where the place is behind the instruction; on a narrow terminal it has a line of its own in front of it.
    let beside = screen.width.is_none_or(|width| width >= PLACE_AT + PLACE_WIDTH_MIN);
    let mut last = ("", "", 0);
    for row in &routine.instructions {
        let (flat, cum) = (label(row.figures.flat), label(row.figures.cum));
        let start = format!("{flat:>10} {cum:>10} {:>10x}: ", row.address);
        let text = name_behind(request, &row.text, start.len());
        let weight = match style::of_share(row.figures.flat, figures.total) {
            style::HEAVY => style::HEAVY,
            _ => "",
        };
        let start = paint(&start, weight, screen);
        let here = (row.function.as_str(), row.file.as_str(), row.line);
        if here == last || row.file.is_empty() {
            let _ = writeln!(out, "{start}{text}");
            continue;
        }
        last = here;
        let file = trim(&row.file, &request.plan.listing.trim_path);
        let place = format!("{} {file}:{}", row.function, row.line);
        let place =
            |at: usize| paint(&format!(";{}", name_behind(request, &place, at + 1)), style::FAINT, screen);
        if beside && text.chars().count() < TEXT_WIDTH {
            let _ = writeln!(out, "{start}{text:<TEXT_WIDTH$}{}", place(PLACE_AT));
        } else {
            let at = if beside { PLACE_AT } else { TEXT_AT };
            let _ = writeln!(out, "{:at$}{}\n{start}{text}", "", place(at));
        }
    }
}

/// Where an instruction begins.
const TEXT_AT: usize = 34;
/// Room for an instruction in front of its place.
const TEXT_WIDTH: usize = 40;
/// Where its place begins.
const PLACE_AT: usize = TEXT_AT + TEXT_WIDTH;
/// A place is not cut shorter than this.
const PLACE_WIDTH_MIN: usize = 40;

fn jeprof(out: &mut String, request: &Request<'_>, sources: &mut Sources<'_>, routine: &Routine) {
    let unit = request.plan.unit();
    let label = |value: f64| if value == 0.0 { ".".into() } else { unit.figure(value) };
    let total = request.view.total();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "ROUTINE ====================== {}", routine.name);
    let _ = writeln!(
        out,
        "{:>6} {:>6} {} (flat, cumulative) {} of total",
        unit.figure(routine.sum.flat),
        unit.figure(routine.sum.cum),
        unit.word(),
        crate::units::percent(routine.sum.cum, total)
    );
    let mut file = "";
    let places = |a: &Row, b: &Row| (&a.file, a.line) == (&b.file, b.line);
    for rows in routine.instructions.chunk_by(places) {
        let (first, sum) = (&rows[0], sum_of(rows));
        if !first.file.is_empty() {
            if first.file != file {
                file = &first.file;
                let _ = writeln!(out, "-------------------- {}", shortened_path(file));
            }
            let lines = sources.lines(file);
            let at = (first.line as usize).checked_sub(1);
            let text = lines.and_then(|lines| lines.get(at?)).map_or("", String::as_str);
            let _ = writeln!(out, "{:>6} {:>6} {:>5}: {text}", label(sum.flat), label(sum.cum), first.line);
        }
        for row in rows {
            let address = format!("{:x}", row.address);
            let (flat, cum) = (label(row.figures.flat), label(row.figures.cum));
            let _ = writeln!(out, "{flat:>6} {cum:>6}    {address:>8}: {:>6}", row.text);
        }
    }
}

fn sum_of(rows: &[Row]) -> FlatCum {
    rows.iter().fold(FlatCum::default(), |sum, row| FlatCum {
        flat: sum.flat + row.figures.flat,
        cum: sum.cum + row.figures.cum,
    })
}

/// jeprof keeps the end of long paths.
fn shortened_path(path: &str) -> String {
    const KEPT: usize = 55;
    let count = path.chars().count();
    if count <= KEPT + 3 {
        path.into()
    } else {
        format!("...{}", path.chars().skip(count - KEPT).collect::<String>())
    }
}

fn json_body(request: &Request<'_>) -> Map<String, Value> {
    let routines = routines(request).unwrap_or_default();
    let row = |row: &Row| {
        json!({
            "address": format!("{:#x}", row.address),
            "text": row.text,
            "flat": row.figures.flat,
            "cum": row.figures.cum,
            "function": row.function,
            "file": row.file,
            "line": row.line,
        })
    };
    let routine = |routine: &Routine| {
        json!({
            "name": routine.name,
            "flat": routine.sum.flat,
            "cum": routine.sum.cum,
            "instructions": routine.instructions.iter().map(row).collect::<Vec<Value>>(),
        })
    };
    Map::from_iter([("routines".to_string(), routines.iter().map(routine).collect())])
}
