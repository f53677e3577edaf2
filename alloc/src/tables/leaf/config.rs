//! `config.*`: what the library was built with.

use super::ro;
use crate::conf;
use crate::tables::tree::Node;
use crate::tables::value::{Type, Value};

const fn switch(name: &'static str, read: super::Read, doc: &'static str) -> Node {
    ro(name, Type::Bool, read, doc)
}

const YES: super::Read = |_| Ok(Value(1));
const NO: super::Read = |_| Ok(Value(0));

/// In the order of the reference's tree.
pub static NODES: &[Node] = &[
    switch("cache_oblivious", YES, "Large objects can start at random offsets."),
    switch("debug", |_| Ok(cfg!(debug_assertions).into()), "Internal assertions are on."),
    switch("fill", YES, "Memory can be filled with junk or zeros."),
    switch("lazy_lock", NO, "Locking begins with the second thread."),
    ro(
        "malloc_conf",
        Type::Text,
        |_| Ok(conf::BUILT.as_ptr().into()),
        "Options given when the library was built.",
    ),
    switch("opt_safety_checks", NO, "Checks that cost time on every call are always on."),
    switch("prof", |_| Ok(cfg!(feature = "prof").into()), "Heap profiling is there."),
    switch("prof_libgcc", NO, "Stacks are walked by libgcc."),
    switch("prof_libunwind", NO, "Stacks are walked by libunwind."),
    switch("prof_frameptr", NO, "Stacks are walked by frame pointers."),
    switch("stats", |_| Ok(cfg!(feature = "stats").into()), "Statistics are there."),
    switch("utrace", NO, "Calls can be traced by utrace."),
    switch("xmalloc", YES, "Running out of memory can be made fatal."),
];
