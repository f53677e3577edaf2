//! `thread.*`: the calling thread.

use super::{action, me, needing, ro, rw};
use crate::arena::{binding, table};
use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type, Value};
use crate::thread::{cache, counters, event, lifecycle};
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
        |_| Ok(address(event::count_exactly(me()?).0)),
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
        |_| Ok(address(event::count_exactly(me()?).1)),
        "Where that number is kept up to date.",
    ),
    Node::Branch { name: "tcache", children: super::tcache::THREAD_NODES },
    Node::Branch {
        name: "peak",
        children: &[
            needing(
                ro(
                    "read",
                    Type::U64,
                    |_| {
                        me().map(|thread| {
                            Value(event::watched(thread, |watch| watch.peak(counters::held(thread))))
                        })
                    },
                    "Most bytes that the calling thread held since the last reset, beyond what it held then; \
                     to within 64 KiB, and only from the thread's first use of thread.peak on.",
                ),
                statistics,
            ),
            needing(
                action(
                    "reset",
                    |_| {
                        me().map(|thread| {
                            event::watched(thread, |watch| watch.reset_peak(counters::held(thread)))
                        })
                    },
                    "Lets the peak be counted from what the calling thread holds now.",
                ),
                statistics,
            ),
        ],
    },
    #[cfg(feature = "prof")]
    Node::Branch { name: "prof", children: super::prof::THREAD_NODES },
    #[cfg(not(feature = "prof"))]
    Node::Branch { name: "prof", children: &[] },
    action(
        "idle",
        |_| me().map(cache::idle),
        "Tells that the calling thread will be idle: empties its cache, and, with more than two arenas per processor, \
         purges its arena.",
    ),
];

fn address(word: &'static core::sync::atomic::AtomicU64) -> Value {
    Value(word.as_ptr().expose_provenance() as u64)
}

fn statistics() -> Result<(), CtlError> {
    if cfg!(feature = "stats") { Ok(()) } else { Err(CtlError::NotFound) }
}

fn write_arena(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    let index = ArenaInd(value.ok_or(CtlError::Invalid)?.0 as u32);
    let thread = me()?;
    if index == thread.arena().index() {
        return Ok(());
    }
    if index.0 >= table::total() {
        return Err(CtlError::Failed);
    }
    if !binding::may_choose(index.0) {
        return Err(CtlError::NotPermitted);
    }
    let arena = table::get_or_make(index).ok_or(CtlError::Exhausted)?;
    if lifecycle::rebind(thread, arena) { Ok(()) } else { Err(CtlError::Exhausted) }
}
