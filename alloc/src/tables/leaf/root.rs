//! Leaves at the root of the tree.

use super::{Access, Leaf};
use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type, Value};
use crate::{VERSION_C, stats};

/// `version`
pub const VERSION: Node = super::ro(
    "version",
    Type::Text,
    |_| Ok(VERSION_C.as_ptr().into()),
    "Version of jemalloc that this one stands in for.",
);

/// `epoch`
pub const EPOCH: Node = Node::Leaf(Leaf {
    name: "epoch",
    ty: Type::U64,
    doc: "Number of the last snapshot of all statistics; any write takes a new one.",
    access: Access::WriteRead(write_epoch, |_| stats::epoch().map(Value).ok_or(CtlError::Exhausted)),
    needs: None,
});

fn write_epoch(_: &[usize], _: Option<Value>) -> Result<(), CtlError> {
    stats::advance().map(drop).ok_or(CtlError::Exhausted)
}
