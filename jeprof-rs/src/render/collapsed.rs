//! Collapsed stacks: what flame graph tools read.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;

use super::{Output, Request};
use crate::aggregate::paths::{Paths, Root, shared};
use crate::compat::names::JeprofNames;
use crate::error::{Error, Result, plain};
use crate::symbolize::symbols::LineId;
use crate::transform::View;
use crate::units::whole;

/// The row of this output.
pub const ROW: Output = Output {
    name: "collapsed",
    flag: true,
    command: true,
    about: "One line per stack, 'root;...;leaf FIGURE', for flame graph tools",
    parts: Output::EVERY,
    json: Some(super::json::stacks),
    repeats: true,
    render,
    stream: Some(write),
    ..Output::BASE
};

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    if let Some(names) = request.view.jeprof() {
        return Ok(jeprof_lines(request.view, names));
    }
    let mut out = Vec::new();
    write(request, &mut out).map_err(|error| Error::at("collapsed", plain(&error)))?;
    Ok(out)
}

/// Writes piece by piece: the text may be many times larger than the dump.
fn write(request: &Request<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    if let Some(names) = request.view.jeprof() {
        return out.write_all(&jeprof_lines(request.view, names));
    }
    let paths = Paths::new(request.view, request.plan.rows.granularity, Root::Callers);
    if paths.is_empty() {
        request.warn(request.explain_nothing());
    }
    lines(&paths, out)
}

/// `root;..;leaf FIGURE` lines, in the order of the paths. Figures are whole; those that come to zero are left out,
/// because most readers refuse or ignore them.
pub fn lines(paths: &Paths, out: &mut dyn Write) -> std::io::Result<()> {
    let names = safe_names(&paths.names);
    let mut text = PathText::default();
    let mut previous: &[u32] = &[];
    for (path, elements) in paths.iter() {
        let common = shared(previous, elements);
        for (depth, &key) in elements.iter().enumerate().skip(common) {
            text.enter(depth + 1, &names[key as usize]);
        }
        text.leave_below(elements.len());
        previous = elements;
        if whole(path.own) != 0 {
            out.write_all(text.text.as_bytes())?;
            writeln!(out, " {}", whole(path.own))?;
        }
    }
    Ok(())
}

/// compat: jeprof's lines: whole names, `[inline]` behind those of inlined functions, a line for each stack of
/// addresses that is left, zeros and stacks without a frame too. Its order is accidental; here it is that of the dumps.
fn jeprof_lines(view: &View<'_>, names: &JeprofNames) -> Vec<u8> {
    let mut order: Vec<(Vec<LineId>, f64)> = Vec::new();
    let mut known: HashMap<Vec<LineId>, usize> = HashMap::new();
    view.walk_with_empty(|seen| match known.get(seen.lines) {
        Some(&index) => order[index].1 += seen.figure,
        None => {
            known.insert(seen.lines.to_vec(), order.len());
            order.push((seen.lines.to_vec(), seen.figure));
        }
    });
    let frame = |line: &LineId| {
        let name = match names.of(*line) {
            None => return format!("{:016x}", view.address_of(*line)),
            Some(known) if known.full != "??" => known.full.as_str(),
            Some(known) if known.place == "?" => "??:0",
            Some(known) => known.place.as_str(),
        };
        format!("{name}{}", if view.is_inlined(*line) { "[inline]" } else { "" })
    };
    let mut out = Vec::new();
    for (lines, figure) in order {
        let path: Vec<String> = lines.iter().rev().map(frame).collect();
        // Writing to a vector cannot fail.
        let _ = writeln!(out, "{} {}", path.join(";"), whole(figure));
    }
    out
}

/// Names by key. A `;` inside a name would start a frame, and a line break a line, so both are replaced.
fn safe_names(names: &[String]) -> Vec<Cow<'_, str>> {
    names.iter().map(|name| safe_name(name)).collect()
}

/// A name in which nothing starts a frame or a line.
pub fn safe_name(name: &str) -> Cow<'_, str> {
    if name.contains([';', '\n', '\r']) {
        name.replace(';', ":").replace(['\n', '\r'], " ").into()
    } else {
        name.into()
    }
}

/// The path that a walk is at, as text.
#[derive(Default)]
pub struct PathText {
    /// `root;..;node`.
    pub text: String,
    /// Length of the text up to each depth.
    ends: Vec<usize>,
}

impl PathText {
    /// Goes to the next node of a walk.
    pub fn enter(&mut self, depth: usize, name: &str) {
        self.ends.truncate(depth - 1);
        self.text.truncate(self.ends.last().copied().unwrap_or(0));
        if depth > 1 {
            self.text.push(';');
        }
        self.text.push_str(name);
        self.ends.push(self.text.len());
    }

    /// Cuts what is deeper.
    pub fn leave_below(&mut self, depth: usize) {
        self.ends.truncate(depth);
        self.text.truncate(self.ends.last().copied().unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::example;
    use crate::plan::Plan;
    use crate::plan::choice::Granularity;
    use crate::transform::View;

    fn collapsed(stacks: &[(&str, f64)]) -> String {
        let example = example(stacks);
        let plan = Plan::default();
        let view = View::new(&example.profile, &example.symbols, &plan);
        let mut out = Vec::new();
        lines(&Paths::new(&view, Granularity::Functions, Root::Callers), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_are_sorted_whole_and_never_zero() {
        assert_eq!(collapsed(&[("b;c", 2.9), ("a", -1.5), ("z", 0.4)]), "a -1\nb;c 2\n");
    }

    #[test]
    fn stacks_are_merged_by_name() {
        let stacks = [("main;f>g", 4.0), ("main;f;g", 2.0), ("main", 1.0), ("main;a b", 8.0)];
        assert_eq!(collapsed(&stacks), "main 1\nmain;a b 8\nmain;f;g 6\n");
    }

    #[test]
    fn a_name_never_breaks_a_line_or_a_frame() {
        let example = example(&[("main;f", 1.0)]);
        let plan = Plan::default();
        let view = View::new(&example.profile, &example.symbols, &plan);
        let mut paths = Paths::new(&view, Granularity::Functions, Root::Callers);
        paths.names.iter_mut().for_each(|name| name.push_str(";\n\r"));
        let mut out = Vec::new();
        lines(&paths, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "main:  ;f:   1\n");
    }
}
