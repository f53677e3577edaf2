use super::*;
use crate::context::ContextId;
use crate::live::Birth;
use std::vec::Vec;

/// Words of each node: the first ones may hold addresses of others.
const WORDS: usize = 8;

/// Nodes in memory of their own, listed as objects; what is led to from nowhere else is lost.
struct Graph {
    memory: Vec<[u64; WORDS]>,
    live: Live,
}

impl Graph {
    fn new(nodes: usize) -> Graph {
        let graph = Graph { memory: std::vec![[0; WORDS]; nodes], live: Live::new() };
        for node in &graph.memory {
            let context = ContextId::from_bits(1).unwrap();
            let bytes = (WORDS * 8) as u64;
            let birth =
                Birth { context, generation: 1, requested: bytes, usize_: bytes, period: 1, nanos: 0 };
            let sample = graph.live.add(birth, None).unwrap();
            graph.live.hold(sample).unwrap().set_place(node.as_ptr().addr());
        }
        graph
    }

    fn edge(&mut self, from: usize, to: usize) {
        let address = self.memory[to].as_ptr().addr() as u64;
        let slot = self.memory[from].iter_mut().find(|word| **word == 0).unwrap();
        // Anywhere inside counts.
        *slot = address + (from % 64) as u64;
    }

    /// What becomes of the nodes when those of `roots` are reached.
    fn marked(&self, roots: &[usize]) -> Vec<Option<Leak>> {
        let room = self.live.most() as usize;
        let mut marking = Marking {
            objects: Objects::with_room(room).unwrap().fill(&self.live).unwrap(),
            states: Rows::zeroed(room).unwrap(),
            work: Rows::new(room).unwrap(),
            leaders: Rows::new(room).unwrap(),
        };
        let mut reader = Reader::new().unwrap();
        roots.iter().for_each(|root| marking.lead(self.memory[*root].as_ptr().addr(), REACHED));
        marking.follow(&mut reader, REACHED);
        marking.lost(&mut reader);
        // Nodes are listed in the order of their addresses.
        marking.states.iter().map(|state| leak(*state)).collect()
    }
}

#[test]
fn a_list_of_any_length_has_one_head() {
    let mut graph = Graph::new(50_000);
    (1..50_000).for_each(|node| graph.edge(node, node - 1));
    let lost = graph.marked(&[]);
    assert_eq!(lost[49_999], Some(Leak::Direct));
    assert!(lost[..49_999].iter().all(|leak| *leak == Some(Leak::Indirect)));
    let lost = graph.marked(&[30_000]);
    assert!(lost[..=30_000].iter().all(Option::is_none));
    assert_eq!(lost.iter().filter(|leak| **leak == Some(Leak::Direct)).count(), 1);
}

#[test]
fn of_a_circle_one_is_direct_unless_something_outside_leads_to_it() {
    let mut graph = Graph::new(6);
    [(1, 2), (2, 3), (3, 1), (4, 4)].into_iter().for_each(|(from, to)| graph.edge(from, to));
    let (direct, indirect) = (Some(Leak::Direct), Some(Leak::Indirect));
    assert_eq!(graph.marked(&[0]), [None, direct, indirect, indirect, direct, direct]);
    // Above the circle, so that it is met later.
    graph.edge(5, 3);
    assert_eq!(graph.marked(&[0]), [None, indirect, indirect, indirect, direct, direct]);
}

/// By definition: direct is, of the nodes that no lost node leads to without being led to by it, the first of each circle.
#[test]
fn random_graphs_are_judged_as_by_looking_at_all_pairs() {
    const SEED: u64 = 7;
    let mut state = SEED;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    for round in 0..300 {
        let nodes = 1 + random(12);
        let mut graph = Graph::new(nodes);
        let mut leads = std::vec![std::vec![false; nodes]; nodes];
        for _ in 0..random(2 * nodes) {
            let (from, to) = (random(nodes), random(nodes));
            if graph.memory[from].contains(&0) {
                graph.edge(from, to);
                leads[from][to] = true;
            }
        }
        for through in 0..nodes {
            for from in 0..nodes {
                for to in 0..nodes {
                    leads[from][to] |= leads[from][through] && leads[through][to];
                }
            }
        }
        let roots: Vec<usize> = (0..nodes).filter(|_| random(4) == 0).collect();
        let reached = |node: usize| roots.iter().any(|root| *root == node || leads[*root][node]);
        let expected: Vec<_> = (0..nodes)
            .map(|node| {
                if reached(node) {
                    return None;
                }
                let mut others = (0..nodes).filter(|other| *other != node && leads[*other][node]);
                let first = others.all(|other| leads[node][other] && node < other);
                Some(if first { Leak::Direct } else { Leak::Indirect })
            })
            .collect();
        assert_eq!(graph.marked(&roots), expected, "round {round} of seed {SEED}, roots {roots:?}");
    }
}
