//! Which functions are the allocator's, or a language's thin wrapper around it.
//!
//! jeprof has a fixed list of names, which misses the `_rjem_` and `je_` prefixes of Rust's jemalloc and every Rust
//! shim: 78 to 90 % of a Rust heap then lands on the allocator's own `prof_backtrace`. Here each family is one
//! pattern. Containers that allocate (`Vec`, `String`, `RawVec`) are not in it: they are the program's doing.

use regex::{Regex, RegexSet};

/// Patterns for whole function names, one row per family.
const FUNCTIONS: &[(&str, &str)] = &[
    (
        "C allocation functions, with the prefixes that jemalloc builds and libc use",
        "(?:_|__|__libc_|_*rjem_|_*rjem_je_|_*je_|je_arrow_private_je_)?\
         (?:malloc|calloc|realloc|reallocarray|free|cfree|memalign|aligned_alloc|posix_memalign|valloc|pvalloc\
         |mallocx|rallocx|xallocx|dallocx|sdallocx|nallocx|sdallocx_noflags|free_sized|free_aligned_sized\
         |malloc_default|malloc_usable_size|smallocx(?:_[0-9A-Za-z_]+)?)",
    ),
    (
        // Only what can be the outermost frame of the allocator, or bears its prefix: a C program may well have an
        // `arena_create` of its own, and everything leafward of a match is cut.
        "jemalloc inside, where its symbols are visible",
        "_*(?:rjem_)?je_[0-9A-Za-z_]+|imalloc|imalloc_body|imalloc_fastpath|imalloc_sample|irallocx_prof|do_rallocx\
         |do_realloc_nonnull_zero|ixallocx_prof[0-9A-Za-z_]*|fallback_impl|(?:.*::)?(?:newImpl|fallbackNewImpl|handleOOM)\
         |prof_alloc_prep|prof_backtrace|prof_backtrace_impl|prof_tctx_create",
    ),
    (
        "C++ operator new and delete",
        "operator (?:new|delete)(?: ?\\[\\])?|__builtin_(?:vec_)?(?:new|delete)|_Zn[wa][0-9A-Za-z_]*|_Zd[la][0-9A-Za-z_]*",
    ),
    (
        "tcmalloc and gperftools",
        "tc_(?:malloc|calloc|cfree|free|realloc|memalign|posix_memalign|pvalloc|valloc|new|delete|newarray|deletearray)\
         (?:_[0-9A-Za-z_]+)?|(?:.*::)?do_malloc(?:_or_cpp_alloc)?|DoSampledAllocation|TCMalloc[0-9A-Za-z_]*|tcmalloc::.*",
    ),
    (
        "mimalloc",
        "_?mi_(?:heap_)?(?:malloc|zalloc|calloc|realloc|reallocn|rezalloc|recalloc|new|free|theap)[0-9A-Za-z_]*",
    ),
    ("macOS zones", "malloc_zone_[0-9A-Za-z_]+"),
    (
        "Rust's allocation symbols",
        "(?:__rustc::)?__(?:rust|rg|rdl|rdlsym)_(?:alloc|dealloc|realloc|alloc_zeroed|oom)",
    ),
    (
        "Rust's allocation functions",
        "alloc::alloc::(?:alloc|dealloc|realloc|alloc_zeroed|exchange_malloc|box_free|Global(?:::.*)?)\
         |<alloc::alloc::Global(?: as [^>]*)?>::.*|alloc::boxed::box_new_uninit|hashbrown::raw::alloc::inner::do_alloc",
    ),
    (
        "Rust's allocator traits",
        "<.* as core::alloc(?:::[0-9A-Za-z_]+)*::(?:GlobalAlloc|Allocator)>::.*|core::alloc(?:::[0-9A-Za-z_]+)*::GlobalAlloc::.*",
    ),
    ("this project's allocator and profiler", "<?(?:jealloc|jemalloc|prof_runtime|prof_format)::.*"),
    (
        "other Rust allocators",
        "<?(?:tikv_jemallocator|jemallocator|tikv_jemalloc_sys|jemalloc_sys|mimalloc|snmalloc_rs)::.*",
    ),
];

