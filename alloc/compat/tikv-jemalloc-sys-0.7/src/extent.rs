//! Hooks by which an arena gets and gives back address space (`arena.<i>.extent_hooks`), under the binding's names.

pub use jealloc::AllocHook as extent_alloc_t;
pub use jealloc::DallocHook as extent_dalloc_t;
pub use jealloc::DestroyHook as extent_destroy_t;
pub use jealloc::ExtentHooks as extent_hooks_s;
pub use jealloc::ExtentHooks as extent_hooks_t;
pub use jealloc::MergeHook as extent_merge_t;
pub use jealloc::SplitHook as extent_split_t;
pub use jealloc::{RangeHook as extent_commit_t, RangeHook as extent_decommit_t, RangeHook as extent_purge_t};
