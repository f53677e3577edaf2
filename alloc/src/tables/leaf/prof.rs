//! `prof.*` and `thread.prof.*`: the profiler.

use core::ffi::{CStr, c_char};

use super::{bool_of, me, needing, ro, rw, wo};
use crate::prof::{dump as write_dump, require};
use crate::relaxed::Relaxed;
use crate::sampling::PROFILER;
use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type, Value};
use crate::thread::event;

/// `thread.prof.*`, in the order of the reference's tree.
pub static THREAD_NODES: &[Node] = &[
    rw("name", Type::Text, read_name, write_name, "Name of the calling thread in dumps."),
    rw("active", Type::Bool, read_thread_active, write_thread_active, "Whether the calling thread samples."),
];

/// `prof.*`, in the order of the reference's tree.
pub static NODES: &[Node] = &[
    rw("active", Type::Bool, read_active, write_active, "Whether sampling is on."),
    needing(
        wo("dump", Type::Text, dump, "Writes a dump to the named file, or to one with a generated name."),
        require,
    ),
    rw(
        "gdump",
        Type::Bool,
        read_gdump,
        write_gdump,
        "Whether a dump is written whenever active memory reaches a new maximum.",
    ),
    needing(
        wo("reset", Type::Size, reset, "Forgets all samples; a value becomes the new lg_sample."),
        require,
    ),
    ro("interval", Type::U64, interval, "Bytes between two interval dumps, 0 for none."),
    ro("lg_sample", Type::Size, lg_sample, "Log2 of the mean number of bytes between samples."),
];

fn read_name(_: &[usize]) -> Result<Value, CtlError> {
    require()?;
    let thread = me()?;
    let mut name = [0; 16];
    PROFILER.thread_name(thread.prof(), &mut name);
    thread.prof_name.iter().zip(name).for_each(|(byte, value)| byte.set(value));
    Ok(thread.prof_name.as_ptr().cast::<c_char>().into())
}

fn write_name(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    require()?;
    let name = value.ok_or(CtlError::Invalid)?.text();
    if name.is_null() {
        return Err(CtlError::Invalid);
    }
    // SAFETY: by the documented interface of `thread.prof.name` the value is a C string.
    let name = unsafe { CStr::from_ptr(name) };
    PROFILER.set_thread_name(me()?.prof(), name.to_bytes()).map_err(|_| CtlError::Invalid)
}

fn read_thread_active(_: &[usize]) -> Result<Value, CtlError> {
    Ok((PROFILER.enabled() && PROFILER.thread_active(me()?.prof())).into())
}

fn write_thread_active(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
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

fn read_active(_: &[usize]) -> Result<Value, CtlError> {
    Ok((PROFILER.enabled() && PROFILER.is_active()).into())
}

fn write_active(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
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

fn dump(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    write_dump(me().ok(), value.map_or(core::ptr::null(), Value::text))
}

fn read_gdump(_: &[usize]) -> Result<Value, CtlError> {
    Ok((PROFILER.enabled() && PROFILER.gdump()).into())
}

fn write_gdump(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    let on = bool_of(value)?;
    require()?;
    PROFILER.set_gdump(on);
    Ok(())
}

fn reset(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    require()?;
    PROFILER.reset(value.map(|lg| lg.0.min(62) as u8));
    event::refresh(me()?);
    Ok(())
}

fn interval(_: &[usize]) -> Result<Value, CtlError> {
    Ok(Value(if PROFILER.enabled() { PROFILER.interval_bytes() } else { 0 }))
}

fn lg_sample(_: &[usize]) -> Result<Value, CtlError> {
    Ok(Value(if PROFILER.enabled() { PROFILER.lg_sample() as u64 } else { 0 }))
}
