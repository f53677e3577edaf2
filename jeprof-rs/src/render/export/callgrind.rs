//! The profile as callgrind writes one, for KCachegrind, QCachegrind and callgrind_annotate.

use std::collections::HashMap;
use std::fmt::Write;

use super::jeprof_callgrind as jeprof;
use crate::error::Result;
use crate::plan::choice::Metric;
use crate::render::{Output, Request};
use crate::symbolize::symbols::{LineId, NameId};
use crate::units::whole;

/// The row of this output.
pub const ROW: Output = Output {
    name: "callgrind",
    flag: true,
    command: true,
    about: "Profile for KCachegrind and callgrind_annotate, by function and line",
    examples: "\
Examples:
  jeprof-rs callgrind svc.1234.0.f.heap > callgrind.out.svc
  kcachegrind callgrind.out.svc",
    parts: Output::EVERY,
    repeats: true,
    render,
    ..Output::BASE
};

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    if let Some(names) = request.view.jeprof() {
        return Ok(jeprof::text(&jeprof::calls(request.view, names)).into_bytes());
    }
    let costs = Costs::new(request);
    if costs.functions.is_empty() {
        request.warn(request.explain_nothing());
    }
    if costs.shrunk > 0 {
        request.warn(format!(
            "{} stacks shrank and count as zero: the format knows no negative figures",
            costs.shrunk
        ));
    }
    Ok(text(request, &costs).into_bytes())
}

/// A function, in the file that its code is in: inlined code may come from another one than the function around it,
/// but is a function of its own here.
type Function = (NameId, NameId);

/// A place of the caller and what is called from there: callee and line in it.
type Call = (u32, Function, u32);

/// Figures of a place, in the order of the events.
type Figures = Vec<f64>;

/// What a function allocated itself by line, and through which calls the rest went.
#[derive(Default)]
struct Cost {
    own: HashMap<u32, Figures>,
    calls: HashMap<Call, Figures>,
}

/// Costs of all functions.
struct Costs {
    events: Vec<Metric>,
    functions: HashMap<Function, Cost>,
    total: Figures,
    shrunk: usize,
}

impl Costs {
    fn new(request: &Request<'_>) -> Costs {
        let view = request.view;
        let chosen = request.plan.figure.metric;
        let others = request.session.metrics().into_iter().filter(|metric| *metric != chosen);
        let events: Vec<Metric> = [chosen].into_iter().chain(others).collect();
        let mut costs =
            Costs { total: vec![0.0; events.len()], events, functions: HashMap::new(), shrunk: 0 };
        let place = |line: LineId| {
            let line = view.symbols().line(line);
            ((view.symbols().function(line).name, line.file), line.line)
        };
        let mut counted: Vec<(Function, Call)> = Vec::new();
        view.walk_every_figure(|seen| {
            let figures: Figures =
                costs.events.iter().map(|metric| seen.stack.figures.get(*metric)).collect();
            costs.shrunk += usize::from(figures.iter().any(|figure| *figure < 0.0));
            let figures: Figures = figures.into_iter().map(|figure| figure.max(0.0)).collect();
            let (leaf, line) = place(seen.lines[0]);
            let zero = || vec![0.0; figures.len()];
            let own = costs.functions.entry(leaf).or_default().own.entry(line).or_insert_with(zero);
            add(own, &figures);
            add(&mut costs.total, &figures);
            // A recursion passes a call more than once, but its memory is there only once.
            counted.clear();
            for pair in seen.lines.windows(2) {
                let ((callee, callee_line), (caller, line)) = (place(pair[0]), place(pair[1]));
                let call = (line, callee, callee_line);
                if !counted.contains(&(caller, call)) {
                    counted.push((caller, call));
                    let calls = &mut costs.functions.entry(caller).or_default().calls;
                    add(calls.entry(call).or_insert_with(zero), &figures);
                }
            }
        });
        costs
    }
}

fn add(sum: &mut Figures, figures: &Figures) {
    sum.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
}

/// The format's names: each text is written once, with a number that stands for it from then on.
#[derive(Default)]
struct Numbered(HashMap<String, usize>);

impl Numbered {
    fn put(&mut self, out: &mut String, key: &str, name: &str) {
        let next = self.0.len() + 1;
        let number = *self.0.entry(name.into()).or_insert(next);
        // Writing to a String cannot fail.
        let _ = match number == next {
            true => writeln!(out, "{key}=({number}) {name}"),
            false => writeln!(out, "{key}=({number})"),
        };
    }
}

fn text(request: &Request<'_>, costs: &Costs) -> String {
    let names = &request.view.symbols().names;
    let shown = |id: NameId| match id {
        NameId::EMPTY => "???".to_string(),
        id => names.text(id).replace(['\n', '\r'], " "),
    };
    let figures = |figures: &Figures| {
        let figures: Vec<String> = figures.iter().map(|figure| whole(figure.round()).to_string()).collect();
        figures.join(" ")
    };
    let events: Vec<&str> = costs.events.iter().map(|metric| metric.name()).collect();
    // Writing to a String cannot fail.
    let mut out = format!(
        "# callgrind format\nversion: 1\ncreator: jeprof-rs {}\ncmd: {}\npositions: line\n",
        env!("CARGO_PKG_VERSION"),
        request.session.program_path.replace(['\n', '\r'], " "),
    );
    for event in &costs.events {
        let unit = if event.is_bytes() { "bytes" } else { "objects" };
        let kind = if event.is_accumulated() { "allocated so far" } else { "live" };
        let _ = writeln!(out, "event: {} : {unit} {kind}", event.name());
    }
    let _ = writeln!(out, "events: {}\nsummary: {}", events.join(" "), figures(&costs.total));
    let (mut files, mut functions) = (Numbered::default(), Numbered::default());
    let mut order: Vec<(&Function, &Cost)> = costs.functions.iter().collect();
    order.sort_by_cached_key(|((name, file), _)| (shown(*file), shown(*name)));
    for ((name, file), cost) in order {
        out.push('\n');
        files.put(&mut out, "fl", &shown(*file));
        functions.put(&mut out, "fn", &shown(*name));
        let mut own: Vec<_> = cost.own.iter().collect();
        own.sort_by_key(|(line, _)| **line);
        for (line, cost) in own {
            let _ = writeln!(out, "{line} {}", figures(cost));
        }
        let mut calls: Vec<_> = cost.calls.iter().collect();
        calls.sort_by_cached_key(|((line, (name, file), callee_line), _)| {
            (*line, shown(*file), shown(*name), *callee_line)
        });
        for ((line, (callee, callee_file), callee_line), cost) in calls {
            files.put(&mut out, "cfi", &shown(*callee_file));
            functions.put(&mut out, "cfn", &shown(*callee));
            // How often a call was made is not known; the objects that came through it come nearest.
            let objects = costs.events.iter().position(|metric| {
                !metric.is_bytes() && metric.is_accumulated() == costs.events[0].is_accumulated()
            });
            let times = objects.map_or(1, |index| whole(cost[index].round()).max(1));
            let _ = writeln!(out, "calls={times} {callee_line}\n{line} {}", figures(cost));
        }
    }
    let _ = writeln!(out, "\ntotals: {}", figures(&costs.total));
    out
}
