//! Statistics beside the reference's, and before a parser of other makers. `tests/outside.sh` installs the parser.
#![cfg(feature = "outside")]

use std::path::Path;

use suite::build::{Profile, preload, target_folder, viewer};
use suite::fixture::compiled;
use suite::reference;
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;

/// Enough arenas to tell them apart, and a profiler, so that every part is there.
const CONF: &str = "narenas:3,prof:true,prof_active:false";

/// Prints each key that the second document has and the first lacks. The first is read strictly.
const KEYS: &str = r#"
import json, sys

def strict(pairs):
    seen = set()
    for key, _ in pairs:
        if key in seen:
            sys.exit(f"key twice: {key}")
        seen.add(key)
    return dict(pairs)

def refuse(constant):
    sys.exit(f"no JSON: {constant}")

def paths(value, at=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            # Arenas go by numbers.
            here = at + "/" + ("<i>" if key.isdigit() else key)
            yield here
            yield from paths(inner, here)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, at + "[]")

ours = json.loads(open(sys.argv[1], "rb").read().decode("utf-8", "strict"),
                  object_pairs_hook=strict, parse_constant=refuse)
ours = set(paths(ours))
theirs = set(paths(json.load(open(sys.argv[2]))))
assert len(theirs) > 500, "the reference says little"
print(f"{len(theirs)} keys of the reference, {len(ours)} of ours", file=sys.stderr)
for key in sorted(theirs - ours):
    print(key)
"#;

/// Reads OpenMetrics text, and prints each family with its type and number of samples.
const FAMILIES: &str = r#"
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families

for family in text_string_to_metric_families(open(sys.argv[1]).read()):
    print(family.name, family.type, len(family.samples))
"#;

fn report(library: &Path, letters: &str) -> Outcome {
    Run::new(compiled("report.c")).arg(letters).preload(library).conf(CONF).outcome().ok()
}

#[test]
fn the_json_has_every_key_of_the_reference_and_none_twice() {
    let scratch = Scratch::new("json_keys");
    let (ours, theirs) = (scratch.file("ours.json"), scratch.file("theirs.json"));
    for letters in ["J", "Jg", "Jmdablxeh"] {
        std::fs::write(&ours, report(&preload(), letters).stdout).unwrap();
        std::fs::write(&theirs, report(&reference::v531(), "J").stdout).unwrap();
        let missing = Run::new("python3").args(["-c", KEYS]).arg(&ours).arg(&theirs).outcome().ok();
        if letters == "J" {
            assert_eq!(missing.stdout, "", "keys that ours lacks");
        } else {
            assert!(!missing.stdout.is_empty(), "{letters} leaves something out");
        }
    }
}

/// What each line begins with, up to its first digit, colon or equals sign; lines of a table that only have numbers
/// are left out, and so are repetitions.
fn labels(report: &str) -> Vec<&str> {
    let mut labels: Vec<&str> = report
        .lines()
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| {
            line.split([':', '=', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']).next().unwrap().trim()
        })
        .filter(|label| !label.is_empty())
        .collect();
    labels.dedup();
    labels
}

#[test]
fn the_text_has_the_reference_s_sections_in_its_order() {
    let (ours, theirs) = (report(&preload(), ""), report(&reference::v531(), ""));
    let (ours, theirs) = (labels(&ours.stdout), labels(&theirs.stdout));
    assert!(theirs.len() > 100, "{theirs:?}");
    let mut rest = ours.iter();
    for label in &theirs {
        assert!(rest.any(|other| other == label), "'{label}' is missing or too early in {ours:#?}");
    }
}

#[test]
fn a_real_parser_reads_the_openmetrics_text() {
    let python = target_folder().join("openmetrics/bin/python3");
    assert!(python.exists(), "{} is missing: tests/outside.sh installs it", python.display());
    let scratch = Scratch::new("openmetrics");
    let text = scratch.file("metrics.txt");
    for conf in [CONF, "prof:false,tcache:false", "narenas:1,background_thread:true,prof_prefix:a\"b\\c"] {
        let outcome = Run::new(compiled("report.c")).arg("o").preload(&preload()).conf(conf).outcome().ok();
        std::fs::write(&text, &outcome.stdout).unwrap();
        let read = Run::new(&python).args(["-c", FAMILIES]).arg(&text).outcome().ok();
        for family in [
            "jemalloc info 1",
            "jemalloc_allocated_bytes gauge 1",
            "jemalloc_arena_operations counter",
            "jemalloc_fragmentation_ratio gauge 1",
            "jemalloc_mutex_wait_seconds counter",
            "jemalloc_prof_active gauge 1",
        ] {
            assert!(read.stdout.lines().any(|line| line.starts_with(family)), "{family}: {read}");
        }
    }
    // What the viewer makes of the JSON of both, and of one arena alone.
    for (library, letters) in [(preload(), "J"), (reference::v531(), "J"), (reference::v531(), "Jmbx")] {
        let json = scratch.file("statistics.json");
        std::fs::write(&json, report(&library, letters).stdout).unwrap();
        let stats = Run::new(viewer(Profile::own())).args(["stats", "--format=openmetrics"]).arg(&json);
        std::fs::write(&text, stats.outcome().ok().stdout).unwrap();
        let read = Run::new(&python).args(["-c", FAMILIES]).arg(&text).outcome().ok();
        let families = read.stdout.lines().count();
        assert!(families >= 20 && read.stdout.contains("jemalloc_arena_operations counter"), "{read}");
    }
    std::fs::write(&text, "# TYPE a gauge\na 1\n").unwrap();
    let broken = Run::new(&python).args(["-c", FAMILIES]).arg(&text).outcome();
    assert!(!broken.status.success(), "it reads anything: {broken}");
}
