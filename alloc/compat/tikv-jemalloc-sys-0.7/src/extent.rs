//! Hooks by which an arena gets and gives back address space: `arena.<i>.extent_hooks`.

use core::ffi::{c_uint, c_void};

/// The table of hooks, in jemalloc's order.
pub type extent_hooks_t = extent_hooks_s;

/// The table of hooks; all but `alloc` may be missing.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct extent_hooks_s {
    /// Gets address space.
    pub alloc: Option<extent_alloc_t>,
    /// Gives it back; true refuses.
    pub dalloc: Option<extent_dalloc_t>,
    /// Gives it back for good.
    pub destroy: Option<extent_destroy_t>,
    /// Puts memory behind a part of it.
    pub commit: Option<extent_commit_t>,
    /// Takes the memory away.
    pub decommit: Option<extent_decommit_t>,
    /// Tells that the contents of a part do not matter any more.
    pub purge_lazy: Option<extent_purge_t>,
    /// The same; the part reads as zero afterwards.
    pub purge_forced: Option<extent_purge_t>,
    /// May refuse a split.
    pub split: Option<extent_split_t>,
    /// May refuse that neighbours become one.
    pub merge: Option<extent_merge_t>,
}

/// Type of [`extent_hooks_s::alloc`]; null when there is none.
pub type extent_alloc_t = unsafe extern "C" fn(
    extent_hooks: *mut extent_hooks_t,
    new_addr: *mut c_void,
    size: usize,
    alignment: usize,
    zero: *mut bool,
    commit: *mut bool,
    arena_ind: c_uint,
) -> *mut c_void;

/// Type of [`extent_hooks_s::dalloc`].
pub type extent_dalloc_t = unsafe extern "C" fn(
    extent_hooks: *mut extent_hooks_t,
    addr: *mut c_void,
    size: usize,
    committed: bool,
    arena_ind: c_uint,
) -> bool;

/// Type of [`extent_hooks_s::destroy`].
pub type extent_destroy_t = unsafe extern "C" fn(
    extent_hooks: *mut extent_hooks_t,
    addr: *mut c_void,
    size: usize,
    committed: bool,
    arena_ind: c_uint,
);

/// Type of [`extent_hooks_s::commit`].
pub type extent_commit_t = unsafe extern "C" fn(
    extent_hooks: *mut extent_hooks_t,
    addr: *mut c_void,
    size: usize,
    offset: usize,
    length: usize,
    arena_ind: c_uint,
) -> bool;

/// Type of [`extent_hooks_s::decommit`].
pub type extent_decommit_t = extent_commit_t;

/// Type of the two purging hooks.
pub type extent_purge_t = extent_commit_t;

/// Type of [`extent_hooks_s::split`].
pub type extent_split_t = unsafe extern "C" fn(
    extent_hooks: *mut extent_hooks_t,
    addr: *mut c_void,
    size: usize,
    size_a: usize,
    size_b: usize,
    committed: bool,
    arena_ind: c_uint,
) -> bool;

/// Type of [`extent_hooks_s::merge`].
pub type extent_merge_t = unsafe extern "C" fn(
    extent_hooks: *mut extent_hooks_t,
    addr_a: *mut c_void,
    size_a: usize,
    addr_b: *mut c_void,
    size_b: usize,
    committed: bool,
    arena_ind: c_uint,
) -> bool;