/// Libraries in which every frame is the allocator's, named or not: Debian's libjemalloc has no local symbols.
const LIBRARIES: [&str; 5] = ["libjemalloc", "libtcmalloc", "libmimalloc", "libsnmalloc", "libhoard"];

/// Ends of the source files in which every function is the allocator's or a shim. Debug information with line tables
/// alone names inlined functions without their path: `alloc` could be anybody's, its file is not.
const FILES: [&str; 2] = ["/library/alloc/src/alloc.rs", "/library/core/src/alloc/global.rs"];

/// Functions that are shims in these files, whose others are not.
const FUNCTIONS_IN_FILES: [(&str, &str); 2] =
    [("box_new_uninit", "/library/alloc/src/boxed.rs"), ("do_alloc", "/src/raw/alloc.rs")];

/// Functions of a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InSource {
    /// None of them.
    None,
    /// The one of this name, whatever its generic arguments.
    Named(&'static str),
    /// All of them.
    All,
}

impl InSource {
    /// Whether a function is one of them.
    pub fn has(self, function: &str) -> bool {
        match self {
            InSource::None => false,
            InSource::Named(name) => function.split('<').next() == Some(name),
            InSource::All => true,
        }
    }
}

/// The patterns, compiled.
pub struct AllocatorFrames {
    functions: RegexSet,
    /// From the dumps themselves. Matched against the name up to its first bracket, as pprof does.
    from_dumps: Vec<Regex>,
}

impl AllocatorFrames {
    /// Compiles the table and the expressions that came with dumps. The second part of the answer has a sentence
    /// for each expression that cannot be used.
    pub fn new(drop_frames: &[String]) -> (AllocatorFrames, Vec<String>) {
        let anchored = FUNCTIONS.iter().map(|(_, pattern)| format!("^(?:{pattern})$"));
        let functions = RegexSet::new(anchored).expect("the table's expressions are tested");
        let mut problems = Vec::new();
        let mut from_dumps = Vec::new();
        for expression in drop_frames {
            match Regex::new(&format!("^(?:{expression})$")) {
                Ok(regex) => from_dumps.push(regex),
                Err(_) => {
                    problems.push(format!("drop_frames of the dump is no regular expression: {expression}"))
                }
            }
        }
        (AllocatorFrames { functions, from_dumps }, problems)
    }

    /// Whether a function is the allocator's.
    pub fn has_function(&self, name: &str) -> bool {
        let plain = name.split('(').next().unwrap_or(name);
        self.functions.is_match(name) || self.from_dumps.iter().any(|regex| regex.is_match(plain))
    }

    /// Which functions of a source file are the allocator's.
    pub fn in_source(file: &str) -> InSource {
        if FILES.iter().any(|end| file.ends_with(end)) {
            return InSource::All;
        }
        let of_file = FUNCTIONS_IN_FILES.iter().find(|(_, end)| file.ends_with(end));
        of_file.map_or(InSource::None, |(name, _)| InSource::Named(name))
    }

