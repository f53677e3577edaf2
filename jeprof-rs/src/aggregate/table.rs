//! Rows of a table: stacks added up by function, line, file or address.

use std::borrow::Cow;
use std::cmp::Ordering::Equal;

use super::keys::{Keys, NO_KEY};
use crate::plan::choice::{Granularity, Order};
use crate::symbolize::symbols::LineId;
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
    /// Average size of an object that it allocated itself; zero without objects.
    pub mean_flat: f64,
    /// Average size of an object that it or what it called allocated.
    pub mean_cum: f64,
    /// Whether what it stands for was inlined into its callers.
    pub inlined: Inlined,
}

impl Row {
    /// What the row stands for, and whether it was inlined, as pprof says it.
    pub fn label(&self) -> Cow<'_, str> {
        match self.inlined {
            Inlined::Never => self.name.as_str().into(),
            Inlined::Sometimes => format!("{} (partial-inline)", self.name).into(),
            Inlined::Always => format!("{} (inline)", self.name).into(),
        }
    }
}

/// In how many of its occurrences a function was inlined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inlined {
    /// In none.
    Never,
    /// In some.
    Sometimes,
    /// In all.
    Always,
}

/// The rows of a report and what they add up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Sum of flat over all rows: what percentages relate to.
    pub shown_total: f64,
    /// Rows in the asked order. Those with two zeros are left out, except where jeprof's rules are followed.
    pub rows: Vec<Row>,
}

impl Table {
    /// Orders the rows by figure without its sign, as pprof does: what shrank much stands beside what grew much.
    pub fn sort_by_size(&mut self, order: Order) {
        let figure = |row: &Row| if order == Order::Flat { row.flat.abs() } else { row.cum.abs() };
        self.rows.sort_by(|a, b| figure(b).total_cmp(&figure(a)).then_with(|| a.name.cmp(&b.name)));
    }

    /// Among rows of the same own figure, which mostly is none, puts those first that called most.
    pub fn sort_equals_by_cum(&mut self, order: Order) {
        if order == Order::Flat {
            for rows in self.rows.chunk_by_mut(|a, b| a.flat.abs() == b.flat.abs()) {
                rows.sort_by(|a, b| b.cum.abs().total_cmp(&a.cum.abs()));
            }
        }
    }
}

/// What is added up for one row: together, since a frame of a stack touches all of it.
#[derive(Clone, Default)]
struct Sums {
    cum: f64,
    cum_objects: f64,
    /// The stack in which the row was last counted, from 1. There are fewer than 2^32.
    counted_in: u32,
    /// Whether what it stands for occurs inlined.
    is_inlined: bool,
    /// Whether it occurs as itself.
    is_itself: bool,
}

/// What only the leaf of a stack adds to. Apart, so that the sums that every frame touches stay near.
#[derive(Clone, Default)]
struct Flat {
    flat: f64,
    objects: f64,
}

/// All rows in the making.
struct Adding {
    sums: Vec<Sums>,
    flat: Vec<Flat>,
    stack_number: u32,
}

impl Adding {
    /// Adds a stack: its rows, leaf first, and whether each was inlined.
    fn stack(&mut self, rows: impl Iterator<Item = (usize, bool)>, figure: f64, objects: f64) {
        self.stack_number += 1;
        let mut is_leaf = true;
        for (row, inlined) in rows {
            if std::mem::take(&mut is_leaf) {
                let flat = &mut self.flat[row];
                flat.flat += figure;
                flat.objects += objects;
            }
            let sums = &mut self.sums[row];
            if sums.counted_in != self.stack_number {
                sums.counted_in = self.stack_number;
                sums.cum += figure;
                sums.cum_objects += objects;
            }
            sums.is_inlined |= inlined;
            sums.is_itself |= !inlined;
        }
    }
}

/// Key of a line and whether it is inlined as one number, so that a frame of a stack costs one look-up for both. Keys are
/// lines' numbers at most, which are below 2^31: a line takes more than two bytes of memory.
fn packed(view: &View<'_>, of_lines: &[u32]) -> Vec<u32> {
    let pack = |(index, &key): (usize, &u32)| match key {
        NO_KEY => NO_KEY,
        key => key << 1 | u32::from(view.is_inlined(LineId::new(index))),
    };
    of_lines.iter().enumerate().map(pack).collect()
}

/// Adds up by granularity.
///
/// Cost: per frame of a stack one array look-up; the rows' names are made once per row.
pub fn table(view: &View<'_>, granularity: Granularity, order: Order) -> Table {
    let keys = Keys::new(view, granularity);
    // Objects beside bytes, for averages.
    let objects = view.object_metric();
    let mut adding = Adding {
        sums: vec![Sums::default(); keys.len()],
        flat: vec![Flat::default(); keys.len()],
        stack_number: 0,
    };
    match keys.of_lines().map(|of_lines| packed(view, of_lines)) {
        Some(packed) => view.walk(|seen| {
            let rows = seen.lines.iter().map(|line| packed[line.index()]).filter(|packed| *packed != NO_KEY);
            let rows = rows.map(|packed| ((packed >> 1) as usize, packed & 1 == 1));
            adding.stack(rows, seen.figure, seen.stack.figures.get(objects));
        }),
        None => view.walk(|seen| {
            let rows = keys.of_stack(view, seen.lines).map(|(line, row)| (row, view.is_inlined(line)));
            adding.stack(rows, seen.figure, seen.stack.figures.get(objects));
        }),
    }
    let Adding { sums, flat, .. } = adding;

    let mut names: Vec<String> = (0..keys.len()).map(|key| keys.name(view, key)).collect();
    let figure = |key: usize| if order == Order::Flat { flat[key].flat } else { sums[key].cum };
    let mut order: Vec<usize> =
        (0..keys.len()).filter(|&key| sums[key].is_inlined || sums[key].is_itself).collect();
    order.sort_by(|&a, &b| {
        figure(b).partial_cmp(&figure(a)).unwrap_or(Equal).then_with(|| names[a].cmp(&names[b]))
    });
    let row = |key: usize| {
        let (sums, Flat { flat, objects }) = (&sums[key], flat[key].clone());
        Row {
            name: keys.row_name(view, key, std::mem::take(&mut names[key])),
            flat,
            cum: sums.cum,
            mean_flat: average(flat, objects),
            mean_cum: average(sums.cum, sums.cum_objects),
            inlined: match (sums.is_inlined, sums.is_itself) {
                // jeprof has it in the name; of a file it says nothing.
                _ if view.jeprof().is_some()
                    || matches!(granularity, Granularity::Files | Granularity::Modules) =>
                {
                    Inlined::Never
                }
                (true, true) => Inlined::Sometimes,
                (true, false) => Inlined::Always,
                (false, _) => Inlined::Never,
            },
        }
    };
    // compat: jeprof's interactive tables count rows of zero, although they do not show them.
    let is_row = |row: &Row| row.flat != 0.0 || row.cum != 0.0 || view.jeprof().is_some();
    let shown_total = flat.iter().map(|sums| sums.flat).sum();
    let rows = order.into_iter().map(row).filter(is_row).collect();
    Table { shown_total, rows }
}

