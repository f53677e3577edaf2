//! `arena.<i>.*`: where the pages of an arena come from, and what becomes of them.

use core::ffi::{CStr, c_char};
use core::ptr::NonNull;

use super::{Access, Leaf, needing, rw};
use crate::arena::{Arena, table};
use crate::page::settings::{self, Dss};
use crate::page::{default_hooks, hooks::ExtentHooks};
use crate::stats;
use crate::tables::tree::Node;
use crate::tables::value::{ARENAS_ALL, CtlError, Type, Value};
use crate::units::ArenaInd;

/// `dss`.
pub const DSS: Node = Node::Leaf(Leaf {
    name: "dss",
    ty: Type::Text,
    access: Access::WriteRead(write_dss, |mib| Ok(Value::from(read_dss(mib[1])?.name().as_ptr()))),
    doc: "Whether an arena takes address space from sbrk(2): disabled, primary (before mmap(2)) or secondary; index 4096 \
          means arenas for which it was never set.",
    needs: None,
});

/// `oversize_threshold`.
pub const OVERSIZE_THRESHOLD: Node = rw(
    "oversize_threshold",
    Type::Size,
    |mib| Ok(Value(made(mib)?.pages.oversize_threshold() as u64)),
    |mib, value| {
        made(mib)?.pages.set_oversize_threshold(size_of_value(value)?);
        Ok(())
    },
    "Bytes from which unused dirty pages side by side are purged at once.",
);

/// `extent_hooks`.
pub const EXTENT_HOOKS: Node = rw(
    "extent_hooks",
    Type::Pointer,
    |mib| Ok(Value(read_hooks(mib)?.expose_provenance() as u64)),
    write_hooks,
    "Functions through which an arena gets and returns address space; the table must stay valid.",
);

/// `retain_grow_limit`.
pub const RETAIN_GROW_LIMIT: Node = needing(
    rw(
        "retain_grow_limit",
        Type::Size,
        |mib| Ok(Value(made(mib)?.pages.retain_grow_limit() as u64)),
        |mib, value| {
            let bytes = size_of_value(value)?;
            if made(mib)?.pages.set_retain_grow_limit(bytes) { Ok(()) } else { Err(CtlError::Failed) }
        },
        "Most bytes that the address space of an arena grows by, unless one request needs more.",
    ),
    || if settings::retain() { Ok(()) } else { Err(CtlError::NotFound) },
);

/// The arena that a MIB names, which has been made.
fn made(mib: &[usize]) -> Result<&'static Arena, CtlError> {
    u32::try_from(mib[1]).ok().and_then(|index| table::get(ArenaInd(index))).ok_or(CtlError::Failed)
}

fn is_automatic(index: usize) -> bool {
    u32::try_from(index).is_ok_and(table::is_automatic)
}

fn size_of_value(value: Option<Value>) -> Result<usize, CtlError> {
    Ok(value.ok_or(CtlError::Invalid)?.0 as usize)
}

fn read_dss(index: usize) -> Result<Dss, CtlError> {
    if index == ARENAS_ALL { Ok(settings::dss()) } else { Ok(made(&[0, index])?.pages.dss()) }
}

fn write_dss(mib: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    let text: *const c_char = value.ok_or(CtlError::Invalid)?.text();
    if text.is_null() {
        return Err(CtlError::Invalid);
    }
    // SAFETY: the documented interface wants a C string.
    let text = unsafe { CStr::from_ptr(text) };
    let dss = Dss::ALL.into_iter().find(|dss| dss.name() == text).ok_or(CtlError::Invalid)?;
    if mib[1] == ARENAS_ALL {
        settings::set_dss(dss);
    } else {
        made(mib)?.pages.set_dss(dss);
    }
    Ok(())
}

/// An automatic arena that was not made yet has the default ones.
fn read_hooks(mib: &[usize]) -> Result<*mut ExtentHooks, CtlError> {
    match made(mib) {
        Ok(arena) => Ok(arena.pages.hooks()),
        Err(_) if is_automatic(mib[1]) => Ok(default_hooks::table().as_ptr()),
        Err(error) => Err(error),
    }
}

/// Makes an automatic arena that was not made yet.
fn write_hooks(mib: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    let table: *mut ExtentHooks = core::ptr::with_exposed_provenance_mut(size_of_value(value)?);
    let hooks = NonNull::new(table).ok_or(CtlError::Invalid)?;
    let arena = match made(mib) {
        Ok(arena) => arena,
        Err(error) if !is_automatic(mib[1]) => return Err(error),
        Err(error) => table::get_or_make(ArenaInd(mib[1] as u32)).ok_or(error)?,
    };
    stats::begin()?;
    // SAFETY: the documented interface wants a table that stays valid as long as it is set, and functions that do what
    // their types say.
    let set = || unsafe { arena.pages.set_hooks(hooks, &arena.base) };
    table::hooking(arena, set).map(|_| ()).ok_or(CtlError::Failed)
}
