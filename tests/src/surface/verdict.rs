//! What is wrong, what is listed, what is still to come.

use std::collections::BTreeSet;

use super::cases::Case;
use super::fits;
use super::lists::{Row, list};
use super::probe::Said;
use crate::build::workspace;

/// An answer that is not what it should be.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// The row.
    pub row: String,
    /// The settings.
    pub conf: String,
    /// The command, or a word for what was looked at.
    pub command: String,
    /// What was said.
    pub said: String,
    /// What should have been said.
    pub expected: String,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Wrong { row, conf, command, said, expected } = self;
        let conf = if conf.is_empty() { String::new() } else { format!(" [{conf}]") };
        write!(f, "{row}{conf}: {command}\n      {said}\n  not {expected}")
    }
}

/// Compares answers with what the cases expect.
pub fn against_rules(cases: &[Case], said: &[Said]) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for (case, said) in cases.iter().zip(said) {
        for ((command, expected), answer) in case.commands.iter().zip(&case.expected).zip(&said.answers) {
            if !fits(answer, expected) {
                wrong.push(Wrong {
                    row: case.row.clone(),
                    conf: case.conf.clone(),
                    command: command.clone(),
                    said: answer.clone(),
                    expected: expected.clone(),
                });
            }
        }
    }
    wrong
}

/// Compares the answers of two libraries. Where the pattern says that a value is up to the machine or the moment, only
/// what is in front of it counts.
pub fn against_reference(cases: &[Case], ours: &[Said], theirs: &[Said]) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for ((case, ours), theirs) in cases.iter().zip(ours).zip(theirs) {
        for (at, command) in case.commands.iter().enumerate() {
            let loose = case.expected[at].ends_with("old=*");
            let part = |said: &Said| {
                let answer = &said.answers[at];
                match answer.split_once("old=") {
                    Some((before, value)) if loose => {
                        format!("{before}{}", if value == "-" { "-" } else { "*" })
                    }
                    _ => answer.clone(),
                }
            };
            let (said, expected) = (part(ours), part(theirs));
            if said != expected {
                wrong.push(Wrong {
                    row: case.row.clone(),
                    conf: case.conf.clone(),
                    command: command.clone(),
                    said,
                    expected,
                });
            }
        }
    }
    wrong
}

/// The known differences, each with the first cell of its row in `docs/compat.md`.
pub struct Differences(Vec<Row>);

impl Differences {
    /// Reads `fixtures/compat/differences.tsv`.
    ///
    /// # Panics
    /// When a difference points at no row of `docs/compat.md`.
    pub fn read() -> Differences {
        let rows = list("differences.tsv");
        let compat = std::fs::read_to_string(workspace().join("docs/compat.md")).expect("compat.md is there");
        for row in &rows {
            let doc = row.get("doc");
            assert!(
                compat.lines().any(|line| line.starts_with(&format!("| {doc} |"))),
                "docs/compat.md has no row `{doc}`, which the difference of {} in {} refers to",
                row.get("row"),
                row.get("list"),
            );
        }
        Differences(rows)
    }

    /// Whether something wrong is listed as a difference of ours. Those of `<list> (debug)` are differences of builds
    /// with debug assertions alone.
    pub fn know(&self, list: &str, wrong: &Wrong) -> bool {
        let here = |row: &Row| match row.get("list").strip_suffix(" (debug)") {
            Some(of) => of == list && cfg!(debug_assertions),
            None => row.get("list") == list,
        };
        self.0.iter().any(|row| {
            here(row)
                && fits(&wrong.row, row.get("row"))
                && (fits(&wrong.command, row.get("case")) || fits(&wrong.conf, row.get("case")))
        })
    }
}

/// Rows that are not there yet.
pub fn pending(list: &str) -> BTreeSet<String> {
    let path = workspace().join("fixtures/compat/pending.tsv");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    lines.filter(|(name, _)| *name == list).map(|(_, row)| row.to_owned()).collect()
}

/// Sorts what is wrong into listed and not, prints the counts, and asserts that the rows with something wrong are
/// exactly those that are pending. The name is that of the list; behind an `@`, what it is compared with when that is
/// not the list itself.
///
/// # Panics
/// When a row that should work does not, or a pending one has begun to.
pub fn conclude(name: &str, rows: &BTreeSet<String>, wrong: Vec<Wrong>) {
    let differences = Differences::read();
    let list = name.split('@').next().unwrap_or_default();
    let (listed, wrong): (Vec<Wrong>, Vec<Wrong>) =
        wrong.into_iter().partition(|wrong| differences.know(list, wrong));
    let of = |list: &[Wrong]| list.iter().map(|wrong| wrong.row.clone()).collect::<BTreeSet<String>>();
    let (listed, missing) = (of(&listed), of(&wrong));
    let pending = pending(name);
    println!(
        "{name}: {} rows covered, {} as they should be, {} listed as different, {} missing",
        rows.len(),
        rows.difference(&missing).filter(|row| !listed.contains(*row)).count(),
        listed.difference(&missing).count(),
        missing.len(),
    );
    if std::env::var_os("SUITE_PENDING").is_some() {
        // What `fixtures/compat/pending.tsv` would have to say.
        missing.iter().for_each(|row| println!("PENDING\t{name}\t{row}"));
    }
    let new: Vec<&Wrong> = wrong.iter().filter(|wrong| !pending.contains(&wrong.row)).collect();
    let texts: Vec<String> = new.iter().map(ToString::to_string).collect();
    assert!(new.is_empty(), "{} answers are wrong:\n{}", new.len(), texts.join("\n"));
    let landed: Vec<&String> = pending.difference(&missing).collect();
    assert!(landed.is_empty(), "no longer pending, take out of pending.tsv ({name}): {landed:#?}");
}
