//! Leaves of the `mallctl` tree that are neither options nor metrics: one row each.

use crate::arena::table;
use crate::relaxed::Relaxed;
use crate::size_class::NBINS;
use crate::tables::value::{ARENAS_ALL, CtlError, Type, Value};
use crate::thread::block::Block;
use crate::thread::{counters, lifecycle, start};
use crate::units::{ArenaInd, PAGE};
use crate::{CONFIG, VERSION_C, stats};

/// Reads the value; the MIB holds the indices of the path.
pub type Read = fn(&[usize]) -> Result<Value, CtlError>;
/// Writes a value; `None` when the caller gave none, which only some leaves accept.
pub type Write = fn(&[usize], Option<Value>) -> Result<(), CtlError>;
/// Acts.
pub type Call = fn(&[usize]) -> Result<(), CtlError>;

/// A leaf.
pub struct Leaf {
    /// Its path; `<i>` stands for an arena index.
    pub path: &'static str,
    /// Type of its value; [`Type::Void`] for an action.
    pub ty: Type,
    /// What it is or does, one sentence.
    pub doc: &'static str,
    /// How it is read, if it can be.
    pub read: Option<Read>,
    /// How it is written, if it can be.
    pub write: Option<Write>,
    /// What it does, for an action.
    pub call: Option<Call>,
    /// What must hold for any access, checked before the arguments are.
    pub needs: Option<fn() -> Result<(), CtlError>>,
}

const fn ro(path: &'static str, ty: Type, read: Read, doc: &'static str) -> Leaf {
    Leaf { path, ty, doc, read: Some(read), write: None, call: None, needs: None }
}

const fn rw(path: &'static str, ty: Type, read: Read, write: Write, doc: &'static str) -> Leaf {
    Leaf { path, ty, doc, read: Some(read), write: Some(write), call: None, needs: None }
}

const fn action(path: &'static str, call: Call, doc: &'static str) -> Leaf {
    Leaf { path, ty: Type::Void, doc, read: None, write: None, call: Some(call), needs: None }
}

