//! `experimental.prof_recent.*`: the newest samples one by one; and the same as `prof.recent_*`.

use core::ffi::{CStr, c_char, c_void};

use super::{Arguments, me, needing, raw};
use crate::prof::{failure, require};
use crate::sampling::PROFILER;
use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type};
use crate::thread::block::Block;

/// In the order of the reference's tree.
pub static NODES: &[Node] = &[
    max("alloc_max"),
    needing(
        raw(
            "alloc_dump",
            RECEIVER,
            "-w",
            dump,
            "Hands the newest samples as JSON to { void (*)(void *, const char *), void * }: a function and its first \
             argument.",
        ),
        require,
    ),
];

/// `prof.recent_alloc_max`
pub const ALIAS_MAX: Node = max("recent_alloc_max");

/// `prof.recent_alloc_dump`
pub const ALIAS_DUMP: Node = needing(
    raw(
        "recent_alloc_dump",
        RECEIVER,
        "-w",
        dump_anywhere,
        "The same as experimental.prof_recent.alloc_dump; without a receiver it writes a file with a generated name.",
    ),
    require,
);

const RECEIVER: Type = Type::Struct(size_of::<Receiver>());

const fn max(name: &'static str) -> Node {
    needing(
        raw(
            name,
            Type::SSize,
            "rw",
            exchange_max,
            "How many of the newest samples are kept one by one; -1 for all.",
        ),
        require,
    )
}

/// `write_cb_packet_t`
#[derive(Clone, Copy)]
#[repr(C)]
struct Receiver {
    write: Option<unsafe extern "C" fn(*mut c_void, *const c_char)>,
    opaque: *mut c_void,
}

/// `experimental.prof_recent.alloc_max`
///
/// # Safety
/// As [`super::Raw`].
unsafe fn exchange_max(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    // SAFETY: by the caller's promises; any bits are a number.
    let old = match unsafe { args.new_of::<isize>() }? {
        Some(max) if max < -1 => return Err(CtlError::Invalid),
        Some(max) => PROFILER.set_recent_max(max as i64),
        None => PROFILER.recent_max(),
    };
    // SAFETY: by the caller's promises.
    unsafe { args.answer(old as isize) }
}

/// The receiver that was given; without one, and where none is wanted, `None`.
///
/// # Safety
/// As [`super::Raw`]; the new value is a [`Receiver`] if it has the size of one.
unsafe fn receiver(args: &Arguments) -> Result<Option<Receiver>, CtlError> {
    if !args.old.is_null() || !args.old_len.is_null() {
        return Err(CtlError::NotPermitted);
    }
    // SAFETY: by the caller's promises.
    unsafe { args.new_of::<Receiver>() }
}

fn send(receiver: Receiver) -> Result<(), CtlError> {
    // The reference sends what has no receiver to where its messages go.
    let write = receiver.write;
    let mut receive = |piece: &CStr| match write {
        // SAFETY: who gives a function promises that it can be called with its first argument and a C string.
        Some(write) => unsafe { write(receiver.opaque, piece.as_ptr()) },
        None => crate::report::write(piece.to_bytes()),
    };
    PROFILER.recent(&mut receive).map_err(failure)
}

/// `experimental.prof_recent.alloc_dump`
///
/// # Safety
/// As [`super::Raw`]; the new value is a [`Receiver`] if it has the size of one, whose function takes its first argument.
unsafe fn dump(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    // SAFETY: by the caller's promises.
    let receiver = unsafe { receiver(&args) }?;
    send(receiver.ok_or(CtlError::Invalid)?)
}

/// `prof.recent_alloc_dump`
///
/// # Safety
/// As [`super::Raw`]; the new value is a [`Receiver`] if it has the size of one, whose function takes its first argument.
unsafe fn dump_anywhere(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    // SAFETY: by the caller's promises.
    match unsafe { receiver(&args) }? {
        Some(receiver) => send(receiver),
        None => PROFILER.recent_file(me().ok().map(Block::prof)).map_err(failure),
    }
}
