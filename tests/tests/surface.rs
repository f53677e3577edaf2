//! The whole surface, derived from the lists of `fixtures/compat`: every option at its default, its ends and past them,
//! every mallctl name read and written with right and wrong lengths by name and by MIB, every symbol called.
//! `SUITE_PRELOAD` names another library: the reference has to pass too, but for what only ours has.

use std::collections::BTreeSet;

use suite::build::preload;
use suite::surface::cases::{self, Case};
use suite::surface::fits;
use suite::surface::lists::{Row, list};
use suite::surface::options::{Setting, settings};
use suite::surface::probe::{ask, ask_all};
use suite::surface::verdict::{Wrong, against_rules, conclude};

/// Rows that the reference once had, or will have, and that nobody has to have.
fn wanted(row: &&Row) -> bool {
    row.required() || row.in_release("5.3.1")
}

fn names<'a>(rows: impl IntoIterator<Item = &'a Case>) -> BTreeSet<String> {
    rows.into_iter().map(|case| case.row.clone()).collect()
}

fn check(list: &str, cases: Vec<Case>) {
    let said = ask_all(&preload(), &cases);
    conclude(list, &names(&cases), against_rules(&cases, &said));
}

#[test]
fn every_mallctl_name_is_read_and_written_by_name_and_by_mib() {
    check("mallctl", list("mallctl.tsv").iter().filter(wanted).flat_map(cases::control).collect());
}

#[test]
fn every_mallctl_name_has_the_reference_s_mib() {
    check("mib", list("mallctl.tsv").iter().filter(wanted).filter_map(cases::mib).collect());
}

#[test]
fn sequences_of_mallctl_answer_as_recorded() {
    check("sequences", cases::recorded("sequences.tsv"));
}

#[test]
fn every_function_and_operator_is_called() {
    let cases = cases::recorded("calls.tsv");
    let called = names(&cases);
    let symbols = list("symbols.tsv");
    let kinds = ["function", "operator", "global", "opt-letter"];
    for row in symbols.iter().filter(|row| row.required() && kinds.contains(&row.get("kind"))) {
        // The aliases are these same functions.
        let alias = row.name().ends_with("aliases");
        assert!(alias || called.contains(row.name()), "nothing calls {}", row.name());
    }
    check("calls", cases);
}

#[test]
fn every_symbol_is_ours() {
    check(
        "symbols",
        list("symbols.tsv").iter().filter(|row| row.required()).filter_map(cases::symbols).collect(),
    );
}

#[test]
fn every_option_is_taken_at_its_default_at_both_ends_and_past_them() {
    let types = list("mallctl.tsv");
    let options = list("options.tsv");
    let wanted: Vec<&Row> = options.iter().filter(|row| row.required() || row.in_release("5.3.1")).collect();
    let mut wrong = Vec::new();
    let rows = wanted.iter().map(|row| row.name().to_owned()).collect();
    for row in wanted {
        let letter = types
            .iter()
            .find(|leaf| leaf.name() == row.get("read"))
            .map(|leaf| cases::kind(leaf).0.to_owned());
        for setting in settings(row) {
            wrong.extend(tried(row, &setting, letter.as_deref()));
        }
    }
    conclude("options", &rows, wrong);
}

/// Sets one option, looks at what is said and what is read back.
fn tried(row: &Row, setting: &Setting, letter: Option<&str>) -> Vec<Wrong> {
    let read = row.get("read");
    let command = letter.map(|letter| format!("ctl {read} {letter} -"));
    let said = ask(&preload(), &setting.conf, command.as_slice());
    let mut wrong = Vec::new();
    let mut note = |command: &str, said: &str, expected: &str| {
        wrong.push(Wrong {
            row: row.name().into(),
            conf: setting.conf.clone(),
            command: command.into(),
            said: said.into(),
            expected: expected.into(),
        });
    };
    let lines: Vec<&str> =
        said.stderr.iter().map(|line| line.strip_prefix("<jemalloc>: ").unwrap_or(line)).collect();
    let told = lines.join(" / ");
    match setting.says.as_deref() {
        Some("*") if lines.iter().any(|line| line.starts_with("Invalid")) => {
            note("what is said", &told, "no refusal")
        }
        Some("*") => {}
        Some(text) if lines != [text] => note("what is said", &told, text),
        None if !lines.is_empty() => note("what is said", &told, ""),
        _ => {}
    }
    if let (Some(command), Some(reads)) = (command, &setting.reads) {
        let expected = format!("rc=0 * old={reads}");
        if !fits(&said.answers[0], &expected) {
            note(&command, &said.answers[0], &expected);
        }
    }
    if !said.whole {
        note("the end", "died", "ends with status 0");
    }
    wrong
}
