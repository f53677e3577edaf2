//! A crate of its own below `menagerie`: the recorder, and functions that end up in the program by inlining, as
//! instances of generics, or as plain calls.

use std::ffi::{c_int, c_void};

unsafe extern "C" {
    fn backtrace(buffer: *mut *mut c_void, size: c_int) -> c_int;
}

pub type Stacks = Vec<(usize, Vec<usize>)>;

#[inline(never)]
pub fn record(stacks: &mut Stacks, bytes: usize) {
    let mut found = [std::ptr::null_mut(); 64];
    // SAFETY: glibc writes at most 64 pointers into the array.
    let depth = unsafe { backtrace(found.as_mut_ptr(), 64) };
    stacks.push((bytes, found[1..depth as usize].iter().map(|&address| address as usize).collect()));
    std::hint::black_box(stacks);
}

#[inline(always)]
fn deep(stacks: &mut Stacks) {
    record(stacks, 16000); // line: deep
}

/// Inlined into another crate, with `deep` inlined into it.
#[inline(always)]
pub fn bridge(stacks: &mut Stacks) {
    deep(stacks); // line: bridge
}

/// Compiled in this crate.
#[inline(never)]
pub fn kept(stacks: &mut Stacks) {
    record(stacks, 32000); // line: kept
    std::hint::black_box(());
}

pub mod cage {
    /// Compiled in the crate that uses it.
    #[inline(never)]
    pub fn shared<T: Default>(stacks: &mut super::Stacks) {
        std::hint::black_box(T::default());
        super::bridge(stacks); // line: shared
        std::hint::black_box(());
    }
}
