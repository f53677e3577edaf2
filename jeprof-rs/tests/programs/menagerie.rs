//! Writes a heap profile of itself, whose true stacks can be read here and in `keeper`.

use std::fmt::{Debug, Write};

use keeper::{Stacks, record};

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
    act(stacks); // line: twice
    std::hint::black_box(());
}

fn main() {
    let mut stacks = Vec::new();
    Cat.call(&mut stacks); // line: main trait
    generic_site::<u32>(&mut stacks); // line: main generic
    den::outer_site(&mut stacks); // line: main outer
    // The call counts for the line on which it starts.
    twice(&mut stacks, |stacks| { // line: main twice
        record(stacks, 8000); // line: closure
        std::hint::black_box(());
    });
    keeper::cage::shared::<u16>(&mut stacks); // line: main shared
    keeper::kept(&mut stacks); // line: main kept
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
