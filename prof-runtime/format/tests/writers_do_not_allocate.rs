//! Writers run inside an allocator, with its locks held: one allocation could wait for itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::convert::Infallible;

use prof_format::any::write;
use prof_format::gzip::{Gzip, GzipState};
use prof_format::snapshot::{Sink, Snapshot};
use prof_format::testing::{Random, VecSnapshot};
use prof_format::vocab::Format;

thread_local! {
    /// Allocations of this thread.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to `System` unchanged; counting touches a `const`-initialised thread-local without
// destructor, which does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promises about `layout` are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller got `pointer` from `alloc` above, so from `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Takes bytes and keeps only their number.
#[derive(Default)]
struct Measure(usize);

impl Sink for Measure {
    type Error = Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0 += bytes.len();
        Ok(())
    }
}

/// Allocations made by `work`.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn no_format_allocates_gzipped_or_not() {
    let snapshot = VecSnapshot::random(&mut Random::new(1), 1 << 16, true, 200);
    assert!(snapshot.stacks() == 200 && allocations(|| drop(Box::new(1))) == 1, "the counter counts");
    let mut state = Box::new(GzipState::new());
    for format in Format::ALL {
        let mut plain = Measure::default();
        let while_writing = allocations(|| {
            let Ok(()) = write(format, &snapshot, &mut plain);
        });
        assert_eq!(while_writing, 0, "{}", format.name());
        let mut packed = Measure::default();
        let while_packing = allocations(|| {
            let mut gzip = Gzip::new(&mut packed, &mut state);
            let Ok(()) = write(format, &snapshot, &mut gzip);
            let Ok(_) = gzip.finish();
        });
        assert_eq!(while_packing, 0, "{} gzipped", format.name());
        assert!(plain.0 > 10_000 && packed.0 < plain.0, "{} and {} bytes", plain.0, packed.0);
    }
}
