//! What a library without std has to bring.

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
