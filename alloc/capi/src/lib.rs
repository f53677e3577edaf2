//! `libjemalloc.so` and `libjemalloc.a`: the C symbols of jealloc. The functions are those of jealloc-c; here they get
//! their plain names. The other names, the C++ operators and the variables of the options have packages of their own:
//! each package is a member of its own in `libjemalloc.a`, and the linker takes members as they are asked for. So a program
//! with a `malloc` of its own can use `je_malloc` beside it, and one that brings its own `malloc_conf` or `operator new`
//! can link the archive. None of those packages may depend on this one.
//!
//! Without std, so that the archive can be linked into Rust programs and the library calls nothing that allocates.
#![no_std]

// Their symbols are all that is wanted of them.
use jemalloc_conf as _;
use jemalloc_operators as _;
use jemalloc_prefixed as _;

/// jemalloc's functions.
mod plain {
    jealloc_c::export!("");
    jealloc_c::export_message!("");
}

/// What glibc has besides.
mod glibc {
    jealloc_c::export_glibc!();
}
