//! `prof.*` and `thread.prof.*`: the profiler.

use core::ffi::{CStr, c_char};

use prof_runtime::BadLabel;

use super::{Arguments, me, needing, raw, ro, wo};
use crate::prof::{dump as write_dump, failure, log_start as start_log, require};
use crate::relaxed::Relaxed;
use crate::sampling::{CLASSES, ClassSum, PROFILER};
use crate::size_class::{NBINS, NSIZES};
use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type, Value};
use crate::thread::block::Block;
use crate::thread::event;
use crate::units::SzInd;

/// `thread.prof.*`, in the order of the reference's tree.
pub static THREAD_NODES: &[Node] = &[
    needing(
        raw(
            "name",
            Type::Text,
            "rw",
            thread_name,
            "Name of the calling thread in dumps; at most 15 characters.",
        ),
        require,
    ),
    raw("active", Type::Bool, "rw", thread_active, "Whether the calling thread samples."),
    needing(
        raw(
            "label",
            Type::Text,
            "rw",
            thread_label,
            "Label of what the calling thread samples from now on, for a request or a tenant: at most 63 printable characters; empty for none.",
        ),
        require,
    ),
];

/// `prof.*`, in the order of the reference's tree.
pub static NODES: &[Node] = &[
    raw("thread_active_init", Type::Bool, "rw", thread_active_init, "Whether new threads sample."),
    raw("active", Type::Bool, "rw", active, "Whether sampling is on."),
    needing(
        wo("dump", Type::Text, dump, "Writes a dump to the named file, or to one with a generated name."),
        require,
    ),
    raw(
        "gdump",
        Type::Bool,
        "rw",
        gdump,
        "Whether a dump is written whenever active memory reaches a new maximum.",
    ),
    needing(
        wo("prefix", Type::Text, prefix, "Start of the names of files; empty for no automatic dumps."),
        require,
    ),
    needing(
        wo("reset", Type::Size, reset, "Forgets all samples; a value becomes the new lg_sample."),
        require,
    ),
    ro("interval", Type::U64, interval, "Bytes between two interval dumps, 0 for none."),
    ro("lg_sample", Type::Size, lg_sample, "Log2 of the mean number of bytes between samples."),
    needing(
        wo(
            "log_start",
            Type::Text,
            log_start,
            "Begins a log of samples that are freed, in the named file or a generated one.",
        ),
        require,
    ),
    needing(raw("log_stop", Type::Void, "--", log_stop, "Ends that log and writes it."), require),
    Node::Branch { name: "stats", children: STATS },
    super::recent::ALIAS_MAX,
    super::recent::ALIAS_DUMP,
];

/// `prof.stats.*`: they are there with `prof_stats:true` only.
static STATS: &[Node] = &[
    Node::Indexed { name: "bins", exists: |bin| CLASSES.enabled() && bin < NBINS, children: BIN },
    Node::Indexed {
        name: "lextents",
        exists: |class| CLASSES.enabled() && class < NSIZES - NBINS,
        children: LARGE,
    },
];

const SUM: Type = Type::Struct(size_of::<ClassSum>());

static BIN: &[Node] = &[
    raw(
        "live",
        SUM,
        "r-",
        bin_live,
        "Bytes asked for and number of the live samples of a small class: { uint64_t[2] }.",
    ),
    raw("accum", SUM, "r-", bin_accum, "The same of all samples that ever were."),
];

static LARGE: &[Node] = &[
    raw(
        "live",
        SUM,
        "r-",
        large_live,
        "Bytes asked for and number of the live samples of a large class: { uint64_t[2] }.",
    ),
    raw("accum", SUM, "r-", large_accum, "The same of all samples that ever were."),
];

/// `thread.prof.name`
///
/// # Safety
/// As [`super::Raw`]; the new value is a C string.
unsafe fn thread_name(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    let written = !args.new.is_null() || args.new_len != 0;
    if written && !args.old.is_null() && !args.old_len.is_null() {
        return Err(CtlError::NotPermitted);
    }
    let thread = me()?;
    // SAFETY: by the caller's promises; any bits are a pointer.
    if let Some(name) = unsafe { args.new_of::<*const c_char>() }? {
        if name.is_null() {
            return Err(CtlError::Invalid);
        }
        if PROFILER.names_are_the_system_s() {
            return Err(CtlError::NotFound);
        }
        // SAFETY: by the documented interface of `thread.prof.name` the value is a C string.
        let name = unsafe { CStr::from_ptr(name) };
        return PROFILER.set_thread_name(thread.prof(), name.to_bytes()).map_err(|_| CtlError::Invalid);
    }
    let mut name = [0; 16];
    PROFILER.thread_name(thread.prof(), &mut name);
    thread.prof_name.iter().zip(name).for_each(|(byte, value)| byte.set(value));
    // SAFETY: by the caller's promises.
    unsafe { args.answer(thread.prof_name.as_ptr().cast::<c_char>()) }
}

/// `thread.prof.label`
///
/// # Safety
/// As [`super::Raw`]; the new value is a C string.
unsafe fn thread_label(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    let thread = me()?;
    let old = PROFILER.thread_label(thread.prof()).as_ptr();
    // SAFETY: by the caller's promises; any bits are a pointer.
    if let Some(label) = unsafe { args.new_of::<*const c_char>() }? {
        if label.is_null() {
            return Err(CtlError::Invalid);
        }
        // SAFETY: by the documented interface of `thread.prof.label` the value is a C string.
        let label = unsafe { CStr::from_ptr(label) };
        PROFILER.set_thread_label(thread.prof(), label.to_bytes()).map_err(|bad| match bad {
            BadLabel::Text => CtlError::Invalid,
            BadLabel::TooMany => CtlError::Exhausted,
        })?;
    }
    // SAFETY: by the caller's promises.
    unsafe { args.answer(old) }
}

