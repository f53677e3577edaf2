//! The tree of `mallctl` names: where each row hangs, and how names and MIBs lead to it.
//!
//! A MIB has, for each component, the position of the name among its siblings, or the index itself. Positions are
//! jemalloc 5.3.1's as far as it has the name: programs keep MIBs in variables, and some in constants. Names of ours come
//! behind those of the reference in each branch.

use super::leaf::{self, Leaf};
use super::metric::{Metric, nodes};
use super::option::{self, Opt};
use super::value::{CtlError, Type};

/// Deepest path.
pub const DEPTH_MAX: usize = 7;

/// A named place of the tree.
#[derive(Clone, Copy)]
pub enum Node {
    /// A leaf with handlers of its own.
    Leaf(Leaf),
    /// `opt.*`
    Option(&'static Opt),
    /// A number of the last snapshot.
    Metric(&'static Metric),
    /// A name with names below it.
    Branch {
        /// The name.
        name: &'static str,
        /// What is below it, in the order of the MIB.
        children: &'static [Node],
    },
    /// A name with numbers below it, each with the same names below.
    Indexed {
        /// The name.
        name: &'static str,
        /// Which numbers there are.
        exists: fn(usize) -> bool,
        /// What is below each number.
        children: &'static [Node],
    },
}

/// The whole tree. The order of the root's branches is the reference's.
pub static ROOT: &[Node] = &[
    leaf::root::VERSION,
    leaf::root::EPOCH,
    leaf::background::ENABLED,
    leaf::background::MAX,
    Node::Branch { name: "thread", children: leaf::thread::NODES },
    Node::Branch { name: "config", children: leaf::config::NODES },
    Node::Branch { name: "opt", children: &option::NODES },
    Node::Branch { name: "tcache", children: leaf::tcache::NODES },
    Node::Indexed { name: "arena", exists: leaf::arena::exists, children: leaf::arena::NODES },
    Node::Branch { name: "arenas", children: leaf::arenas::NODES },
    #[cfg(feature = "prof")]
    Node::Branch { name: "prof", children: leaf::prof::NODES },
    Node::Branch { name: "stats", children: &nodes::NODES },
    Node::Branch { name: "approximate_stats", children: nodes::APPROXIMATE },
    Node::Branch { name: "experimental", children: leaf::experimental::NODES },
    Node::Branch { name: "cgroup", children: leaf::cgroup::NODES },
];

impl Node {
    /// The last component of its path.
    pub fn name(&self) -> &'static str {
        match self {
            Node::Leaf(leaf) => leaf.name,
            Node::Option(opt) => opt.name,
            Node::Metric(metric) => metric.name,
            Node::Branch { name, .. } | Node::Indexed { name, .. } => name,
        }
    }

    /// Whether it has a value or acts.
    pub fn is_leaf(&self) -> bool {
        !matches!(self, Node::Branch { .. } | Node::Indexed { .. })
    }

    /// Type of the value; [`Type::Void`] for what has none.
    pub fn value_type(&self) -> Type {
        match self {
            Node::Leaf(leaf) => leaf.ty,
            Node::Metric(metric) => metric.ty,
            Node::Option(opt) => opt.value_type(),
            Node::Branch { .. } | Node::Indexed { .. } => Type::Void,
        }
    }
}

/// What may follow at a point of a path.
#[derive(Clone, Copy)]
enum Next {
    /// One of these names.
    Name(&'static [Node]),
    /// A number, then one of these names.
    Number(fn(usize) -> bool, &'static [Node]),
    /// Nothing.
    End(&'static Node),
}

fn after(node: &'static Node) -> Next {
    match node {
        Node::Branch { children, .. } => Next::Name(children),
        Node::Indexed { exists, children, .. } => Next::Number(*exists, children),
        _ => Next::End(node),
    }
}

/// Translates a name, whole or a beginning, to its MIB; answers the length, cut to the room in `mib`.
pub fn name_to_mib(name: &[u8], mib: &mut [usize]) -> Result<usize, CtlError> {
    let mut next = Next::Name(ROOT);
    let mut len = 0;
    for part in name.split(|&byte| byte == b'.') {
        let Some(component) = mib.get_mut(len) else { break };
        (*component, next) = match next {
            Next::Name(nodes) => {
                let at = nodes.iter().position(|node| node.name().as_bytes() == part);
                let at = at.ok_or(CtlError::NotFound)?;
                (at, after(&nodes[at]))
            }
            Next::Number(exists, nodes) => {
                let number = core::str::from_utf8(part).ok().and_then(|part| part.parse().ok());
                (number.filter(|&number| exists(number)).ok_or(CtlError::NotFound)?, Next::Name(nodes))
            }
            Next::End(_) => return Err(CtlError::NotFound),
        };
        len += 1;
    }
    Ok(len)
}

/// The leaf that a whole MIB leads to.
pub fn find(mib: &[usize]) -> Result<&'static Node, CtlError> {
    let mut next = Next::Name(ROOT);
    for &component in mib {
        next = match next {
            Next::Name(nodes) => after(nodes.get(component).ok_or(CtlError::NotFound)?),
            Next::Number(exists, nodes) if exists(component) => Next::Name(nodes),
            _ => return Err(CtlError::NotFound),
        };
    }
    match next {
        Next::End(node) => Ok(node),
        _ => Err(CtlError::NotFound),
    }
}

/// Every leaf with its path, in the order of the tree; `<i>` and `<j>` stand for numbers.
#[cfg(test)]
pub fn leaves() -> std::vec::Vec<(std::string::String, &'static Node)> {
    use std::{format, string::String, vec::Vec};

    fn walk(prefix: &str, numbers: usize, nodes: &'static [Node], into: &mut Vec<(String, &'static Node)>) {
        for node in nodes {
            let path = format!("{prefix}{}", node.name());
            match node {
                Node::Branch { children, .. } => walk(&format!("{path}."), numbers, children, into),
                Node::Indexed { children, .. } => {
                    let letter = ["<i>", "<j>"][numbers];
                    walk(&format!("{path}.{letter}."), numbers + 1, children, into);
                }
                _ => into.push((path, node)),
            }
        }
    }

    let mut found = Vec::new();
    walk("", 0, ROOT, &mut found);
    found
}

#[cfg(test)]
extern crate std;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_is_unique_documented_and_found_by_name_and_by_mib() {
        // Some names are there only with this.
        #[cfg(feature = "prof")]
        crate::sampling::CLASSES.enable();
        // Some names are there only for arenas that were made.
        assert!(crate::thread::start::current_or_start().is_some());
        let mut seen = BTreeSet::new();
        for (path, node) in leaves() {
            assert!(seen.insert(path.clone()), "{path} twice");
            let name = path.replace("<i>", "0").replace("<j>", "0");
            let mut mib = [0; DEPTH_MAX];
            let len = name_to_mib(name.as_bytes(), &mut mib).unwrap_or_else(|_| panic!("{name}: no MIB"));
            assert_eq!(len, name.split('.').count());
            let found = find(&mib[..len]).unwrap_or_else(|_| panic!("{name}: not found by its MIB"));
            assert!(core::ptr::eq(found, node), "{name}");
            if let Node::Leaf(leaf) = node {
                assert!(leaf.doc.ends_with('.'), "{name}");
            }
        }
    }

    #[test]
    fn wrong_names_partial_names_and_wrong_indices_are_not_found() {
        let mut mib = [0; DEPTH_MAX];
        for name in
            ["", "nothing", "stats.nothing", "arena.x.purge", "arena.99999.purge", "epoch.more", "arena."]
        {
            assert_eq!(name_to_mib(name.as_bytes(), &mut mib), Err(CtlError::NotFound), "{name}");
        }
        let len = name_to_mib(b"arena.0", &mut mib).unwrap();
        assert_eq!(find(&mib[..len]).err(), Some(CtlError::NotFound));
    }
}
