//! Who calls whom: functions (or lines, files, addresses) with their figures, and what flows along the calls between them.
//!
//! [`Graph`] is everything that the stacks tell; [`Graph::trimmed`] is the part that is worth drawing, chosen by jeprof's
//! rules.

use hashbrown::HashMap;

use super::keys::Keys;
use crate::plan::choice::{Contexts, Granularity};
use crate::symbolize::symbols::LineId;
use crate::transform::View;

/// One function, line, file or address; in a call tree, one of its contexts.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is called.
    pub name: String,
    /// A line that it stands for, for more than its name.
    pub example: LineId,
    /// What it allocated itself.
    pub flat: f64,
    /// What it and everything that it called allocated; a recursive call counts once.
    pub cum: f64,
}

/// Calls from one node to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// Index of the caller.
    pub from: usize,
    /// Index of the callee.
    pub to: usize,
    /// Figures of all stacks in which the call occurs, counted as [`Counting`] says.
    pub weight: f64,
    /// Whether the callee was inlined into the caller everywhere.
    pub inlined: bool,
}

/// How often a call counts that occurs several times in one stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// As often as it occurs: jeprof's graphs. A recursion of three calls weighs three times its stack.
    EveryCall,
    /// Once, and a function that calls itself directly not at all: pprof's.
    OncePerStack,
}

/// All nodes and all calls between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// Sum over all stacks of the view.
    pub total: f64,
    /// By cumulative figure without its sign, descending, then by name.
    pub nodes: Vec<Node>,
    /// By weight, descending, then by caller and callee.
    pub edges: Vec<Edge>,
}

/// What is worth drawing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Most nodes.
    pub nodes_max: usize,
    /// Nodes of at most this share of the total are left out.
    pub node_fraction: f64,
    /// Edges of at most this share of the total are left out, unless the callee would have no caller.
    pub edge_fraction: f64,
    /// Most edges into a node, and out of it.
    pub degree_max: usize,
}

/// Part of a graph, and what was left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Trimmed {
    /// Nodes and edges that are left; the total is still that of the whole.
    pub graph: Graph,
    /// Nodes of at most this figure were left out.
    pub node_limit: f64,
    /// Edges of at most this figure were left out.
    pub edge_limit: f64,
}

/// An edge while stacks are added.
struct Calls {
    weight: f64,
    inlined: bool,
    /// The stack in which it was last counted, from 1.
    counted_in: usize,
}

/// Gives numbers to nodes: one per name, or one per caller's number and name.
struct Numbers {
    contexts: Contexts,
    known: HashMap<(u32, u32), u32>,
    /// Per node its name's number.
    name_of: Vec<u32>,
    /// Per node a line that it stands for.
    examples: Vec<LineId>,
}

const NO_CALLER: u32 = u32::MAX;

impl Numbers {
    fn of(&mut self, caller: u32, name: u32, line: LineId) -> u32 {
        let context = if self.contexts == Contexts::Merged { NO_CALLER } else { caller };
        *self.known.entry((context, name)).or_insert_with(|| {
            self.name_of.push(name);
            self.examples.push(line);
            self.examples.len() as u32 - 1
        })
    }
}

impl Graph {
    /// Adds up all stacks of a view.
    ///
    /// Cost: two hash look-ups per frame of every stack; names are made once per key.
    pub fn new(view: &View<'_>, granularity: Granularity, contexts: Contexts, counting: Counting) -> Graph {
        let keys = Keys::new(view, granularity);
        // Keys of one name are one node, as rows of one name are one row in jeprof.
        let mut names: Vec<String> = Vec::new();
        let mut ids: HashMap<String, u32> = HashMap::new();
        let name_of_key: Vec<u32> = (0..keys.len())
            .map(|key| {
                let name = keys.name(view, key);
                *ids.entry(name).or_insert_with_key(|name| {
                    names.push(name.clone());
                    names.len() as u32 - 1
                })
            })
            .collect();

        let mut numbers =
            Numbers { contexts, known: HashMap::new(), name_of: Vec::new(), examples: Vec::new() };
        let mut total = 0.0;
        let mut flat: Vec<f64> = Vec::new();
        let mut cum: Vec<f64> = Vec::new();
        // The stack in which a node was last counted, from 1.
        let mut counted_in: Vec<usize> = Vec::new();
        let mut stack_number = 0;
        let mut calls: HashMap<(u32, u32), Calls> = HashMap::new();
        view.walk(|seen| {
            stack_number += 1;
            total += seen.figure;
            let mut caller: Option<u32> = None;
            for (line, key) in keys.of_stack(view, seen.lines).rev() {
                let name = name_of_key[key];
                let node = numbers.of(caller.unwrap_or(NO_CALLER), name, line);
                let index = node as usize;
                if index == cum.len() {
                    flat.push(0.0);
                    cum.push(0.0);
                    counted_in.push(0);
                }
                if counted_in[index] != stack_number {
                    counted_in[index] = stack_number;
                    cum[index] += seen.figure;
                }
                let is_itself = counting == Counting::OncePerStack && caller == Some(node);
                if let Some(from) = caller
                    && !is_itself
                {
                    let inlined = view.is_inlined(line);
                    let new = || Calls { weight: 0.0, inlined: true, counted_in: 0 };
                    let call = calls.entry((from, node)).or_insert_with(new);
                    let counts = match counting {
                        Counting::EveryCall => true,
                        Counting::OncePerStack => call.counted_in != stack_number,
                    };
                    if counts {
                        call.weight += seen.figure;
                        call.counted_in = stack_number;
                    }
                    call.inlined &= inlined;
                }
                caller = Some(node);
            }
            if let Some(leaf) = caller {
                flat[leaf as usize] += seen.figure;
            }
        });

        let mut order: Vec<usize> = (0..cum.len()).collect();
        let name = |node: usize| names[numbers.name_of[node] as usize].as_str();
        order.sort_by(|&a, &b| {
            cum[b].abs().total_cmp(&cum[a].abs()).then_with(|| name(a).cmp(name(b))).then(a.cmp(&b))
        });
        let mut place = vec![0_usize; order.len()];
        order.iter().enumerate().for_each(|(index, &node)| place[node] = index);
        let nodes = order
            .iter()
            .map(|&node| Node {
                name: name(node).to_string(),
                example: numbers.examples[node],
                flat: flat[node],
                cum: cum[node],
            })
            .collect();
        let mut edges: Vec<Edge> = calls
            .into_iter()
            .map(|((from, to), call)| Edge {
                from: place[from as usize],
                to: place[to as usize],
                weight: call.weight,
                inlined: call.inlined,
            })
            .collect();
        edges.sort_by(|a, b| b.weight.total_cmp(&a.weight).then((a.from, a.to).cmp(&(b.from, b.to))));
        Graph { total, nodes, edges }
    }

