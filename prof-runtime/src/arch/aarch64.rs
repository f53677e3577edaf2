//! AArch64 Linux. Source: DWARF for the Arm 64-bit Architecture (numbers), kernel `struct rt_sigframe`.

use core::arch::asm;

use gimli::{Register, Vendor};

use super::{Regs, SignalFrame};

/// DWARF number of `x29`.
pub const FP: Register = Register(29);
/// DWARF number of `sp`.
pub const SP: Register = Register(31);
/// DWARF number of `x30`, in which the return address is found or whose saved copy it is.
pub const RA: Register = Register(30);

/// Where calls leave the return address: in a register, and functions where they like.
pub const PUSHED_RA: Option<i64> = None;

/// Whose extensions call-frame information may use: pointer authentication.
pub const VENDOR: Vendor = Vendor::AArch64;

/// When the signal trampoline runs, `sp` points at `struct rt_sigframe`: 128 bytes of `siginfo`, then the `ucontext`
/// whose `mcontext` begins at 176 with the fault address, followed by `x0..x30`, `sp`, `pc`.
pub const SIGNAL_FRAME: SignalFrame =
    SignalFrame { pc: 312 + 32 * 8, sp: 312 + 31 * 8, fp: 312 + 29 * 8, lr: Some(312 + 30 * 8) };

/// `mov x8, #__NR_rt_sigreturn; svc #0`: the trampoline where it has no call-frame information.
pub const SIGRETURN_CODE: &[u8] = &[0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4];

/// Stubs between modules have no single telling instruction here.
pub const JUMP_STUB: Option<&[u8]> = None;

/// The registers at a place inside the function that this is inlined into.
#[inline(always)]
pub fn capture() -> Regs {
    let (pc, sp, fp, lr);
    // SAFETY: four register reads; nothing is written but the outputs.
    unsafe {
        asm!(
            "adr {pc}, .",
            "mov {sp}, sp",
            "mov {fp}, x29",
            "mov {lr}, x30",
            pc = out(reg) pc,
            sp = out(reg) sp,
            fp = out(reg) fp,
            lr = out(reg) lr,
            options(nomem, nostack, preserves_flags),
        );
    }
    Regs { pc, sp, fp, lr }
}

/// The thread pointer: in glibc and musl it lies above the stack of a thread that they made.
#[inline]
pub fn thread_pointer() -> usize {
    let tp;
    // SAFETY: reads a register that user code may read.
    unsafe { asm!("mrs {}, tpidr_el0", out(reg) tp, options(nomem, nostack, preserves_flags, pure)) };
    tp
}

/// Whether the word at `at` is the one that a thread's record begins with, to which its thread pointer points: on this
/// machine it says nothing.
pub fn begins_thread_record(_at: usize, _word: usize) -> bool {
    false
}

/// The registers that functions leave as they were, at a place inside the function that this is inlined into.
#[inline(always)]
pub fn preserved() -> [usize; 12] {
    let mut registers = [0; 12];
    // SAFETY: stores registers into the array, whose address is given; nothing else is written.
    unsafe {
        asm!(
            "stp x19, x20, [{to}]",
            "stp x21, x22, [{to}, #16]",
            "stp x23, x24, [{to}, #32]",
            "stp x25, x26, [{to}, #48]",
            "stp x27, x28, [{to}, #64]",
            "str x29, [{to}, #80]",
            to = in(reg) registers.as_mut_ptr(),
            options(nostack, preserves_flags),
        );
    }
    registers
}

/// Where the module begins that this code is part of, and the range of its data from the dynamic section on.
///
/// The linker defines these names in each module; hidden, they are this module's own.
pub fn own_module() -> (usize, core::ops::Range<usize>) {
    let (header, start, end);
    // SAFETY: computes three addresses; no memory is looked at.
    unsafe {
        asm!(
            ".hidden __ehdr_start",
            ".hidden _DYNAMIC",
            ".hidden _end",
            "adrp {header}, __ehdr_start",
            "add {header}, {header}, :lo12:__ehdr_start",
            "adrp {start}, _DYNAMIC",
            "add {start}, {start}, :lo12:_DYNAMIC",
            "adrp {end}, _end",
            "add {end}, {end}, :lo12:_end",
            header = out(reg) header,
            start = out(reg) start,
            end = out(reg) end,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    (header, start..end)
}

/// Address of the C library's `_dl_find_object`, 0 where it has none (musl, glibc before 2.35, static programs).
///
/// A weak reference instead of `dlsym`: that allocates when it finds nothing, and we are the allocator.
pub fn find_object_address() -> usize {
    let address;
    // SAFETY: reads a linker-filled slot of the global offset table of this very module.
    unsafe {
        asm!(
            ".weak _dl_find_object",
            "adrp {0}, :got:_dl_find_object",
            "ldr {0}, [{0}, :got_lo12:_dl_find_object]",
            out(reg) address,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    address
}

/// The code address in a saved program counter: without the pointer-authentication code in its upper bits.
#[inline(always)]
pub fn strip(pc: usize) -> usize {
    pc & 0x0000_ffff_ffff_ffff
}