/// Every leaf, neighbours in the tree side by side.
pub static ALL: &[Leaf] = &[
    ro(
        "version",
        Type::Text,
        |_| Ok(VERSION_C.as_ptr().into()),
        "Version of jemalloc that this one stands in for.",
    ),
    rw(
        "epoch",
        Type::U64,
        |_| Ok(Value(stats::epoch())),
        write_epoch,
        "Number of the last snapshot of all statistics; any write takes a new one.",
    ),
    rw(
        "thread.arena",
        Type::Unsigned,
        read_thread_arena,
        write_thread_arena,
        "Arena that the calling thread allocates from.",
    ),
    ro(
        "thread.allocated",
        Type::U64,
        |_| Ok(Value(counters::allocated(me()?))),
        "Bytes that the calling thread ever allocated, by usable size.",
    ),
    ro(
        "thread.allocatedp",
        Type::U64Ptr,
        |_| Ok(address(counters::exact(me()?).0)),
        "Where that number is kept up to date.",
    ),
    ro(
        "thread.deallocated",
        Type::U64,
        |_| Ok(Value(counters::deallocated(me()?))),
        "Bytes that the calling thread ever freed, by usable size.",
    ),
    ro(
        "thread.deallocatedp",
        Type::U64Ptr,
        |_| Ok(address(counters::exact(me()?).1)),
        "Where that number is kept up to date.",
    ),
    action("thread.tcache.flush", flush_thread, "Returns all objects that the calling thread caches."),
    #[cfg(feature = "prof")]
    rw(
        "thread.prof.name",
        Type::Text,
        prof::read_name,
        prof::write_name,
        "Name of the calling thread in dumps.",
    ),
    #[cfg(feature = "prof")]
    rw(
        "thread.prof.active",
        Type::Bool,
        prof::read_thread_active,
        prof::write_thread_active,
        "Whether the calling thread samples.",
    ),
    ro(
        "config.cache_oblivious",
        Type::Bool,
        |_| config("cache_oblivious"),
        "Large objects start at random offsets.",
    ),
    ro("config.debug", Type::Bool, |_| config("debug"), "Internal assertions are on."),
    ro("config.fill", Type::Bool, |_| config("fill"), "Memory can be filled with junk or zeros."),
    ro("config.lazy_lock", Type::Bool, |_| config("lazy_lock"), "Locking begins with the second thread."),
    ro(
        "config.malloc_conf",
        Type::Text,
        |_| Ok(c"".as_ptr().into()),
        "Options given when the library was built.",
    ),
    ro(
        "config.opt_safety_checks",
        Type::Bool,
        |_| config("opt_safety_checks"),
        "Extra safety checks are on.",
    ),
    ro("config.prof", Type::Bool, |_| config("prof"), "Heap profiling is there."),
    ro(
        "config.prof_frameptr",
        Type::Bool,
        |_| config("prof_frameptr"),
        "Stacks are walked by frame pointers.",
    ),
    ro("config.prof_libgcc", Type::Bool, |_| config("prof_libgcc"), "Stacks are walked by libgcc."),
    ro("config.prof_libunwind", Type::Bool, |_| config("prof_libunwind"), "Stacks are walked by libunwind."),
    ro("config.stats", Type::Bool, |_| config("stats"), "Statistics are there."),
    ro("config.utrace", Type::Bool, |_| config("utrace"), "Calls can be traced by utrace."),
    ro("config.xmalloc", Type::Bool, |_| config("xmalloc"), "Running out of memory can be made fatal."),
    action(
        "arena.<i>.decay",
        |mib| arenas(mib[1], |arena| arena.decay()),
        "Purges what has decayed of an arena's unused pages; index 4096 means every arena.",
    ),
    action(
        "arena.<i>.purge",
        |mib| arenas(mib[1], |arena| arena.purge()),
        "Purges all unused pages of an arena; index 4096 means every arena.",
    ),
    ro("arenas.narenas", Type::Unsigned, |_| Ok(Value(table::narenas() as u64)), "Number of arenas."),
    ro("arenas.page", Type::Size, |_| Ok(Value(PAGE as u64)), "Page size in bytes."),
    ro("arenas.nbins", Type::Unsigned, |_| Ok(Value(NBINS as u64)), "Number of small size classes."),
    #[cfg(feature = "prof")]
    rw("prof.active", Type::Bool, prof::read_active, prof::write_active, "Whether sampling is on."),
    #[cfg(feature = "prof")]
    Leaf {
        path: "prof.dump",
        ty: Type::Text,
        read: None,
        write: Some(prof::dump),
        call: None,
        needs: Some(crate::prof::require),
        doc: "Writes a dump to the named file, or to one with a generated name.",
    },
    #[cfg(feature = "prof")]
    rw(
        "prof.gdump",
        Type::Bool,
        prof::read_gdump,
        prof::write_gdump,
        "Whether a dump is written whenever active memory reaches a new maximum.",
    ),
    #[cfg(feature = "prof")]
    Leaf {
        path: "prof.reset",
        ty: Type::Size,
        read: None,
        write: Some(prof::reset),
        call: None,
        needs: Some(crate::prof::require),
        doc: "Forgets all samples; a value becomes the new lg_sample.",
    },
    #[cfg(feature = "prof")]
    ro("prof.interval", Type::U64, prof::interval, "Bytes between two interval dumps, 0 for none."),
    #[cfg(feature = "prof")]
    ro("prof.lg_sample", Type::Size, prof::lg_sample, "Log2 of the mean number of bytes between samples."),
];

fn me() -> Result<&'static Block, CtlError> {
    start::current_or_start().ok_or(CtlError::Exhausted)
}

fn address(word: &'static core::sync::atomic::AtomicU64) -> Value {
    Value(word.as_ptr().expose_provenance() as u64)
}

fn config(name: &str) -> Result<Value, CtlError> {
    CONFIG.iter().find(|(other, _)| *other == name).map(|&(_, on)| on.into()).ok_or(CtlError::NotFound)
}

fn write_epoch(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    value.ok_or(CtlError::Invalid)?;
    stats::advance();
    Ok(())
}

fn flush_thread(_: &[usize]) -> Result<(), CtlError> {
    let thread = me()?;
    if !thread.caching.get() {
        return Err(CtlError::Failed);
    }
    lifecycle::flush(thread);
    // What the thread left in depots on the way is its cache, too.
    table::all().for_each(|arena| arena.trim(true));
    Ok(())
}

