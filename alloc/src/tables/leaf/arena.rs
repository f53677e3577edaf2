//! `arena.<i>.*`: one arena, or all of them.

use core::ffi::{CStr, c_char};

use super::{Arguments, action, pages, raw, ro, rw};
use crate::arena::settings::{self, Decaying};
use crate::arena::{Arena, Role, table};
use crate::sampling;
use crate::tables::tree::Node;
use crate::tables::value::{ARENAS_ALL, ARENAS_DESTROYED, CtlError, Type, Value};
use crate::thread::block::{Block, current};
use crate::thread::lifecycle;
use crate::units::ArenaInd;

/// Which indices a name may have. The number of arenas stands for all of them, too: what programs wrote before there was
/// [`ARENAS_ALL`].
pub fn exists(index: usize) -> bool {
    index <= table::total() as usize || index == ARENAS_ALL || index == ARENAS_DESTROYED
}

/// In the order of the reference's tree.
pub static NODES: &[Node] = &[
    ro("initialized", Type::Bool, |mib| Ok(is_there(mib[1]).into()), "Whether the arena has been made."),
    action(
        "decay",
        |mib| each(mib[1], |arena| arena.decay()),
        "Purges what has decayed of an arena's unused pages; index 4096 means every arena.",
    ),
    action(
        "purge",
        |mib| each(mib[1], |arena| arena.purge()),
        "Purges all unused pages of an arena; index 4096 means every arena.",
    ),
    action(
        "reset",
        |mib| reset(mib[1]),
        "Frees all objects of an arena that a program made; no thread cache may hold one.",
    ),
    action(
        "destroy",
        |mib| destroy(mib[1]),
        "Frees all that an arena holds, which a program made and no thread is bound to; its index may come again.",
    ),
    pages::DSS,
    pages::OVERSIZE_THRESHOLD,
    rw(
        "dirty_decay_ms",
        Type::SSize,
        |mib| read_decay_ms(mib[1], Decaying::Dirty),
        |mib, value| write_decay_ms(mib[1], Decaying::Dirty, value),
        "Milliseconds until unused dirty pages of an arena have been purged; a write begins anew, 0 purges at once; \
         index 4096 writes every arena's.",
    ),
    rw(
        "muzzy_decay_ms",
        Type::SSize,
        |mib| read_decay_ms(mib[1], Decaying::Muzzy),
        |mib, value| write_decay_ms(mib[1], Decaying::Muzzy, value),
        "The same for muzzy pages.",
    ),
    pages::EXTENT_HOOKS,
    pages::RETAIN_GROW_LIMIT,
    raw(
        "name",
        Type::Text,
        "rw",
        name,
        "Name of an arena, up to 31 characters; it is read into the 32 bytes that the old value points to.",
    ),
    rw(
        "nthreads",
        Type::Unsigned,
        |mib| Ok(Value(made(mib[1]).map_or(0, |arena| arena.bound_threads()).into())),
        write_nthreads,
        "Threads bound to an arena; written: how many an automatic arena takes before the next is used. An extension.",
    ),
];

/// The arena of an index, if it has been made.
pub fn made(index: usize) -> Option<&'static Arena> {
    table::get(ArenaInd(u32::try_from(index).ok()?))
}

fn stands_for_all(index: usize) -> bool {
    index == ARENAS_ALL || index == table::total() as usize
}

/// Whether an index stands for an arena that there is, or for a sum that there is.
pub fn is_there(index: usize) -> bool {
    match index {
        ARENAS_DESTROYED => table::destroyed().is_some(),
        _ => stands_for_all(index) || made(index).is_some(),
    }
}

fn each(index: usize, act: impl Fn(&'static Arena)) -> Result<(), CtlError> {
    if stands_for_all(index) {
        table::all().for_each(act);
    } else if let Some(arena) = made(index) {
        act(arena);
    }
    // An arena that was not made yet has nothing to purge.
    Ok(())
}

/// The manual arena of an index. Objects of others are in thread caches and depots.
fn manual(index: usize) -> Result<&'static Arena, CtlError> {
    made(index).filter(|arena| arena.role() == Role::Manual).ok_or(CtlError::Failed)
}

/// A sampled object is discarded.
fn forget(object: *mut u8, sample: u64, usable: usize) {
    sampling::unsample(current().map(Block::prof), sample, object, usable);
}

fn reset(index: usize) -> Result<(), CtlError> {
    let arena = manual(index)?;
    // A program cannot know that the calling thread, when bound to it, has cached some.
    if let Some(thread) = current().filter(|thread| core::ptr::eq(thread.arena(), arena)) {
        lifecycle::flush(thread);
    }
    arena.reset(&mut forget);
    Ok(())
}

fn destroy(index: usize) -> Result<(), CtlError> {
    if table::destroy(manual(index)?, &mut forget) { Ok(()) } else { Err(CtlError::Failed) }
}

fn read_decay_ms(index: usize, state: Decaying) -> Result<Value, CtlError> {
    let (dirty, muzzy) = made(index).ok_or(CtlError::Failed)?.pages.decay_ms();
    Ok(Value(if state == Decaying::Dirty { dirty } else { muzzy } as u64))
}

fn write_decay_ms(index: usize, state: Decaying, value: Option<Value>) -> Result<(), CtlError> {
    let ms = value.ok_or(CtlError::Invalid)?.0 as i64;
    let set = |arena: &'static Arena| match state {
        Decaying::Dirty => arena.pages.set_decay_ms(Some(ms), None),
        Decaying::Muzzy => arena.pages.set_decay_ms(None, Some(ms)),
    };
    if !settings::is_decay_ms(ms) {
        return Err(CtlError::Failed);
    }
    if index == ARENAS_ALL {
        table::all().for_each(set);
    } else {
        set(made(index).ok_or(CtlError::Failed)?);
    }
    Ok(())
}

fn write_nthreads(mib: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    let threads = value.ok_or(CtlError::Invalid)?.0 as u32;
    let index = mib[1] as u32;
    let automatic = mib[1] < ARENAS_ALL && table::is_automatic(index);
    if automatic && settings::limit_threads(ArenaInd(index), threads) {
        Ok(())
    } else {
        Err(CtlError::Failed)
    }
}

/// `arena.<i>.name`: not the pointer is read, but the text, into what it points to.
///
/// # Safety
/// As [`super::Raw`], and `*old` points at room for [`Name`](crate::arena::name::Name) or is null, `*new` is null or a C
/// string.
unsafe fn name(mib: &[usize], args: Arguments) -> Result<(), CtlError> {
    if mib[1] >= table::total() as usize {
        return Err(CtlError::Invalid);
    }
    let arena = made(mib[1]).ok_or(CtlError::Failed)?;
    // SAFETY: by the caller's promise.
    if let Some(room) = unsafe { args.old_of::<*mut c_char>() }? {
        if room.is_null() {
            return Err(CtlError::Invalid);
        }
        let name = arena.name();
        let text = name.as_bytes();
        // SAFETY: by the caller's promise there is room for any name and its NUL; the name is a copy of ours.
        unsafe {
            room.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len());
            *room.add(text.len()) = 0;
        }
    }
    // SAFETY: by the caller's promise.
    if let Some(text) = unsafe { args.new_of::<*const c_char>() }? {
        if text.is_null() {
            return Err(CtlError::Invalid);
        }
        // SAFETY: by the caller's promise a C string.
        arena.set_name(unsafe { CStr::from_ptr(text) }.to_bytes());
    }
    Ok(())
}
