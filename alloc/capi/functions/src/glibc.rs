//! What glibc offers besides the malloc family, answered from our statistics. glibc's own would describe its heap,
//! which nothing uses.

use core::ffi::{c_int, c_void};
use core::fmt::{self, Write};

use jealloc::ctl::{self, CtlError};
use jealloc::stats::{self, Totals};

use crate::set_errno;

/// `reallocarray(3)`
///
/// # Safety
/// As realloc(3).
#[inline(always)]
pub unsafe fn reallocarray(object: *mut c_void, number: usize, size: usize) -> *mut c_void {
    match number.checked_mul(size) {
        // SAFETY: by the caller's promises.
        Some(bytes) => unsafe { crate::standard::realloc(object, bytes) },
        None => {
            set_errno(libc::ENOMEM);
            jealloc::entry::refuse(usize::MAX).cast()
        }
    }
}

/// Pages that purging could give back, in bytes.
fn unused(totals: &Totals) -> usize {
    totals.dirty + totals.muzzy
}

/// `malloc_trim(3)`: flushes the calling thread's cache and purges every arena, whatever should be kept; 1 when there
/// was something to give back.
pub fn malloc_trim(_pad: usize) -> c_int {
    // Fails in a thread without a cache, which has nothing to flush.
    let _ = ctl::call(c"thread.tcache.flush");
    let before = stats::totals();
    let purged = ctl::call(c"arena.4096.purge").is_ok();
    (purged && unused(&before) > 0) as c_int
}

/// `struct mallinfo2`: bytes, but for the two counts.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Mallinfo2 {
    /// Bytes in use or unused, but not given back: `stats.mapped`.
    pub arena: usize,
    /// Runs of unused memory; not counted here.
    pub ordblks: usize,
    /// Objects in fast bins; not counted here.
    pub smblks: usize,
    /// Objects mapped one by one: there are none, arenas hold them all.
    pub hblks: usize,
    /// Their bytes.
    pub hblkhd: usize,
    /// Zero by glibc's manual.
    pub usmblks: usize,
    /// Bytes in thread caches.
    pub fsmblks: usize,
    /// Bytes of live objects: `stats.allocated`.
    pub uordblks: usize,
    /// The rest of `arena`.
    pub fordblks: usize,
    /// Bytes that `malloc_trim` would give back.
    pub keepcost: usize,
}

/// `struct mallinfo`: the same in `int`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Mallinfo {
    pub arena: c_int,
    pub ordblks: c_int,
    pub smblks: c_int,
    pub hblks: c_int,
    pub hblkhd: c_int,
    pub usmblks: c_int,
    pub fsmblks: c_int,
    pub uordblks: c_int,
    pub fordblks: c_int,
    pub keepcost: c_int,
}

/// `mallinfo2(3)`
pub fn mallinfo2() -> Mallinfo2 {
    let totals = stats::totals();
    Mallinfo2 {
        arena: totals.mapped,
        fsmblks: totals.tcache_bytes,
        uordblks: totals.allocated,
        fordblks: totals.mapped.saturating_sub(totals.allocated),
        keepcost: unused(&totals),
        ..Mallinfo2::default()
    }
}

/// `mallinfo(3)`. glibc's figures wrap around; a figure that does not fit is the largest that does, here.
pub fn mallinfo() -> Mallinfo {
    let wide = mallinfo2();
    let narrow = |bytes: usize| c_int::try_from(bytes).unwrap_or(c_int::MAX);
    Mallinfo {
        arena: narrow(wide.arena),
        fsmblks: narrow(wide.fsmblks),
        uordblks: narrow(wide.uordblks),
        fordblks: narrow(wide.fordblks),
        keepcost: narrow(wide.keepcost),
        ..Mallinfo::default()
    }
}

