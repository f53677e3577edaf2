//! The hooks of an arena that got none of its own: `mmap`, `sbrk`, `munmap`, `madvise`. A program's hooks may call
//! these in turn; `arena.<i>.extent_hooks` reads as the table.

use core::ffi::{c_uint, c_void};
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::*;

use super::bits::BLOCK;
use super::hooks::ExtentHooks;
use super::settings::{self, Dss};
use super::{advice, dss};
use crate::base;
use crate::os::pages::{self, Huge};
use crate::relaxed::Relaxed;
use crate::units::PAGE;

/// The table. In a writable static because its address is handed to programs as `extent_hooks_t *`.
static mut TABLE: ExtentHooks = ExtentHooks {
    alloc: Some(alloc),
    dalloc: Some(dalloc),
    destroy: Some(destroy),
    commit: Some(refuse),
    decommit: Some(refuse),
    purge_lazy: Some(purge_lazy),
    purge_forced: Some(purge_forced),
    split: Some(split),
    merge: Some(merge),
};

/// Address of the table.
pub fn table() -> NonNull<ExtentHooks> {
    // SAFETY: the address of a static is not null.
    unsafe { NonNull::new_unchecked(&raw mut TABLE) }
}

/// `dss` of each arena, by index; one past the last arena for all others. One more than the [`Dss`]; 0 when none was set for the arena.
static OF_ARENA: [AtomicU8; 4096] = [const { AtomicU8::new(0) }; 4096];

fn slot(arena: u32) -> &'static AtomicU8 {
    &OF_ARENA[(arena as usize).min(OF_ARENA.len() - 1)]
}

/// `arena.<i>.dss`.
pub fn dss_of(arena: u32) -> Dss {
    match slot(arena).get() {
        0 => settings::dss(),
        set => Dss::from_bits(set - 1),
    }
}

/// Sets `arena.<i>.dss`.
pub fn set_dss_of(arena: u32, dss: Dss) {
    slot(arena).set(dss as u8 + 1);
}

/// Lets an arena follow the default again.
pub fn forget_dss_of(arena: u32) {
    slot(arena).set(0);
}

/// The arena for which huge pages are asked as soon as metadata has them; 0 for none, as which arena 0 does not count.
static HUGE_PAGES: AtomicU32 = AtomicU32::new(0);

/// Asks for huge pages for one arena that is not arena 0, wherever it takes a huge page's worth or more at a time and metadata
/// has huge pages by then (`opt.huge_arena_pac_thp`).
pub fn want_huge_pages(arena: u32) {
    HUGE_PAGES.set(arena);
}

/// Fresh address space for an arena, from where its `dss` says, with `opt.thp` applied. `wanted` null: anywhere.
/// `bytes` and `align` are page multiples.
pub fn map(wanted: *mut u8, bytes: usize, align: usize, arena: u32) -> Option<NonNull<u8>> {
    let precedence = dss_of(arena);
    // A place behind a given extent can be had from sbrk only by luck; nothing is lost by not trying.
    let from_dss = || if wanted.is_null() { dss::reserve(bytes, align) } else { None };
    let from_mmap = || match NonNull::new(wanted) {
        Some(wanted) => pages::reserve_at(wanted.as_ptr(), bytes),
        None if align <= PAGE => pages::reserve(bytes),
        None => pages::reserve_aligned(bytes, align),
    };
    let at = match precedence {
        Dss::Disabled => from_mmap(),
        Dss::Primary => from_dss().or_else(from_mmap),
        Dss::Secondary => from_mmap().or_else(from_dss),
    }?;
    // SAFETY: the range was just mapped.
    unsafe { advice::mapped(at.as_ptr(), bytes) };
    if arena != 0 && arena == HUGE_PAGES.get() && bytes >= BLOCK && base::has_huge_pages() {
        // SAFETY: as above.
        unsafe { pages::advise_huge(at.as_ptr(), bytes, Huge::Wanted) };
    }
    Some(at)
}

/// Whether what [`map`] made there can never be unmapped: the data segment.
pub fn is_permanent(at: *const u8) -> bool {
    dss::contains(at)
}

