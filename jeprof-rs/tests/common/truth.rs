//! What a report has to say of stacks that are known from the source.

use std::collections::BTreeMap;

use super::{Run, line_of, program};

/// One function of a true stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name as it is shown.
    pub name: String,
    /// Source and mark of the line in it.
    pub place: (&'static str, &'static str),
}

/// Compares with the true stacks, each the bytes of its site and its functions from `main` on, root first. `ask` runs
/// the tool with more arguments. Lines are compared when `lines` says so.
#[track_caller]
pub fn check(ask: &dyn Fn(&[&str]) -> Run, stacks: &[(i64, Vec<Known>)], lines: bool) {
    let collapsed = ask(&["--collapsed"]).quiet();
    let main = format!(";{};", stacks[0].1[0].name);
    let mut actual: Vec<&str> = collapsed
        .stdout
        .lines()
        .map(|line| &line[line.rfind(&main).unwrap_or_else(|| panic!("no `{main}` in {line}")) + 1..])
        .collect();
    let mut expected: Vec<String> = stacks
        .iter()
        .map(|(bytes, stack)| {
            let names: Vec<&str> = stack.iter().map(|known| known.name.as_str()).collect();
            format!("{} {bytes}", names.join(";"))
        })
        .collect();
    expected.sort();
    actual.sort_unstable();
    assert_eq!(actual, expected, "{}", collapsed.stdout);
    if !lines {
        return;
    }
    let mut expected: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (bytes, stack) in stacks {
        for (depth, Known { name, place: (source, mark) }) in stack.iter().enumerate() {
            let row = format!("{name} {}:{}", program(source).display(), line_of(source, mark));
            let figures = expected.entry(row).or_default();
            figures.0 += if depth + 1 == stack.len() { *bytes } else { 0 };
            figures.1 += bytes;
        }
    }
    let report = ask(&["--lines", "--show_bytes"]).quiet();
    for (row, figures) in expected {
        assert_eq!(report.figures(&row), figures, "{row}");
    }
}
