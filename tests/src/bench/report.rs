//! The tables of the benchmark set, as markdown that also reads well in a terminal.

use std::fmt::Write;

use crate::bench::figures::{Figures, Metric, geometric_mean, spread};
use crate::bench::rows::{Row, STAGES, stage_name};

/// The column of the library under test.
pub const OURS: &str = "ours";
/// What all ratios are to.
pub const BASE: &str = "jemalloc";

/// Slower than this many times the base is listed.
const SLOWER: f64 = 1.05;
/// More memory than this many times the base's is listed.
const LARGER: f64 = 1.15;
/// As fast as the fastest, within the noise.
const AS_FAST: f64 = 1.03;
/// Slower than this many times the best peer is listed.
const BEHIND: f64 = 1.10;
/// Below this peak the program's own pages and libraries are what is measured.
const SMALL: f64 = 15e6;

/// What the tables are made of.
pub struct Report<'a> {
    /// The samples.
    pub figures: &'a Figures,
    /// Columns: [`BASE`], [`OURS`], then the others.
    pub peers: &'a [&'a str],
    /// Which rows of the samples.
    pub rows: &'static [Row],
}

type Name = (String, &'static str);

impl Report<'_> {
    fn ratio(&self, row: &str, metric: Metric, peer: &str) -> Option<f64> {
        self.figures.ratio(row, metric, peer, BASE)
    }

    /// Timed rows with samples of the base.
    fn timed(&self) -> impl Iterator<Item = &'static Row> {
        self.rows
            .iter()
            .filter(|row| row.timed() && self.figures.median(row.name, Metric::Time, BASE).is_some())
    }

    /// Rows in which ours and the base were both measured, with ours as a multiple.
    fn ours(&self, metric: Metric) -> impl Iterator<Item = (&'static Row, f64)> {
        self.timed().filter_map(move |row| Some((row, self.ratio(row.name, metric, OURS)?)))
    }

    /// Of one peer, over the rows that `kept` keeps.
    fn mean(&self, metric: Metric, peer: &str, kept: impl Fn(&Row) -> bool) -> Option<f64> {
        geometric_mean(
            self.timed().filter(|row| kept(row)).filter_map(|row| self.ratio(row.name, metric, peer)),
        )
    }

    /// Peers apart from the base.
    fn others(&self) -> impl Iterator<Item = &str> {
        self.peers.iter().copied().filter(|peer| *peer != BASE)
    }

    /// Everything, for the documentation.
    pub fn markdown(&self) -> String {
        let mut text = self.summary();
        let timed: Vec<Name> = self.timed().map(|row| (row.name.to_owned(), row.what)).collect();
        let stages: Vec<Name> =
            self.stages().map(|(row, stage, what)| (stage_name(row, stage), *what)).collect();
        text += "\n### Time\n\nSeconds of jemalloc, and the others as multiples of its run in the same round; medians, ± the median deviation in percent.\n\n";
        text += &self.table(Metric::Time, &timed, |seconds| format!("{seconds:.3}"));
        text +=
            "\n### Peak of resident memory\n\nMegabytes of jemalloc, and the others as multiples of it.\n\n";
        text += &self.table(Metric::Peak, &timed, megabytes);
        text += "\n### Resident memory at the end of the process\n\n";
        text += &self.table(Metric::Last, &timed, megabytes);
        if !stages.is_empty() {
            text += "\n### Resident memory after a stage\n\n";
            text += &self.table(Metric::Last, &stages, megabytes);
        }
        text
    }

    fn stages(&self) -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str)> {
        STAGES.iter().filter(|(owner, ..)| self.rows.iter().any(|row| row.name == *owner))
    }

    /// Means, counts and what is behind.
    pub fn summary(&self) -> String {
        let mut text = String::from("| geometric mean, jemalloc = 1 |");
        self.others().for_each(|peer| text += &format!(" {peer} |"));
        text += "\n|---|";
        self.others().for_each(|_| text += "---|");
        text.push('\n');
        let large =
            |row: &Row| self.figures.median(row.name, Metric::Peak, BASE).is_some_and(|peak| peak > SMALL);
        let extreme: Vec<&str> = self.timed().filter(|row| row.extreme).map(|row| row.name).collect();
        let mut line = |title: String, cell: &dyn Fn(&str) -> Option<String>| {
            let cells = self.others().map(|peer| cell(peer).unwrap_or_else(|| "-".to_owned()));
            let _ = writeln!(text, "| {title} | {} |", cells.collect::<Vec<_>>().join(" | "));
        };
        let two = |value: Option<f64>| value.map(|value| format!("{value:.3}"));
        line("time".to_owned(), &|peer| two(self.mean(Metric::Time, peer, |_| true)));
        if !extreme.is_empty() {
            line(format!("time without {}", extreme.join(", ")), &|peer| {
                two(self.mean(Metric::Time, peer, |row| !row.extreme))
            });
        }
        line("CPU time".to_owned(), &|peer| two(self.mean(Metric::Cpu, peer, |_| true)));
        line("peak memory".to_owned(), &|peer| two(self.mean(Metric::Peak, peer, |_| true)));
        line("peak memory where jemalloc's is above 15 MB".to_owned(), &|peer| {
            two(self.mean(Metric::Peak, peer, large))
        });
        line("memory at the end".to_owned(), &|peer| two(self.mean(Metric::Last, peer, |_| true)));
        line("rows: fastest or within 3 % of it".to_owned(), &|peer| Some(self.wins(peer).to_string()));
        let _ = writeln!(text, "\nRows: {}.\n", self.timed().count());
        text += &self.list("Slower than 1.05 times jemalloc", Metric::Time, SLOWER);
        text += &self.list("More peak memory than 1.15 times jemalloc's", Metric::Peak, LARGER);
        text += &self.behind();
        text += &self.failures();
        text
    }

    /// Rows in which `peer` is as fast as the fastest.
    fn wins(&self, peer: &str) -> usize {
        let near = |row: &&Row| {
            let own = self.ratio(row.name, Metric::Time, peer)?;
            let (_, best) = self.figures.best(row.name, Metric::Time, self.peers, BASE)?;
            Some(own <= best * AS_FAST)
        };
        self.timed().filter(|row| near(row).unwrap_or(false)).count()
    }

    fn list(&self, title: &str, metric: Metric, limit: f64) -> String {
        let found = self.ours(metric).filter(|(_, ratio)| *ratio > limit);
        sentence(title, found.map(|(row, ratio)| format!("{} ({ratio:.2})", row.name)).collect())
    }

    fn behind(&self) -> String {
        let others: Vec<&str> = self.peers.iter().copied().filter(|peer| *peer != OURS).collect();
        let behind = |row: &Row| {
            let own = self.ratio(row.name, Metric::Time, OURS)?;
            let (peer, best) = self.figures.best(row.name, Metric::Time, &others, BASE)?;
            (own > best * BEHIND).then(|| format!("{} ({:.2} of {peer})", row.name, own / best))
        };
        sentence("More than 10 % behind the best peer", self.timed().filter_map(behind).collect())
    }

    fn failures(&self) -> String {
        let mut failed = Vec::new();
        for row in self.rows {
            for peer in self.peers {
                let count = self.figures.samples(row.name, Metric::Failed, peer).len();
                if count > 0 {
                    failed.push(format!("{} under {peer} ({count} times)", row.name));
                }
            }
        }
        if failed.is_empty() { String::new() } else { sentence("Runs that failed", failed) }
    }

    /// A row for each of `names`, a column for each peer; the lowest is bold.
    pub fn table(&self, metric: Metric, names: &[Name], absolute: impl Fn(f64) -> String) -> String {
        let mut text = format!("| benchmark | {} | what it does |\n|---|", self.peers.join(" | "));
        self.peers.iter().for_each(|_| text += "---|");
        text += "---|\n";
        for (name, what) in names {
            let Some((best, _)) = self.figures.best(name, metric, self.peers, BASE) else { continue };
            let _ = write!(text, "| {name} |");
            for peer in self.peers {
                let cell = self.cell(name, metric, peer, &absolute);
                text += &if *peer == best { format!(" **{cell}** |") } else { format!(" {cell} |") };
            }
            let _ = writeln!(text, " {what} |");
        }
        text
    }

    fn cell(&self, name: &str, metric: Metric, peer: &str, absolute: impl Fn(f64) -> String) -> String {
        let (value, samples) = if peer == BASE {
            let samples = self.figures.samples(name, metric, peer).to_vec();
            (self.figures.median(name, metric, peer).map(absolute), samples)
        } else {
            let samples = self.figures.ratios(name, metric, peer, BASE);
            (self.ratio(name, metric, peer).map(|ratio| format!("{ratio:.2}")), samples)
        };
        let Some(value) = value else { return "-".to_owned() };
        match spread(&samples) {
            Some(part) if metric == Metric::Time => format!("{value} ±{:.0}", part * 100.0),
            _ => value,
        }
    }
}