fn average(sum: f64, count: f64) -> f64 {
    if count == 0.0 { 0.0 } else { sum / count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::example;
    use crate::plan::Plan;

    fn rows(stacks: &[(&str, f64)], granularity: Granularity, order: Order) -> Vec<(String, f64, f64)> {
        let example = example(stacks);
        let plan = Plan::default();
        let view = View::new(&example.profile, &example.symbols, &plan);
        let table = table(&view, granularity, order);
        assert_eq!(table.shown_total, stacks.iter().map(|(_, figure)| figure).sum::<f64>());
        table.rows.into_iter().map(|row| (row.name, row.flat, row.cum)).collect()
    }

    fn row(name: &str, flat: f64, cum: f64) -> (String, f64, f64) {
        (name.into(), flat, cum)
    }

    #[test]
    fn flat_goes_to_the_innermost_inlined_leaf_and_recursion_counts_once() {
        let stacks = [("main;f;f;f>g", 4.0), ("main;f", 2.0)];
        assert_eq!(
            rows(&stacks, Granularity::Functions, Order::Flat),
            [row("g", 4.0, 4.0), row("f", 2.0, 6.0), row("main", 0.0, 6.0)]
        );
    }

    #[test]
    fn rows_are_ordered_by_figure_and_then_by_name() {
        let stacks = [("z;b", 1.0), ("z;a", 1.0), ("z;c", 5.0), ("z;d", -1.0)];
        let names = |order| -> Vec<String> {
            rows(&stacks, Granularity::Functions, order).into_iter().map(|(name, _, _)| name).collect()
        };
        assert_eq!(names(Order::Flat), ["c", "a", "b", "z", "d"]);
        assert_eq!(names(Order::Cumulative), ["z", "c", "a", "b", "d"]);
    }

    #[test]
    fn by_size_what_shrank_stands_beside_what_grew() {
        let example = example(&[("z;b", 1.0), ("z;c", 5.0), ("z;d", -3.0)]);
        let plan = Plan::default();
        let view = View::new(&example.profile, &example.symbols, &plan);
        let mut table = table(&view, Granularity::Functions, Order::Flat);
        table.sort_by_size(Order::Flat);
        assert_eq!(table.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["c", "d", "b", "z"]);
    }

    #[test]
    fn a_row_may_be_a_line_a_file_or_an_address() {
        let stacks = [("main;f>g", 4.0)];
        let names = |granularity| -> Vec<String> {
            rows(&stacks, granularity, Order::Flat).into_iter().map(|(name, _, _)| name).collect()
        };
        assert_eq!(names(Granularity::Lines), ["g g.c:1", "f f.c:1", "main main.c:1"]);
        assert_eq!(names(Granularity::Files), ["g.c", "f.c", "main.c"]);
        // The frames of one address are rows of their own, as in jeprof.
        assert_eq!(
            names(Granularity::Addresses),
            ["0000000000001000 g g.c:1", "0000000000001000 f f.c:1", "0000000000001001 main main.c:1"]
        );
    }

    #[test]
    fn a_row_whose_figures_cancel_out_is_left_out() {
        assert_eq!(rows(&[("a;b", 3.0), ("a;b", -3.0)], Granularity::Functions, Order::Flat), []);
    }

    #[test]
    fn every_granularity_adds_up_to_the_total() {
        // Random stacks of few names, so that recursion and equal stacks are frequent; a fixed seed (xorshift64).
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |bound: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % bound
        };
        for _ in 0..50 {
            let stacks: Vec<(String, f64)> = (0..20)
                .map(|_| {
                    let names: Vec<String> = (0..=below(6)).map(|_| format!("f{}", below(5))).collect();
                    (names.join(";"), (below(1000) + 1) as f64)
                })
                .collect();
            let stacks: Vec<(&str, f64)> =
                stacks.iter().map(|(path, figure)| (path.as_str(), *figure)).collect();
            let total: f64 = stacks.iter().map(|(_, figure)| figure).sum();
            for granularity in
                [Granularity::Functions, Granularity::Lines, Granularity::Files, Granularity::Addresses]
            {
                let rows = rows(&stacks, granularity, Order::Flat);
                assert_eq!(rows.iter().map(|(_, flat, _)| flat).sum::<f64>(), total);
                assert!(rows.iter().all(|(_, flat, cum)| flat <= cum && *cum <= total));
            }
        }
    }
}
