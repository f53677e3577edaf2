//! `libjemalloc.so` and `libjemalloc.a`: the C symbols of jealloc. The functions are those of jealloc-c; here they get
//! their names.
//!
//! Without std, so that the archive can be linked into Rust programs and the library calls nothing that allocates.
#![no_std]

// Its symbols are all that is wanted of it.
use jemalloc_variables as _;

mod operators;
mod panic;

/// jemalloc's functions.
mod plain {
    jealloc_c::export!("");
}

/// The same under the names that Redis and others build jemalloc with, and that its header knows.
mod je {
    jealloc_c::export!("je_");
}

/// The same under the names of Rust's binding.
mod rjem {
    jealloc_c::export!("_rjem_");
}

/// What glibc has besides.
mod glibc {
    jealloc_c::export_glibc!();
}