/// Unmaps a range that [`map`] made; answers whether it could, which it cannot when it [is permanent](is_permanent).
///
/// # Safety
/// The range belongs to the caller, and nothing refers to it any more.
pub unsafe fn unmap(at: *mut u8, bytes: usize) -> bool {
    if is_permanent(at) {
        return false;
    }
    // SAFETY: by the caller's promise.
    unsafe { pages::release(at, bytes) };
    true
}

/// The default [`AllocHook`](super::hooks::AllocHook) `alloc`.
///
/// # Safety
/// `zero` and `commit` are valid.
unsafe extern "C" fn alloc(
    _: *mut ExtentHooks,
    new_addr: *mut c_void,
    size: usize,
    alignment: usize,
    zero: *mut bool,
    commit: *mut bool,
    arena_ind: c_uint,
) -> *mut c_void {
    let Some(align) = alignment.max(1).checked_next_multiple_of(PAGE) else { return null_mut() };
    let Some(at) = map(new_addr.cast(), size, align, arena_ind) else { return null_mut() };
    // SAFETY: both are valid places by the hook's type.
    unsafe {
        *zero = true;
        *commit = true;
    }
    at.as_ptr().cast()
}

/// The default [`DallocHook`](super::hooks::DallocHook) `dalloc`.
///
/// # Safety
/// The extent came from [`alloc`], and nothing refers to it any more.
unsafe extern "C" fn dalloc(_: *mut ExtentHooks, addr: *mut c_void, size: usize, _: bool, _: c_uint) -> bool {
    // SAFETY: the extent is the caller's to give, by the hook's type.
    settings::retain() || unsafe { !unmap(addr.cast(), size) }
}

/// The default [`DestroyHook`](super::hooks::DestroyHook) `destroy`.
///
/// # Safety
/// As for [`dalloc`].
unsafe extern "C" fn destroy(_: *mut ExtentHooks, addr: *mut c_void, size: usize, _: bool, _: c_uint) {
    // SAFETY: as in `dalloc`.
    unsafe { unmap(addr.cast(), size) };
}

/// The default hooks `commit` and `decommit`: memory is committed by being mapped.
///
/// # Safety
/// None: the arguments are not looked at.
unsafe extern "C" fn refuse(
    _: *mut ExtentHooks,
    _: *mut c_void,
    _: usize,
    _: usize,
    _: usize,
    _: c_uint,
) -> bool {
    true
}

/// The default [`RangeHook`](super::hooks::RangeHook) `purge_lazy`.
///
/// # Safety
/// The range lies in an extent that came from [`alloc`], and its contents are no longer wanted.
unsafe extern "C" fn purge_lazy(
    _: *mut ExtentHooks,
    addr: *mut c_void,
    _: usize,
    offset: usize,
    length: usize,
    _: c_uint,
) -> bool {
    // SAFETY: the extent's contents are no longer wanted, by the hook's type.
    unsafe { !advice::purge_lazy(addr.cast::<u8>().add(offset), length) }
}

/// The default [`RangeHook`](super::hooks::RangeHook) `purge_forced`.
///
/// # Safety
/// As for [`purge_lazy`].
unsafe extern "C" fn purge_forced(
    _: *mut ExtentHooks,
    addr: *mut c_void,
    _: usize,
    offset: usize,
    length: usize,
    _: c_uint,
) -> bool {
    // SAFETY: as in `purge_lazy`.
    unsafe { !advice::purge_forced(addr.cast::<u8>().add(offset), length) }
}

/// The default [`SplitHook`](super::hooks::SplitHook) `split`.
///
/// # Safety
/// None: the arguments are not looked at.
unsafe extern "C" fn split(
    _: *mut ExtentHooks,
    _: *mut c_void,
    _: usize,
    _: usize,
    _: usize,
    _: bool,
    _: c_uint,
) -> bool {
    false
}

/// The default hook `merge`. Extents of the data segment are not joined with mapped ones: only the latter can be unmapped.
///
/// # Safety
/// None: the memory is not looked at.
unsafe extern "C" fn merge(
    _: *mut ExtentHooks,
    addr_a: *mut c_void,
    _: usize,
    addr_b: *mut c_void,
    _: usize,
    _: bool,
    _: c_uint,
) -> bool {
    dss::contains(addr_a.cast()) != dss::contains(addr_b.cast())
}
