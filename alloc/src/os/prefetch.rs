//! Hints to the processor.

use core::arch::asm;

/// Asks for the cache line at an address, which may be any, to be written to soon. One instruction; processors without it take it
/// for none.
#[inline(always)]
pub fn to_write(address: *mut u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch accesses nothing that the program could notice, and does not fault, whatever the address.
    unsafe {
        asm!("prefetchw [{}]", in(reg) address, options(nostack, preserves_flags, readonly))
    };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        asm!("prfm pstl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly))
    };
}
