//! Figures per source line of chosen functions.

use std::collections::{BTreeMap, HashMap};

use regex::Regex;

use crate::symbolize::symbols::{LineId, NameId};
use crate::transform::View;

/// What a line or a routine allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FlatCum {
    /// Itself.
    pub flat: f64,
    /// With everything called; once per stack, however often it occurs there.
    pub cum: f64,
}

/// A function in one source file.
#[derive(Clone, Debug, PartialEq)]
pub struct Routine {
    /// Its name.
    pub name: String,
    /// Its file as the debug information has it, empty when unknown.
    pub file: String,
    /// Line of its declaration, 0 when unknown.
    pub start_line: u32,
    /// The whole of it.
    pub sum: FlatCum,
    /// By line number.
    pub lines: BTreeMap<u32, FlatCum>,
}

/// The routines whose name matches, by name and file.
///
/// Cost: one look-up per line of the stacks.
pub fn routines(view: &View<'_>, pattern: &Regex) -> Vec<Routine> {
    let symbols = view.symbols();
    let mut numbers: HashMap<(NameId, NameId), usize> = HashMap::new();
    let mut found: Vec<Routine> = Vec::new();
    let routine_of: Vec<Option<usize>> = symbols
        .lines
        .iter()
        .map(|line| {
            let function = symbols.function(line);
            let name = symbols.names.text(function.name);
            if !pattern.is_match(name) {
                return None;
            }
            Some(*numbers.entry((function.name, line.file)).or_insert_with(|| {
                let file = symbols.names.text(line.file);
                // A declaration in another file says nothing about this one.
                let declared_here = function.file == line.file;
                found.push(Routine {
                    name: name.into(),
                    file: file.into(),
                    start_line: if declared_here { function.start_line } else { 0 },
                    sum: FlatCum::default(),
                    lines: BTreeMap::new(),
                });
                found.len() - 1
            }))
        })
        .collect();
    // What was counted last in a stack, by its number from 1.
    let mut routine_seen = vec![0_usize; found.len()];
    let mut line_seen: HashMap<(usize, u32), usize> = HashMap::new();
    let mut stack_number = 0;
    view.walk(|seen| {
        stack_number += 1;
        for (depth, &id) in seen.lines.iter().enumerate() {
            let Some(routine) = routine_of.get(LineId::index(id)).copied().flatten() else { continue };
            let number = symbols.line(id).line;
            let entry = &mut found[routine];
            let line = entry.lines.entry(number).or_default();
            if depth == 0 {
                line.flat += seen.figure;
                entry.sum.flat += seen.figure;
            }
            if line_seen.insert((routine, number), stack_number) != Some(stack_number) {
                line.cum += seen.figure;
            }
            if routine_seen[routine] != stack_number {
                routine_seen[routine] = stack_number;
                entry.sum.cum += seen.figure;
            }
        }
    });
    found.retain(|routine| !routine.lines.is_empty());
    found.sort_by(|a, b| (&a.name, &a.file).cmp(&(&b.name, &b.file)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::example;
    use crate::plan::Plan;

    #[test]
    fn recursion_counts_once_per_stack_and_only_the_leaf_is_flat() {
        let example = example(&[("main;f;f>g", 4.0), ("main;f", 2.0), ("main;h", 1.0)]);
        let plan = Plan::default();
        let view = View::new(&example.profile, &example.symbols, &plan);
        let found = routines(&view, &Regex::new("^(f|g)$").unwrap());
        let sums: Vec<(&str, f64, f64)> =
            found.iter().map(|r| (r.name.as_str(), r.sum.flat, r.sum.cum)).collect();
        assert_eq!(sums, [("f", 2.0, 6.0), ("g", 4.0, 4.0)]);
        assert_eq!(found[0].lines, BTreeMap::from([(1, FlatCum { flat: 2.0, cum: 6.0 })]));
    }
}