fn arenas(index: usize, act: impl Fn(&'static crate::arena::Arena)) -> Result<(), CtlError> {
    if index == ARENAS_ALL || index == table::narenas() as usize {
        table::all().for_each(act);
    } else if let Some(arena) = table::get(ArenaInd(index as u32)) {
        act(arena);
    }
    // An arena that was not made yet has nothing to purge.
    Ok(())
}

fn read_thread_arena(_: &[usize]) -> Result<Value, CtlError> {
    Ok(Value(me()?.arena().index().0 as u64))
}

fn write_thread_arena(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    let index = ArenaInd(value.ok_or(CtlError::Invalid)?.0 as u32);
    if index.0 >= table::narenas() {
        return Err(CtlError::Failed);
    }
    let arena = table::get_or_make(index).ok_or(CtlError::Exhausted)?;
    lifecycle::rebind(me()?, arena);
    Ok(())
}

/// The leaves of the profiler.
#[cfg(feature = "prof")]
mod prof {
    use core::ffi::{CStr, c_char};

    use super::*;
    use crate::prof::{dump as write_dump, require};
    use crate::sampling::PROFILER;
    use crate::thread::event;

    fn bool_of(value: Option<Value>) -> Result<bool, CtlError> {
        Ok(value.ok_or(CtlError::Invalid)?.0 & 1 != 0)
    }

    pub fn read_name(_: &[usize]) -> Result<Value, CtlError> {
        require()?;
        let thread = me()?;
        let mut name = [0; 16];
        PROFILER.thread_name(thread.prof(), &mut name);
        thread.prof_name.iter().zip(name).for_each(|(byte, value)| byte.set(value));
        Ok(thread.prof_name.as_ptr().cast::<c_char>().into())
    }

    pub fn write_name(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
        require()?;
        let name = value.ok_or(CtlError::Invalid)?.text();
        if name.is_null() {
            return Err(CtlError::Invalid);
        }
        // SAFETY: by the documented interface of `thread.prof.name` the value is a C string.
        let name = unsafe { CStr::from_ptr(name) };
        PROFILER.set_thread_name(me()?.prof(), name.to_bytes()).map_err(|_| CtlError::Invalid)
    }

    pub fn read_thread_active(_: &[usize]) -> Result<Value, CtlError> {
        Ok((PROFILER.enabled() && PROFILER.thread_active(me()?.prof())).into())
    }

    pub fn write_thread_active(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
        let on = bool_of(value)?;
        if on {
            require()?;
        }
        if PROFILER.enabled() {
            PROFILER.set_thread_active(me()?.prof(), on);
            event::refresh(me()?);
        }
        Ok(())
    }

    pub fn read_active(_: &[usize]) -> Result<Value, CtlError> {
        Ok((PROFILER.enabled() && PROFILER.is_active()).into())
    }

    pub fn write_active(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
        let on = bool_of(value)?;
        // Off is accepted without a profiler, as in the reference.
        if on {
            require()?;
        }
        if PROFILER.enabled() {
            PROFILER.set_active(on);
            event::refresh(me()?);
        }
        Ok(())
    }

    pub fn dump(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
        write_dump(me().ok(), value.map_or(core::ptr::null(), Value::text))
    }

    pub fn read_gdump(_: &[usize]) -> Result<Value, CtlError> {
        Ok((PROFILER.enabled() && PROFILER.gdump()).into())
    }

    pub fn write_gdump(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
        let on = bool_of(value)?;
        require()?;
        PROFILER.set_gdump(on);
        Ok(())
    }

    pub fn reset(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
        require()?;
        PROFILER.reset(value.map(|lg| lg.0.min(62) as u8));
        event::refresh(me()?);
        Ok(())
    }

    pub fn interval(_: &[usize]) -> Result<Value, CtlError> {
        Ok(Value(if PROFILER.enabled() { PROFILER.interval_bytes() } else { 0 }))
    }

    pub fn lg_sample(_: &[usize]) -> Result<Value, CtlError> {
        Ok(Value(if PROFILER.enabled() { PROFILER.lg_sample() as u64 } else { 0 }))
    }
}
