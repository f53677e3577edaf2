//! Rows of a comparison: what each function, line or file held before and holds now.

use super::keys::Keys;
use crate::plan::choice::{Granularity, Order};
use crate::transform::View;

/// A figure in the base and in the dumps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Change {
    /// In the base.
    pub before: f64,
    /// In the dumps.
    pub after: f64,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was not there.
    New,
    /// It is not there any more.
    Gone,
    /// It is larger.
    Grown,
    /// It is smaller.
    Shrunk,
    /// Nothing, up to rounding.
    Same,
}

impl Verdict {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::New => "new",
            Verdict::Gone => "gone",
            Verdict::Grown => "grown",
            Verdict::Shrunk => "shrunk",
            Verdict::Same => "same",
        }
    }
}

/// Less than this is what sums of floating point leave of nothing.
const NOTHING: f64 = 1e-6;

impl Change {
    /// By how much it is more now.
    pub fn by(self) -> f64 {
        self.after - self.before
    }

    /// The same as a share of what was there; none of nothing.
    pub fn share(self) -> Option<f64> {
        (self.before.abs() > NOTHING).then(|| self.by() / self.before)
    }

    /// What became of it.
    pub fn verdict(self) -> Verdict {
        let is_nothing = |value: f64| value.abs() <= NOTHING;
        match self.by() {
            change if change.abs() <= NOTHING * self.before.abs().max(1.0) => Verdict::Same,
            _ if is_nothing(self.before) => Verdict::New,
            _ if is_nothing(self.after) => Verdict::Gone,
            change if change > 0.0 => Verdict::Grown,
            _ => Verdict::Shrunk,
        }
    }

    fn add(&mut self, before: f64, change: f64) {
        self.before += before;
        self.after += before + change;
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// What the row stands for.
    pub name: String,
    /// What it allocated itself.
    pub flat: Change,
    /// What it and everything that it called allocated; a recursive call counts once.
    pub cum: Change,
}

impl Compared {
    /// The figure that rows are ordered by.
    pub fn of(&self, order: Order) -> Change {
        if order == Order::Flat { self.flat } else { self.cum }
    }
}

/// All rows, the largest change first.
///
/// Cost: per frame of a stack one array look-up; the rows' names are made once per row.
pub fn comparison(view: &View<'_>, granularity: Granularity, order: Order) -> (Change, Vec<Compared>) {
    let keys = Keys::new(view, granularity);
    let mut flat = vec![Change::default(); keys.len()];
    let mut cum = vec![Change::default(); keys.len()];
    let mut total = Change::default();
    // The stack in which a row was last counted, from 1.
    let mut counted_in = vec![0_usize; keys.len()];
    let mut stack_number = 0;
    view.walk(|seen| {
        stack_number += 1;
        total.add(seen.before, seen.figure);
        for (depth, (_, row)) in keys.of_stack(view, seen.lines).enumerate() {
            if depth == 0 {
                flat[row].add(seen.before, seen.figure);
            }
            if counted_in[row] != stack_number {
                counted_in[row] = stack_number;
                cum[row].add(seen.before, seen.figure);
            }
        }
    });
    let mut rows: Vec<Compared> = (0..keys.len())
        .filter(|&key| counted_in[key] != 0)
        .map(|key| Compared { name: keys.name(view, key), flat: flat[key], cum: cum[key] })
        .collect();
    rows.sort_by(|a, b| {
        let by = |row: &Compared| row.of(order).by().abs();
        by(b).total_cmp(&by(a)).then_with(|| a.name.cmp(&b.name))
    });
    (total, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_about_what_is_left_and_what_was_there() {
        let verdict = |before, after| Change { before, after }.verdict().word();
        assert_eq!(
            [
                verdict(0.0, 5.0),
                verdict(5.0, 0.0),
                verdict(5.0, 6.0),
                verdict(6.0, 5.0),
                verdict(6.0, 6.0),
                verdict(1e12, 1e12 + 0.01),
                verdict(0.0, 0.0),
            ],
            ["new", "gone", "grown", "shrunk", "same", "same", "same"]
        );
        assert_eq!(Change { before: 0.0, after: 5.0 }.share(), None);
        assert_eq!(Change { before: 4.0, after: 5.0 }.share(), Some(0.25));
    }
}
