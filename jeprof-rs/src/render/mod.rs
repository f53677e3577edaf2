//! Reports: one file and one row per output. Each is given figures and names, and touches no file.

mod bridge;
pub mod call_graph;
pub mod collapsed;
mod diff;
mod disassembly;
pub mod export;
pub mod findings;
pub mod flame;
mod flame_inline;
mod frag;
pub mod json;
mod listing;
mod lives;
mod picture;
mod pprof_head;
mod recent;
mod stack_rows;
pub mod tags;
pub mod text;
pub mod top;
mod traces;
mod tree;

use std::cell::RefCell;

use crate::check::finding::Findings;
use crate::error::Result;
use crate::plan::choice::Rows;
use crate::plan::{Part, Plan};
use crate::session::Session;
use crate::terminal::Screen;
use crate::transform::View;

/// One kind of report. Flags, subcommands, help, prompt commands and the man page are derived from the rows.
#[derive(Debug)]
pub struct Output {
    /// The word: jeprof's or pprof's.
    pub name: &'static str,
    /// Whether `--NAME` chooses it, as in jeprof.
    pub flag: bool,
    /// Whether `jeprof-rs NAME` chooses it, as in pprof without the dash.
    pub command: bool,
    /// What its value is called, when it has one (`REGEX`).
    pub argument: Option<&'static str>,
    /// What it prints, in one line.
    pub about: &'static str,
    /// Examples for the end of its help.
    pub examples: &'static str,
    /// Parts of the plan that it looks at.
    pub parts: &'static [Part],
    /// Whether it tells stacks of different threads and other labels apart.
    pub keeps_labels: bool,
    /// Whether it repeats the text of a dump.
    pub keeps_text: bool,
    /// Whether it looks at each dump by itself.
    pub keeps_parts: bool,
    /// Whether it compares: the first of two dumps is its base.
    pub compares: bool,
    /// Whether it is nothing for a terminal.
    pub binary: bool,
    /// Whether reports of several threads may follow each other (`--thread='*'`).
    pub repeats: bool,
    /// What it finds, when it is a check: with an exit status, and in any of [`findings::FORMS`]. `None` from it when the
    /// plan asks for something else, which the output then renders.
    pub finds: Option<Finds>,
    /// What shows it, when it is not for stdout.
    pub viewer: Option<Viewer>,
    /// Refuses what has nothing of what it shows, in whatever form.
    pub wants: fn(&Request<'_>) -> Result<()>,
    /// What it says as JSON, beside the head that is common to all.
    pub json: Option<json::Body>,
    /// Makes the bytes.
    pub render: fn(&Request<'_>) -> Result<Vec<u8>>,
    /// Writes the same piece by piece, for what may be too large to be held.
    pub stream: Option<Stream>,
}

/// Looks for what is wrong.
pub type Finds = fn(&Request<'_>) -> Option<Result<Findings>>;

/// Writes a report piece by piece.
pub type Stream = fn(&Request<'_>, &mut dyn std::io::Write) -> std::io::Result<()>;

/// Another program that shows a report in a window.
#[derive(Debug)]
pub struct Viewer {
    /// Its names, the best first.
    pub programs: &'static [&'static str],
    /// The ending of the file's name, by which it is recognised.
    pub ending: &'static str,
    /// Its options.
    pub options: fn(&Plan) -> Vec<String>,
}

impl Output {
    /// What most rows have. `parts` are those of a plain table.
    pub const BASE: Output = Output {
        name: "",
        flag: false,
        command: false,
        argument: None,
        about: "",
        examples: "",
        parts: Output::TABLE,
        keeps_labels: false,
        keeps_text: false,
        keeps_parts: false,
        compares: false,
        binary: false,
        repeats: false,
        finds: None,
        viewer: None,
        wants: |_| Ok(()),
        json: None,
        render: |_| Ok(Vec::new()),
        stream: None,
    };

    /// Parts that every output looks at.
    pub const EVERY: &[Part] =
        &[Part::Output, Part::Figure, Part::Granularity, Part::Selection, Part::Input, Part::Naming];

    /// Parts that a table looks at.
    pub const TABLE: &[Part] = &[
        Part::Output,
        Part::Figure,
        Part::Granularity,
        Part::Rows,
        Part::Selection,
        Part::Input,
        Part::Naming,
    ];
}

/// Every output, in the order of the help.
pub const OUTPUTS: &[Output] = &[
    text::ROW,
    collapsed::ROW,
    top::ROW,
    diff::ROW,
    findings::rows::LEAKS,
    findings::rows::CHECK,
    tree::TREE,
    tree::PEEK,
    listing::COMMAND,
    listing::FLAG,
    disassembly::COMMAND,
    disassembly::FLAG,
    traces::ROW,
    tags::ROW,
    recent::ROW,
    lives::OLD,
    lives::LIFETIMES,
    frag::ROW,
    bridge::ROW,
    export::proto::ROW,
    export::speedscope::ROW,
    export::firefox::ROW,
    export::otlp::ROW,
    export::raw::ROW,
    export::callgrind::ROW,
    flame::ROW,
    call_graph::dot::ROW,
    call_graph::svg::ROW,
    call_graph::pdf::ROW,
    call_graph::ps::ROW,
    call_graph::gif::ROW,
    call_graph::viewers::WEB,
    call_graph::viewers::GV,
    call_graph::viewers::EVINCE,
];

/// What an output is given.
pub struct Request<'a> {
    /// What was read and named.
    pub session: &'a Session,
    /// Which stacks and frames of it.
    pub view: &'a View<'a>,
    /// What was asked for.
    pub plan: &'a Plan,
    /// Whose memory the view is of, `t1` for thread 1, when it is not the whole process'.
    pub thread: Option<&'a str>,
    /// What it is printed on.
    pub screen: Screen,
    warnings: RefCell<Vec<String>>,
}

impl<'a> Request<'a> {
    /// A request without warnings yet.
    pub fn new(session: &'a Session, view: &'a View<'a>, plan: &'a Plan, screen: Screen) -> Request<'a> {
        Request { session, view, plan, thread: None, screen, warnings: RefCell::default() }
    }

    /// Something that the user should know, for stderr.
    pub fn warn(&self, warning: impl Into<String>) {
        self.warnings.borrow_mut().push(warning.into());
    }

    /// The warnings so far.
    pub fn into_warnings(self) -> Vec<String> {
        self.warnings.into_inner()
    }

    /// Why a report has no rows.
    pub fn explain_nothing(&self) -> String {
        if self.view.total() != 0.0 {
            let selection = &self.plan.selection;
            let which = match (&selection.focus, &selection.ignore) {
                _ if selection.retain.is_some() || selection.exclude.is_some() => {
                    "nothing is left by the filters of frames and stacks"
                }
                (None, None) if selection.condition.is_some() => "--where holds of no stack",
                (Some(_), None) => "--focus matches no stack",
                (None, Some(_)) => "--ignore matches every stack",
                _ => "no stack is left by --focus and --ignore",
            };
            which.into()
        } else if !self.plan.input.base.is_empty() {
            "nothing differs from the base".into()
        } else if self.plan.figure.metric.is_accumulated() {
            format!("{} is zero everywhere", self.plan.figure.metric.name())
        } else {
            "everything that was sampled has been freed (--alloc_space shows it, with prof_accum:true)".into()
        }
    }
}

/// Rows that fit a screen with some context, when a table goes to a terminal and no number was asked for.
pub const TERMINAL_ROWS: usize = 40;

/// How many rows a table has at most.
pub fn rows_max(count: Rows, screen: Screen) -> usize {
    match (count, screen.width) {
        (Rows::AtMost(rows), _) => rows,
        (Rows::Fitting, Some(_)) => TERMINAL_ROWS,
        (Rows::Fitting, None) | (Rows::All, _) => usize::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_complete_and_names_are_used_once() {
        for (index, output) in OUTPUTS.iter().enumerate() {
            assert!(output.flag || output.command, "{}", output.name);
            assert!(!output.about.is_empty() && !output.about.ends_with('.'), "{}", output.name);
            // A flag of jeprof's and a command of pprof's may share a name and differ in layout.
            let clashes = |other: &Output| {
                other.name == output.name && (other.flag && output.flag || other.command && output.command)
            };
            assert!(!OUTPUTS[index + 1..].iter().any(clashes), "{}", output.name);
        }
    }
}
