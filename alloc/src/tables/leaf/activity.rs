//! `experimental.thread.*`

use core::ffi::c_void;

use super::{Arguments, me, needing, raw};
use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type};
use crate::thread::event;
use crate::thread::watch::Activity;

/// What the program hands over and gets back.
#[repr(C)]
#[derive(Clone, Copy)]
struct Thunk {
    callback: Option<Activity>,
    context: *mut c_void,
}

/// `experimental.thread.*`
pub static NODES: &[Node] = &[needing(
    raw(
        "activity_callback",
        Type::Struct(size_of::<Thunk>()),
        "rw",
        activity,
        "A function and its context, called with the bytes that the calling thread has allocated and freed so far, \
         about every 64 KiB of either.",
    ),
    || if cfg!(feature = "stats") { Ok(()) } else { Err(CtlError::NotFound) },
)];

/// # Safety
/// 1. As `mallctl`; a new value is a function that may be called with the context in this thread from now on, or null.
unsafe fn activity(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    let thread = me()?;
    if !args.new.is_null() && args.new_len != size_of::<Thunk>() {
        return Err(CtlError::Invalid);
    }
    let (callback, context) = thread.watch.activity();
    // SAFETY: by the caller's promises.
    unsafe { args.answer(Thunk { callback, context }) }?;
    if !args.new.is_null() {
        // SAFETY: `new` points at `new_len` bytes, which is the size of the structure.
        let Thunk { callback, context } = unsafe { args.new.cast::<Thunk>().read_unaligned() };
        event::watched(thread, |watch| watch.set_activity(callback, context));
    }
    Ok(())
}
