//! The report of `malloc_stats_print`: as text, as JSON, as OpenMetrics. Each is made from a snapshot of its own and from
//! the rows of the tables, and written in pieces. Nothing is allocated from the heap.

mod fragmentation;
mod general;
mod json;
mod openmetrics;
mod out;
mod text;

use core::ffi::{CStr, c_char, c_void};

use self::out::Out;
use super::{Reading, write};
use crate::tables::leaf::Arguments;
use crate::tables::value::CtlError;

/// What a report is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines for people and scripts.
    Text,
    /// One line of JSON.
    Json,
    /// OpenMetrics, for monitoring.
    OpenMetrics,
}

/// Which parts a report has, by the letters of `malloc_stats_print`: each leaves its part out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// `J` JSON, `o` OpenMetrics.
    pub format: Format,
    /// `g`: version and options.
    pub general: bool,
    /// `m`: the sums of all arenas.
    pub merged: bool,
    /// `d`: destroyed arenas.
    pub destroyed: bool,
    /// `a`: single arenas.
    pub arenas: bool,
    /// `b`: small classes.
    pub bins: bool,
    /// `l`: large classes.
    pub large: bool,
    /// `x`: locks.
    pub mutexes: bool,
    /// `e`: runs of unused pages.
    pub extents: bool,
    /// `h`: the huge page allocator.
    pub huge: bool,
}

impl Parts {
    /// From the letters; others are ignored.
    pub fn of(letters: &[u8]) -> Parts {
        let without = |letter| !letters.contains(&letter);
        let format = match letters.iter().rev().find(|letter| b"Jo".contains(letter)) {
            Some(b'J') => Format::Json,
            Some(_) => Format::OpenMetrics,
            None => Format::Text,
        };
        Parts {
            format,
            general: without(b'g'),
            merged: without(b'm'),
            destroyed: without(b'd'),
            arenas: without(b'a'),
            bins: without(b'b'),
            large: without(b'l'),
            mutexes: without(b'x'),
            extents: without(b'e'),
            huge: without(b'h'),
        }
    }
}

/// Writes a report from a fresh snapshot to `sink`, in pieces of less than 64 KiB. The sink may do anything; it is called
/// without a lock.
pub fn report(parts: Parts, sink: &mut dyn FnMut(&CStr)) {
    let Some(snapshot) = Reading::fresh() else {
        return sink(c"<jemalloc>: Memory allocation failure in mallctl(\"epoch\", ...)\n");
    };
    let mut out = Out::new(sink);
    match parts.format {
        Format::Text => text::write(&mut out, &snapshot, parts),
        Format::Json => json::write(&mut out, &snapshot, parts),
        Format::OpenMetrics => openmetrics::write(&mut out, &snapshot, parts),
    }
}

/// Writes the report to where messages go, with the parts that the letters of `malloc_stats_print` leave.
pub fn print(letters: &[u8]) {
    report(Parts::of(letters), &mut |piece| write(piece.to_bytes()));
}

/// What `stats.print` takes.
#[repr(C)]
#[derive(Clone, Copy)]
struct Receiver {
    write: Option<unsafe extern "C" fn(*mut c_void, *const c_char)>,
    opaque: *mut c_void,
    letters: *const c_char,
}

/// `stats.print`
///
/// # Safety
/// 1. As `mallctl`; a new value has a function that may be called with its first argument, or null, and letters as a C
///    string, or null.
pub unsafe fn print_leaf(_: &[usize], args: Arguments) -> Result<(), CtlError> {
    if !args.old.is_null() || !args.old_len.is_null() {
        return Err(CtlError::NotPermitted);
    }
    if args.new.is_null() {
        print(b"");
        return Ok(());
    }
    if args.new_len != size_of::<Receiver>() {
        return Err(CtlError::Invalid);
    }
    // SAFETY: `new` points at `new_len` bytes, which is the size of the structure.
    let Receiver { write, opaque, letters } = unsafe { args.new.cast::<Receiver>().read_unaligned() };
    // SAFETY: by the caller's promise.
    let letters = if letters.is_null() { &[] } else { unsafe { CStr::from_ptr(letters) }.to_bytes() };
    match write {
        None => print(letters),
        Some(write) => report(Parts::of(letters), &mut |piece| {
            // SAFETY: by the caller's promise; a piece is a C string.
            unsafe { write(opaque, piece.as_ptr()) }
        }),
    }
    Ok(())
}

/// How many there were a second, as the reference reckons it: whole seconds, and all of them in the first one.
fn rate(value: u64, uptime: u64) -> u64 {
    match uptime / 1_000_000_000 {
        0 if uptime == 0 => 0,
        0 => value,
        seconds => value / seconds,
    }
}

/// A share of 1 in thousandths; `None` when there is nothing to have a share of.
fn per_mille(part: u64, whole: u64) -> Option<u64> {
    u64::try_from(u128::from(part) * 1000 / u128::from(whole.max(1))).ok().filter(|_| whole != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_leave_their_parts_out_and_others_are_ignored() {
        let all = Parts::of(b"");
        assert!(all.general && all.merged && all.bins && all.huge && all.format == Format::Text);
        let some = Parts::of(b"Jblx?");
        assert_eq!(some, Parts { format: Format::Json, bins: false, large: false, mutexes: false, ..all });
        assert_eq!(Parts::of(b"o").format, Format::OpenMetrics);
        assert_eq!(Parts::of(b"oJ").format, Format::Json);
    }

    #[test]
    fn rates_are_those_of_the_reference() {
        const SECOND: u64 = 1_000_000_000;
        let rates =
            [(7, 0), (7, 1), (7, SECOND), (7, 2 * SECOND), (7, 3 * SECOND - 1)].map(|(n, t)| rate(n, t));
        assert_eq!(rates, [0, 7, 7, 3, 3]);
        assert_eq!((per_mille(1, 3), per_mille(3, 3), per_mille(0, 0)), (Some(333), Some(1000), None));
    }
}
