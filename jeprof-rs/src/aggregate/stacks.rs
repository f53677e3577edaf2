//! Equal stacks by their names, added up.

use std::collections::{BTreeMap, HashMap};

use crate::symbolize::symbols::NameId;
use crate::transform::View;

/// Stacks by function names, root first: `root;..;leaf` and its figure, sorted by text, equal ones added up.
///
/// A `;` inside a name would start a frame, and a line break a line, so both are replaced.
pub fn by_names(view: &View<'_>) -> BTreeMap<String, f64> {
    let symbols = view.symbols();
    let names: Vec<String> =
        symbols.names.texts().map(|name| name.replace(';', ":").replace(['\n', '\r'], " ")).collect();
    // By name ids first: many stacks differ only in addresses, and ids are cheaper to compare than texts.
    let mut by_ids: HashMap<Vec<NameId>, f64> = HashMap::new();
    let mut path: Vec<NameId> = Vec::new();
    view.walk(|seen| {
        path.clear();
        path.extend(seen.lines.iter().rev().map(|line| symbols.function(symbols.line(*line)).name));
        match by_ids.get_mut(&path) {
            Some(sum) => *sum += seen.figure,
            None => {
                by_ids.insert(path.clone(), seen.figure);
            }
        }
    });
    let mut merged = BTreeMap::new();
    for (path, figure) in by_ids {
        let text: Vec<&str> = path.iter().map(|id| names[id.index()].as_str()).collect();
        *merged.entry(text.join(";")).or_insert(0.0) += figure;
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::example;
    use crate::plan::Plan;

    #[test]
    fn collapsed_stacks_are_merged_by_name_and_keep_their_separators() {
        let example = example(&[("main;f>g", 4.0), ("main;f;g", 2.0), ("main", 1.0), ("main;a b", 8.0)]);
        let plan = Plan::default();
        let view = View::new(&example.profile, &example.symbols, &plan);
        let stacks: Vec<(String, f64)> = by_names(&view).into_iter().collect();
        assert_eq!(stacks, [("main".into(), 1.0), ("main;a b".into(), 8.0), ("main;f;g".into(), 6.0)]);
    }

    #[test]
    fn figures_of_merged_stacks_add_up_to_the_total() {
        let stacks = [("main;f;g", 4.0), ("main;f>g", 2.0), ("main;f;g;g", 1.0), ("main", -3.0)];
        let example = example(&stacks);
        let plan = Plan::default();
        let view = View::new(&example.profile, &example.symbols, &plan);
        assert_eq!(by_names(&view).values().sum::<f64>(), view.total());
    }
}
