//! The profiler of the process, and the code that it never shows.

use core::ops::Range;

use prof_runtime::Profiler;

/// See the module's head.
pub static PROFILER: Profiler = Profiler::new();

/// Code that no stack shows: where the functions with this section's name are.
pub fn text() -> Range<usize> {
    unsafe extern "C" {
        static __start_profiled_text: u8;
        static __stop_profiled_text: u8;
    }
    // Keeps the section where no wrapped allocator is: the linker would drop it, and then miss the symbols.
    core::hint::black_box(first as fn());
    (&raw const __start_profiled_text).addr()..(&raw const __stop_profiled_text).addr()
}

/// What is always in the section.
#[unsafe(link_section = "profiled_text")]
fn first() {}
