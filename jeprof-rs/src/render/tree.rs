//! Functions with those that call them and those that they call: pprof's `tree` and `peek`.

use std::fmt::Write;

use super::pprof_head::{Figures, PARTS, cells, edge_limit, head, name_behind, row_limit};
use super::{Output, Request};
use crate::aggregate::graph::{Counting, Edge, Graph};
use crate::error::{Error, Result};
use crate::plan::choice::{Contexts, Order, Rows};
use crate::terminal::{Screen, paint, style};

/// The row of `tree`.
pub const TREE: Output = Output {
    name: "tree",
    command: true,
    about: "Each function between its callers and its callees",
    parts: PARTS,
    json: Some(super::json::graph),
    render: |request| render(request, Which::Heavy),
    ..Output::BASE
};

/// The row of `peek`.
pub const PEEK: Output = Output {
    name: "peek",
    command: true,
    argument: Some("REGEX"),
    about: "Functions that match, between their callers and their callees; nothing is left out",
    examples: "\
Examples:
  jeprof-rs peek 'HashMap.*insert' svc.1234.0.f.heap    who fills maps, and what that allocates",
    parts: PARTS,
    json: Some(super::json::graph),
    render: |request| render(request, Which::Matching),
    ..Output::BASE
};

/// Which functions are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Those above the limit.
    Heavy,
    /// Those that the argument matches.
    Matching,
}

/// How the blocks are laid out.
struct Layout {
    /// What is above the blocks.
    head: &'static str,
    /// What is between them.
    rule: String,
    /// Columns up to the end of a caller's or callee's figure.
    figure: usize,
    /// What is between the columns of a function and its name.
    gap: &'static str,
}

impl Layout {
    /// pprof's, in which calls have two columns of their own. On a terminal these are the columns of the cumulative
    /// figure, which they are parts of: names have the room instead.
    fn new(screen: Screen) -> Layout {
        match screen.width {
            None => Layout {
                head: "      flat  flat%   sum%        cum   cum%   calls calls% + context",
                rule: format!("{:-<58}+{:-<13}", "", ""),
                figure: 50,
                gap: "                ",
            },
            Some(width) => Layout {
                head: "      flat  flat%   sum%        cum   cum% | between its callers and callees",
                rule: format!("{:-<43}+{:-<2$}", "", "", width.saturating_sub(44).max(13)),
                figure: 35,
                gap: " ",
            },
        }
    }
}

fn render(request: &Request<'_>, which: Which) -> Result<Vec<u8>> {
    let rows = &request.plan.rows;
    let graph = Graph::new(request.view, rows.granularity, Contexts::Merged, Counting::OncePerStack);
    if graph.nodes.is_empty() {
        request.warn(request.explain_nothing());
    }
    let figures = Figures::new(request, graph.total);
    let (limit, edge_limit) = match which {
        Which::Heavy => (row_limit(request, graph.total), edge_limit(request, graph.total)),
        Which::Matching => (0.0, 0.0),
    };
    let mut chosen: Vec<usize> = (0..graph.nodes.len())
        .filter(|&node| {
            let node = &graph.nodes[node];
            match (which, &request.plan.argument) {
                (Which::Matching, Some(pattern)) => pattern.is_match(&node.name),
                _ => node.cum.abs() >= limit && (node.cum != 0.0 || node.flat != 0.0),
            }
        })
        .collect();
    if which == Which::Matching && chosen.is_empty() {
        let pattern = request.plan.argument.as_ref().map_or("", |pattern| pattern.as_str());
        return Err(Error::at("peek", format!("no function matches '{pattern}'")));
    }
    if rows.order == Order::Flat {
        let key = |&node: &usize| graph.nodes[node].flat.abs();
        let name = |&node: &usize| graph.nodes[node].name.as_str();
        // As in the tables: a terminal has first what called most, of those that hold nothing themselves.
        let on_terminal = request.screen.width.is_some();
        let called = |&node: &usize| if on_terminal { graph.nodes[node].cum.abs() } else { 0.0 };
        chosen.sort_by(|a, b| {
            let by_figure = key(b).total_cmp(&key(a)).then_with(|| called(b).total_cmp(&called(a)));
            by_figure.then_with(|| name(a).cmp(name(b)))
        });
    }
    let dropped = graph.nodes.len() - chosen.len();
    if let Rows::AtMost(count) = rows.count {
        chosen.truncate(count);
    }
    let accounted: f64 = chosen.iter().map(|&node| graph.nodes[node].flat).sum();
    let dropped = (which == Which::Heavy).then_some((dropped, limit));
    let mut out = head(request, &figures, accounted, dropped);
    let layout = Layout::new(request.screen);
    let faint = |text: &str| paint(text, style::HEAD, request.screen) + "\n";
    let rule = faint(&layout.rule);
    out.extend([rule.clone(), faint(layout.head), rule.clone()]);
    let (callers, callees) = edges_by_node(&graph, edge_limit);
    let mut running = 0.0;
    for &index in &chosen {
        let node = &graph.nodes[index];
        running += node.flat;
        for &edge in &callers[index] {
            context(&mut out, request, &layout, &figures, edge, &graph.nodes[edge.from].name, node.cum);
        }
        // Writing to a String cannot fail.
        let (cells, width) = cells(request, &figures, node.flat, running, node.cum);
        let name = name_behind(request, &node.name, width + layout.gap.len() + 2);
        let _ = writeln!(out, "{cells}{}| {}", layout.gap, paint(&name, style::NAME, request.screen));
        for &edge in &callees[index] {
            context(&mut out, request, &layout, &figures, edge, &graph.nodes[edge.to].name, node.cum);
        }
        out.push_str(&rule);
    }
    Ok(out.into_bytes())
}

/// A caller or a callee of a function: what flows between them, and its share of what the function stands for.
fn context(
    out: &mut String,
    request: &Request<'_>,
    layout: &Layout,
    figures: &Figures,
    edge: &Edge,
    other: &str,
    cum: f64,
) {
    let share = crate::units::pprof_percent(edge.weight, cum);
    let inlined = if edge.inlined { " (inline)" } else { "" };
    let cells = format!("{:>1$} {share} |   ", figures.label(edge.weight), layout.figure);
    let name = name_behind(request, &format!("{other}{inlined}"), cells.len());
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{cells}{name}");
}

/// Edges into and out of each node from this figure on, the heaviest first.
fn edges_by_node(graph: &Graph, limit: f64) -> (Vec<Vec<&Edge>>, Vec<Vec<&Edge>>) {
    let mut edges: Vec<&Edge> = graph.edges.iter().filter(|edge| edge.weight.abs() >= limit).collect();
    // Stable: edges of equal weight stay in the order of their ends.
    edges.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    let mut callers = vec![Vec::new(); graph.nodes.len()];
    let mut callees = vec![Vec::new(); graph.nodes.len()];
    for edge in edges {
        callers[edge.to].push(edge);
        callees[edge.from].push(edge);
    }
    (callers, callees)
}