/// Android's name for purging at once, with jemalloc.
const M_PURGE: c_int = -101;
/// Android's name for the decay of unused pages: on or off.
const M_DECAY_TIME: c_int = -100;
/// glibc's `M_MXFAST`.
const M_MXFAST: c_int = 1;
/// glibc's own other parameters, `M_TRIM_THRESHOLD` to `M_ARENA_MAX`.
const GLIBC_PARAMETERS: core::ops::RangeInclusive<c_int> = -8..=-1;

/// `mallopt(3)`. Android's two parameters do what they do on its jemalloc: `M_PURGE` purges, `M_DECAY_TIME` with 0
/// gives unused pages back at once from now on, with 1 after the time that `dirty_decay_ms` says. glibc's parameters
/// are about how glibc's heap is laid out, which has no counterpart: they are accepted, as programs expect, with the
/// effect that they have there on an unused heap, none.
pub fn mallopt(parameter: c_int, value: c_int) -> c_int {
    let done = match parameter {
        M_PURGE => ctl::call(c"arena.4096.purge").is_ok(),
        M_DECAY_TIME if value == 0 => set_decay(0),
        M_DECAY_TIME if value == 1 => ctl::read(c"opt.dirty_decay_ms").is_ok_and(set_decay),
        M_MXFAST => (0..=160).contains(&value),
        _ => GLIBC_PARAMETERS.contains(&parameter),
    };
    done as c_int
}

/// Sets how long arenas keep dirty pages: those that exist, and those that will.
fn set_decay(ms: isize) -> bool {
    let narenas = ctl::read::<u32>(c"arenas.narenas").unwrap_or(0);
    let each = (0..narenas as usize).all(|arena| {
        let mut mib = [0; 3];
        if ctl::name_to_mib(b"arena.0.dirty_decay_ms", &mut mib) != Ok(3) {
            return false;
        }
        mib[1] = arena;
        // An arena that was not made yet takes the default when it is.
        matches!(ctl::write_mib(&mib, ms), Ok(()) | Err(CtlError::NotFound | CtlError::Failed))
    });
    each && ctl::write(c"arenas.dirty_decay_ms", ms).is_ok()
}

/// `malloc_stats(3)`: the report, where messages go.
pub fn malloc_stats() {
    stats::print(b"");
}

/// A stream of C's standard library as a place for text.
struct Stream {
    file: *mut libc::FILE,
}

impl Write for Stream {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: by the promise of `malloc_info` the stream is open; the text has as many bytes as it says.
        let n = unsafe { libc::fwrite(text.as_ptr().cast(), 1, text.len(), self.file) };
        if n == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// `malloc_info(3)`: the sums of the process as XML, in glibc's form. -1 with `EINVAL` for options other than 0, and
/// -1 when the stream takes no more.
///
/// # Safety
/// `stream` is an open stream of C's standard library.
pub unsafe fn malloc_info(options: c_int, stream: *mut c_void) -> c_int {
    if options != 0 {
        set_errno(libc::EINVAL);
        return -1;
    }
    let totals = stats::totals();
    let mut stream = Stream { file: stream.cast() };
    let written = writeln!(
        stream,
        "<malloc version=\"1\">\n\
         <total type=\"fast\" count=\"0\" size=\"{}\"/>\n\
         <total type=\"rest\" count=\"0\" size=\"{}\"/>\n\
         <total type=\"mmap\" count=\"0\" size=\"0\"/>\n\
         <system type=\"current\" size=\"{}\"/>\n\
         <system type=\"max\" size=\"{}\"/>\n\
         <aspace type=\"total\" size=\"{}\"/>\n\
         <aspace type=\"mprotect\" size=\"{}\"/>\n\
         </malloc>",
        totals.tcache_bytes,
        totals.mapped.saturating_sub(totals.allocated + totals.tcache_bytes),
        totals.mapped,
        totals.mapped,
        totals.mapped + totals.retained,
        totals.mapped,
    );
    if written.is_ok() { 0 } else { -1 }
}
