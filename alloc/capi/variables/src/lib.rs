//! The variables of jemalloc's interface, for programs that use them without defining them. jealloc looks them up by
//! name, so that a program's own definition counts as well.
//!
//! In `libjemalloc.a` each is a member of its own, which the linker takes only when something asks for the variable and
//! nobody else defines it. For that the package keeps out of link-time optimization, which `no_builtins` does, and has a
//! module for each, which with as many codegen units (`Cargo.toml` of the workspace) becomes an object for each.
#![no_std]
#![no_builtins]

/// A pointer variable with the given name.
macro_rules! variable {
    ($module:ident $name:literal) => {
        mod $module {
            use core::ffi::c_void;
            use core::sync::atomic::AtomicPtr;

            /// Null until the program sets it.
            #[unsafe(export_name = $name)]
            pub static VARIABLE: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());
        }
    };
}

// Options that the program brings with it.
variable!(conf "malloc_conf");
variable!(je_conf "je_malloc_conf");
variable!(rjem_conf "_rjem_malloc_conf");
// Options that outdo those of the environment.
variable!(harder "malloc_conf_2_conf_harder");
variable!(je_harder "je_malloc_conf_2_conf_harder");
variable!(rjem_harder "_rjem_malloc_conf_2_conf_harder");
// The receiver of messages, a function.
variable!(message "malloc_message");
variable!(je_message "je_malloc_message");
variable!(rjem_message "_rjem_malloc_message");
