//! Extent hooks: nine functions through which an arena gets its address space and says what becomes of it
//! (`extent_hooks_t` of jemalloc's manual). A program may give an arena its own.

use core::ffi::{c_uint, c_void};
use core::ptr::NonNull;

use crate::os::aside::Aside;

/// `extent_alloc_t`: memory at `new_addr` (or anywhere, when null); `zero` and `commit` say what is wanted and are set to what it is.
pub type AllocHook = unsafe extern "C" fn(
    hooks: *mut ExtentHooks,
    new_addr: *mut c_void,
    size: usize,
    alignment: usize,
    zero: *mut bool,
    commit: *mut bool,
    arena_ind: c_uint,
) -> *mut c_void;

/// `extent_dalloc_t`: takes an extent back; `true` refuses.
pub type DallocHook = unsafe extern "C" fn(
    hooks: *mut ExtentHooks,
    addr: *mut c_void,
    size: usize,
    committed: bool,
    arena_ind: c_uint,
) -> bool;

/// `extent_destroy_t`: takes an extent back for good.
pub type DestroyHook = unsafe extern "C" fn(
    hooks: *mut ExtentHooks,
    addr: *mut c_void,
    size: usize,
    committed: bool,
    arena_ind: c_uint,
);

/// `extent_commit_t`, `extent_decommit_t`, `extent_purge_t`: does something to `length` bytes at `offset` of an
/// extent; `true` refuses.
pub type RangeHook = unsafe extern "C" fn(
    hooks: *mut ExtentHooks,
    addr: *mut c_void,
    size: usize,
    offset: usize,
    length: usize,
    arena_ind: c_uint,
) -> bool;

/// `extent_split_t`: allows to make two extents of one; `true` refuses.
pub type SplitHook = unsafe extern "C" fn(
    hooks: *mut ExtentHooks,
    addr: *mut c_void,
    size: usize,
    size_a: usize,
    size_b: usize,
    committed: bool,
    arena_ind: c_uint,
) -> bool;

/// `extent_merge_t`: allows to make one extent of two neighbours; `true` refuses.
pub type MergeHook = unsafe extern "C" fn(
    hooks: *mut ExtentHooks,
    addr_a: *mut c_void,
    size_a: usize,
    addr_b: *mut c_void,
    size_b: usize,
    committed: bool,
    arena_ind: c_uint,
) -> bool;

/// `extent_hooks_t`. All but `alloc` may be null, which refuses.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct ExtentHooks {
    /// Gets address space.
    pub alloc: Option<AllocHook>,
    /// Gives it back.
    pub dalloc: Option<DallocHook>,
    /// Gives it back when the arena is destroyed.
    pub destroy: Option<DestroyHook>,
    /// Backs pages.
    pub commit: Option<RangeHook>,
    /// Ends that; the pages must not be used then.
    pub decommit: Option<RangeHook>,
    /// Lets the system take pages when it needs them.
    pub purge_lazy: Option<RangeHook>,
    /// Lets pages read as zero.
    pub purge_forced: Option<RangeHook>,
    /// Allows to cut an extent.
    pub split: Option<SplitHook>,
    /// Allows to join two.
    pub merge: Option<MergeHook>,
}

/// The hooks that an arena has, ready to be called. Sizes are bytes. Methods that may be refused answer whether
/// they were *granted*, the opposite of what a hook answers.
///
/// While a hook runs, what its thread allocates comes from arena 0 without a cache, so that hooks may allocate.
#[derive(Clone, Copy)]
pub struct Hooks {
    table: NonNull<ExtentHooks>,
    arena: u32,
}

impl Hooks {
    /// The hooks in `table` on behalf of an arena.
    ///
    /// # Safety
    /// 1. The table stays valid as long as the arena may use it.
    /// 2. Its functions do what their types say.
    pub unsafe fn new(table: NonNull<ExtentHooks>, arena: u32) -> Hooks {
        Hooks { table, arena }
    }

    /// The table.
    pub fn table(&self) -> *mut ExtentHooks {
        self.table.as_ptr()
    }

