//! The functions under the names `je_*` and `_rjem_*`. Why it is a package: see `jemalloc`.
#![no_std]

/// The names that Redis and others build jemalloc with, and that its header knows.
mod je {
    jealloc_c::export!("je_");
    jealloc_c::export_message!("je_");
}

/// The names of Rust's binding.
mod rjem {
    jealloc_c::export!("_rjem_");
    jealloc_c::export_message!("_rjem_");
}

/// Reports a bug of ours and ends the process: nothing in the allocator panics on purpose.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    jealloc::fatal(format_args!("internal error: {info}"))
}

// The prebuilt core library refers to the personality routine of unwinding, which nothing here does. Weak, so that a
// Rust program that links the archive keeps its own.
core::arch::global_asm!(
    ".weak rust_eh_personality",
    ".type rust_eh_personality,@function",
    "rust_eh_personality:",
    "ret"
);
