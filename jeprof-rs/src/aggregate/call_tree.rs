//! Equal stacks as one tree, root first: for collapsed stacks, flame graphs and everything else that shows who called
//! whom by which way.

use super::paths::{Paths, shared};

/// A node: a call path that begins at the root.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Node {
    /// What it stands for, an index in [`CallTree::names`]. Of no meaning in the root.
    pub key: u32,
    /// What the path itself allocated.
    pub own: f64,
    /// What it and all paths that begin with it allocated.
    pub total: f64,
    /// What the path itself had allocated in the base.
    pub own_before: f64,
    parent: u32,
    first_child: u32,
    next_sibling: u32,
}

impl Node {
    fn new(key: u32, parent: u32, next_sibling: u32) -> Node {
        Node { key, own: 0.0, total: 0.0, own_before: 0.0, parent, first_child: NONE, next_sibling }
    }
}

/// All stacks of a view.
pub struct CallTree {
    /// What nodes stand for, by key.
    pub names: Vec<String>,
    nodes: Vec<Node>,
}

const NONE: u32 = u32::MAX;

impl CallTree {
    /// Builds the tree; children are in the order of their names, and behind their parent.
    ///
    /// Cost: one pass over the paths.
    pub fn new(paths: Paths) -> CallTree {
        let mut nodes = vec![Node::new(0, 0, NONE)];
        // Nodes from the root to the end of the path before, without the root itself.
        let mut way: Vec<u32> = Vec::new();
        let mut previous: &[u32] = &[];
        for (path, elements) in paths.iter() {
            let common = shared(previous, elements);
            let mut sibling = way.get(common).copied();
            way.truncate(common);
            for &key in &elements[common..] {
                let parent = way.last().copied().unwrap_or(0);
                let at = nodes.len() as u32;
                nodes.push(Node::new(key, parent, NONE));
                match sibling.take() {
                    Some(sibling) => nodes[sibling as usize].next_sibling = at,
                    None => nodes[parent as usize].first_child = at,
                }
                way.push(at);
            }
            let end = &mut nodes[way.last().copied().unwrap_or(0) as usize];
            end.own += path.own;
            end.own_before += path.before;
            nodes[0].total += path.own;
            for &at in &way {
                nodes[at as usize].total += path.own;
            }
            previous = elements;
        }
        CallTree { names: paths.names, nodes }
    }

    /// Index of the root, which stands for no frame.
    pub const ROOT: usize = 0;

    /// A node by its index.
    pub fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    /// The parent of a node, which has a smaller index; the root is its own.
    pub fn parent(&self, index: usize) -> usize {
        self.nodes[index].parent as usize
    }

    /// Number of nodes with the root.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Visits the nodes below the root, parents before children, siblings by name, with their depth from 1. Children
    /// of a node for which `visit` answers `false` are left out. Needs no stack of its own size: paths may be long.
    pub fn walk(&self, mut visit: impl FnMut(usize, usize) -> bool) {
        let mut pending: Vec<(u32, usize)> = vec![(self.nodes[Self::ROOT].first_child, 1)];
        while let Some((at, depth)) = pending.pop() {
            if at == NONE {
                continue;
            }
            let node = self.nodes[at as usize];
            pending.push((node.next_sibling, depth));
            if visit(at as usize, depth) {
                pending.push((node.first_child, depth + 1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::paths::Root;
    use crate::model::testing::example;
    use crate::plan::Plan;
    use crate::plan::choice::Granularity;
    use crate::transform::View;

    /// Every path with something of its own.
    fn paths(stacks: &[(&str, f64)], root: Root) -> Vec<(String, f64, f64)> {
        let example = example(stacks);
        let plan = Plan::default();
        let view = View::new(&example.profile, &example.symbols, &plan);
        let tree = CallTree::new(Paths::new(&view, Granularity::Functions, root));
        assert_eq!(tree.node(CallTree::ROOT).total, view.total());
        let (mut path, mut found) = (Vec::new(), Vec::new());
        tree.walk(|index, depth| {
            path.truncate(depth - 1);
            let node = tree.node(index);
            path.push(tree.names[node.key as usize].as_str());
            if node.own != 0.0 {
                found.push((path.join(";"), node.own, node.total));
            }
            true
        });
        found
    }

    #[test]
    fn equal_paths_are_one_node_and_siblings_are_ordered_by_name() {
        let stacks = [("main;f>g", 4.0), ("main;f;g", 2.0), ("main", 1.0), ("main;a", 8.0), ("main;f", 3.0)];
        assert_eq!(
            paths(&stacks, Root::Callers),
            [
                ("main".into(), 1.0, 18.0),
                ("main;a".into(), 8.0, 8.0),
                ("main;f".into(), 3.0, 9.0),
                ("main;f;g".into(), 6.0, 6.0)
            ]
        );
    }

    #[test]
    fn with_the_leaves_as_root_children_are_callers() {
        let stacks = [("main;f;g", 4.0), ("main;h;g", 2.0)];
        let expected = [("g;f;main".to_string(), 4.0, 4.0), ("g;h;main".to_string(), 2.0, 2.0)];
        assert_eq!(paths(&stacks, Root::Leaves), expected);
    }

    #[test]
    fn a_path_of_a_hundred_thousand_frames_is_walked() {
        let deep = vec!["f"; 100_000].join(";");
        assert_eq!(paths(&[(&deep, 1.0)], Root::Callers).len(), 1);
    }
}
