//! `experimental.*`: what the reference keeps the right to change, and programs use all the same.

use crate::tables::tree::Node;

/// In the order of the reference's tree.
pub static NODES: &[Node] = &[
    #[cfg(feature = "prof")]
    Node::Branch { name: "hooks", children: super::hooks::NODES },
    Node::Branch { name: "thread", children: super::activity::NODES },
];
