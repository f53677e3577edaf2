//! The call graph in words and numbers: what `dot`, `svg`, `pdf` and the others of this folder draw.

pub mod dot;
pub mod gif;
pub mod pdf;
pub mod ps;
pub mod svg;
pub mod viewers;

use super::picture::{Drawing, Edge, Line, Look, Node, Picture, Side, graphviz, layout};
use super::{Output, Request};
use crate::aggregate::graph::{Counting, Graph, Limits};
use crate::error::{Error, Result};
use crate::plan::choice::{Compat, Layout, Rows};
use crate::plan::{Part, Plan};
use crate::units::percent;

/// Parts of the plan that every drawing of the graph looks at.
const PARTS: &[Part] = &[
    Part::Output,
    Part::Figure,
    Part::Granularity,
    Part::Rows,
    Part::Graph,
    Part::Selection,
    Part::Input,
    Part::Naming,
];

/// jeprof's and pprof's number of nodes: what fits a page.
const NODES_MAX: usize = 80;
/// jeprof's and pprof's share of the total that a node must have.
const NODE_FRACTION: f64 = 0.005;
/// jeprof's font sizes: what a node without anything of its own has, and what is added for one that has everything.
const FONT_SIZE: (f64, f64) = (8.0, 50.0);
/// jeprof's line width for an edge of a third of the total and more.
const LINE_WIDTH: f64 = 2.0;
/// Thinner lines vanish on screens.
const LINE_WIDTH_MIN: f64 = 1.0;
/// jeprof's limit: larger weights have made dot crash.
const WEIGHT_MAX: f64 = 100_000.0;

/// The graph as it is to be drawn.
struct Chart {
    /// Path of the program, and the total with its unit.
    program: String,
    total: String,
    /// Lines above the picture, without those of nobody's interest.
    legend: [String; 5],
    boxes: Vec<Box>,
    arrows: Vec<Arrow>,
}

struct Box {
    /// The name, in lines.
    name: Vec<String>,
    /// What a reader sees who points at it.
    whole_name: String,
    /// `FIGURE (SHARE)`.
    flat: String,
    /// The same for the cumulative figure, when it differs.
    cum: Option<String>,
    font_size: f64,
    look: Look,
}

struct Arrow {
    from: usize,
    to: usize,
    label: String,
    /// In points, from nothing to [`LINE_WIDTH`].
    width: f64,
    weight: i64,
    dashed: bool,
}

impl Chart {
    /// Adds up, trims and words.
    ///
    /// # Errors
    /// There is nothing to draw.
    fn new(request: &Request<'_>) -> Result<Chart> {
        let plan = request.plan;
        let whole = Graph::new(request.view, plan.rows.granularity, plan.graph.contexts, Counting::EveryCall);
        let trimmed = whole.trimmed(limits(plan));
        if trimmed.graph.nodes.is_empty() {
            let why = match whole.nodes.iter().any(|node| node.cum != 0.0) {
                true => "every node is below --nodefraction".into(),
                false => request.explain_nothing(),
            };
            return Err(Error::new(format!("no nodes to draw: {why}")));
        }
        let unit = plan.unit();
        let total = trimmed.graph.total;
        let as_jeprof = plan.compat == Compat::Jeprof;
        // What shares relate to: with --diff_base, as in the tables, the base.
        let compared = plan.input.base_is_reference;
        let whole = if compared { request.view.reference_total() } else { total };
        let words = |figure: f64| format!("{} ({})", unit.figure(figure), percent(figure, whole));
        let boxes = trimmed.graph.nodes.iter().map(|node| {
            let share = if whole > 0.0 { (node.flat / whole).abs() } else { 0.0 };
            Box {
                name: if as_jeprof { name_lines_of_jeprof(&node.name) } else { name_lines(&node.name) },
                whole_name: node.name.clone(),
                flat: words(node.flat),
                cum: (node.flat != node.cum).then(|| words(node.cum)),
                font_size: FONT_SIZE.0 + FONT_SIZE.1 * share.sqrt(),
                look: match plan.graph.heapcheck {
                    true if node.flat > 0.0 => Look::Filled,
                    true if node.flat < 0.0 => Look::TripleBorder,
                    _ => Look::Plain,
                },
            }
        });
        let arrows = trimmed.graph.edges.iter().map(|edge| Arrow {
            from: edge.from,
            to: edge.to,
            label: unit.figure(edge.weight),
            width: if whole == 0.0 { 0.0 } else { (3.0 * (edge.weight / whole)).abs().min(1.0) * LINE_WIDTH },
            weight: edge.weight.abs().powf(0.7).min(WEIGHT_MAX) as i64,
            // In jeprof being inlined is a part of the name.
            dashed: if as_jeprof {
                trimmed.graph.nodes[edge.to].name.contains("(inline)")
            } else {
                edge.inlined
            },
        });
        let (program, overall) = (request.session.program_path.clone(), unit.figure(request.view.total()));
        let word = unit.word();
        Ok(Chart {
            legend: [
                program.clone(),
                match compared {
                    true => format!("Change {word}: {overall}, shares of {}", unit.figure(whole)),
                    false => format!("Total {word}: {overall}"),
                },
                format!("Focusing on: {}", unit.figure(total)),
                format!("Dropped nodes with <= {} abs({word})", unit.figure(trimmed.node_limit)),
                format!("Dropped edges with <= {} {word}", unit.figure(trimmed.edge_limit)),
            ],
            program,
            total: format!("{overall} {word}"),
            boxes: boxes.collect(),
            arrows: arrows.collect(),
        })
    }

