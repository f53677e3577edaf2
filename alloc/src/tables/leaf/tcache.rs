//! `thread.tcache.*`, the cache of the calling thread, and `tcache.*`, caches that the program makes.

use core::ffi::CStr;

use super::{Arguments, action, bool_of, me, needing, raw, rw, wo};
use crate::arena::table;
use crate::relaxed::Relaxed;
use crate::size_class::{TCACHE_LIMIT, index_of};
use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type, Value};
use crate::tcache::explicit;
use crate::thread::{cache, lifecycle};

/// In the order of the reference's tree.
pub static THREAD_NODES: &[Node] = &[
    rw(
        "enabled",
        Type::Bool,
        |_| Ok(me()?.caching.get().into()),
        |_, value| done(cache::enable(me()?, bool_of(value)?)),
        "Whether the calling thread caches; switching it off empties the cache.",
    ),
    rw(
        "max",
        Type::Size,
        |_| Ok(Value(cache::max(me()?) as u64)),
        |_, value| done(cache::set_max(me()?, value.ok_or(CtlError::Invalid)?.0 as usize)),
        "Bytes of the largest objects that the calling thread caches, at most 8 MiB; a change empties the cache.",
    ),
    needing(
        action("flush", flush, "Returns all objects that the calling thread caches."),
        // Without a cache the call fails, whatever its arguments are.
        || if me()?.caching.get() { Ok(()) } else { Err(CtlError::Failed) },
    ),
    Node::Branch {
        name: "ncached_max",
        children: &[
            raw(
                "read_sizeclass",
                Type::Size,
                "rw",
                read_limit,
                "Takes a size, and gives how many objects of its class the calling thread caches at most.",
            ),
            wo(
                "write",
                Type::Text,
                write_limits,
                "Sets how many objects the calling thread caches, in the words of tcache_ncached_max, which empties \
                 the cache.",
            ),
        ],
    },
];

/// `tcache.*`, in the order of the reference's tree.
pub static NODES: &[Node] = &[
    raw("create", Type::Unsigned, "r-", create, "Makes a cache for MALLOCX_TCACHE, and gives its id."),
    wo(
        "flush",
        Type::Unsigned,
        |_, id| known(explicit::flush(id_of(id)?)),
        "Returns all objects in the cache of an id.",
    ),
    wo(
        "destroy",
        Type::Unsigned,
        |_, id| known(explicit::destroy(id_of(id)?)),
        "Returns all objects in the cache of an id, which is free then.",
    ),
];

/// # Safety
/// 1. As `mallctl`.
unsafe fn create(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    if !args.new.is_null() || args.new_len != 0 {
        return Err(CtlError::NotPermitted);
    }
    if args.old.is_null() || args.old_len.is_null() {
        return Err(CtlError::Invalid);
    }
    // SAFETY: not null, hence valid (1).
    let room = unsafe { &mut *args.old_len };
    if *room != size_of::<u32>() {
        *room = 0;
        return Err(CtlError::Invalid);
    }
    let id = explicit::create(me()?.arena().index()).ok_or(CtlError::Failed)?;
    // SAFETY: by the caller's promises.
    unsafe { args.answer(id) }
}

fn id_of(value: Option<Value>) -> Result<u32, CtlError> {
    Ok(value.ok_or(CtlError::Invalid)?.0 as u32)
}

/// There is such an id.
fn known(known: bool) -> Result<(), CtlError> {
    if known { Ok(()) } else { Err(CtlError::Invalid) }
}

/// There was memory for the change.
fn done(done: bool) -> Result<(), CtlError> {
    if done { Ok(()) } else { Err(CtlError::Exhausted) }
}

fn flush(_: &[usize]) -> Result<(), CtlError> {
    lifecycle::flush(me()?);
    // What the thread left in depots on the way is its cache, too.
    table::all().for_each(|arena| arena.trim(true));
    Ok(())
}

/// # Safety
/// 1. As `mallctl`.
unsafe fn read_limit(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    if args.new.is_null() || args.new_len != size_of::<usize>() {
        return Err(CtlError::Invalid);
    }
    // SAFETY: `new` points at `new_len` bytes, which is the size of the value.
    let size = unsafe { args.new.cast::<usize>().read_unaligned() };
    if size > TCACHE_LIMIT {
        return Err(CtlError::Invalid);
    }
    let thread = me()?;
    let class = index_of(size);
    let limit = if class.0 < thread.nclasses() { thread.limit(class) } else { 0 };
    // SAFETY: by the caller's promises.
    unsafe { args.answer(limit) }
}

fn write_limits(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    let Some(value) = value else { return Ok(()) };
    let thread = me()?;
    if !thread.caching.get() {
        return Err(CtlError::NotFound);
    }
    if value.text().is_null() {
        return Err(CtlError::Invalid);
    }
    // SAFETY: by the documented interface the value is a C string.
    let text = unsafe { CStr::from_ptr(value.text()) }.to_bytes();
    if text.len() >= TEXT_MAX || !cache::set_limits(thread, text) {
        return Err(CtlError::Invalid);
    }
    Ok(())
}

/// Longest text that `ncached_max.write` takes, with its NUL.
const TEXT_MAX: usize = 1000;
