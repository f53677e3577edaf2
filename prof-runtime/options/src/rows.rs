//! The rows. Ranges and defaults are those of jemalloc 5.3.1 where it has the option.

use core::ffi::{CStr, c_int};
use core::ops::RangeInclusive;

use crate::value::{BadValue, Range, switch as switched};

/// Type of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// An integer.
    Number(Range),
    /// One of a few words.
    Choice(&'static [&'static CStr]),
    /// Any text without a comma.
    Text,
}

/// An option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Key in a configuration string.
    pub name: &'static str,
    /// Type and range.
    pub kind: Kind,
    /// What it is when nobody sets it: a number, 0 or 1, the position of a word; 0 for a text.
    pub default: i64,
    /// The same of a text.
    pub text: &'static str,
    /// What it does, one sentence.
    pub doc: &'static str,
}

impl Row {
    /// The number that stands for a value, as for the default; 0 for any text.
    ///
    /// # Errors
    /// [`BadValue::Invalid`] or [`BadValue::OutOfRange`].
    pub fn number(&self, value: &[u8]) -> Result<i64, BadValue> {
        match self.kind {
            Kind::Bool => switched(value).map(i64::from),
            Kind::Number(range) => range.number(value),
            Kind::Choice(words) => {
                let at = words.iter().position(|word| word.to_bytes() == value);
                Ok(at.ok_or(BadValue::Invalid)? as i64)
            }
            Kind::Text => Ok(0),
        }
    }
}

const fn new(name: &'static str, default: i64, kind: Kind, doc: &'static str) -> Row {
    Row { name, kind, default, text: "", doc }
}

const fn switch(name: &'static str, default: bool, doc: &'static str) -> Row {
    new(name, default as i64, Kind::Bool, doc)
}

