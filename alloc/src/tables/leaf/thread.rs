//! `thread.*`: the calling thread.

use super::{action, me, ro, rw};
use crate::arena::table;
use crate::relaxed::Relaxed;
use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type, Value};
use crate::thread::{counters, lifecycle};
use crate::units::ArenaInd;

/// In the order of the reference's tree.
pub static NODES: &[Node] = &[
    rw(
        "arena",
        Type::Unsigned,
        |_| Ok(Value(me()?.arena().index().0 as u64)),
        write_arena,
        "Arena that the calling thread allocates from.",
    ),
    ro(
        "allocated",
        Type::U64,
        |_| Ok(Value(counters::allocated(me()?))),
        "Bytes that the calling thread ever allocated, by usable size.",
    ),
    ro(
        "allocatedp",
        Type::U64Ptr,
        |_| Ok(address(counters::exact(me()?).0)),
        "Where that number is kept up to date.",
    ),
    ro(
        "deallocated",
        Type::U64,
        |_| Ok(Value(counters::deallocated(me()?))),
        "Bytes that the calling thread ever freed, by usable size.",
    ),
    ro(
        "deallocatedp",
        Type::U64Ptr,
        |_| Ok(address(counters::exact(me()?).1)),
        "Where that number is kept up to date.",
    ),
    Node::Branch {
        name: "tcache",
        children: &[action("flush", flush, "Returns all objects that the calling thread caches.")],
    },
    #[cfg(feature = "prof")]
    Node::Branch { name: "prof", children: super::prof::THREAD_NODES },
];

fn address(word: &'static core::sync::atomic::AtomicU64) -> Value {
    Value(word.as_ptr().expose_provenance() as u64)
}

fn flush(_: &[usize]) -> Result<(), CtlError> {
    let thread = me()?;
    if !thread.caching.get() {
        return Err(CtlError::Failed);
    }
    lifecycle::flush(thread);
    // What the thread left in depots on the way is its cache, too.
    table::all().for_each(|arena| arena.trim(true));
    Ok(())
}

fn write_arena(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    let index = ArenaInd(value.ok_or(CtlError::Invalid)?.0 as u32);
    if index.0 >= table::narenas() {
        return Err(CtlError::Failed);
    }
    let arena = table::get_or_make(index).ok_or(CtlError::Exhausted)?;
    lifecycle::rebind(me()?, arena);
    Ok(())
}
