//! `libjemalloc.so` and `libjemalloc.a`: the C symbols of jealloc. Each entry point checks its arguments, calls one
//! function of `jealloc::entry` or `jealloc::ctl`, and turns the answer into C's conventions.
//!
//! Without std, so that the archive can be linked into Rust programs and the library calls nothing that allocates.
#![no_std]

mod control;
mod extended;
mod standard;

#[link(name = "c")]
unsafe extern "C" {}

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

/// Runs when the library is loaded, so that options are read and handlers registered before `main`.
#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = {
    extern "C" fn start() {
        // The first allocation starts everything.
        let object = jealloc::entry::malloc::<false>(1);
        // SAFETY: just allocated.
        unsafe { jealloc::entry::free(object) };
    }
    start
};

/// Sets `errno`.
fn set_errno(number: i32) {
    // SAFETY: the address of the calling thread's errno is always valid.
    unsafe { *libc::__errno_location() = number }
}
