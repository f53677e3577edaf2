//! x86-64 Linux. Source: System V psABI (DWARF numbers), kernel `struct ucontext` and `struct sigcontext`.

use core::arch::asm;

use gimli::{Register, Vendor};

use super::{Regs, SignalFrame};

/// DWARF number of `rbp`.
pub const FP: Register = Register(6);
/// DWARF number of `rsp`.
pub const SP: Register = Register(7);
/// DWARF number of the return address column.
pub const RA: Register = Register(16);

/// Where calls leave the return address, as a byte offset from the CFA.
pub const PUSHED_RA: Option<i64> = Some(-8);

/// Whose extensions call-frame information may use: no extensions.
pub const VENDOR: Vendor = Vendor::Default;

/// When the signal trampoline runs, `rsp` points at the `ucontext`; the offsets are those of its `gregs`.
pub const SIGNAL_FRAME: SignalFrame = SignalFrame { pc: 168, sp: 160, fp: 120, lr: None };

/// `mov $__NR_rt_sigreturn, %rax; syscall`: the trampoline of libcs that give it no call-frame information (musl).
pub const SIGRETURN_CODE: &[u8] = &[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];

/// `jmp *slot(%rip)`: stubs between modules, which linkers other than GNU's give no call-frame information. Nothing
/// was pushed there, so the return address is on top of the stack.
pub const JUMP_STUB: Option<&[u8]> = Some(&[0xff, 0x25]);

/// The registers at a place inside the function that this is inlined into.
#[inline(always)]
pub fn capture() -> Regs {
    let (pc, sp, fp);
    // SAFETY: three register reads; nothing is written but the outputs.
    unsafe {
        asm!(
            "lea {pc}, [rip]",
            "mov {sp}, rsp",
            "mov {fp}, rbp",
            pc = out(reg) pc,
            sp = out(reg) sp,
            fp = out(reg) fp,
            options(nomem, nostack, preserves_flags),
        );
    }
    Regs { pc, sp, fp, lr: 0 }
}

/// The thread pointer: in glibc and musl it lies above the stack of a thread that they made.
#[inline]
pub fn thread_pointer() -> usize {
    let tp;
    // SAFETY: the psABI puts the thread pointer's own value at `fs:0`.
    unsafe { asm!("mov {}, fs:0", out(reg) tp, options(nostack, preserves_flags, readonly, pure)) };
    tp
}

/// Whether the word at `at` is the one that a thread's record begins with, to which its thread pointer points.
pub fn begins_thread_record(at: usize, word: usize) -> bool {
    // As the psABI says: see [`thread_pointer`].
    word == at
}

/// The registers that functions leave as they were, at a place inside the function that this is inlined into.
#[inline(always)]
pub fn preserved() -> [usize; 6] {
    let mut registers = [0; 6];
    // SAFETY: stores registers into the array, whose address is given; nothing else is written.
    unsafe {
        asm!(
            "mov [{to}], rbx",
            "mov [{to} + 8], rbp",
            "mov [{to} + 16], r12",
            "mov [{to} + 24], r13",
            "mov [{to} + 32], r14",
            "mov [{to} + 40], r15",
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
            // A static program has none.
            ".weak _DYNAMIC",
            ".hidden _end",
            "lea {header}, [rip + __ehdr_start]",
            "lea {start}, [rip + _DYNAMIC]",
            "lea {end}, [rip + _end]",
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
            "mov {}, qword ptr [rip + _dl_find_object@GOTPCREL]",
            out(reg) address,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    address
}

/// The code address in a saved program counter.
#[inline(always)]
pub fn strip(pc: usize) -> usize {
    pc
}
