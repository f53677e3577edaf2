//! Dumps of the profiler, when it is on.

use std::ffi::CString;
use std::sync::atomic::{AtomicU32, Ordering};

use jealloc::ctl::{self, Access, AsName};

/// Whether the process was started with `prof:true`.
pub fn profiling() -> bool {
    ctl::read(c"opt.prof").unwrap_or(false)
}

/// Writes a dump when the profiler is on (`MALLOC_CONF=prof:true`), and answers whether it is. Where it is off this costs
/// next to nothing, so that a test may keep its calls.
///
/// With every allocation sampled (`lg_prof_sample:0`) and a dump after each so many iterations, start-up memory, caches
/// and pools cancel out between the dumps, and what is left is bytes per iteration, exact to one block:
///
/// ```
/// # #[global_allocator]
/// # static ALLOC: jealloc_test::Jealloc = jealloc_test::Jealloc;
/// # fn step() {}
/// # fn main() {
/// for _ in 0..9 {
///     (0..1000).for_each(|_| step());
///     jealloc_test::checkpoint();
/// }
/// # }
/// ```
///
/// The files are named as all dumps that a program asks for: `<prof_prefix>.<pid>.<n>.m<n>.heap`, in the current folder
/// unless `prof_prefix` says otherwise.
///
/// # Panics
/// When the profiler is on and the file cannot be written. The allocator has then said why on standard error.
#[track_caller]
pub fn checkpoint() -> bool {
    let on = profiling();
    if on && let Err(error) = ctl::call(c"prof.dump") {
        panic!("no dump could be written: {}", ctl::Error::from(error));
    }
    on
}

/// The number of the next pair of dumps of this process.
static PAIRS: AtomicU32 = AtomicU32::new(0);

/// Two dumps of what is to be compared.
pub struct Pair {
    start: String,
}

impl Pair {
    /// Writes the first; `None` when the profiler is off.
    pub fn begin() -> Option<Pair> {
        if !profiling() {
            return None;
        }
        let prefix = Access::<&'static str>::read("opt.prof_prefix\0".name()).ok()?.trim_end_matches('\0');
        let (process, pair) = (std::process::id(), PAIRS.fetch_add(1, Ordering::Relaxed));
        let pair = Pair { start: format!("{prefix}.{process}.t{pair}") };
        pair.write("before").then_some(pair)
    }

    /// Writes the second, and answers the command that shows what lies between them; `None` when it cannot be written.
    pub fn end(&self, options: &str) -> Option<String> {
        let (before, after) = (self.name("before"), self.name("after"));
        self.write("after").then(|| format!("jeprof-rs {options}--base={before} {after}"))
    }

    /// Takes the first back.
    pub fn forget(self) {
        // A file that stays is in nobody's way.
        let _ = std::fs::remove_file(self.name("before"));
    }

    fn name(&self, part: &str) -> String {
        format!("{}.{part}.heap", self.start)
    }

    fn write(&self, part: &str) -> bool {
        let Ok(name) = CString::new(self.name(part)) else { return false };
        ctl::write(c"prof.dump", name.as_ptr()).is_ok()
    }
}
