//! The recent samples and the log of samples beside the reference's, for the same objects of one program: keys and their
//! order, types, and every value that does not depend on the moment or on the machine's code.
#![cfg(feature = "outside")]

use std::collections::BTreeSet;
use std::path::Path;

use suite::build::preload;
use suite::fixture::compiled;
use suite::json::Json;
use suite::reference;
use suite::run::Run;
use suite::scratch::Scratch;

const CONF: &str = "prof:true,prof_active:false,lg_prof_sample:0,prof_recent_alloc_max:100,prof_prefix:";

/// What a library wrote.
struct Told {
    recent: Json,
    log: Json,
    /// Where the program's code is.
    main: u64,
}

fn told(library: &Path) -> Told {
    let scratch = Scratch::new("samples");
    let (recent, log) = (scratch.file("recent.json"), scratch.file("log.json"));
    let run = Run::new(compiled("sampled.c")).arg(&recent).arg(&log).preload(library).conf(CONF);
    let outcome = run.outcome().ok();
    let main = outcome.stdout.lines().find_map(|line| line.strip_prefix("main 0x")).expect("its address");
    let read = |path: &Path| Json::read(&std::fs::read_to_string(path).expect("it was written"));
    Told { recent: read(&recent), log: read(&log), main: u64::from_str_radix(main, 16).expect("a number") }
}

/// Values that the moment, the process or the code decides: only their type is compared. Which calls of one function
/// share a trace depends on how the allocator's frames below them were compiled.
const OF_THE_MOMENT: [&str; 11] = [
    "alloc_time",
    "dalloc_time",
    "alloc_trace",
    "dalloc_trace",
    "free_trace",
    "alloc_timestamp",
    "free_timestamp",
    "duration",
    "pid",
    "version",
    "stack_traces",
];

/// One line for each value, with the keys that lead to it, in the order of the document.
fn lines(value: &Json, path: &str, into: &mut Vec<String>) {
    let last = path.rsplit('.').next().unwrap_or_default();
    match value {
        _ if OF_THE_MOMENT.contains(&last) => into.push(format!("{path}: {}", value.kind())),
        Json::Object(pairs) => {
            into.push(format!("{path}: {:?}", value.keys()));
            pairs.iter().for_each(|(key, value)| lines(value, &format!("{path}.{key}"), into));
        }
        Json::Array(items) => {
            into.push(format!("{path}: {} of them", items.len()));
            let each = |(at, item)| lines(item, &format!("{path}[{at}]"), into);
            items.iter().enumerate().for_each(each);
        }
        plain => into.push(format!("{path}: {plain:?}")),
    }
}

#[track_caller]
fn equal(ours: &Json, theirs: &Json) {
    let of = |value| {
        let mut all = Vec::new();
        lines(value, "", &mut all);
        all
    };
    let (ours, theirs) = (of(ours), of(theirs));
    assert!(theirs.len() > 50, "the reference says little: {theirs:#?}");
    let different: Vec<_> = ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs).collect();
    assert!(different.is_empty() && ours.len() == theirs.len(), "ours, theirs: {different:#?}");
}

/// Frames of the allocator are not stored: a trace begins in the program's own code, whose few pages are around `main`.
fn begins_in_the_program(trace: &Json, main: u64) {
    let first = trace.items().first().expect("a frame").text();
    let address = first.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let near = address.is_some_and(|address| address.abs_diff(main) < 0x8000);
    assert!(near, "{first} is not near {main:#x}: {trace:?}");
}

#[test]
fn the_recent_samples_are_the_reference_s() {
    let (ours, newer, older) = (told(&preload()), told(&reference::v531()), told(&reference::v530()));
    equal(&ours.recent, &newer.recent);
    for record in ours.recent.get("recent_alloc").items() {
        begins_in_the_program(record.get("alloc_trace"), ours.main);
        let Some(trace) = record.find("dalloc_trace") else { continue };
        begins_in_the_program(trace, ours.main);
        assert!(record.get("alloc_time").number() <= record.get("dalloc_time").number(), "{record:?}");
    }
    // In 5.3.0 usable sizes of large objects are those of classes; all else is the same.
    let records = |told: &Told| told.recent.get("recent_alloc").items().to_vec();
    assert_eq!((ours.recent.keys(), records(&ours).len()), (older.recent.keys(), records(&older).len()));
    for (ours, theirs) in records(&ours).iter().zip(&records(&older)) {
        assert_eq!(ours.keys(), theirs.keys());
        for key in ["size", "released", "alloc_thread_name", "alloc_thread_uid"] {
            assert_eq!(ours.get(key), theirs.get(key), "{ours:?}");
        }
    }
}

/// Each trace of a log is that of a row, and each row's is there.
fn check_traces(log: &Json) {
    let rows = log.get("allocations").items();
    let numbers = rows.iter().flat_map(|row| ["alloc_trace", "free_trace"].map(|key| row.get(key).number()));
    let used: BTreeSet<u64> = numbers.collect();
    let count = log.get("stack_traces").items().len() as u64;
    assert_eq!(used, (0..count).collect::<BTreeSet<u64>>());
}

#[test]
fn the_log_is_the_reference_s() {
    let (ours, newer) = (told(&preload()), told(&reference::v531()));
    equal(&ours.log, &newer.log);
    check_traces(&ours.log);
    check_traces(&newer.log);
    for trace in ours.log.get("stack_traces").items() {
        begins_in_the_program(trace, ours.main);
    }
    for row in ours.log.get("allocations").items() {
        assert!(row.get("alloc_timestamp").number() <= row.get("free_timestamp").number(), "{row:?}");
    }
}