fn megabytes(bytes: f64) -> String {
    format!("{:.1}", bytes / 1e6)
}

fn sentence(title: &str, found: Vec<String>) -> String {
    let what = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
    format!("{title}: {what}.\n\n")
}

/// Puts `fresh` between the two marker lines of `text` that name the command with its option.
///
/// # Errors
/// When the markers are not there.
pub fn between_markers(text: &str, option: &str, fresh: &str) -> Result<String, String> {
    let command = format!("cargo bench-set {option}");
    let (begin, end) = markers(command.trim_end());
    let (before, rest) = text.split_once(&begin).ok_or_else(|| format!("no line {begin}"))?;
    let (_, after) = rest.split_once(&end).ok_or_else(|| format!("no line {end}"))?;
    Ok(format!("{before}{begin}{fresh}{end}{after}"))
}

fn markers(command: &str) -> (String, String) {
    (
        format!(
            "<!-- made by {command} -->
"
        ),
        format!(
            "<!-- end of what {command} made -->
"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rows::{ROWS, RUST};

    const PEERS: [&str; 3] = [BASE, OURS, "other"];

    /// Three rounds of two rows; ours is ahead in the first, behind in the second.
    fn figures() -> Figures {
        let mut figures = Figures::default();
        for (row, [base, ours, other]) in [("slots1", [1.0, 0.5, 2.0]), ("tchurn", [1.0, 2.0, 0.1])] {
            for (peer, value) in [(BASE, base), (OURS, ours), ("other", other)] {
                for noise in [0.9, 1.0, 1.1] {
                    figures.add(row, Metric::Time, peer, value * noise);
                    figures.add(row, Metric::Peak, peer, value * 1e7);
                }
            }
        }
        figures
    }

    #[test]
    fn means_are_over_all_rows_and_without_the_extreme_ones() {
        let figures = figures();
        let text = Report { figures: &figures, peers: &PEERS, rows: ROWS }.summary();
        assert!(text.contains("| time | 1.000 | 0.447 |"), "{text}");
        assert!(text.contains("| time without tchurn | 0.500 | 2.000 |"), "{text}");
        assert!(text.contains("| rows: fastest or within 3 % of it | 1 | 1 |"), "{text}");
        assert!(text.contains("| peak memory where jemalloc's is above 15 MB | - | - |"), "{text}");
    }

    #[test]
    fn what_is_behind_is_named_with_its_figure() {
        let mut figures = figures();
        figures.add("grow", Metric::Failed, "other", 1.0);
        let text = Report { figures: &figures, peers: &PEERS, rows: ROWS }.summary();
        assert!(text.contains("Slower than 1.05 times jemalloc: tchurn (2.00).\n"), "{text}");
        assert!(text.contains("More than 10 % behind the best peer: tchurn (20.00 of other).\n"), "{text}");
        assert!(text.contains("Runs that failed: grow under other (1 times).\n"), "{text}");
    }

    #[test]
    fn cells_are_ratios_with_spread_and_the_lowest_is_bold() {
        let figures = figures();
        let report = Report { figures: &figures, peers: &PEERS, rows: ROWS };
        let names = [("slots1".to_owned(), "some"), ("grow".to_owned(), "not measured")];
        let text = report.table(Metric::Time, &names, |seconds| format!("{seconds:.1} s"));
        assert!(text.ends_with("| slots1 | 1.0 s ±10 | **0.50 ±0** | 2.00 ±0 | some |\n"), "{text}");
        assert_eq!(report.cell("slots1", Metric::Peak, "missing", megabytes), "-");
    }

    #[test]
    fn a_report_knows_its_own_rows_alone() {
        let mut figures = figures();
        for (peer, value) in PEERS.iter().zip([1.0, 0.5, 0.25]) {
            figures.add("rust-json", Metric::Time, peer, value);
            figures.add("rust-json", Metric::Failed, peer, 1.0);
        }
        let text = Report { figures: &figures, peers: &PEERS, rows: RUST }.markdown();
        assert!(text.contains("| time | 0.500 | 0.250 |"), "{text}");
        assert!(!text.contains("slots1") && !text.contains("after a stage"), "{text}");
        let text = Report { figures: &figures, peers: &PEERS, rows: ROWS }.markdown();
        assert!(!text.contains("rust-json") && text.contains("after a stage"), "{text}");
    }

    #[test]
    fn only_what_lies_between_the_markers_of_the_option_is_replaced() {
        let part = |command| {
            let (begin, end) = markers(command);
            (format!("a\n{begin}"), format!("{end}b\n"))
        };
        let (plain, rust) = (part("cargo bench-set"), part("cargo bench-set --rust"));
        let text = |one, two| format!("{}{one}{}{}{two}{}", plain.0, plain.1, rust.0, rust.1);
        let old = text("old\n", "old\n");
        assert_eq!(between_markers(&old, "", "new\n"), Ok(text("new\n", "old\n")));
        assert_eq!(between_markers(&old, "--rust", "new\n"), Ok(text("old\n", "new\n")));
        assert!(between_markers(&old, "--other", "new\n").is_err());
    }
}