    /// What there is to place.
    fn picture(&self) -> Picture {
        let line = |text: &str, side| Line { text: text.into(), side };
        let nodes = self.boxes.iter().map(|shown| {
            let names = shown.name.iter().map(|part| line(part, Side::Center));
            let cum = shown.cum.iter().map(|cum| line(&format!("of {cum}"), Side::Right));
            let tooltip = match &shown.cum {
                Some(cum) => format!("{}\n{} of {cum}", shown.whole_name, shown.flat),
                None => format!("{}\n{}", shown.whole_name, shown.flat),
            };
            Node {
                lines: names.chain([line(&shown.flat, Side::Right)]).chain(cum).collect(),
                tooltip,
                font_size: shown.font_size,
                look: shown.look,
            }
        });
        let name = |index: usize| &self.boxes[index].whole_name;
        let edges = self.arrows.iter().map(|arrow| Edge {
            from: arrow.from,
            to: arrow.to,
            label: arrow.label.clone(),
            tooltip: format!("{}\n\u{2192} {}\n{}", name(arrow.from), name(arrow.to), arrow.label),
            width: arrow.width.max(LINE_WIDTH_MIN),
            dashed: arrow.dashed,
            weight: arrow.weight as f64,
        });
        Picture {
            title: format!("{}: {}", self.program, self.total),
            legend: self.legend.to_vec(),
            nodes: nodes.collect(),
            edges: edges.collect(),
        }
    }

    /// The places of everything.
    fn drawing(&self, chosen: Layout) -> Result<Drawing> {
        let picture = self.picture();
        match chosen {
            Layout::Graphviz => graphviz::layout(&picture),
            Layout::Auto if graphviz::is_installed() => graphviz::layout(&picture),
            Layout::Auto | Layout::Own => Ok(layout(&picture)),
        }
    }
}

/// What is left out. Without trimming only a given number of nodes is kept to.
fn limits(plan: &Plan) -> Limits {
    let all = match plan.rows.count {
        Rows::Fitting if plan.rows.trim => NODES_MAX,
        Rows::Fitting | Rows::All => usize::MAX,
        Rows::AtMost(count) => count,
    };
    if plan.rows.trim {
        Limits {
            nodes_max: all,
            node_fraction: plan.rows.node_fraction.unwrap_or(NODE_FRACTION),
            edge_fraction: plan.graph.edge_fraction,
            degree_max: plan.graph.degree_max,
        }
    } else {
        Limits { nodes_max: all, node_fraction: 0.0, edge_fraction: 0.0, degree_max: usize::MAX }
    }
}

/// A name in lines, cut at `::` and blanks as jeprof does, but only outside of brackets: arguments stay together.
fn name_lines(name: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut depth = 0_usize;
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        let cut = match c {
            _ if depth > 0 => 0,
            ':' if rest.starts_with("::") => 2,
            c if c.is_whitespace() => c.len_utf8(),
            _ => 0,
        };
        if cut > 0 {
            lines.push(String::new());
            rest = &rest[cut..];
            continue;
        }
        match c {
            '<' | '(' | '[' | '{' => depth += 1,
            '>' | ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if let Some(line) = lines.last_mut() {
            line.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// jeprof's way: runs of blanks and every `::` end a line.
fn name_lines_of_jeprof(name: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii_whitespace() {
            while chars.next_if(|next| next.is_ascii_whitespace()).is_some() {}
            lines.push(String::new());
        } else if c == ':' && chars.next_if_eq(&':').is_some() {
            lines.push(String::new());
        } else if let Some(line) = lines.last_mut() {
            line.push(c);
        }
    }
    lines
}

/// What a row of this folder has.
const BASE: Output = Output { parts: PARTS, ..Output::BASE };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_outside_of_brackets_only() {
        assert_eq!(name_lines("a::b::c"), ["a", "b", "c"]);
        assert_eq!(name_lines("f(int, std::string) const"), ["f(int, std::string)", "const"]);
        assert_eq!(
            name_lines("<alloc::vec::Vec<T> as core::clone::Clone>::clone"),
            ["<alloc::vec::Vec<T> as core::clone::Clone>", "clone"]
        );
        assert_eq!(name_lines("main /src/main.c:3"), ["main", "/src/main.c:3"]);
        assert_eq!(name_lines("a>::b"), ["a>", "b"]);
    }

    #[test]
    fn jeprof_cuts_everywhere() {
        assert_eq!(name_lines_of_jeprof("f <a::b>  c"), ["f", "<a", "b>", "c"]);
        assert_eq!(name_lines_of_jeprof("::x:y:::z"), ["", "x:y", ":z"]);
    }
}