    /// Leaves out what is small, by jeprof's rules. Figures are cut to whole numbers before they are compared, as there.
    ///
    /// Nodes: the first by cumulative figure, as many as may be, and of these those above the limit. Edges, the heaviest
    /// first: kept when the callee has no caller yet; else left out when small or when either end has enough.
    pub fn trimmed(&self, limits: Limits) -> Trimmed {
        let node_limit = (limits.node_fraction * self.total).trunc();
        let edge_limit = (limits.edge_fraction * self.total).trunc();
        let first = &self.nodes[..self.nodes.len().min(limits.nodes_max)];
        let kept = first.iter().rposition(|node| node.cum.abs() > node_limit).map_or(0, |last| last + 1);
        let mut calls_out = vec![0_usize; kept];
        let mut calls_in = vec![0_usize; kept];
        let edges = self
            .edges
            .iter()
            .filter(|edge| edge.from < kept && edge.to < kept)
            .filter(|edge| {
                let keep = calls_in[edge.to] == 0
                    || (edge.weight.abs() > edge_limit
                        && calls_out[edge.from] < limits.degree_max
                        && calls_in[edge.to] < limits.degree_max);
                calls_out[edge.from] += usize::from(keep);
                calls_in[edge.to] += usize::from(keep);
                keep
            })
            .cloned()
            .collect();
        let graph = Graph { total: self.total, nodes: self.nodes[..kept].to_vec(), edges };
        Trimmed { graph, node_limit, edge_limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::table::table;
    use crate::model::testing::example;
    use crate::plan::Plan;
    use crate::plan::choice::Order;

    fn graph(stacks: &[(&str, f64)], contexts: Contexts) -> Graph {
        let example = example(stacks);
        let plan = Plan::default();
        let view = View::new(&example.profile, &example.symbols, &plan);
        Graph::new(&view, Granularity::Functions, contexts, Counting::EveryCall)
    }

    fn nodes(graph: &Graph) -> Vec<(&str, f64, f64)> {
        graph.nodes.iter().map(|node| (node.name.as_str(), node.flat, node.cum)).collect()
    }

    fn edges(graph: &Graph) -> Vec<(&str, &str, f64)> {
        let name = |index: usize| graph.nodes[index].name.as_str();
        graph.edges.iter().map(|edge| (name(edge.from), name(edge.to), edge.weight)).collect()
    }

    const ALL: Limits =
        Limits { nodes_max: usize::MAX, node_fraction: 0.0, edge_fraction: 0.0, degree_max: usize::MAX };

    #[test]
    fn recursion_counts_once_per_stack_where_asked_and_not_as_a_call_of_itself() {
        let example = example(&[("main;f;g;f;g;g", 4.0)]);
        let plan = Plan::default();
        let view = View::new(&example.profile, &example.symbols, &plan);
        let weight = |counting, from: &str, to: &str| {
            let graph = Graph::new(&view, Granularity::Functions, Contexts::Merged, counting);
            let is = |edge: &&Edge| graph.nodes[edge.from].name == from && graph.nodes[edge.to].name == to;
            graph.edges.iter().find(is).map_or(0.0, |edge| edge.weight)
        };
        assert_eq!(weight(Counting::EveryCall, "f", "g"), 8.0);
        assert_eq!(weight(Counting::OncePerStack, "f", "g"), 4.0);
        assert_eq!(weight(Counting::OncePerStack, "g", "g"), 0.0);
    }

    #[test]
    fn recursion_counts_once_in_nodes_and_every_time_in_edges() {
        let graph = graph(&[("main;f;f;f;g", 4.0), ("main;f", 2.0)], Contexts::Merged);
        assert_eq!(nodes(&graph), [("f", 2.0, 6.0), ("main", 0.0, 6.0), ("g", 4.0, 4.0)]);
        assert_eq!(edges(&graph), [("f", "f", 8.0), ("main", "f", 6.0), ("f", "g", 4.0)]);
    }

    #[test]
    fn only_calls_inlined_everywhere_are_inlined() {
        let graph = graph(&[("main;f>g", 4.0), ("main;h>k", 2.0), ("main;h;k", 1.0)], Contexts::Merged);
        let inlined = |from: &str, to: &str| {
            let name = |index: usize| graph.nodes[index].name.as_str();
            graph.edges.iter().find(|edge| name(edge.from) == from && name(edge.to) == to).unwrap().inlined
        };
        assert!(inlined("f", "g"));
        assert!(!inlined("main", "f") && !inlined("h", "k"));
    }

    #[test]
    fn with_separate_contexts_each_node_has_one_caller() {
        let graph = graph(&[("main;a;c", 4.0), ("main;b;c", 2.0), ("main;c;c", 1.0)], Contexts::Separate);
        assert_eq!(nodes(&graph).iter().filter(|node| node.0 == "c").count(), 4);
        let mut callers = vec![0; graph.nodes.len()];
        graph.edges.iter().for_each(|edge| callers[edge.to] += 1);
        assert_eq!((callers[0], callers[1..].iter().all(|count| *count == 1)), (0, true));
        assert_eq!(graph.total, 7.0);
    }

    #[test]
    fn nodes_agree_with_the_table_and_edges_with_the_nodes() {
        let mut state = 7_u64;
        let mut below = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for _ in 0..20 {
            let stacks: Vec<(String, f64)> = (0..30)
                .map(|_| {
                    let names: Vec<String> = (0..=below(6)).map(|_| format!("f{}", below(5))).collect();
                    (names.join(";"), below(1000) as f64 - 300.0)
                })
                .collect();
            let stacks: Vec<(&str, f64)> =
                stacks.iter().map(|(path, figure)| (path.as_str(), *figure)).collect();
            let example = example(&stacks);
            let plan = Plan::default();
            let view = View::new(&example.profile, &example.symbols, &plan);
            let rows = table(&view, Granularity::Functions, Order::Flat).rows;
            for contexts in [Contexts::Merged, Contexts::Separate] {
                let graph = Graph::new(&view, Granularity::Functions, contexts, Counting::EveryCall);
                for row in &rows {
                    let of_name = graph.nodes.iter().filter(|node| node.name == row.name);
                    assert_eq!(of_name.map(|node| node.flat).sum::<f64>(), row.flat);
                }
                assert_eq!(graph.nodes.iter().map(|node| node.flat).sum::<f64>(), graph.total);
                let flow: f64 = graph.edges.iter().map(|edge| edge.weight).sum();
                let calls = stacks.iter().map(|(path, figure)| path.matches(';').count() as f64 * figure);
                assert_eq!(flow, calls.sum::<f64>());
                assert_eq!(graph.trimmed(ALL).graph, graph);
            }
        }
    }

    #[test]
    fn small_nodes_and_edges_are_left_out_but_no_callee_loses_its_last_caller() {
        let stacks = [("m;a;x", 90.0), ("m;b;x", 1.0), ("m;c;y", 9.0), ("m;c;z", 0.5)];
        let graph = graph(&stacks, Contexts::Merged);
        let trimmed = graph.trimmed(Limits { node_fraction: 0.05, edge_fraction: 0.05, ..ALL });
        assert_eq!((trimmed.node_limit, trimmed.edge_limit), (5.0, 5.0));
        let names: Vec<&str> = trimmed.graph.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["m", "x", "a", "c", "y"]);
        assert_eq!(
            edges(&trimmed.graph),
            [("m", "a", 90.0), ("a", "x", 90.0), ("m", "c", 9.5), ("c", "y", 9.0)]
        );

        let trimmed = graph.trimmed(Limits { edge_fraction: 0.5, degree_max: 1, ..ALL }).graph;
        assert!(edges(&trimmed).contains(&("c", "z", 0.5)) && !edges(&trimmed).contains(&("b", "x", 1.0)));
        assert_eq!(graph.trimmed(Limits { nodes_max: 2, ..ALL }).graph.nodes.len(), 2);
    }

    #[test]
    fn negative_nodes_rank_by_size_and_limits_below_zero_drop_nothing() {
        let graph = graph(&[("m;a", -90.0), ("m;b", 1.0)], Contexts::Merged);
        assert_eq!(nodes(&graph), [("a", -90.0, -90.0), ("m", 0.0, -89.0), ("b", 1.0, 1.0)]);
        let trimmed = graph.trimmed(Limits { node_fraction: 0.5, ..ALL });
        assert_eq!((trimmed.node_limit, trimmed.graph.nodes.len()), (-44.0, 3));
    }
}