const fn choice(name: &'static str, words: &'static [&'static CStr], default: i64, doc: &'static str) -> Row {
    new(name, default, Kind::Choice(words), doc)
}

const fn text(name: &'static str, text: &'static str, doc: &'static str) -> Row {
    Row { text, ..new(name, 0, Kind::Text, doc) }
}

/// Refused outside of its range.
const fn strict(name: &'static str, default: i64, range: RangeInclusive<i128>, doc: &'static str) -> Row {
    new(name, default, Kind::Number(Range { min: *range.start(), max: *range.end(), clip: false }), doc)
}

/// Moved to the nearest bound outside of its range.
const fn clipped(name: &'static str, default: i64, range: RangeInclusive<i128>, doc: &'static str) -> Row {
    new(name, default, Kind::Number(Range { min: *range.start(), max: *range.end(), clip: true }), doc)
}

const UNSIGNED_MAX: i128 = u32::MAX as i128;
const SIZE_MAX: i128 = u64::MAX as i128;
const SSIZE_MAX: i128 = i64::MAX as i128;

/// What `prof_signal` can be, with its number, 0 for none: signals that are free for a program's own use, or that end or stop
/// nothing when ignored.
pub const SIGNALS: [(&CStr, c_int); 11] = [
    (c"none", 0),
    (c"SIGHUP", libc::SIGHUP),
    (c"SIGUSR1", libc::SIGUSR1),
    (c"SIGUSR2", libc::SIGUSR2),
    (c"SIGALRM", libc::SIGALRM),
    (c"SIGVTALRM", libc::SIGVTALRM),
    (c"SIGPROF", libc::SIGPROF),
    (c"SIGURG", libc::SIGURG),
    (c"SIGWINCH", libc::SIGWINCH),
    (c"SIGIO", libc::SIGIO),
    (c"SIGPWR", libc::SIGPWR),
];

const SIGNAL_NAMES: [&CStr; SIGNALS.len()] = {
    let mut names = [c""; SIGNALS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = SIGNALS[at].0;
        at += 1;
    }
    names
};

/// Those of the profiler, with the few general ones that it looks at.
pub static ROWS: [Row; COUNT] = LIST;

const COUNT: usize = LIST.len();

/// Where an option is in [`ROWS`]. In a constant: a name that is none does not compile.
///
/// # Panics
/// For a name that is none.
pub const fn at(name: &str) -> usize {
    let mut at = 0;
    while at < COUNT {
        if same(LIST[at].name, name) {
            return at;
        }
        at += 1;
    }
    panic!("no such option of the profiler")
}

/// The row of an option, in a constant as [`at`].
///
/// # Panics
/// For a name that is none.
pub const fn row(name: &str) -> Row {
    LIST[at(name)]
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut n = 0;
    while n < a.len() && n < b.len() && a[n] == b[n] {
        n += 1;
    }
    n == a.len() && n == b.len()
}

#[rustfmt::skip]
const LIST: [Row; 33] = [
    switch("abort", false, "Abort on most warnings, such as a dump that cannot be written."),
    switch("abort_conf", false, "Abort when an option is invalid."),
    switch("confirm_conf", false, "Print every source of options and each accepted pair."),
    switch("prof", false, "Profile the heap by sampling."),
    text("prof_prefix", "jeprof", "Start of the names of dumps; empty for no automatic dumps."),
    switch("prof_active", true, "Whether sampling is on at start."),
    switch("prof_thread_active_init", true, "Whether new threads sample."),
    clipped("prof_bt_max", 128, 1..=256, "Most frames of a stack that are kept."),
    clipped("lg_prof_sample", 19, 0..=63, "Log2 of the mean number of bytes allocated between two samples; 0 samples every allocation."),
    strict("lg_prof_interval", -1, -1..=63, "Log2 of the bytes allocated between two dumps; -1 for none."),
    switch("prof_gdump", false, "Dump whenever active memory reaches a new maximum."),
    switch("prof_final", false, "Dump at exit."),
    switch("prof_leak", false, "Print a summary of what is still live at exit; turns prof on."),
    switch("prof_leak_error", false, "Exit with status prof_leak_error_code when that summary tells of prof_leak_threshold bytes or more and the program's own status is 0; turns prof_leak on."),
    switch("prof_accum", false, "Keep what was freed in the figures, too."),
    switch("prof_pid_namespace", false, "The number of the process's pid namespace is in the names of dumps."),
    strict("prof_recent_alloc_max", 0, -1..=SSIZE_MAX, "How many of the newest samples are remembered one by one; -1 for all."),
    switch("prof_stats", false, "Count samples by size class."),
    switch("prof_sys_thread_name", false, "Names of threads are the system's."),
    choice("prof_time_resolution", &[c"default", c"high"], 0, "Clock of the times of single samples; default ticks every few milliseconds."),
    switch("prof_log", false, "Log samples from the start, as prof.log_start does."),
    switch("prof_unbias", true, "Figures of heap_v2 dumps are such that viewers scale them right."),
    choice("prof_dump_format", &[c"text", c"heap_v2", c"pprof"], 0, "Format of the dumps that the profiler names itself."),
    switch("prof_peak", false, "Keep what was alive when most was, for dumps in pprof's format."),
    strict("prof_leak_error_code", 1, 1..=255, "Exit status of prof_leak_error."),
    strict("prof_leak_threshold", 512 << 10, 0..=SIZE_MAX, "Bytes still live at exit below which prof_leak_error is no error; 0: any are one."),
    switch("prof_leak_reach", false, "Find out at exit what the program can still reach, as LeakSanitizer does: only the rest is a leak, in the summary and by labels in dumps of pprof's format. With lg_prof_sample:0; turns prof_frag off."),
    strict("prof_max_stacks", 1_000_000, 0..=UNSIGNED_MAX, "How many distinct stacks are kept; samples of others count under prof_dropped_stacks. 0 for any number."),
    choice("prof_signal", &SIGNAL_NAMES, 0, "Signal upon which a dump is written, unless the program handles it itself."),
    strict("prof_interval_ms", 0, 0..=SIZE_MAX, "Dump every so many milliseconds while sampling is on; 0 for never."),
    strict("prof_target_samples_per_sec", 0, 0..=SIZE_MAX, "Most samples per second: the mean distance between them is doubled as often as that takes, and halved again down to that of lg_prof_sample; each sample keeps its own weight. 0 for no limit."),
    switch("prof_listen", false, "Let the same user's jeprof-rs dump PID ask for dumps, over a socket in /tmp."),
    switch("prof_frag", false, "Dumps tell for each stack how much memory its live objects keep from being given back, by how full their slabs are; each sampled small object takes two regions instead of one."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_unique_and_documented_and_their_defaults_are_in_range() {
        for (nth, row) in ROWS.iter().enumerate() {
            assert_eq!(at(row.name), nth, "{} twice", row.name);
            assert!(row.doc.ends_with('.') || row.doc.ends_with(')'), "{}", row.name);
            match row.kind {
                Kind::Bool => assert!((0..=1).contains(&row.default), "{}", row.name),
                Kind::Number(range) => {
                    assert!((range.min..=range.max).contains(&row.default.into()), "{}", row.name)
                }
                Kind::Choice(words) => assert!((row.default as usize) < words.len(), "{}", row.name),
                Kind::Text => assert_eq!(row.default, 0, "{}", row.name),
            }
        }
    }

    #[test]
    fn values_are_read_by_the_kind_of_their_row() {
        let number = |name: &str, value: &str| row(name).number(value.as_bytes());
        assert_eq!(number("prof", "true"), Ok(1));
        assert_eq!(number("prof", "yes"), Err(BadValue::Invalid));
        assert_eq!(number("lg_prof_sample", "70"), Ok(63));
        assert_eq!(number("lg_prof_interval", "64"), Err(BadValue::OutOfRange));
        assert_eq!(number("prof_dump_format", "pprof"), Ok(2));
        assert_eq!(number("prof_dump_format", "svg"), Err(BadValue::Invalid));
        assert_eq!(number("prof_prefix", "anything"), Ok(0));
    }
}
