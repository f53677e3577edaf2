//! The lists of functions, and the macros that define them as C symbols.

/// Defines every function of jemalloc's interface as a C symbol whose name begins with the given prefix, and runs
/// [`start`](crate::start) when the program is loaded.
///
/// The bodies are inlined, so that each name is as fast as the others. Those that allocate lie in the section by which
/// the profiler knows the allocator's frames.
#[macro_export]
macro_rules! export {
    ($prefix:literal) => {
        /// Runs when the program is loaded, or the library that this is linked into.
        #[used]
        #[unsafe(link_section = ".init_array")]
        static START: extern "C" fn() = $crate::start;

        $crate::define! { $prefix;
            #[doc = "`malloc(3)`"]
            #[unsafe(link_section = "jealloc_text")]
            standard malloc(size: usize) -> *mut c_void;
            #[doc = "`calloc(3)`"]
            #[unsafe(link_section = "jealloc_text")]
            standard calloc(number: usize, size: usize) -> *mut c_void;
            #[doc = "`posix_memalign(3)`: 0, `EINVAL` or `ENOMEM`; leaves `errno` alone."]
            #[unsafe(link_section = "jealloc_text")]
            standard posix_memalign(ptr: *mut *mut c_void, alignment: usize, size: usize) -> c_int;
            #[doc = "`aligned_alloc(3)`"]
            #[unsafe(link_section = "jealloc_text")]
            standard aligned_alloc(alignment: usize, size: usize) -> *mut c_void;
            #[doc = "`realloc(3)`"]
            #[unsafe(link_section = "jealloc_text")]
            standard realloc(ptr: *mut c_void, size: usize) -> *mut c_void;
            #[doc = "`free(3)`"]
            #[unsafe(link_section = "jealloc_text")]
            standard free(ptr: *mut c_void);
            #[doc = "`free_sized` of C23."]
            #[unsafe(link_section = "jealloc_text")]
            standard free_sized(ptr: *mut c_void, size: usize);
            #[doc = "`free_aligned_sized` of C23."]
            #[unsafe(link_section = "jealloc_text")]
            standard free_aligned_sized(ptr: *mut c_void, alignment: usize, size: usize);
            #[doc = "`memalign(3)`"]
            #[unsafe(link_section = "jealloc_text")]
            standard memalign(alignment: usize, size: usize) -> *mut c_void;
            #[doc = "`valloc(3)`"]
            #[unsafe(link_section = "jealloc_text")]
            standard valloc(size: usize) -> *mut c_void;
            #[doc = "`pvalloc(3)`"]
            #[unsafe(link_section = "jealloc_text")]
            standard pvalloc(size: usize) -> *mut c_void;
            #[doc = "`malloc_usable_size(3)`"]
            standard malloc_usable_size(ptr: *const c_void) -> usize;
            #[doc = "Allocates at least `size` bytes as `flags` say (the `MALLOCX_*` macros); leaves `errno` alone."]
            #[unsafe(link_section = "jealloc_text")]
            extended mallocx(size: usize, flags: c_int) -> *mut c_void;
            #[doc = "Resizes to at least `size` bytes; null, and the object as it was, when memory ran out."]
            #[unsafe(link_section = "jealloc_text")]
            extended rallocx(ptr: *mut c_void, size: usize, flags: c_int) -> *mut c_void;
            #[doc = "Resizes in place to between `size` and `size + extra` bytes; the usable size it has then."]
            #[unsafe(link_section = "jealloc_text")]
            extended xallocx(ptr: *mut c_void, size: usize, extra: usize, flags: c_int) -> usize;
            #[doc = "The usable size of an object."]
            extended sallocx(ptr: *const c_void, flags: c_int) -> usize;
            #[doc = "Frees an object as `flags` say."]
            #[unsafe(link_section = "jealloc_text")]
            extended dallocx(ptr: *mut c_void, flags: c_int);
            #[doc = "Frees an object of `size` bytes as `flags` say."]
            #[unsafe(link_section = "jealloc_text")]
            extended sdallocx(ptr: *mut c_void, size: usize, flags: c_int);
            #[doc = "The usable size that `mallocx` would give; 0 when it would fail."]
            extended nallocx(size: usize, flags: c_int) -> usize;
            #[doc = "Reads and writes named values, or acts: 0 or an error number."]
            control mallctl(
                name: *const c_char,
                oldp: *mut c_void,
                oldlenp: *mut usize,
                newp: *mut c_void,
                newlen: usize,
            ) -> c_int;
            #[doc = "Translates a name, or the beginning of one, to numbers."]
            control mallctlnametomib(name: *const c_char, mibp: *mut usize, miblenp: *mut usize) -> c_int;
            #[doc = "`mallctl` with a name that was translated to numbers."]
            control mallctlbymib(
                mib: *const usize,
                miblen: usize,
                oldp: *mut c_void,
                oldlenp: *mut usize,
                newp: *mut c_void,
                newlen: usize,
            ) -> c_int;
            #[doc = "Writes the statistics, in pieces, to a function or to where messages go."]
            control malloc_stats_print(
                write_cb: Option<$crate::WriteCb>,
                cbopaque: *mut c_void,
                opts: *const c_char,
            );
        }
    };
}

/// Defines, under their plain names, the functions of glibc that are not of jemalloc's interface, which would speak of
/// a heap that nothing uses.
#[macro_export]
macro_rules! export_glibc {
    () => {
        $crate::define! { "";
            #[doc = "`reallocarray(3)`"]
            #[unsafe(link_section = "jealloc_text")]
            glibc reallocarray(ptr: *mut c_void, number: usize, size: usize) -> *mut c_void;
            #[doc = "`malloc_trim(3)`: purges all unused pages; 1 when there were any."]
            glibc malloc_trim(pad: usize) -> c_int;
            #[doc = "`mallinfo(3)`, whose fields stop at `INT_MAX`."]
            glibc mallinfo() -> $crate::glibc::Mallinfo;
            #[doc = "`mallinfo2(3)`"]
            glibc mallinfo2() -> $crate::glibc::Mallinfo2;
            #[doc = "`mallopt(3)`: 1 for a parameter that is known."]
            glibc mallopt(parameter: c_int, value: c_int) -> c_int;
            #[doc = "`malloc_stats(3)`: the report of `malloc_stats_print`."]
            glibc malloc_stats();
            #[doc = "`malloc_info(3)`: the statistics as XML in glibc's form."]
            glibc malloc_info(options: c_int, stream: *mut c_void) -> c_int;
        }
    };
}

/// One C symbol for each row: attributes, the module of this package, the prototype.
#[doc(hidden)]
#[macro_export]
macro_rules! define {
    ($prefix:literal; $(
        #[doc = $doc:literal]
        $(#[$attribute:meta])*
        $module:ident $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $answer:ty)?;
    )*) => {
        #[allow(unused_imports, reason = "not every list of functions needs all of C's types")]
        use $crate::{c_char, c_int, c_void};

        $(
            #[doc = $doc]
            ///
            /// # Safety
            /// As the manual of the function of this name says.
            $(#[$attribute])*
            #[unsafe(export_name = concat!($prefix, stringify!($name)))]
            pub unsafe extern "C" fn $name($($argument: $type),*) $(-> $answer)? {
                // SAFETY: the conditions are those of this function, which the caller keeps.
                unsafe { $crate::$module::$name($($argument),*) }
            }
        )*
    };
}
