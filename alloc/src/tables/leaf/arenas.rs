//! `arenas.*`: what holds for every arena.

use core::ffi::c_void;
use core::ptr::NonNull;

use super::{Arguments, raw, ro, rw};
use crate::arena::settings::{self, Decaying};
use crate::arena::{binding, table};
use crate::extent::map;
use crate::page::bits::BLOCK;
use crate::page::hooks::ExtentHooks;
use crate::size_class::{NBINS, NSIZES, QUANTUM, SLABS, class_size};
use crate::stats;
use crate::tables::option;
use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type, Value};
use crate::tcache;
use crate::units::PAGE;

/// In the order of the reference's tree.
pub static NODES: &[Node] = &[
    ro(
        "narenas",
        Type::Unsigned,
        |_| Ok(Value(table::total().into())),
        "Number of arenas: automatic ones, the one for oversize requests, and those that programs made.",
    ),
    rw(
        "dirty_decay_ms",
        Type::SSize,
        |_| Ok(Value(settings::default_decay_ms(Decaying::Dirty) as u64)),
        |_, value| write_decay_ms(Decaying::Dirty, value),
        "Decay time of dirty pages, in milliseconds, of arenas that are made later.",
    ),
    rw(
        "muzzy_decay_ms",
        Type::SSize,
        |_| Ok(Value(settings::default_decay_ms(Decaying::Muzzy) as u64)),
        |_, value| write_decay_ms(Decaying::Muzzy, value),
        "The same for muzzy pages.",
    ),
    ro("quantum", Type::Size, |_| size(QUANTUM), "Smallest distance between two sizes from 16 bytes up."),
    ro("page", Type::Size, |_| size(PAGE), "Page size in bytes."),
    ro("hugepage", Type::Size, |_| size(BLOCK), "Bytes of a huge page."),
    ro(
        "tcache_max",
        Type::Size,
        |_| size(tcache::settings::max()),
        "Bytes of the largest objects that threads cache.",
    ),
    ro("nbins", Type::Unsigned, |_| size(NBINS), "Number of small size classes."),
    ro(
        "nhbins",
        Type::Unsigned,
        |_| size(tcache::settings::last().idx() + 1),
        "Number of size classes that threads cache.",
    ),
    Node::Indexed { name: "bin", exists: |index| index < NBINS, children: BIN },
    ro("nlextents", Type::Unsigned, |_| size(NSIZES - NBINS), "Number of large size classes."),
    Node::Indexed { name: "lextent", exists: |index| index < NSIZES - NBINS, children: LARGE },
    raw(
        "create",
        Type::Unsigned,
        "rw",
        create,
        "Makes an arena for whoever names it and answers its index; the new value, if any, is an extent_hooks_t *.",
    ),
    raw(
        "lookup",
        Type::Unsigned,
        "rw",
        lookup,
        "The index of the arena that owns the pointer given as new value.",
    ),
];

static BIN: &[Node] = &[
    ro("size", Type::Size, |mib| size(class_size(mib[2])), "Bytes of an object of a small class."),
    ro("nregs", Type::U32, |mib| size(SLABS[mib[2]].nregs as usize), "Objects in a slab of a small class."),
    ro(
        "slab_size",
        Type::Size,
        |mib| size(SLABS[mib[2]].npages as usize * PAGE),
        "Bytes of a slab of a small class.",
    ),
    ro("nshards", Type::U32, |_| size(1), "Bins of a small class in each arena."),
];

static LARGE: &[Node] =
    &[ro("size", Type::Size, |mib| size(class_size(NBINS + mib[2])), "Bytes of an object of a large class.")];

fn size(value: usize) -> Result<Value, CtlError> {
    Ok(Value(value as u64))
}

fn write_decay_ms(state: Decaying, value: Option<Value>) -> Result<(), CtlError> {
    let ms = value.ok_or(CtlError::Invalid)?.0 as i64;
    if settings::set_default_decay_ms(state, ms) { Ok(()) } else { Err(CtlError::Failed) }
}

/// `opt.narenas`, written: the number of automatic arenas grows. It never falls, and not while each processor has its own.
pub fn write_narenas(_: &[usize], value: Option<Value>) -> Result<(), CtlError> {
    let n = value.ok_or(CtlError::Invalid)?.0 as u32;
    if binding::per_cpu() != 0 {
        return Err(CtlError::NotPermitted);
    }
    if n < table::automatic() {
        return Err(CtlError::Invalid);
    }
    if !table::grow(n) {
        return Err(CtlError::Exhausted);
    }
    option::NARENAS.resolve(n.into());
    Ok(())
}

/// `arenas.create`
///
/// # Safety
/// As [`super::Raw`].
unsafe fn create(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    // SAFETY: by the caller's promise.
    unsafe {
        args.wants::<u32>()?;
        let hooks = args.new_of::<*mut ExtentHooks>()?.and_then(NonNull::new);
        args.answer(make(hooks)?)
    }
}

/// Makes an arena with these hooks, or the default ones, and answers its index.
///
/// # Safety
/// 1. As [`PageLayer::set_hooks`](crate::page::layer::PageLayer::set_hooks).
pub unsafe fn make(hooks: Option<NonNull<ExtentHooks>>) -> Result<u32, CtlError> {
    if hooks.is_some() {
        stats::begin()?;
    }
    let arena = table::create(|_| ()).ok_or(CtlError::Exhausted)?;
    if let Some(hooks) = hooks
        // SAFETY: by the caller's promises.
        && table::hooking(arena, || unsafe { arena.pages.set_hooks(hooks, &arena.base) }).is_none()
    {
        // It has no objects, so there is nothing to forget.
        table::destroy(arena, &mut |_, _, _| ());
        return Err(CtlError::Exhausted);
    }
    Ok(arena.index().0)
}

/// `arenas.lookup`
///
/// # Safety
/// As [`super::Raw`].
unsafe fn lookup(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    // SAFETY: by the caller's promise.
    let pointer = unsafe { args.new_of::<*const c_void>() }?.unwrap_or(core::ptr::null());
    let extent = map::extent_of(pointer.cast()).ok_or(CtlError::Invalid)?;
    // SAFETY: as above.
    unsafe { args.answer(extent.arena().0) }
}
