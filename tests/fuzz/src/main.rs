//! One program with all targets; the environment variable `FUZZ_TARGET` says which one runs. Without it, or with a
//! wrong name, the names are printed.
//!
//! A target is a function of bytes that returns. Panics end the process, which libFuzzer reports with the input; so do
//! its limit of time and ours of memory ([`memory`]).
#![no_main]

mod formats;
mod memory;
mod scratch;

use std::sync::OnceLock;

/// What a target is given the bytes with.
type Target = fn(&[u8]);

/// All targets, in the order in which the script runs them: what an acceptance test wants first.
const TARGETS: &[(&str, Target)] = &[
    ("heap_v2", formats::heap_v2),
    ("text", formats::text),
    ("pprof", formats::pprof),
    ("symbolized", formats::symbolized),
    ("maps", formats::maps),
    ("elf", |bytes| scratch::with_files(&[bytes], |paths| jeprof_rs::fuzzing::binary(&paths[0]))),
    ("elf_split", elf_split),
    ("reports", |bytes| {
        if let Some((manner, dump)) = bytes.split_first() {
            scratch::with_files(&[dump], |paths| jeprof_rs::fuzzing::reports(&paths[0], *manner));
        }
    }),
    ("unpack", jeprof_rs::fuzzing::unpack),
    ("cache_file", jeprof_rs::fuzzing::cache_file),
    ("statistics", jeprof_rs::fuzzing::statistics_document),
    ("perf_map", jeprof_rs::fuzzing::perf_map),
    ("symbol_page", |bytes| on_text(bytes, jeprof_rs::fuzzing::symbol_page_answer)),
    ("addresses", |bytes| on_text(bytes, jeprof_rs::fuzzing::addresses)),
    ("names", |bytes| on_text(bytes, jeprof_rs::fuzzing::names)),
    ("conf", |bytes| on_text(bytes, jeprof_rs::fuzzing::conf)),
    ("tag_filter", |bytes| on_text(bytes, jeprof_rs::fuzzing::tag_filter)),
];

/// As the program reads text that others wrote.
fn on_text(bytes: &[u8], target: fn(&str)) {
    target(&String::from_utf8_lossy(bytes));
}

/// A binary and a file beside it: two lengths' worth of bytes behind a byte for what the second is and three for the
/// length of the first.
fn elf_split(bytes: &[u8]) {
    let [kind, a, b, c, files @ ..] = bytes else { return };
    let length = u32::from_le_bytes([*a, *b, *c, 0]) as usize;
    let (first, second) = files.split_at(length.min(files.len()));
    scratch::with_files(&[first, second], |paths| {
        let second = Some(paths[1].as_path());
        match kind % 3 {
            0 => jeprof_rs::fuzzing::split(&paths[0], second, None, None),
            1 => jeprof_rs::fuzzing::split(&paths[0], None, second, None),
            _ => jeprof_rs::fuzzing::split(&paths[0], None, None, second),
        }
    });
}

fn chosen() -> Target {
    static CHOSEN: OnceLock<Target> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let found = TARGETS.iter().find(|(known, _)| *known == name);
        match found {
            Some((_, target)) => *target,
            None => {
                TARGETS.iter().for_each(|(name, _)| println!("{name}"));
                std::process::exit(0);
            }
        }
    })
}

libfuzzer_sys::fuzz_target!(init: { chosen(); }, |bytes: &[u8]| {
    memory::forget_peak();
    chosen()(bytes);
});
