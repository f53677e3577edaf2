//! Single operations: which there are, and the tables.

use std::fmt::Write;

use crate::bench::figures::{Figures, Metric, spread};

/// How an operation is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Instructions of one more operation under callgrind: the difference between a run with many and one with few. They
    /// count in user space only. `without`: less what `single.c` does with this size in place of its own.
    Instructions {
        /// Counts of the two runs.
        counts: [u64; 2],
        /// Operations that one more of the count is.
        each: u64,
        /// Size.
        without: Option<u64>,
    },
    /// Nanoseconds that `single.c` tells when it does so many.
    Nanoseconds(u64),
    /// Resident memory of a program that allocates once.
    Resident,
}

impl How {
    /// What the samples are of.
    pub fn metric(self) -> Metric {
        match self {
            How::Instructions { .. } => Metric::Instructions,
            How::Nanoseconds(_) => Metric::Nanoseconds,
            How::Resident => Metric::Last,
        }
    }

    /// A value for the table.
    fn shown(self, value: f64) -> String {
        match self {
            How::Instructions { .. } | How::Nanoseconds(_) if value < 1000.0 => format!("{value:.1}"),
            How::Instructions { .. } | How::Nanoseconds(_) => format!("{value:.0}"),
            How::Resident => format!("{:.2}", value / 1e6),
        }
    }
}

/// One operation.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// In the table and on the command line.
    pub name: &'static str,
    /// The first word for `tests/bench/programs/single.c`, and the size.
    pub program: (&'static str, u64),
    /// How it is measured.
    pub how: How,
    /// For the table.
    pub what: &'static str,
}

const fn pair(name: &'static str, size: u64) -> Operation {
    let how = How::Instructions { counts: [20_000, 60_000], each: 1, without: None };
    Operation {
        name,
        program: ("pair", size),
        how,
        what: "instructions of a malloc and its free, with the loop",
    }
}

/// All of them.
pub const OPERATIONS: &[Operation] = &[
    pair("pair-16", 16),
    pair("pair-64", 64),
    pair("pair-100", 100),
    pair("pair-256", 256),
    pair("pair-1024", 1024),
    Operation {
        name: "foreign-pair",
        program: ("foreign", 64),
        how: How::Instructions { counts: [20, 60], each: 1000, without: None },
        what: "instructions of a malloc in one thread and its free in another, 64 B, 1000 at a time",
    },
    Operation {
        name: "foreign-free",
        program: ("foreign", 64),
        how: How::Nanoseconds(5_000),
        what: "nanoseconds of the free of another thread's object, 64 B",
    },
    Operation {
        name: "first-instructions",
        program: ("start", 64),
        how: How::Instructions { counts: [100, 300], each: 1, without: Some(0) },
        what: "instructions of a thread's only malloc and free, its end included",
    },
    Operation {
        name: "first",
        program: ("first", 64),
        how: How::Nanoseconds(5_000),
        what: "nanoseconds that a thread with one malloc and free takes longer than one without, from pthread_create to pthread_join, on one processor",
    },
    Operation {
        name: "empty",
        program: ("nothing", 1),
        how: How::Resident,
        what: "resident megabytes of a program that allocates once",
    },
];

/// A row for each operation, a column for each allocator; the lowest is bold.
pub fn markdown(figures: &Figures, peers: &[&str]) -> String {
    let mut text = format!("| operation | {} | what is told |\n|---|", peers.join(" | "));
    text += &"---|".repeat(peers.len() + 1);
    text.push('\n');
    for operation in OPERATIONS {
        let median = |peer: &&str| figures.median(operation.name, operation.how.metric(), peer);
        let Some(best) = peers.iter().filter_map(median).min_by(f64::total_cmp) else { continue };
        let _ = write!(text, "| {} |", operation.name);
        for peer in peers {
            text += &match median(peer).map(|value| (value == best, cell(figures, operation, peer, value))) {
                Some((true, shown)) => format!(" **{shown}** |"),
                Some((false, shown)) => format!(" {shown} |"),
                None => " - |".to_owned(),
            };
        }
        let _ = writeln!(text, " {} |", operation.what);
    }
    text
}

/// A median, with its spread where it is a time.
fn cell(figures: &Figures, operation: &Operation, peer: &str, value: f64) -> String {
    let shown = operation.how.shown(value);
    match spread(figures.samples(operation.name, Metric::Nanoseconds, peer)) {
        Some(part) => format!("{shown} ±{:.0}", part.abs() * 100.0),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_their_units_and_the_lowest_is_bold() {
        let mut figures = Figures::default();
        for (peer, factor) in [("a", 2.0), ("b", 1.0)] {
            figures.add("pair-64", Metric::Instructions, peer, 61.44 * factor);
            figures.add("first", Metric::Nanoseconds, peer, 1500.5 * factor);
            figures.add("empty", Metric::Last, peer, 1.5e6 * factor);
        }
        let text = markdown(&figures, &["a", "b", "c"]);
        for line in [
            "| pair-64 | 122.9 | **61.4** | - |",
            "| first | 3001 ±0 | **1500 ±0** | - |",
            "| empty | 3.00 | **1.50** |",
        ] {
            assert!(text.contains(line), "{text}");
        }
        // A time that is all noise must look like it.
        [-9000.0, 9000.0].iter().for_each(|noise| figures.add("first", Metric::Nanoseconds, "b", *noise));
        assert!(markdown(&figures, &["a", "b"]).contains("**1500 ±500** |"), "the spread is told");
        assert!(!text.contains("pair-16 |"), "what was not measured has no row: {text}");
    }
}
