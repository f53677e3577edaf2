//! jeprof's list of allocator functions.
//!
//! Everything leafward of a match is cut. What is compared is the short name of an address' outermost function up to
//! the first blank, so the entries of jeprof's list that have a blank in them, `operator new` among them, never match
//! and are not repeated here.

/// The list for a build without a prefix. Each also counts with `_` in front.
const FUNCTIONS: &[&str] = &[
    "::do_malloc",
    "::do_malloc_or_cpp_alloc",
    "DoSampledAllocation",
    "__builtin_delete",
    "__builtin_new",
    "__builtin_vec_delete",
    "__builtin_vec_new",
    "__malloc_alloc_template::allocate",
    "__start_google_malloc",
    "__start_malloc_hook",
    "__stop_google_malloc",
    "__stop_malloc_hook",
    "aligned_alloc",
    "calloc",
    "cfree",
    "dallocx",
    "do_malloc",
    "do_rallocx",
    "fallbackNewImpl",
    "fallback_impl",
    "free",
    "imalloc",
    "imalloc_body",
    "irallocx_prof",
    "ixallocx_prof",
    "je_malloc_default",
    "je_prof_backtrace",
    "je_prof_tctx_create",
    "malloc",
    "malloc_zone_calloc",
    "malloc_zone_free",
    "malloc_zone_malloc",
    "malloc_zone_memalign",
    "malloc_zone_realloc",
    "malloc_zone_valloc",
    "mallocx",
    "memalign",
    "newImpl",
    "posix_memalign",
    "prof_alloc_prep",
    "prof_backtrace_impl",
    "pvalloc",
    "rallocx",
    "realloc",
    "sdallocx",
    "sdallocx_noflags",
    "simple_alloc::allocate",
    "tc_calloc",
    "tc_cfree",
    "tc_delete",
    "tc_deletearray",
    "tc_free",
    "tc_malloc",
    "tc_memalign",
    "tc_new",
    "tc_new_nothrow",
    "tc_newarray",
    "tc_newarray_nothrow",
    "tc_posix_memalign",
    "tc_pvalloc",
    "tc_realloc",
    "tc_valloc",
    "valloc",
    "xallocx",
];

/// Whether jeprof takes a function for the allocator's.
pub fn has(short_name: &str) -> bool {
    let word = short_name.split(' ').next().unwrap_or_default();
    let listed = |name: &str| FUNCTIONS.binary_search(&name).is_ok();
    listed(word)
        || word.strip_prefix('_').is_some_and(listed)
        || word.contains("TCMalloc")
        || word.starts_with("tcmalloc::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_has_no_entry_that_cannot_match() {
        assert!(FUNCTIONS.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(FUNCTIONS.iter().all(|name| has(name) && !name.contains(' ')));
    }

    #[test]
    fn only_the_first_word_counts_and_prefixes_are_not_known() {
        assert!(
            ["_malloc", "malloc .cold", "my::TCMallocGuard", "tcmalloc::Sampler"]
                .iter()
                .all(|name| has(name))
        );
        assert!(
            ["operator new", "_rjem_malloc", "__libc_malloc", "__malloc", "", "xtcmalloc::a"]
                .iter()
                .all(|name| !has(name))
        );
    }
}
