//! The life of a sampled object, without the allocator: what is not generic.

use core::alloc::Layout;

use prof_runtime::{Objects, SampleRef, Sampled};

use crate::alignment::with_align;
use crate::profiler::PROFILER;
use crate::{end, start, thread};

static OBJECTS: Objects = Objects::new();

/// A request of `size` bytes made the count of its thread negative: samples it, if it is its turn. Then comes [`born`], or
/// [`retract`]. `conf` is what the program says of options, for the first call.
#[cold]
#[inline(never)]
#[unsafe(link_section = "profiled_text")]
pub fn due(size: usize, conf: &'static str) -> Option<SampleRef> {
    start::ensure(conf);
    thread::with(|thread| {
        let rate = thread.due(&PROFILER, size)?;
        if !thread.watched.replace(true) {
            end::watch();
        }
        PROFILER.sample(&thread.prof, rate, size as u64, size as u64)
    })
}

/// The sampled object exists now, and was asked for with `layout`. False when it cannot be remembered, and is not sampled
/// therefore.
pub fn born(sample: SampleRef, object: *mut u8, layout: Layout) -> bool {
    let note = layout.align().trailing_zeros() as u8;
    if !OBJECTS.add(object.addr(), Sampled { sample, note }) {
        retract(sample);
        return false;
    }
    thread::with(|thread| PROFILER.born(&thread.prof, sample, object, object.addr()));
    true
}

/// There is no object to what was just sampled.
pub fn retract(sample: SampleRef) {
    PROFILER.retract(sample);
}

/// A sampled object that the caller owns.
#[derive(Clone, Copy)]
pub struct Held {
    sample: SampleRef,
    /// Bytes that the program asked for.
    size: usize,
    /// What it was asked for with.
    pub layout: Layout,
}

/// What is known of an object that the caller owns; `None` when it is not sampled.
pub fn held(object: *mut u8, layout: Layout) -> Option<Held> {
    let Sampled { sample, note } = OBJECTS.get(object.addr())?;
    let align = 1 << note;
    let asked = if align == layout.align() { layout } else { with_align(layout, align) };
    Some(Held { sample, size: layout.size(), layout: asked })
}

impl Held {
    /// The address is about to be given back, and may be another object's at once.
    pub fn forget(self, object: *mut u8) {
        OBJECTS.remove(object.addr());
    }

    /// What was forgotten is there still. False when there is no memory to remember it.
    pub fn keep(self, object: *mut u8) -> bool {
        let note = self.layout.align().trailing_zeros() as u8;
        OBJECTS.add(object.addr(), Sampled { sample: self.sample, note })
    }

    /// The object is dead, or about to be.
    #[unsafe(link_section = "profiled_text")]
    pub fn end(self, object: *mut u8) {
        thread::with(|thread| {
            PROFILER.unsample(Some(&thread.prof), self.sample, object, self.size as u64);
        });
    }
}
