//! `experimental.hooks.*`: functions of the program that are called.

#[cfg(feature = "prof")]
use super::sample_hooks;
use super::{Arguments, raw};
use crate::report::{self, SafetyCheckAbort};
use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type};

/// In the order of the reference's tree.
pub static NODES: &[Node] = &[
    absent("install", "Hooks at each call."),
    absent("remove", "Takes away what install added."),
    sample_hooks::BACKTRACE,
    sample_hooks::DUMP,
    sample_hooks::SAMPLE,
    sample_hooks::SAMPLE_FREE,
    raw(
        "safety_check_abort",
        Type::Pointer,
        "-w",
        safety_check_abort,
        "void (const char *message): called when the program misuses memory, in the place of the message; the process is \
         aborted when it returns.",
    ),
    absent("thread_event", "A function called when a thread has allocated or freed so much."),
];

/// Without a profiler there are the names alone.
#[cfg(not(feature = "prof"))]
mod sample_hooks {
    use super::{Node, absent};

    const NOTHING: &str = "This build has no profiler.";
    pub const BACKTRACE: Node = absent("prof_backtrace", NOTHING);
    pub const DUMP: Node = absent("prof_dump", NOTHING);
    pub const SAMPLE: Node = absent("prof_sample", NOTHING);
    pub const SAMPLE_FREE: Node = absent("prof_sample_free", NOTHING);
}

/// A name that the reference has, and that answers `ENOENT` here: it keeps the MIBs of its neighbours.
const fn absent(name: &'static str, doc: &'static str) -> Node {
    raw(name, Type::Void, "--", |_, _| Err(CtlError::NotFound), doc)
}

/// Takes the program's function; null goes back to the message.
///
/// # Safety
/// As [`super::Raw`]; the new value is null or a function of this type.
unsafe fn safety_check_abort(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    if !args.old.is_null() || !args.old_len.is_null() {
        return Err(CtlError::NotPermitted);
    }
    // SAFETY: by the caller's promises.
    if let Some(function) = unsafe { args.new_of::<Option<SafetyCheckAbort>>() }? {
        report::set_safety_check_abort(function);
    }
    Ok(())
}
