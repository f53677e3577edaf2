//! The surface of ours beside the reference's: the same probes under ours, Debian's 5.3.0 and a 5.3.1 built from source.
//! Ours follows 5.3.1; what is meant to differ is in `fixtures/compat/differences.tsv` and `docs/compat.md`.
#![cfg(feature = "outside")]

use std::collections::BTreeSet;
use std::path::Path;

use suite::build::preload;
use suite::reference;
use suite::surface::cases::{self, Case};
use suite::surface::lists::{Row, list};
use suite::surface::options::settings;
use suite::surface::probe::{Said, ask_all};
use suite::surface::strings;
use suite::surface::verdict::{Wrong, against_reference, against_rules, conclude};

/// Every probe of a list, for rows that a release has.
fn probes(name: &str, release: &str) -> Vec<Case> {
    let there = |row: &&Row| row.in_release(release);
    match name {
        "mallctl" => list("mallctl.tsv").iter().filter(there).flat_map(cases::control).collect(),
        "mib" => list("mallctl.tsv").iter().filter(there).filter_map(cases::mib).collect(),
        "symbols" => list("symbols.tsv").iter().filter(there).filter_map(cases::symbols).collect(),
        "sequences" | "calls" => cases::recorded(&format!("{name}.tsv")),
        other => panic!("no list {other}"),
    }
}

fn rows(cases: &[Case]) -> BTreeSet<String> {
    cases.iter().map(|case| case.row.clone()).collect()
}

/// The lists are about 5.3.1: it answers each of them as they say.
#[test]
fn the_lists_say_what_the_reference_does() {
    let library = reference::v531();
    for name in ["mallctl", "mib", "symbols", "sequences", "calls"] {
        let mut cases = probes(name, "5.3.1");
        // Parts that this build of the reference leaves out, and that ours has.
        cases.retain(|case| case.row != "opt.xmalloc");
        let wrong = against_rules(&cases, &ask_all(&library, &cases));
        let texts: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        assert!(wrong.is_empty(), "{name}:\n{}", texts.join("\n"));
    }
}

/// Asks all three and compares ours with 5.3.1. 5.3.0 is asked for what it has; that it differs from 5.3.1 is no
/// difference of ours, but it is counted, and where those two agree ours has no excuse. A null result buffer and a
/// foreign pointer end 5.3.0; its answers behind them are `(ended)`.
fn compare(name: &str) {
    let cases = probes(name, "5.3.1");
    let ours = ask_all(&preload(), &cases);
    let newer = ask_all(&reference::v531(), &cases);
    let older = ask_all(&reference::v530(), &cases);
    let mut wrong = against_reference(&cases, &ours, &newer);
    let changed: BTreeSet<String> =
        against_reference(&cases, &older, &newer).into_iter().map(|wrong| wrong.row).collect();
    for one in &mut wrong {
        one.expected += if changed.contains(&one.row) { " (5.3.1)" } else { " (5.3.0 and 5.3.1)" };
    }
    println!("{name}: {} rows in which 5.3.0 is not 5.3.1", changed.len());
    conclude(&format!("{name}@5.3.1"), &rows(&cases), wrong);
}

#[test]
fn mallctl_answers_as_the_reference() {
    compare("mallctl");
}

#[test]
fn mibs_are_the_reference_s() {
    compare("mib");
}

#[test]
fn sequences_answer_as_the_reference() {
    compare("sequences");
}

#[test]
fn calls_answer_as_the_reference() {
    compare("calls");
}

#[test]
fn the_reference_s_symbols_are_there() {
    compare("symbols");
}

/// What an option string leads to: the lines that are printed, and every `opt.*` value.
fn string_cases(strings: &[String]) -> Vec<Case> {
    let options = list("mallctl.tsv");
    let options = options.iter().filter(|row| row.name().starts_with("opt.") && row.in_release("5.3.1"));
    let commands: Vec<String> = options
        .filter(|row| row.get("value") != "build" && row.get("needs") == "-")
        // Differs in all of them; its own rows say so.
        .filter(|row| row.name() != "opt.cache_oblivious")
        .map(|row| format!("ctl {} {} -", row.name(), cases::kind(row).0))
        .collect();
    let expected: Vec<String> = commands.iter().map(|_| "*".to_owned()).collect();
    let case = |conf: &String| Case {
        row: conf.clone(),
        conf: conf.clone(),
        commands: commands.clone(),
        expected: expected.clone(),
    };
    strings.iter().map(case).collect()
}

/// What a library printed, without the line that ours adds to a misspelt key.
fn printed(said: &Said) -> Vec<String> {
    said.stderr.iter().filter(|line| !line.contains("Did you mean")).cloned().collect()
}

fn compare_strings(name: &str, strings: &[String]) {
    let cases = string_cases(strings);
    let answers = |library: &Path| ask_all(library, &cases);
    let (ours, newer) = (answers(&preload()), answers(&reference::v531()));
    let mut wrong = Vec::new();
    for ((case, ours), newer) in cases.iter().zip(&ours).zip(&newer) {
        let (said, expected) = (printed(ours), printed(newer));
        let mut note = |command: &str, said: String, expected: String| {
            wrong.push(Wrong {
                row: case.row.clone(),
                conf: case.conf.clone(),
                command: command.into(),
                said,
                expected,
            });
        };
        if said != expected {
            note("printed", said.join(" / "), expected.join(" / "));
        }
        for ((command, said), expected) in case.commands.iter().zip(&ours.answers).zip(&newer.answers) {
            if said != expected {
                note(command, said.clone(), expected.clone());
            }
        }
        if ours.whole != newer.whole {
            note("whole", ours.whole.to_string(), newer.whole.to_string());
        }
    }
    conclude(&format!("{name}@5.3.1"), &rows(&cases), wrong);
}

#[test]
fn every_option_at_its_ends_prints_and_reads_as_the_reference() {
    let options = list("options.tsv");
    let there = options.iter().filter(|row| row.in_release("5.3.1") && row.get("says") != "*");
    let strings: Vec<String> = there.flat_map(settings).map(|setting| setting.conf).collect();
    compare_strings("settings", &strings);
}

#[test]
fn strings_of_options_print_and_read_as_the_reference() {
    compare_strings("strings", &strings::known());
}

#[test]
fn random_strings_of_options_print_and_read_as_the_reference() {
    let strings: Vec<String> = [1, 2, 3, 4].into_iter().flat_map(|seed| strings::random(seed, 50)).collect();
    compare_strings("random", &strings);
}
