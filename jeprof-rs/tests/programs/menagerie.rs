//! Writes a heap profile of itself, whose true stacks can be read here.

use std::ffi::{c_int, c_void};
use std::fmt::{Debug, Write};

unsafe extern "C" {
    fn backtrace(buffer: *mut *mut c_void, size: c_int) -> c_int;
}

type Stacks = Vec<(usize, Vec<usize>)>;

#[inline(never)]
fn record(stacks: &mut Stacks, bytes: usize) {
    let mut found = [std::ptr::null_mut(); 64];
    // SAFETY: glibc writes at most 64 pointers into the array.
    let depth = unsafe { backtrace(found.as_mut_ptr(), 64) };
    stacks.push((bytes, found[1..depth as usize].iter().map(|&address| address as usize).collect()));
    std::hint::black_box(stacks);
}

trait Voice {
    fn call(&self, stacks: &mut Stacks);
}

struct Cat;

impl Voice for Cat {
    #[inline(never)]
    fn call(&self, stacks: &mut Stacks) {
        record(stacks, 1000); // line: trait
        std::hint::black_box(());
    }
}

#[inline(never)]
fn generic_site<T: Debug + Default>(stacks: &mut Stacks) {
    std::hint::black_box(T::default());
    record(stacks, 2000); // line: generic
    std::hint::black_box(());
}

#[inline(always)]
fn inlined_site(stacks: &mut Stacks) {
    record(stacks, 4000); // line: inlined
}

mod den {
    #[inline(never)]
    pub fn outer_site(stacks: &mut super::Stacks) {
        super::inlined_site(stacks); // line: outer
        std::hint::black_box(());
    }
}

#[inline(never)]
fn twice(stacks: &mut Stacks, act: impl Fn(&mut Stacks)) {
    act(stacks);
    std::hint::black_box(());
}

fn main() {
    let mut stacks = Vec::new();
    Cat.call(&mut stacks);
    generic_site::<u32>(&mut stacks);
    den::outer_site(&mut stacks);
    twice(&mut stacks, |stacks| {
        record(stacks, 8000);
        std::hint::black_box(());
    });
    let mut text = String::from("heap_v2/1\n  t*: 0: 0 [0: 0]\n");
    for (bytes, frames) in &stacks {
        write!(text, "@ {:#x}", frames[0] - 1).unwrap();
        frames[1..].iter().for_each(|address| write!(text, " {address:#x}").unwrap());
        write!(text, "\n  t*: 1: {bytes} [0: 0]\n").unwrap();
    }
    text += "\nMAPPED_LIBRARIES:\n";
    text += &std::fs::read_to_string("/proc/self/maps").unwrap();
    std::fs::write(std::env::args().last().unwrap(), text).unwrap();
}
