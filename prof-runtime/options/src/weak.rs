//! Symbols that another part of the program may define, or nobody: its variables and functions that are options, too.

/// Address of the symbol of this name, as a `*const T`; null when nobody defines it.
///
/// By `.weakref`, which leaves the binding of the symbol alone: with `.weak`, a Rust program that defines the symbol
/// itself does not get through link-time optimization ("changed binding").
#[macro_export]
macro_rules! weak_symbol {
    ($name:literal) => {{
        let at: *const core::ffi::c_void;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: loads the address of a symbol from the global offset table, which the loader has filled.
        unsafe {
            core::arch::asm!(
                concat!(".weakref .Lprof_options.", $name, ", ", $name),
                concat!("mov {at}, qword ptr [rip + .Lprof_options.", $name, "@GOTPCREL]"),
                at = out(reg) at, options(pure, readonly, nostack, preserves_flags)
            );
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        unsafe {
            core::arch::asm!(
                concat!(".weakref .Lprof_options.", $name, ", ", $name),
                concat!("adrp {at}, :got:.Lprof_options.", $name),
                concat!("ldr {at}, [{at}, :got_lo12:.Lprof_options.", $name, "]"),
                at = out(reg) at, options(pure, readonly, nostack, preserves_flags)
            );
        }
        at.cast()
    }};
}
