//! What profiling costs: which figures there are, and the tables. Columns of [`Figures`] are an allocator and a setting,
//! with a blank between.

use std::fmt::Write;

use crate::bench::figures::{Figures, Metric, geometric_mean};

/// Without profiling.
pub const OFF: &str = "prof:false";

/// Log2 of the mean distances in bytes.
pub const RATES: [u32; 3] = [19, 16, 12];

/// Frames of the stacks whose samples are measured.
pub const DEPTHS: [u64; 3] = [10, 30, 60];

/// Rows of the set that allocate enough to be slowed down, and real programs.
pub const SUBSET: &[&str] = &[
    "pair-small",
    "slots1",
    "slots2",
    "uniform2",
    "server2",
    "prodcons",
    "larson2",
    "mstress2",
    "tchurn",
    "tstart",
    "calloc",
    "malloc-med",
    "strmap2",
    "trees",
    "parse2",
    "python",
    "sqlite",
    "lua",
];

/// `MALLOC_CONF` for a rate.
pub fn sampling(lg: u32) -> String {
    format!("prof:true,lg_prof_sample:{lg}")
}

/// A column of the figures.
pub fn column(peer: &str, conf: &str) -> String {
    format!("{peer} {conf}")
}

/// How a sample's time is told apart: what the program is told, and the name of the figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Nothing is sampled.
    Off,
    /// A function of the program's tells one frame.
    One,
    /// It tells as many frames as the stack is deep.
    Deep,
    /// The allocator unwinds.
    Whole,
}

impl Part {
    /// All.
    pub const ALL: [Part; 4] = [Part::Off, Part::One, Part::Deep, Part::Whole];

    /// `MALLOC_CONF`.
    pub fn conf(self) -> String {
        if self == Part::Off { OFF.to_owned() } else { sampling(0) }
    }

    /// Second number for `profiled.c`.
    pub fn frames(self, depth: u64) -> u64 {
        match self {
            Part::Off | Part::Whole => 1,
            Part::One => 2,
            Part::Deep => depth + 1,
        }
    }

    /// Row of the figures.
    pub fn row(self, depth: u64) -> String {
        format!("sample-{depth}-{self:?}")
    }
}

/// Row of the figures for resident memory with a million live objects.
pub const LIVE: &str = "live";

/// How much longer a row takes at a rate than without profiling.
pub fn overhead(figures: &Figures, row: &str, peer: &str, lg: u32) -> Option<f64> {
    figures.ratio(row, Metric::Cpu, &column(peer, &sampling(lg)), &column(peer, OFF))
}

/// Geometric mean over the subset, and the worst row.
pub fn mean_and_worst(figures: &Figures, peer: &str, lg: u32) -> Option<(f64, f64, &'static str)> {
    let all: Vec<(f64, &str)> =
        SUBSET.iter().filter_map(|row| Some((overhead(figures, row, peer, lg)?, *row))).collect();
    let (worst, row) = all.iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some((geometric_mean(all.iter().map(|(ratio, _)| *ratio))?, *worst, row))
}

/// All tables.
pub fn markdown(figures: &Figures, peers: &[&str]) -> String {
    [slower(figures, peers), one_sample(figures, peers), memory(figures, peers)].concat()
}

fn header(text: &mut String, first: &str, columns: impl Iterator<Item = String>) {
    let columns: Vec<String> = columns.collect();
    let _ = writeln!(text, "| {first} | {} |\n|---|{}", columns.join(" | "), "---|".repeat(columns.len()));
}

fn slower(figures: &Figures, peers: &[&str]) -> String {
    let mut text = "### CPU time with profiling, as multiples of that without\n\n".to_owned();
    let cells = || peers.iter().flat_map(|peer| RATES.map(|lg| (*peer, lg)));
    header(&mut text, "benchmark", cells().map(|(peer, lg)| format!("{peer} {lg}")));
    for row in SUBSET {
        let found: Vec<String> = cells()
            .map(|(peer, lg)| overhead(figures, row, peer, lg))
            .map(|ratio| ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.3}")))
            .collect();
        let _ = writeln!(text, "| {row} | {} |", found.join(" | "));
    }
    let summary = cells().map(|(peer, lg)| mean_and_worst(figures, peer, lg));
    let (means, worst): (Vec<String>, Vec<String>) = summary
        .map(|found| match found {
            Some((mean, worst, row)) => (format!("**{mean:.3}**"), format!("{worst:.3} ({row})")),
            None => ("-".to_owned(), "-".to_owned()),
        })
        .unzip();
    let _ = writeln!(text, "| geometric mean | {} |\n| worst | {} |\n", means.join(" | "), worst.join(" | "));
    text
}

