//! `cgroup.*`: the control group's memory, an extension.

use super::ro;
use crate::cgroup;
use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type, Value};

/// `cgroup.*`
pub static NODES: &[Node] = &[
    ro(
        "limit",
        Type::Size,
        |_| known(cgroup::limit()),
        "Bytes that the control group may use, now; SIZE_MAX for any number, ENOENT without a group or cgroup_aware.",
    ),
    ro(
        "current",
        Type::Size,
        |_| known(cgroup::current()),
        "Bytes that the control group uses, now; ENOENT without a group or cgroup_aware.",
    ),
];

fn known(bytes: Option<usize>) -> Result<Value, CtlError> {
    bytes.map(|bytes| Value(bytes as u64)).ok_or(CtlError::NotFound)
}
