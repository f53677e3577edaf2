//! Static probes, as SystemTap's `sys/sdt.h` makes them and gdb, perf, bpftrace and eBPF profilers know them: one `nop` in
//! the code, and a note in the file that says where it is, what it is called and where its arguments are. Nobody looks:
//! it costs the `nop`, and that its arguments are in registers.

/// A probe at this place of the code: `probe!("provider", "name", first = value, second = value)`, each value of 64 bits.
///
/// `.stapsdt.base` is one byte whose address the notes repeat, so that a tool sees by how much a file was moved after it
/// was linked. Nothing refers to it but notes, which do not count where a linker throws out what is not used, so the
/// section says that it is to be kept (`R`).
#[macro_export]
macro_rules! probe {
    ($provider:literal, $name:literal, $first:ident = $value:expr $(, $other:ident = $of_other:expr)*) => {{
        let $first: u64 = $value;
        $(let $other: u64 = $of_other;)*
        // SAFETY: the machine executes one `nop`; the rest describes it in a section that is not loaded, and reads the
        // names of the registers that the values are in.
        unsafe {
            core::arch::asm!(
                "990:",
                "nop",
                ".pushsection .note.stapsdt,\"\",\"note\"",
                ".balign 4",
                ".4byte 992f-991f, 994f-993f, 3",
                "991:",
                ".asciz \"stapsdt\"",
                "992:",
                ".balign 4",
                "993:",
                ".8byte 990b",
                ".8byte _.stapsdt.base",
                ".8byte 0",
                concat!(".asciz \"", $provider, "\""),
                concat!(".asciz \"", $name, "\""),
                concat!(
                    ".asciz \"8@", $crate::probe_register!($first),
                    $(" 8@", $crate::probe_register!($other),)*
                    "\""
                ),
                "994:",
                ".balign 4",
                ".popsection",
                ".ifndef _.stapsdt.base",
                ".pushsection .stapsdt.base,\"aGR\",\"progbits\",.stapsdt.base,comdat",
                ".weak _.stapsdt.base",
                ".hidden _.stapsdt.base",
                "_.stapsdt.base:",
                ".space 1",
                ".size _.stapsdt.base, 1",
                ".popsection",
                ".endif",
                $first = in(reg) $first,
                $($other = in(reg) $other,)*
                options(readonly, nostack, preserves_flags),
            );
        }
    }};
}

/// The register that holds a value, as tools expect it on this machine.
#[cfg(target_arch = "x86_64")]
#[doc(hidden)]
#[macro_export]
macro_rules! probe_register {
    ($name:ident) => {
        concat!("%{", stringify!($name), "}")
    };
}

/// The register that holds a value, as tools expect it on this machine.
#[cfg(target_arch = "aarch64")]
#[doc(hidden)]
#[macro_export]
macro_rules! probe_register {
    ($name:ident) => {
        concat!("{", stringify!($name), "}")
    };
}
