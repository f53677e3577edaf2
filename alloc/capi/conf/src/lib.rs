//! The variables that hold options, for programs that set them without defining them. jealloc looks them up by name, so
//! that a program's own definition counts as well; this package is a member of its own in `libjemalloc.a` (see
//! `jemalloc`), which the linker leaves out when the program defines them.
#![no_std]

/// Both variables, with names that begin with the prefix.
macro_rules! variables {
    ($module:ident $prefix:literal) => {
        mod $module {
            use core::ffi::c_char;
            use core::sync::atomic::AtomicPtr;

            /// Options; read at the first allocation.
            #[unsafe(export_name = concat!($prefix, "malloc_conf"))]
            pub static CONF: AtomicPtr<c_char> = AtomicPtr::new(core::ptr::null_mut());

            /// Options that outdo those of the environment.
            #[unsafe(export_name = concat!($prefix, "malloc_conf_2_conf_harder"))]
            pub static CONF_HARDER: AtomicPtr<c_char> = AtomicPtr::new(core::ptr::null_mut());
        }
    };
}

variables!(plain "");
variables!(je "je_");
variables!(rjem "_rjem_");