/// Nanoseconds of one sample and its parts, and those of all but the sample.
pub fn parts(figures: &Figures, peer: &str, depth: u64) -> Option<[f64; 4]> {
    let told =
        |part: Part| figures.median(&part.row(depth), Metric::Nanoseconds, &column(peer, &part.conf()));
    let (off, one, deep, whole) = (told(Part::Off)?, told(Part::One)?, told(Part::Deep)?, told(Part::Whole)?);
    Some([whole - off, whole - deep, deep - one, one - off])
}

fn one_sample(figures: &Figures, peers: &[&str]) -> String {
    let mut text = "### Nanoseconds of one sampled allocation and its free\n\n".to_owned();
    let names = ["all", "unwinding", "tables", "rest"];
    let columns = peers.iter().flat_map(|peer| names.map(|name| format!("{peer}: {name}")));
    header(&mut text, "call depth", columns.chain(["first as a part of the last".to_owned()]));
    for depth in DEPTHS {
        let all: Vec<Option<[f64; 4]>> = peers.iter().map(|peer| parts(figures, peer, depth)).collect();
        let cell = |value: f64| format!("{value:.0}");
        let cells: Vec<String> = all
            .iter()
            .flat_map(|found| found.map_or([(); 4].map(|()| "-".to_owned()), |parts| parts.map(cell)))
            .collect();
        let part = match (all.first(), all.last()) {
            (Some(Some(ours)), Some(Some(theirs))) => format!("{:.3}", ours[0] / theirs[0]),
            _ => "-".to_owned(),
        };
        let _ = writeln!(text, "| {depth} | {} | {part} |", cells.join(" | "));
    }
    text.push('\n');
    text
}

fn memory(figures: &Figures, peers: &[&str]) -> String {
    let mut text = "### Resident memory with 1,000,000 live objects of 64 bytes\n\n".to_owned();
    let (off, on) = (OFF.to_owned(), sampling(12));
    header(
        &mut text,
        "allocator",
        [format!("{off}, MB"), format!("{on}, MB"), "ratio".to_owned()].into_iter(),
    );
    for peer in peers {
        let bytes = |conf: &str| figures.median(LIVE, Metric::Last, &column(peer, conf));
        if let (Some(without), Some(with)) = (bytes(&off), bytes(&on)) {
            let (mb, with_mb) = (without / 1e6, with / 1e6);
            let _ = writeln!(text, "| {peer} | {mb:.1} | {with_mb:.1} | {:.3} |", with / without);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rows::ROWS;

    #[test]
    fn the_subset_is_of_the_set() {
        assert!(SUBSET.iter().all(|name| ROWS.iter().any(|row| row.name == *name && row.timed())));
    }

    #[test]
    fn overheads_means_and_the_parts_of_a_sample_are_told() {
        let mut figures = Figures::default();
        for (row, without, with) in [("slots1", 1.0, 1.1), ("trees", 2.0, 2.0), ("lua", 1.0, 1.21)] {
            figures.add(row, Metric::Cpu, &column("ours", OFF), without);
            figures.add(row, Metric::Cpu, &column("ours", &sampling(16)), with);
        }
        let (mean, worst, row) = mean_and_worst(&figures, "ours", 16).unwrap();
        assert!((mean - 1.1).abs() < 1e-9 && (worst - 1.21).abs() < 1e-9 && row == "lua");
        assert_eq!(mean_and_worst(&figures, "ours", 12), None);
        for (part, nanos) in Part::ALL.into_iter().zip([20.0, 120.0, 150.0, 300.0]) {
            for (peer, factor) in [("ours", 1.0), ("other", 10.0)] {
                let column = column(peer, &part.conf());
                figures.add(&part.row(30), Metric::Nanoseconds, &column, nanos * factor);
            }
        }
        assert_eq!(parts(&figures, "ours", 30), Some([280.0, 150.0, 30.0, 100.0]));
        for (conf, bytes) in [(OFF.to_owned(), 70e6), (sampling(12), 77e6)] {
            figures.add(LIVE, Metric::Last, &column("ours", &conf), bytes);
        }
        let text = markdown(&figures, &["ours", "other"]);
        for line in [
            "| slots1 | - | 1.100 | - | - | - | - |",
            "| geometric mean | - | **1.100** | - | - | - | - |",
            "| worst | - | 1.210 (lua) | - | - | - | - |",
            "| 30 | 280 | 150 | 30 | 100 | 2800 | 1500 | 300 | 1000 | 0.100 |",
            "| ours | 70.0 | 77.0 | 1.100 |",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