/// A switch that can be set only while the profiler is there, and is off without it. `set` answers what it was.
///
/// # Safety
/// As [`super::Raw`].
unsafe fn switch(
    args: Arguments,
    get: impl Fn() -> Result<bool, CtlError>,
    set: impl Fn(bool),
) -> Result<(), CtlError> {
    if !args.new.is_null() {
        require()?;
    }
    // SAFETY: by the caller's promises; any bits are a number.
    let new = unsafe { args.new_of::<u8>() }?;
    let old = PROFILER.enabled() && get()?;
    if let Some(new) = new {
        set(new != 0);
    }
    // SAFETY: by the caller's promises.
    unsafe { args.answer(old) }
}

/// `thread.prof.active`
///
/// # Safety
/// As [`super::Raw`].
unsafe fn thread_active(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    let thread = me()?;
    let set = |on| {
        PROFILER.set_thread_active(thread.prof(), on);
        event::refresh(thread);
    };
    // SAFETY: by the caller's promises.
    unsafe { switch(args, || Ok(PROFILER.thread_active(thread.prof())), set) }
}

/// `prof.thread_active_init`
///
/// # Safety
/// As [`super::Raw`].
unsafe fn thread_active_init(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    let set = |on| {
        PROFILER.set_thread_active_init(on);
    };
    // SAFETY: by the caller's promises.
    unsafe { switch(args, || Ok(PROFILER.thread_active_init()), set) }
}

/// `prof.gdump`
///
/// # Safety
/// As [`super::Raw`].
unsafe fn gdump(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    let set = |on| {
        PROFILER.set_gdump(on);
    };
    // SAFETY: by the caller's promises.
    unsafe { switch(args, || Ok(PROFILER.gdump()), set) }
}

/// `prof.active`
///
/// # Safety
/// As [`super::Raw`].
unsafe fn active(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    // SAFETY: by the caller's promises; any bits are a number.
    let off = unsafe { args.new_of::<u8>() }? == Some(0);
    if off && !PROFILER.enabled() {
        // It is off already, which the reference accepts.
        // SAFETY: by the caller's promises.
        return unsafe { args.answer(false) };
    }
    let thread = me()?;
    let set = |on| {
        PROFILER.set_active(on);
        event::refresh(thread);
    };
    // SAFETY: by the caller's promises.
    unsafe { switch(args, || Ok(PROFILER.is_active()), set) }
}

fn dump(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    write_dump(me().ok(), value.map_or(core::ptr::null(), Value::text))
}

fn log_start(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    start_log(value.map_or(core::ptr::null(), Value::text))
}

/// Whatever the arguments are, as in the reference.
///
/// # Safety
/// As [`super::Raw`].
unsafe fn log_stop(_: &[usize], _: Arguments) -> Result<(), CtlError> {
    PROFILER.log_stop(me().ok().map(Block::prof)).map_err(failure)
}

fn prefix(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    let prefix = value.map_or(core::ptr::null(), Value::text);
    if prefix.is_null() {
        return Err(CtlError::Failed);
    }
    // SAFETY: by the documented interface of `prof.prefix` the value is a C string.
    let prefix = unsafe { CStr::from_ptr(prefix) };
    PROFILER.set_prefix(prefix.to_bytes()).map_err(|_| CtlError::Failed)
}

fn reset(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    PROFILER.reset(value.map(|lg| lg.0.min(63) as u8));
    event::refresh(me()?);
    Ok(())
}

fn interval(_: &[usize]) -> Result<Value, CtlError> {
    Ok(Value(if PROFILER.enabled() { PROFILER.interval_bytes() } else { 0 }))
}

fn lg_sample(_: &[usize]) -> Result<Value, CtlError> {
    Ok(Value(if PROFILER.enabled() { PROFILER.lg_sample() as u64 } else { 0 }))
}

/// Hands out the sums of a class.
///
/// # Safety
/// As [`super::Raw`].
unsafe fn class_sum(args: Arguments, sum: ClassSum) -> Result<(), CtlError> {
    if !args.new.is_null() || args.new_len != 0 {
        return Err(CtlError::NotPermitted);
    }
    // SAFETY: by the caller's promises.
    unsafe { args.answer(sum) }
}

/// `prof.stats.bins.<i>.live`
///
/// # Safety
/// As [`super::Raw`].
unsafe fn bin_live(mib: &[usize], args: Arguments) -> Result<(), CtlError> {
    // SAFETY: by the caller's promises.
    unsafe { class_sum(args, CLASSES.live(SzInd(mib[3] as u8))) }
}

/// `prof.stats.bins.<i>.accum`
///
/// # Safety
/// As [`super::Raw`].
unsafe fn bin_accum(mib: &[usize], args: Arguments) -> Result<(), CtlError> {
    // SAFETY: by the caller's promises.
    unsafe { class_sum(args, CLASSES.accumulated(SzInd(mib[3] as u8))) }
}

/// `prof.stats.lextents.<i>.live`
///
/// # Safety
/// As [`super::Raw`].
unsafe fn large_live(mib: &[usize], args: Arguments) -> Result<(), CtlError> {
    // SAFETY: by the caller's promises.
    unsafe { class_sum(args, CLASSES.live(SzInd((NBINS + mib[3]) as u8))) }
}

/// `prof.stats.lextents.<i>.accum`
///
/// # Safety
/// As [`super::Raw`].
unsafe fn large_accum(mib: &[usize], args: Arguments) -> Result<(), CtlError> {
    // SAFETY: by the caller's promises.
    unsafe { class_sum(args, CLASSES.accumulated(SzInd((NBINS + mib[3]) as u8))) }
}