    /// Whether a file is an allocator library.
    pub fn has_library(file_name: &str) -> bool {
        LIBRARIES.iter().any(|library| {
            file_name.strip_prefix(library).is_some_and(|rest| rest.starts_with(['.', '-', '_']))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(is_allocator: bool, names: &[&str]) {
        let (patterns, problems) = AllocatorFrames::new(&[]);
        assert!(problems.is_empty());
        for name in names {
            assert_eq!(patterns.has_function(name), is_allocator, "{name}");
        }
    }

    #[test]
    fn the_allocator_s_frames_are_known_in_every_dress() {
        check(
            true,
            &[
                "malloc",
                "calloc",
                "__libc_malloc",
                "_rjem_malloc",
                "_rjem_je_prof_backtrace",
                "_rjem_je_malloc_default",
                "je_prof_tctx_create",
                "prof_backtrace_impl",
                "imalloc_body",
                "operator new",
                "operator new[]",
                "operator delete",
                "__rust_alloc",
                "__rustc::__rust_realloc",
                "__rust_alloc_zeroed",
                "__rg_alloc",
                "__rustc::__rdl_alloc_zeroed",
                "alloc::alloc::alloc",
                "alloc::alloc::exchange_malloc",
                "alloc::alloc::Global::alloc_impl",
                "<alloc::alloc::Global as core::alloc::Allocator>::allocate",
                "<alloc::alloc::Global>::alloc_impl_runtime",
                "<svc::Counting<T> as core::alloc::global::GlobalAlloc>::alloc",
                "alloc::boxed::box_new_uninit",
                "jealloc::entry::alloc",
                "<jealloc::Jealloc as core::alloc::global::GlobalAlloc>::realloc",
                "prof_runtime::sampler::record",
                "tikv_jemallocator::layout_to_flags",
                "je_arena_malloc_hard",
                "mi_heap_malloc_aligned",
                "tc_new_nothrow",
                "tcmalloc::Sampler::record",
            ],
        );
    }

    #[test]
    fn functions_of_programs_and_containers_are_not_the_allocator_s() {
        check(
            false,
            &[
                "main",
                "alloc::raw_vec::RawVec<T,A>::grow_one",
                "alloc::raw_vec::RawVecInner<A>::try_allocate_in",
                "<alloc::vec::Vec<T> as alloc::vec::spec_from_elem::SpecFromElem>::from_elem",
                "alloc::string::String::with_capacity",
                "alloc::boxed::Box<T>::new",
                "my_malloc",
                "mallocator::run",
                "xmalloc",
                "renewal",
                "operator newton",
                "profile_run",
                "arena",
                "svc::alloc::alloc",
                "free_list_insert",
                "g_malloc",
                "arena_create",
                "prof_run",
                "mi_open",
                "Py_RunMain",
            ],
        );
    }

    #[test]
    fn shims_without_a_path_are_known_by_their_file() {
        let std = "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/alloc/src";
        for (function, file) in
            [("alloc", "alloc.rs"), ("grow_impl_runtime", "alloc.rs"), ("box_new_uninit<u8>", "boxed.rs")]
        {
            let in_source = AllocatorFrames::in_source(&format!("{std}/{file}"));
            assert!(in_source.has(function), "{function} {file}");
        }
        for (function, file) in [("grow_one", "raw_vec/mod.rs"), ("new", "boxed.rs")] {
            let in_source = AllocatorFrames::in_source(&format!("{std}/{file}"));
            assert!(!in_source.has(function), "{function} {file}");
        }
        assert!(!AllocatorFrames::in_source("/srv/src/alloc.rs").has("alloc"));
    }

    #[test]
    fn libraries_are_known_by_their_file_name() {
        for name in
            ["libjemalloc.so.2", "libjemalloc.so", "libtcmalloc_minimal.so.4", "libmimalloc-secure.so.2"]
        {
            assert!(AllocatorFrames::has_library(name), "{name}");
        }
        for name in ["libc.so.6", "jemalloc-user", "libjemallocator.so", "libjemalloc"] {
            assert!(!AllocatorFrames::has_library(name), "{name}");
        }
    }

    #[test]
    fn expressions_of_a_dump_are_matched_in_full_up_to_the_bracket() {
        let (patterns, problems) = AllocatorFrames::new(&["my_.*|grab".into(), "(".into()]);
        assert!(patterns.has_function("my_alloc(int)") && patterns.has_function("grab"));
        assert!(!patterns.has_function("grabber"));
        assert_eq!(problems.len(), 1);
    }
}
