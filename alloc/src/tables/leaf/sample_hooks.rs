//! `experimental.hooks.prof_*`: functions of the program that the profiler calls.

use core::ffi::{c_uint, c_void};

use prof_runtime::hooks::{BacktraceHook, Function, Hook};

use super::{Arguments, raw};
use crate::prof::require;
use crate::sampling::PROFILER;
use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type};

pub(super) const BACKTRACE: Node = raw(
    "prof_backtrace",
    Type::Pointer,
    "rw",
    backtrace,
    "void (void **stack, unsigned *count, unsigned most): takes the place of the unwinder.",
);
pub(super) const DUMP: Node = raw(
    "prof_dump",
    Type::Pointer,
    "rw",
    // SAFETY: by the caller's promises.
    |_, args| unsafe { exchange(args, &PROFILER.hooks().dump) },
    "void (const char *path): called with the name of each dump when it is complete.",
);
pub(super) const SAMPLE: Node = raw(
    "prof_sample",
    Type::Pointer,
    "rw",
    // SAFETY: by the caller's promises.
    |_, args| unsafe { exchange(args, &PROFILER.hooks().sample) },
    "void (const void *, size_t size, void **stack, unsigned count, size_t usable): called for each sampled object, \
         by the thread that allocates it.",
);
pub(super) const SAMPLE_FREE: Node = raw(
    "prof_sample_free",
    Type::Pointer,
    "rw",
    // SAFETY: by the caller's promises.
    |_, args| unsafe { exchange(args, &PROFILER.hooks().sample_free) },
    "void (const void *, size_t usable): called before each sampled object is freed, by the thread that frees it.",
);

/// The function that writing asks for, checked as the reference does; `None` when nothing is written.
///
/// # Safety
/// As [`super::Raw`]; the new value is null or a function of type `F`.
unsafe fn written<F: Function>(args: &Arguments) -> Result<Option<Option<F>>, CtlError> {
    if args.new.is_null() {
        return Ok(None);
    }
    require()?;
    // SAFETY: by the caller's promises.
    unsafe { args.new_of::<Option<F>>() }
}

/// Reads, then writes a hook. A call without either makes no sense.
///
/// # Safety
/// As [`super::Raw`]; the new value is null or a function of type `F`.
unsafe fn exchange<F: Function>(args: Arguments, hook: &Hook<F>) -> Result<(), CtlError> {
    if args.old.is_null() && args.new.is_null() {
        return Err(CtlError::Invalid);
    }
    // SAFETY: by the caller's promises.
    unsafe { args.answer(hook.get()) }?;
    // SAFETY: by the caller's promises.
    if let Some(function) = unsafe { written::<F>(&args) }? {
        hook.set(function);
    }
    Ok(())
}

/// The unwinder as a function, for programs that put it back or call it from theirs.
///
/// # Safety
/// 1. `stack` has room for `most` pointers, or `most` is 0. `count` is valid.
#[unsafe(link_section = "jealloc_text")]
unsafe extern "C" fn unwind(stack: *mut *mut c_void, count: *mut c_uint, most: c_uint) {
    let stack = match most {
        0 => &mut [],
        // SAFETY: by the caller's promise there is room for `most` pointers, and any bits are one.
        _ => unsafe { core::slice::from_raw_parts_mut(stack, most as usize) },
    };
    // SAFETY: by the caller's promise `count` is valid.
    unsafe { *count = PROFILER.backtrace(stack) as c_uint };
}

/// `experimental.hooks.prof_backtrace`
///
/// # Safety
/// As [`super::Raw`]; the new value is null or a [`BacktraceHook`].
unsafe fn backtrace(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    if args.old.is_null() && args.new.is_null() {
        return Err(CtlError::Invalid);
    }
    let hook = &PROFILER.hooks().backtrace;
    let old = if PROFILER.enabled() { Some(hook.get().unwrap_or(unwind)) } else { None };
    // SAFETY: by the caller's promises.
    unsafe { args.answer(old) }?;
    // SAFETY: by the caller's promises.
    if let Some(function) = unsafe { written::<BacktraceHook>(&args) }? {
        let function = function.ok_or(CtlError::Invalid)?;
        // Our own is what there is without a hook, at less cost.
        hook.set((function as usize != unwind as *const () as usize).then_some(function));
    }
    Ok(())
}
