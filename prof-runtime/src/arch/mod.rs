//! What depends on the machine: registers, the signal frame, DWARF numbers, the loader's lookup. Same names in each.

#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod machine;

#[cfg(target_arch = "aarch64")]
#[path = "aarch64.rs"]
mod machine;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the unwinder knows x86_64 and aarch64 Linux");

pub use machine::*;

/// The registers that unwinding follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Regs {
    /// Where execution is, or will continue.
    pub pc: usize,
    /// Stack pointer.
    pub sp: usize,
    /// Frame pointer register, whatever the code uses it for.
    pub fp: usize,
    /// Link register; 0 where there is none or its value is not known.
    pub lr: usize,
}

/// Byte offsets from the stack pointer at which the kernel saved the interrupted registers.
#[derive(Clone, Copy)]
pub struct SignalFrame {
    /// Program counter.
    pub pc: usize,
    /// Stack pointer.
    pub sp: usize,
    /// Frame pointer register.
    pub fp: usize,
    /// Link register, on machines that have one.
    pub lr: Option<usize>,
}
