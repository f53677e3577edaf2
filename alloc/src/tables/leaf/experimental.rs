//! `experimental.*`: what the reference keeps the right to change, and programs use all the same.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use super::arena::{is_there, made};
use super::{Arguments, activity, arenas, raw};
use crate::arena::inspect::{BinUse, Use, bin_use, use_of};
use crate::entry::{self, Request};
use crate::page::hooks::ExtentHooks;
use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type};

/// In the order of the reference's tree.
pub static NODES: &[Node] = &[
    Node::Branch { name: "hooks", children: super::hooks::NODES },
    Node::Branch { name: "utilization", children: UTILIZATION },
    Node::Indexed { name: "arenas", exists: is_there, children: ARENAS },
    raw(
        "arenas_create_ext",
        Type::Unsigned,
        "rw",
        create_with,
        "As arenas.create; the new value, if any, is { extent_hooks_t *, bool } (hooks, whether metadata is theirs, which \
         has no effect here).",
    ),
    #[cfg(feature = "prof")]
    Node::Branch { name: "prof_recent", children: super::recent::NODES },
    raw(
        "batch_alloc",
        Type::Size,
        "rw",
        batch_alloc,
        "Allocates many objects of one size: the new value is { void **, size_t, size_t, int } (room, number, size, \
         flags), the old one how many there are now.",
    ),
    Node::Branch { name: "thread", children: activity::NODES },
];

static UTILIZATION: &[Node] = &[
    raw(
        "query",
        Type::Struct(size_of::<Verbose>()),
        "rw",
        query,
        "How full the slab of a pointer and its bin are: { void *, size_t[5] }: slab that the bin uses next; free \
         regions, regions and bytes of the pointer's own; free regions and regions of the bin.",
    ),
    raw(
        "batch_query",
        Type::Struct(size_of::<Brief>()),
        "rw",
        batch_query,
        "For each of many pointers { size_t[3] }: free regions, regions and bytes of its slab; zeros for what is not \
         ours.",
    ),
];

static ARENAS: &[Node] = &[raw(
    "pactivep",
    Type::SizePtr,
    "r-",
    pactivep,
    "Where the number of an arena's active pages is kept; read without synchronisation.",
)];

/// `arena_config_t`
#[repr(C)]
#[derive(Clone, Copy)]
struct Config {
    hooks: *mut ExtentHooks,
    /// A C `bool`, which need not be valid as ours.
    _metadata_by_hooks: u8,
}

/// `inspect_extent_util_stats_t`
#[repr(C)]
#[derive(Clone, Copy)]
struct Brief {
    nfree: usize,
    nregs: usize,
    size: usize,
}

/// `inspect_extent_util_stats_verbose_t`
#[repr(C)]
#[derive(Clone, Copy)]
struct Verbose {
    slab: *const u8,
    own: Brief,
    bin_nfree: usize,
    bin_nregs: usize,
}

const _: () = assert!(size_of::<Brief>() == 24 && size_of::<Verbose>() == 48 && size_of::<Config>() == 16);

/// `batch_alloc_packet_t`
#[repr(C)]
#[derive(Clone, Copy)]
struct Batch {
    objects: *mut *mut u8,
    number: usize,
    size: usize,
    flags: c_int,
}

fn brief(pointer: *const c_void) -> Brief {
    let Use { nfree, nregs, size } = use_of(pointer.cast());
    Brief { nfree, nregs, size }
}

/// `experimental.utilization.query`
///
/// # Safety
/// As [`super::Raw`].
unsafe fn query(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    if !args.old_is::<Verbose>() {
        return Err(CtlError::Invalid);
    }
    // SAFETY: by the caller's promise.
    let pointer = unsafe { args.new_of::<*const c_void>() }?.ok_or(CtlError::Invalid)?;
    let BinUse { next_slab, nfree, nregs } = bin_use(pointer.cast());
    let answer = Verbose { slab: next_slab, own: brief(pointer), bin_nfree: nfree, bin_nregs: nregs };
    // SAFETY: by the caller's promise.
    unsafe { args.answer(answer) }
}

/// `experimental.utilization.batch_query`
///
/// # Safety
/// As [`super::Raw`].
unsafe fn batch_query(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    let Arguments { old, old_len, new, new_len } = args;
    let n = new_len / size_of::<*const c_void>();
    if old.is_null() || old_len.is_null() || new.is_null() || n == 0 {
        return Err(CtlError::Invalid);
    }
    // SAFETY: `old_len` is not null, hence valid.
    let room = unsafe { *old_len };
    if !new_len.is_multiple_of(size_of::<*const c_void>()) || n.checked_mul(size_of::<Brief>()) != Some(room)
    {
        return Err(CtlError::Invalid);
    }
    for i in 0..n {
        // SAFETY: `new` points at `n` pointers and `old` has room for `n` answers. They may be anywhere, so each is read
        // before it is written over, and neither need be aligned.
        unsafe {
            let pointer = new.cast::<*const c_void>().add(i).read_unaligned();
            old.cast::<Brief>().add(i).write_unaligned(brief(pointer));
        }
    }
    Ok(())
}

/// `experimental.arenas.<i>.pactivep`
///
/// # Safety
/// As [`super::Raw`].
unsafe fn pactivep(mib: &[usize], args: Arguments) -> Result<(), CtlError> {
    if !args.old_is::<*const usize>() {
        return Err(CtlError::Invalid);
    }
    if !args.new.is_null() || args.new_len != 0 {
        return Err(CtlError::NotPermitted);
    }
    let arena = made(mib[2]).ok_or(CtlError::Failed)?;
    // SAFETY: by the caller's promise.
    unsafe { args.answer(arena.pages.active_address()) }
}

/// `experimental.arenas_create_ext`
///
/// # Safety
/// As [`super::Raw`].
unsafe fn create_with(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    // SAFETY: by the caller's promise; a table of hooks stays valid, which the documented interface asks for.
    unsafe {
        args.wants::<u32>()?;
        let hooks = args.new_of::<Config>()?.and_then(|config| NonNull::new(config.hooks));
        args.answer(arenas::make(hooks)?)
    }
}

/// `experimental.batch_alloc`
///
/// # Safety
/// As [`super::Raw`], and the packet's array has room for its number of pointers.
unsafe fn batch_alloc(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    // SAFETY: by the caller's promise.
    let batch = unsafe {
        args.wants::<usize>()?;
        args.new_of::<Batch>()?.ok_or(CtlError::Invalid)?
    };
    let request = Request::from_flags(batch.size, batch.flags);
    let mut filled = 0;
    while filled < batch.number {
        let object = entry::alloc(request);
        if object.is_null() {
            break;
        }
        // SAFETY: by the caller's promise the array has `number` places.
        unsafe { batch.objects.add(filled).write(object) };
        filled += 1;
    }
    // SAFETY: by the caller's promise.
    unsafe { args.answer(filled) }
}