    /// A copy, since the program may change the table while a hook runs.
    fn get(&self) -> ExtentHooks {
        // SAFETY: valid by the promise given to `new`.
        unsafe { self.table.read() }
    }

    /// Memory of `bytes` bytes at `wanted`, or anywhere; both flags are in and out.
    pub fn alloc(
        &self,
        wanted: *mut u8,
        bytes: usize,
        align: usize,
        zero: &mut bool,
        commit: &mut bool,
    ) -> Option<NonNull<u8>> {
        let hook = self.get().alloc?;
        let _aside = Aside::step();
        // SAFETY: the hook was given to be called so; both flags are valid places.
        let at = unsafe { hook(self.table(), wanted.cast(), bytes, align, zero, commit, self.arena) };
        NonNull::new(at.cast())
    }

    /// Whether [`Hooks::dalloc`] is refused without a call.
    pub fn never_dallocs(&self) -> bool {
        self.get().dalloc.is_none()
    }

    /// Gives an extent back.
    pub fn dalloc(&self, at: *mut u8, bytes: usize, committed: bool) -> bool {
        let Some(hook) = self.get().dalloc else { return false };
        let _aside = Aside::step();
        // SAFETY: the hook was given to be called so, for an extent that came from the arena's hooks.
        unsafe { !hook(self.table(), at.cast(), bytes, committed, self.arena) }
    }

    /// Gives an extent back for good.
    pub fn destroy(&self, at: *mut u8, bytes: usize, committed: bool) {
        let Some(hook) = self.get().destroy else { return };
        let _aside = Aside::step();
        // SAFETY: as in `dalloc`.
        unsafe { hook(self.table(), at.cast(), bytes, committed, self.arena) }
    }

    /// Backs a whole extent.
    pub fn commit(&self, at: *mut u8, bytes: usize) -> bool {
        self.whole(self.get().commit, at, bytes)
    }

    /// Ends the backing of a whole extent.
    pub fn decommit(&self, at: *mut u8, bytes: usize) -> bool {
        self.whole(self.get().decommit, at, bytes)
    }

    /// Lets the system take a whole extent's pages.
    pub fn purge_lazy(&self, at: *mut u8, bytes: usize) -> bool {
        self.whole(self.get().purge_lazy, at, bytes)
    }

    /// Lets a whole extent read as zero.
    pub fn purge_forced(&self, at: *mut u8, bytes: usize) -> bool {
        self.whole(self.get().purge_forced, at, bytes)
    }

    fn whole(&self, hook: Option<RangeHook>, at: *mut u8, bytes: usize) -> bool {
        let Some(hook) = hook else { return false };
        let _aside = Aside::step();
        // SAFETY: as in `dalloc`; the range is the extent.
        unsafe { !hook(self.table(), at.cast(), bytes, 0, bytes, self.arena) }
    }

    /// Whether [`Hooks::split`] is refused without a call.
    pub fn never_splits(&self) -> bool {
        self.get().split.is_none()
    }

    /// Asks to cut an extent of `first + second` bytes.
    pub fn split(&self, at: *mut u8, first: usize, second: usize, committed: bool) -> bool {
        let Some(hook) = self.get().split else { return false };
        let _aside = Aside::step();
        // SAFETY: as in `dalloc`.
        unsafe { !hook(self.table(), at.cast(), first + second, first, second, committed, self.arena) }
    }

    /// Whether [`Hooks::merge`] is refused without a call.
    pub fn never_merges(&self) -> bool {
        self.get().merge.is_none()
    }

    /// Asks to join the extent of `first` bytes at `at` with the one of `second` bytes behind it.
    pub fn merge(&self, at: *mut u8, first: usize, second: usize, committed: bool) -> bool {
        let Some(hook) = self.get().merge else { return false };
        let behind = at.wrapping_add(first);
        let _aside = Aside::step();
        // SAFETY: as in `dalloc`, for two extents side by side.
        unsafe { !hook(self.table(), at.cast(), first, behind.cast(), second, committed, self.arena) }
    }
}
