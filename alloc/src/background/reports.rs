//! Statistics printed while the program runs: every so many milliseconds by a thread of ours (`stats_print_interval`),
//! every so many allocated bytes by the thread that allocates them (`stats_interval`).

use core::ffi::c_void;
use core::sync::atomic::*;

use super::spawn::{self, Resident};
use crate::page::caretaker::Bell;
use crate::relaxed::Relaxed;
use crate::stats;
use crate::tables::option;
use crate::thread::watch;
use crate::units::Ns;

/// Prints by the clock.
pub static PRINTER: Resident = Resident::new("stats_print_interval", wanted, run);
/// Never rings.
static CLOCK: Bell = Bell::new();
/// Whether somebody prints: two reports at once would be mixed, and a report whose output goes through a function of
/// the program may allocate.
static PRINTING: AtomicBool = AtomicBool::new(false);
/// Bytes allocated since the last report.
static ALLOCATED: AtomicU64 = AtomicU64::new(0);

static COUNT: watch::Count = count;

fn wanted() -> bool {
    option::STATS_PRINT_INTERVAL.get() != 0
}

/// At the end of start-up: counts bytes, if that is wanted.
pub fn start() {
    if option::STATS_INTERVAL.get() >= 0 {
        watch::set_count(&COUNT);
    }
}

extern "C" fn run(_: *mut c_void) -> *mut c_void {
    spawn::begin(c"jemalloc_stats");
    let interval = Ns::from_ms(option::STATS_PRINT_INTERVAL.get() as u64);
    loop {
        CLOCK.sleep(CLOCK.heard(), Some(interval));
        print(option::STATS_PRINT_OPTS.as_cstr().to_bytes());
    }
}

/// Counts allocated bytes.
fn count(bytes: u64) {
    let interval = (option::STATS_INTERVAL.get() as u64).max(1);
    let sum = ALLOCATED.fetch_add(bytes, Ordering::Relaxed).wrapping_add(bytes);
    if sum >= interval
        // Whoever takes the sum away prints.
        && ALLOCATED.compare_exchange(sum, sum % interval, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    {
        print(option::STATS_INTERVAL_OPTS.as_cstr().to_bytes());
    }
}

fn print(letters: &[u8]) {
    if !PRINTING.swap(true, Ordering::Acquire) {
        stats::print(letters);
        PRINTING.store(false, Ordering::Release);
    }
}

/// In the child of a fork: whoever printed does not exist here.
pub fn forget() {
    PRINTING.set(false);
}
