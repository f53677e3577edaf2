//! The way to `std::bad_alloc`: ask the program's new-handler to make room and try again, as long as there is one.
//!
//! A function in Rust lets no exception pass where panics abort, so the functions below which something may be thrown
//! are written in assembly: they have call-frame information, hold nothing that would have to be cleaned up, and their
//! own callers are either C++ or have called them last. (An operator in a build without optimization has not; its frame
//! holds nothing either, and has no landing pad, because it calls only what is declared not to unwind.)

use jealloc::entry;

/// Defines a function that allocates with `$first`, and while that or `$again` answers null, calls what `cxx::next` answers.
macro_rules! body {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:ident: usize),*) = $first:expr, $again:expr) => {
        $(#[$attribute])*
        #[unsafe(naked)]
        #[unsafe(link_section = "jealloc_text")]
        $visibility extern "C" fn $name($($argument: usize),*) -> *mut u8 {
            #[cfg(target_arch = "x86_64")]
            core::arch::naked_asm!(
                ".cfi_startproc",
                "push rdi",
                ".cfi_adjust_cfa_offset 8",
                "push rsi",
                ".cfi_adjust_cfa_offset 8",
                // The stack is aligned for calls from here on.
                "sub rsp, 8",
                ".cfi_adjust_cfa_offset 8",
                "call {first}",
                "2:",
                "test rax, rax",
                "jne 3f",
                "mov rdi, [rsp + 16]",
                "call {next}",
                "call rax",
                "mov rdi, [rsp + 16]",
                "mov rsi, [rsp + 8]",
                "call {again}",
                "jmp 2b",
                "3:",
                "add rsp, 24",
                ".cfi_adjust_cfa_offset -24",
                "ret",
                ".cfi_endproc",
                first = sym $first,
                again = sym $again,
                next = sym $crate::operators::cxx::next,
            );
            #[cfg(target_arch = "aarch64")]
            core::arch::naked_asm!(
                ".cfi_startproc",
                "stp x29, x30, [sp, #-32]!",
                ".cfi_adjust_cfa_offset 32",
                ".cfi_rel_offset x29, 0",
                ".cfi_rel_offset x30, 8",
                "stp x0, x1, [sp, #16]",
                "bl {first}",
                "2:",
                "cbnz x0, 3f",
                "ldr x0, [sp, #16]",
                "bl {next}",
                "blr x0",
                "ldp x0, x1, [sp, #16]",
                "bl {again}",
                "b 2b",
                "3:",
                "ldp x29, x30, [sp], #32",
                ".cfi_adjust_cfa_offset -32",
                ".cfi_restore x29",
                ".cfi_restore x30",
                "ret",
                ".cfi_endproc",
                first = sym $first,
                again = sym $again,
                next = sym $crate::operators::cxx::next,
            );
        }
    };
}
pub(crate) use body;

extern "C" fn malloc(size: usize) -> *mut u8 {
    entry::malloc::<false>(size)
}

body! {
    /// The slow path of the forms without an alignment. What the second register happens to hold goes unused.
    pub fn slow(size: usize) = entry::resume::<false>, malloc
}
