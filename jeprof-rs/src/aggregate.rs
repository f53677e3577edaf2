//! Adds stacks up: rows of a table by function, line, file or address, and equal stacks by their names.

use std::collections::{BTreeMap, HashMap};

use crate::cli::plan::{Granularity, Order};
use crate::symbolize::symbols::{Line, LineId, NameId};
use crate::transform::View;

/// One row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What the row stands for.
    pub name: String,
    /// What it allocated itself.
    pub flat: f64,
    /// What it and everything that it called allocated; a recursive call counts once.
    pub cum: f64,
}

/// The rows of a report and what they add up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Sum of flat over all rows: what percentages relate to.
    pub shown_total: f64,
    /// Rows in the asked order, those with two zeros left out.
    pub rows: Vec<Row>,
}

/// What tells two rows apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Function(NameId),
    Line(Line),
    File(NameId),
    Address(LineId),
}

/// Adds up by granularity.
///
/// Cost: per frame of a stack one array look-up; the rows' names are made once per row.
pub fn table(view: &View<'_>, granularity: Granularity, order: Order) -> Table {
    let symbols = view.symbols();
    let mut keys: HashMap<Key, u32> = HashMap::new();
    let mut examples: Vec<LineId> = Vec::new();
    let row_of_line: Vec<u32> = (0..symbols.lines.len())
        .map(|index| {
            let id = LineId::new(index);
            let line = *symbols.line(id);
            let key = match granularity {
                Granularity::Functions => Key::Function(line.function),
                Granularity::Lines => Key::Line(line),
                Granularity::Files => Key::File(line.file),
                Granularity::Addresses => Key::Address(id),
            };
            *keys.entry(key).or_insert_with(|| {
                examples.push(id);
                examples.len() as u32 - 1
            })
        })
        .collect();

    let mut flat = vec![0.0; examples.len()];
    let mut cum = vec![0.0; examples.len()];
    // The stack in which a row was last counted, from 1.
    let mut counted_in = vec![0_usize; examples.len()];
    let mut stack_number = 0;
    view.walk(|lines, figure| {
        stack_number += 1;
        flat[row_of_line[lines[0].index()] as usize] += figure;
        for line in lines {
            let row = row_of_line[line.index()] as usize;
            if counted_in[row] != stack_number {
                counted_in[row] = stack_number;
                cum[row] += figure;
            }
        }
    });

    let mut rows: Vec<Row> = examples
        .iter()
        .zip(flat.iter().zip(&cum))
        .filter(|(_, (flat, cum))| **flat != 0.0 || **cum != 0.0)
        .map(|(&line, (&flat, &cum))| Row { name: row_name(view, granularity, line), flat, cum })
        .collect();
    let figure = |row: &Row| if order == Order::Flat { row.flat } else { row.cum };
    rows.sort_by(|a, b| figure(b).total_cmp(&figure(a)).then_with(|| a.name.cmp(&b.name)));
    Table { shown_total: flat.iter().sum(), rows }
}

fn row_name(view: &View<'_>, granularity: Granularity, id: LineId) -> String {
    let symbols = view.symbols();
    let line = symbols.line(id);
    let function = symbols.names.text(line.function);
    match granularity {
        Granularity::Functions => function.into(),
        Granularity::Lines => format!("{function} {}", symbols.location(line)),
        Granularity::Files if line.file == NameId::EMPTY => "??".into(),
        Granularity::Files => symbols.names.text(line.file).into(),
        Granularity::Addresses => {
            format!("{:016x} {function} {}", view.address_of(id), symbols.location(line))
        }
    }
}

/// Stacks by function names, root first: `root;..;leaf` and its figure, sorted by text, equal ones added up.
///
/// A `;` inside a name would start a frame, and a line break a line, so both are replaced.
pub fn collapsed(view: &View<'_>) -> BTreeMap<String, f64> {
    let symbols = view.symbols();
    let names: Vec<String> =
        symbols.names.texts().map(|name| name.replace(';', ":").replace(['\n', '\r'], " ")).collect();
    // By name ids first: many stacks differ only in addresses, and ids are cheaper to compare than texts.
    let mut by_ids: HashMap<Vec<NameId>, f64> = HashMap::new();
    let mut path: Vec<NameId> = Vec::new();
    view.walk(|lines, figure| {
        path.clear();
        path.extend(lines.iter().rev().map(|line| symbols.line(*line).function));
        match by_ids.get_mut(&path) {
            Some(sum) => *sum += figure,
            None => {
                by_ids.insert(path.clone(), figure);
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
