//! One cache line of thread-local storage, reached in two instructions from stable Rust.
//!
//! `thread_local!` in a shared library compiles to a call of `__tls_get_addr`; a symbol in a `.tdata` section that
//! assembly defines and reads through its GOT entry (initial-exec model) does not. The linker relaxes it further
//! in executables. Cost: the library gets `STATIC_TLS`; one cache line fits glibc's surplus for `dlopen`.
//!
//! Layout: word 0 the thread's block, word 1 its [`Phase`], words 2 and 3 its [`Counter`]s. All are zero in a new thread but
//! the first, which leads to [`nobody`]'s block: whoever uses it needs no test for threads that have none.

use core::arch::global_asm;
use core::sync::atomic::AtomicU64;

// The version in the symbol lets two versions of this crate live in one program.
// Section types with `%`, which assemblers for both processors take: on aarch64 `@` begins a comment.
global_asm!(
    ".pushsection .tdata.jealloc,\"awT\",%progbits",
    ".globl jealloc_tls_0_1",
    ".hidden jealloc_tls_0_1",
    ".type jealloc_tls_0_1,%object",
    ".size jealloc_tls_0_1,64",
    ".p2align 6",
    "jealloc_tls_0_1:",
    ".8byte jealloc_nobody_0_1",
    ".zero 56",
    ".popsection",
    ".pushsection .bss.jealloc,\"aw\",%nobits",
    ".globl jealloc_nobody_0_1",
    ".hidden jealloc_nobody_0_1",
    ".type jealloc_nobody_0_1,%object",
    ".size jealloc_nobody_0_1,{nobody}",
    ".p2align 6",
    "jealloc_nobody_0_1:",
    ".zero {nobody}",
    ".popsection",
    nobody = const NOBODY_BYTES,
);

/// Bytes of [`nobody`]'s block, which are zero.
pub const NOBODY_BYTES: usize = 10432;

unsafe extern "C" {
    #[link_name = "jealloc_nobody_0_1"]
    static NOBODY: [AtomicU64; NOBODY_BYTES / 8];
}

/// What a thread's word 1 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Phase {
    /// Has not allocated yet.
    Fresh = 0,
    /// Is being set up: calls from inside are served without a cache.
    Starting = 1,
    /// Has its block.
    Live = 2,
    /// Gave its block back at thread exit; calls after that are served without a cache.
    Exited = 3,
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn load<const WORD: usize>() -> usize {
    let value;
    // SAFETY: reads a word of the calling thread's own TLS block, which exists as long as the thread does.
    unsafe {
        core::arch::asm!(
            "mov {at}, qword ptr [rip + jealloc_tls_0_1@GOTTPOFF]",
            "mov {value}, qword ptr fs:[{at} + {offset}]",
            at = out(reg) _, value = out(reg) value, offset = const WORD * 8,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    value
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn store<const WORD: usize>(value: usize) {
    // SAFETY: writes a word of the calling thread's own TLS block; only this module knows the word.
    unsafe {
        core::arch::asm!(
            "mov {at}, qword ptr [rip + jealloc_tls_0_1@GOTTPOFF]",
            "mov qword ptr fs:[{at} + {offset}], {value}",
            at = out(reg) _, value = in(reg) value, offset = const WORD * 8,
            options(nostack, preserves_flags)
        );
    }
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn line() -> *mut usize {
    let at: *mut usize;
    // SAFETY: computes the address of the calling thread's own TLS object and reads no memory but the GOT.
    unsafe {
        core::arch::asm!(
            "adrp {at}, :gottprel:jealloc_tls_0_1",
            "ldr {at}, [{at}, :gottprel_lo12:jealloc_tls_0_1]",
            "mrs {tp}, tpidr_el0",
            "add {at}, {at}, {tp}",
            at = out(reg) at, tp = out(reg) _,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    at
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn load<const WORD: usize>() -> usize {
    // SAFETY: the line is 64 bytes of the calling thread's own TLS, and WORD is below 8.
    unsafe { *line().add(WORD) }
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn store<const WORD: usize>(value: usize) {
    // SAFETY: as in `load`.
    unsafe { *line().add(WORD) = value }
}

/// A number that no other live thread has: where the thread's own memory begins. One instruction.
#[inline(always)]
pub fn identity() -> usize {
    let at;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: by the ABI the first word of a thread's static storage holds its own address, for the thread's life.
    unsafe {
        core::arch::asm!("mov {at}, qword ptr fs:[0]", at = out(reg) at,
            options(pure, readonly, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: reads a register.
    unsafe {
        core::arch::asm!("mrs {at}, tpidr_el0", at = out(reg) at, options(pure, nomem, nostack, preserves_flags));
    }
    at
}

/// The calling thread's block; [`nobody`]'s before the thread's first allocation and after its exit.
#[inline(always)]
pub fn block() -> *mut u8 {
    load::<0>() as *mut u8
}

/// The block of threads that have none: [`NOBODY_BYTES`] bytes, aligned to a cache line, zero at first, which all of them
/// share.
#[inline]
pub fn nobody() -> *mut u8 {
    // Its address only: nothing is read.
    (&raw const NOBODY).cast_mut().cast()
}

/// Sets [`block`].
pub fn set_block(block: *mut u8) {
    store::<0>(block as usize);
}

/// The calling thread's phase.
pub fn phase() -> Phase {
    match load::<1>() {
        0 => Phase::Fresh,
        1 => Phase::Starting,
        2 => Phase::Live,
        _ => Phase::Exited,
    }
}

/// Sets [`phase`].
pub fn set_phase(phase: Phase) {
    store::<1>(phase as usize);
}

/// What a thread counts without a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Slabs that it took.
    Slabs,
    /// Large objects that it took.
    Large,
}

/// Counts one, but not to `n` unless `ready`; whether that makes `n`, after which the count begins anew.
pub fn every(n: usize, counter: Counter, ready: bool) -> bool {
    let count = match counter {
        Counter::Slabs => load::<2>(),
        Counter::Large => load::<3>(),
    } + 1;
    let full = ready && count >= n;
    let next = if full { 0 } else { count.min(n - 1) };
    match counter {
        Counter::Slabs => store::<2>(next),
        Counter::Large => store::<3>(next),
    }
    full
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn each_thread_counts_each_thing_for_itself() {
        let counted = |n, counter| [(); 7].map(|()| every(n, counter, true));
        let third = [false, false, true, false, false, true, false];
        std::thread::spawn(move || {
            assert_eq!(counted(3, Counter::Slabs), third);
            assert_eq!(counted(3, Counter::Large), third);
            std::thread::spawn(move || assert_eq!(counted(3, Counter::Slabs), third)).join().unwrap();
            assert_eq!(
                [true, false, false, true].map(|ready| every(3, Counter::Large, ready)),
                [false, false, false, true]
            );
            assert_eq!(counted(1, Counter::Large), [true; 7]);
        })
        .join()
        .unwrap();
    }
}
