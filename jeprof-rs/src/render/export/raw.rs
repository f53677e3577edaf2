//! Symbolized files: names by address, then a profile in text form. jeprof and this tool read them on any machine,
//! without the program.
//!
//! A profile that is the whole input is repeated as it was written, sampled figures and all. Several dumps, a base, a
//! profile.proto or a filter of stacks make a new one in gperftools' text form, whose figures are whole and already
//! un-sampled.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;

use crate::error::Result;
use crate::model::{Figures, FrameId, Place};
use crate::plan::Part;
use crate::plan::choice::Threads;
use crate::render::{Output, Request};

/// The row of this output.
pub const ROW: Output = Output {
    name: "raw",
    flag: true,
    command: true,
    about: "Symbolized file: the profile and its names, which jeprof reads without the program",
    examples: "\
Examples:
  jeprof-rs raw svc.1234.0.f.heap > svc.raw      names included, for another machine
  jeprof-rs raw http://host:1234/ > svc.raw      of a running service
  jeprof-rs raw --base=a.heap b.heap > growth.raw",
    parts: &[Part::Output, Part::Selection, Part::Input, Part::Naming],
    keeps_text: true,
    render,
    ..Output::BASE
};

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let is_jeprof = request.view.jeprof().is_some();
    let (addresses, profile) = match &request.session.text {
        // compat: jeprof repeats what it has read, whatever the filters.
        Some(text) if is_jeprof || !selects_stacks(request) => {
            let frames = &request.session.profile.frames;
            (frames.iter().map(|frame| frame.address).collect(), text.clone())
        }
        _ => {
            let addresses = distinct_addresses(request);
            let profile = profile(request, &addresses);
            (addresses, profile.into_bytes())
        }
    };
    let mut out = format!("--- symbol\nbinary={}\n", request.session.program_path);
    for (address, names) in names(request, &addresses) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "0x{address:016x} {names}");
    }
    out.push_str("---\n--- heap\n");
    let mut out = out.into_bytes();
    out.extend(profile);
    Ok(out)
}

/// Whether the plan leaves stacks out, so that the text of a dump is not what was asked for.
fn selects_stacks(request: &Request<'_>) -> bool {
    let selection = &request.plan.selection;
    selection.focus.is_some()
        || selection.ignore.is_some()
        || selection.show_from.is_some()
        || selection.tag_focus.is_some()
        || selection.tag_ignore.is_some()
        || selection.threads != Threads::Process
}

/// Names by address, those of inlined functions behind the one that they are inlined into.
fn names(request: &Request<'_>, addresses: &[u64]) -> BTreeMap<u64, String> {
    let (view, profile) = (request.view, &request.session.profile);
    let symbols = view.symbols();
    let mut names = BTreeMap::new();
    for id in profile.frame_ids() {
        let frame = &profile.frames[id.index()];
        let lines = symbols.line_ids(id.index());
        let texts: Option<Vec<String>> = match view.jeprof() {
            Some(known) => lines.rev().map(|line| known.of(line).map(|known| known.full.clone())).collect(),
            None => {
                let is_bare = matches!(frame.place, Place::Unmapped(_))
                    && symbols.lines_of(id.index()).iter().all(|line| symbols.is_stand_in(line));
                let text = |line| safe(symbols.function_name(symbols.line(line)));
                (!is_bare).then(|| lines.rev().map(text).collect())
            }
        };
        if let Some(texts) = texts {
            names.insert(addresses[id.index()], texts.join("--"));
        }
    }
    names
}

/// A name in which nothing is taken for the separator (`operator--` would be) or for the end of the line.
fn safe(name: &str) -> String {
    name.replace("--", "- -").replace(['\n', '\r'], " ")
}

/// An address for each frame: its own, unless an earlier frame, of another run, has it already.
fn distinct_addresses(request: &Request<'_>) -> Vec<u64> {
    let frames = &request.session.profile.frames;
    let mut taken: HashSet<u64> = HashSet::new();
    let mut free = frames.iter().map(|frame| frame.address).max().unwrap_or(0).saturating_add(0x1000);
    frames
        .iter()
        .map(|frame| {
            if taken.insert(frame.address) {
                return frame.address;
            }
            free += 2;
            taken.insert(free);
            free
        })
        .collect()
}

/// The stacks that are left, in gperftools' text form with exact figures.
fn profile(request: &Request<'_>, addresses: &[u64]) -> String {
    let mut rows = String::new();
    let mut sum = Figures::default();
    let mut shrunk = 0_usize;
    request.view.walk_every_figure(|seen| {
        let Figures { live_objs, live_bytes, accum_objs, accum_bytes, .. } = seen.stack.figures;
        if [live_objs, live_bytes, accum_objs, accum_bytes].iter().any(|figure| *figure < 0.0) {
            shrunk += 1;
            return;
        }
        sum.add(seen.stack.figures, 1.0);
        rows.push_str(&counts(seen.stack.figures));
        rows.push_str(" @");
        // The allocator's frames stay out: without a memory map nobody would know them for its.
        let mut frames: Vec<FrameId> = Vec::new();
        let mut ended = true;
        for line in seen.lines {
            let Some(frame) = request.view.frame_of(*line) else { continue };
            // A recursion has a frame twice in a row: the outermost function of an address ends it.
            if ended || frames.last() != Some(&frame) {
                frames.push(frame);
            }
            ended = !request.view.is_inlined(*line);
        }
        for (depth, frame) in frames.into_iter().enumerate() {
            // A reader looks up the byte before a return address.
            let address = addresses[frame.index()].saturating_add(u64::from(depth > 0));
            // Writing to a String cannot fail.
            let _ = write!(rows, " {address:#018x}");
        }
        rows.push('\n');
    });
    if shrunk > 0 {
        request
            .warn(format!("{shrunk} stacks shrank and are left out: the format knows no negative figures"));
    }
    format!("heap profile: {} @ heapprofile\n{rows}", counts(sum))
}

/// `objects: bytes [objects: bytes]`, live and accumulated.
fn counts(figures: Figures) -> String {
    let Figures { live_objs, live_bytes, accum_objs, accum_bytes, .. } = figures;
    format!("{live_objs:.0}: {live_bytes:.0} [{accum_objs:.0}: {accum_bytes:.0}]")
}
